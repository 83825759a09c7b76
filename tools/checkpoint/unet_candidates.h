/* The U-Nets that an opened file may hold, and the choice among them.

   Training programs wrap a U-Net: its tensors lie under a prefix P ("module.",
   "model.diffusion_model.") in one of several dictionaries (states), and an average of the weights
   lies beside the raw ones, under another prefix or in another state.  A pair (state, P) is a
   candidate when the state holds two names of a known U-Net, for instance P"conv_in.weight" and one
   that begins with P"down_blocks." (checkpoint-families.md 5.5, 7.5). */
#ifndef DDPM_UNET_CANDIDATES_H
#define DDPM_UNET_CANDIDATES_H
#include "checkpoint/unwrap.h"

struct candidate {
    const struct state *state;
    const char *prefix;
    int average; /* its path or prefix speaks of an average */
    int copy;    /* the second set of raw weights that lucidrains' EMA class keeps ("online_model.") */
    int buffers; /* the module around it keeps the noise schedule as buffers (lucidrains) */

    /* LitEma names its copies "model_ema." and the raw name, from byte `skip` on and without dots.
       dotless is "model_ema."; NULL for every other candidate. */
    const char *dotless;
    size_t skip;
};

enum { CANDIDATES_MAX = 16, CANDIDATE_PATH = 160 };

struct candidates {
    const struct source *s;
    struct dd_arena *arena;
    struct candidate list[CANDIDATES_MAX];
    size_t count;
    ddpm_error *err;
};

/* Fills the list.  The caller has set s, arena and err. */
int candidates_find(struct candidates *all);

/* Returns the candidate's tensor for the U-Net's `name`; NULL: there is none. */
const struct named *candidate_tensor(const struct candidate *c, struct dd_arena *arena, const char *name);
/* Writes where a candidate lies: the path of its state and the prefix in it, as in "ema.ema_model"; "."
   for the state at the top of the file.  Returns text. */
const char *candidate_path(char text[CANDIDATE_PATH], const struct candidate *c);

/* Chooses the candidate that the user wants (s->part, and `want` of unwrap), and sets the labels in *out.
   *raw: the raw weights, possibly the chosen ones; NULL: there are none.  *chosen: NULL when there is no
   candidate and the file has one state. */
int candidates_choose(struct choice *out, const struct candidate **chosen, const struct candidate **raw,
                      struct candidates *all, const char *want);
#endif
