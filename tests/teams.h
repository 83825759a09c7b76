/* Teams of threads for tests of layers. */
#ifndef TEAMS_H
#define TEAMS_H
#include "layer/parallel.h"

/* The team of this many threads, at most 8, of this process. */
struct dd_team *team_of(int threads);
#endif
