/* How long a run may take: for a time from its start (--max-time), or until a time of day (--deadline).  And
   how long it will take, by what steps and saving have taken so far.

   There are three clocks.  The time from the start is counted by one that goes on while the machine is
   suspended and that nobody sets (CLOCK_BOOTTIME).  The time of day is read anew whenever it is asked for,
   so that a clock that is corrected during the run is believed.  Steps are measured by a clock that stands
   still while the machine is suspended (CLOCK_MONOTONIC). */
#ifndef DDPM_TIME_BUDGET_H
#define DDPM_TIME_BUDGET_H
#include <stdbool.h>
#include <time.h>
#include "ddpm.h"

struct time_budget {
    double end;      /* by CLOCK_BOOTTIME; INFINITY: none */
    time_t deadline; /* 0: none */
    double save;     /* seconds that saving a batch takes at most */
    double step;     /* seconds of a step of `rows` images; rows 0: not known */
    int rows;
    bool tried; /* step is of a single image that was tried */
};

/* Begins the run.  max_time 0, deadline NULL: none.  deadline is HH:MM, 6am, 6:30pm, 18h or 18h30, the
   next such local time, or YYYY-MM-DD before one of the first three (before HH:MM a T will do).
   DDPM_EUSAGE: there is no such time, or it is past. */
int time_budget_begin(struct time_budget *p, double max_time, const char *deadline, ddpm_error *err);
/* Returns the seconds until the run must end; INFINITY without a limit. */
double time_budget_left(const struct time_budget *p);
/* Returns whether there is time for no more than to save. */
bool time_budget_over(const struct time_budget *p);
/* Returns whether a step of rows images can end, and its images be saved, in time. */
bool time_budget_allows(const struct time_budget *p, int rows);
/* Notes what a step of rows images took, and saving them. */
void time_budget_step(struct time_budget *p, double seconds, int rows);
void time_budget_saved(struct time_budget *p, double seconds);
#endif
