/* How long a run may take: so long from its start (--max-time), or until a time of day (--deadline); and how
   long it takes, by what steps and saving have taken so far.

   So long is counted by a clock that goes on while the machine is suspended and that nobody sets
   (CLOCK_BOOTTIME); the time of day is read anew whenever it is asked for, so that a clock that is set
   right during the run is believed; steps are measured by a clock that stands still while the machine is
   suspended (CLOCK_MONOTONIC). */
#ifndef DDPM_TIME_BUDGET_H
#define DDPM_TIME_BUDGET_H
#include <stdbool.h>
#include <time.h>
#include "ddpm.h"

struct time_budget {
    double end;
    time_t deadline; /* INFINITY and 0: none */
    double save;     /* seconds that saving a batch takes at most */
    double step;
    int rows;
    bool tried; /* of a step of so many images, 0: not known; tried: by a single image */
};

/* The run begins.  max_time 0, deadline NULL: none.  deadline: HH:MM, 6am, 6:30pm, 18h or 18h30, the next
   such local time,
   or YYYY-MM-DD before one of the first three (before HH:MM a T will do).
   DDPM_EUSAGE: no such time, or it is past. */
int time_budget_begin(struct time_budget *p, double max_time, const char *deadline, ddpm_error *err);
/* Seconds until it must end; INFINITY without a limit. */
double time_budget_left(const struct time_budget *p);
/* Whether there is time for no more than to save. */
bool time_budget_over(const struct time_budget *p);
/* Whether a step of rows images can end, and its images be saved, in time. */
bool time_budget_allows(const struct time_budget *p, int rows);
/* What a step of rows images took, and saving them. */
void time_budget_step(struct time_budget *p, double seconds, int rows);
void time_budget_saved(struct time_budget *p, double seconds);
#endif
