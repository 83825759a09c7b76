/* Teams of threads for tests of layers. */
#ifndef TEAMS_H
#define TEAMS_H
#include "layer/map.h"
#include "layer/parallel.h"

/* Returns this process's team of so many threads, at most 8. It belongs to this module. */
struct dd_team *team_of(int threads);

/* Part of a test that every thread of a team executes, each with a context of its own. */
typedef void team_work(const struct dd_context *ctx, void *user);
/* Calls work(ctx, user) on the threads of the team of ctx->threads. */
void team_run(const struct dd_context *ctx, team_work *work, void *user);
#endif
