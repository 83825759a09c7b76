/* A time budget says how long a run may take: for a time from its start (--max-time), or until a time of day
   (--deadline).  It also estimates how long the next step will take, from the steps so far.

   There are three clocks.  DD_TIME_ELAPSED counts the time from the start: it goes on while the machine is
   suspended, and is never set.  The time of day is read anew at every check, so that a clock that is
   corrected during the run is believed.  DD_TIME_RUNNING measures steps: it stands still while the machine is
   suspended. */
#ifndef DDPM_TIME_BUDGET_H
#define DDPM_TIME_BUDGET_H
#include <stdbool.h>
#include <time.h>
#include "ddpm.h"

struct time_budget {
    double end;      /* end of --max-time on DD_TIME_ELAPSED; INFINITY: not given */
    time_t deadline; /* time of day of --deadline; 0: not given */
    double save;     /* seconds that saving a batch takes at most */
    double step;     /* seconds that a step of `rows` images takes; rows 0: not known */
    int rows;
    bool tried; /* step was measured by a trial; the first true step replaces it */
};

/* Begins the budget.  max_time is in seconds; 0 and deadline NULL mean no limit.  deadline is HH:MM, 6am,
   6:30pm, 18h or 18h30, the next such local time.  YYYY-MM-DD and a blank may stand before one of the first
   three (a T instead of the blank before HH:MM).  DDPM_EUSAGE: there is no such time, or it is past. */
int time_budget_begin(struct time_budget *p, double max_time, const char *deadline, ddpm_error *err);
/* Returns the seconds until the run must end; INFINITY without a limit. */
double time_budget_left(const struct time_budget *p);
/* Returns whether the time left is only enough to save the batch. */
bool time_budget_over(const struct time_budget *p);
/* Returns whether there is time for a step of `rows` images and for saving them. */
bool time_budget_allows(const struct time_budget *p, int rows);
/* Notes how many seconds a step of `rows` images took. */
void time_budget_step(struct time_budget *p, double seconds, int rows);
/* Notes how many seconds saving a batch took. */
void time_budget_saved(struct time_budget *p, double seconds);
#endif
