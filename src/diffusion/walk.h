/* The way of RePaint down a chain, see walk.c. */
#ifndef DD_WALK_H
#define DD_WALK_H
#include <stdbool.h>

/* The place on the way down the chain with its jumps back.  The way goes down to `floor`, then `resample` - 1
   times back up by `jump` positions and down again, and then to the next floor. */
struct dd_walk {
    int resample, jump;
    int i;     /* the chain position; -1: the way is at its end */
    int floor; /* where the next jumps begin, a multiple of jump; negative: there are none left */
    int round; /* how many jumps from this floor have begun */
    int climb; /* how many positions of the jump under way are left */
};

/* Returns the walk from position `top`. */
struct dd_walk dd_walk_begin(int top, int resample, int jump);
/* Prepares the next move and returns whether it goes up. */
bool dd_walk_turn(struct dd_walk *w);
/* Moves one position. */
void dd_walk_move(struct dd_walk *w);
/* Returns how many steps are left. */
int dd_walk_left(const struct dd_walk *w);
#endif
