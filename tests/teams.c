/* Keeps one team for each number of threads, made when it is first asked for. */
#include "tests/teams.h"
#include "tests/check.h"

enum { MOST = 8 };

struct dd_team *team_of(int threads)
{
    static _Atomic(struct dd_team *) team[MOST + 1];
    if (threads < 1 || threads > MOST)
        check_fail(__FILE__, __LINE__, "no team of %d threads", threads);
    else if (!team[threads])
        team[threads] = dd_parallel_create(threads);
    return threads < 1 || threads > MOST ? NULL : team[threads];
}

struct job {
    const struct dd_context *ctx;
    team_work *work;
    void *user;
};

static void call(struct dd_worker *worker, void *user)
{
    const struct job *job = user;
    struct dd_context ctx = *job->ctx;
    ctx.worker = worker;
    job->work(&ctx, job->user);
}

void team_run(const struct dd_context *ctx, team_work *work, void *user)
{
    dd_parallel_run(team_of(ctx->threads), call, &(struct job){ ctx, work, user });
}
