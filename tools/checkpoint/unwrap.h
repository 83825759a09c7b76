/* The U-Net taken out of an opened file: its tensors, under the names that they have inside it
   (checkpoint-families.md 5.5, 7.5). */
#ifndef DDPM_UNWRAP_H
#define DDPM_UNWRAP_H
#include "checkpoint/source.h"

struct choice {
    struct named *tensor; /* without the prefix of the U-Net, sorted by name */
    size_t tensors;
    const char *weights;   /* "ema", "raw", or "" when nothing tells */
    int has_ema, has_raw;  /* the file holds averaged weights, raw ones */
    size_t left;           /* tensors of other networks beside the U-Net, which are left out, */
    const char *left_name; /* and the name of one of them */
};

/* Fills *out, in the arena.  want: "ema" or "raw", or NULL for the average where there is one.
   s->part limits the choice to what it names.  An error names the file and what to add to the
   command. */
int unwrap(struct choice *out, struct dd_arena *arena, const struct source *s, const char *want,
           ddpm_error *err);
#endif
