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
