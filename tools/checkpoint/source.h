/* A file of weights that was opened, before it is decided which of its tensors are the U-Net
   (unwrap.h).  Every dictionary of named tensors in it is a state.  Their names are known and
   sorted; a tensor is read when it is asked for. */
#ifndef DDPM_SOURCE_H
#define DDPM_SOURCE_H
#include "base/file.h"
#include "base/memory.h"
#include "base/safetensors.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/torch.h"

struct named {
    const char *name;
    struct source *source;
    const void *item; /* struct dd_entry of a safetensors file, struct pickle_node of a torch file */
};

struct state {
    const char *path; /* where it lies: "" at the top of the file, "ema", "model.ema", "[4]" */
    struct named *tensor;
    size_t tensors;
    const struct pickle_node *dict; /* of a torch file */
};

struct source {
    char *name; /* for messages: the path as given */
    struct dd_file file;
    struct dd_arena arena;
    struct dd_safetensors safetensors;
    struct torch torch;
    struct state *state;
    size_t states, room;

    /* Beside its states a torch file says: */
    const char *version; /* that of lucidrains' trainer, or NULL */
    int optimizer;       /* an optimizer's state lies beside the weights */

    /* An average that is a list of tensors without names, as torch_ema keeps one. */
    const char *nameless;              /* where it lies ("ema.shadow_params"), or NULL */
    const struct pickle_node *unnamed; /* the list; NULL when there is none, or more than one */
    int shadow;                        /* it is called shadow_params, which no other list outweighs */
    const char *named_like;            /* the path of the state whose names it was given, or NULL */

    /* Set by the caller. */
    const char *beside; /* the name of a file beside this one that has the average, or NULL */
    const char *part;   /* the U-Net that the user means, by the beginning of its names, or NULL */
};

/* Opens a file and finds its states.  Its kind is known by its first bytes.  Errors name the file.
   The caller calls source_close, after an error too. */
int source_open(struct source *s, const char *path, ddpm_error *err);
/* The same from memory, which outlives s. */
int source_read(struct source *s, const unsigned char *data, size_t size, const char *name, ddpm_error *err);
void source_close(struct source *s);

/* Adds a state with its tensors, which are then sorted; a doubled name is an error. */
int source_add(struct source *s, const char *path, struct named *tensor, size_t tensors, ddpm_error *err);
/* Returns the tensor of this name; NULL when there is none. */
const struct named *source_find(const struct state *state, const char *name);
/* Orders two struct named by their names, for qsort. */
int source_order(const void *a, const void *b);

/* Lays out one tensor, reading its storage where need be. */
int source_tensor(struct checkpoint_tensor *t, const struct named *n, ddpm_error *err);
#endif
