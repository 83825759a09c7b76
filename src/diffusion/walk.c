/* walk.c: the way of RePaint down a chain, with jumps back (Lugmayr et al. 2022, section 4.2, and the
   authors' get_schedule_jump).  The positions fall from `top` to -1.  At every floor, a multiple of
   `jump` that is below top + 1 - jump, they rise by `jump` and fall again, `resample` - 1 times. */
#include "diffusion/walk.h"

struct dd_walk dd_walk_begin(int top, int resample, int jump)
{
    /* The highest floor is the largest multiple of jump below top + 1 - jump. */
    int floor = top + 1 > jump ? (top - jump) / jump * jump : -1;
    return (struct dd_walk){ .resample = resample, .jump = jump, .i = top, .floor = floor };
}

bool dd_walk_turn(struct dd_walk *w)
{
    bool at_floor = !w->climb && w->i == w->floor;
    if (at_floor && w->round + 1 < w->resample) {
        w->round++;
        w->climb = w->jump;
    } else if (at_floor) {
        w->round = 0;
        w->floor -= w->jump;
    }
    return w->climb > 0;
}

void dd_walk_move(struct dd_walk *w)
{
    w->i += w->climb > 0 ? 1 : -1;
    w->climb -= w->climb > 0;
}

int dd_walk_left(const struct dd_walk *w)
{
    int jumps = w->floor < 0 ? 0 : w->resample - 1 - w->round + w->floor / w->jump * (w->resample - 1);
    return w->i + 1 + 2 * w->climb + 2 * w->jump * jumps;
}
