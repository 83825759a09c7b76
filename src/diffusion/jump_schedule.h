/* The way of RePaint down a chain, see jump_schedule.c. */
#ifndef DD_JUMP_SCHEDULE_H
#define DD_JUMP_SCHEDULE_H
#include <stdbool.h>

/* A place on the way down the chain with its jumps back.  The way goes down to `floor`, then `resample` - 1
   times back up by `jump` positions and down again, and then to the next floor. */
struct dd_jump_schedule {
    int resample, jump;
    int i;     /* the chain position; -1: the way is at its end */
    int floor; /* where the next jumps begin, a multiple of jump; negative: there are none left */
    int round; /* how many jumps from this floor have begun */
    int climb; /* how many positions of the jump under way are left */
};

/* Returns the schedule at its beginning, position `top`. */
struct dd_jump_schedule dd_jump_schedule_begin(int top, int resample, int jump);
/* Prepares the next move and returns whether it goes up. */
bool dd_jump_schedule_turn(struct dd_jump_schedule *s);
/* Moves one position. */
void dd_jump_schedule_move(struct dd_jump_schedule *s);
/* Returns how many steps are left. */
int dd_jump_schedule_left(const struct dd_jump_schedule *s);
#endif
