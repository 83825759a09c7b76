/* Starting the threads of a network. */
#ifndef DD_TEAM_H
#define DD_TEAM_H
#include "base/error.h"

/* After this the parallel loops of the calling thread have their threads: DDPM_ENOMEM now, or never. */
int dd_team_start(int threads, ddpm_error *err);
#endif
