/* jump_schedule.c: the way of RePaint down a chain, with jumps back (Lugmayr et al. 2022, section 4.2, and
   the authors' get_schedule_jump).  The positions fall from `top` to -1.  At every floor, a multiple of
   `jump` that is below top + 1 - jump, they rise by `jump` and fall again, `resample` - 1 times. */
#include "diffusion/jump_schedule.h"

struct dd_jump_schedule dd_jump_schedule_begin(int top, int resample, int jump)
{
    /* The highest floor is the largest multiple of jump below top + 1 - jump. */
    int floor = top + 1 > jump ? (top - jump) / jump * jump : -1;
    return (struct dd_jump_schedule){ .resample = resample, .jump = jump, .i = top, .floor = floor };
}

bool dd_jump_schedule_turn(struct dd_jump_schedule *s)
{
    bool at_floor = !s->climb && s->i == s->floor;
    if (at_floor && s->round + 1 < s->resample) {
        s->round++;
        s->climb = s->jump;
    } else if (at_floor) {
        s->round = 0;
        s->floor -= s->jump;
    }
    return s->climb > 0;
}

void dd_jump_schedule_move(struct dd_jump_schedule *s)
{
    s->i += s->climb > 0 ? 1 : -1;
    s->climb -= s->climb > 0;
}

int dd_jump_schedule_left(const struct dd_jump_schedule *s)
{
    int jumps = s->floor < 0 ? 0 : s->resample - 1 - s->round + s->floor / s->jump * (s->resample - 1);
    return s->i + 1 + 2 * s->climb + 2 * s->jump * jumps;
}
