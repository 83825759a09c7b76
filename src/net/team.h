/* Starts the threads of a network. */
#ifndef DD_TEAM_H
#define DD_TEAM_H
#include "base/error.h"

struct dd_team;

/* Makes a team and starts its threads for the parallel regions of the calling thread.  DDPM_ENOMEM: a
   thread cannot be started; later runs cannot fail for this reason.  The caller frees *team with
   dd_parallel_free, after an error too. */
int dd_team_start(struct dd_team **team, int threads, ddpm_error *err);
#endif
