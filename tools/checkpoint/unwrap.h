/* The U-Net taken out of an opened file: its tensors, under the names that they have inside it
   (checkpoint-families.md 5.5, 7.5). */
#ifndef DDPM_UNWRAP_H
#define DDPM_UNWRAP_H
#include "checkpoint/source.h"

struct choice {
    struct named *tensor; /* without the prefix of the U-Net, sorted by name */
    size_t tensors;
    const char *weights;   /* "ema", "raw", or "" when nothing tells */
    int has_ema, has_raw;  /* the file holds averaged weights; raw weights */
    size_t left;           /* tensors of other networks, which are left out */
    const char *left_name; /* name of one of these */
};

/* Fills *out, in the arena.  want: "ema" or "raw"; NULL: the average if there is one, otherwise the raw
   weights.  s->part limits the choice.  An error names the file and the option that helps. */
int unwrap(struct choice *out, struct dd_arena *arena, const struct source *s, const char *want,
           ddpm_error *err);
#endif
