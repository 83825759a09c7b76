/* Teams of threads for tests of layers. */
#ifndef TEAMS_H
#define TEAMS_H
#include "layer/parallel.h"

/* Returns this process's team of so many threads, at most 8. It belongs to this module. */
struct dd_team *team_of(int threads);
#endif
