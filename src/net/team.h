/* The threads of a network: started, and under our own floating-point modes while they work for us (see base/outside.h). */
#ifndef DD_TEAM_H
#define DD_TEAM_H
#include "base/memory.h"
#include "base/outside.h"

struct dd_team {
    int threads;
    fenv_t *mode;
}; /* mode [threads]: what each had when the work began */

/* After this the parallel loops of the calling thread have their threads: DDPM_ENOMEM now, or never.  mode comes from a. */
int dd_team_start(struct dd_team *team, int threads, struct dd_arena *a, ddpm_error *err);
void dd_team_enter(struct dd_team *team);
void dd_team_leave(struct dd_team *team);

/* DD_ENTRY of a function that computes with a team. */
#define DD_TEAM_ENTRY(team, type, call)                   \
    do {                                                  \
        struct dd_outside outside_;                       \
        dd_outside_enter(&outside_), dd_team_enter(team); \
        type result_ = (call);                            \
        dd_team_leave(team), dd_outside_leave(&outside_); \
        return result_;                                   \
    } while (0)
#endif
