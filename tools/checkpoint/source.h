/* A file of weights that is open, before its U-Net is chosen (unwrap.h).  Every dictionary of named
   tensors in it is a state.  The names are known and sorted; a tensor is read when it is asked for. */
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
    const void *item; /* struct dd_entry for a safetensors file, struct pickle_node for a torch file */
};

struct state {
    const char *path; /* its path in the file: "" at the top, "ema", "model.ema", "[4]" */
    struct named *tensor;
    size_t tensors;
    const struct pickle_node *dict; /* its dictionary in a torch file; NULL otherwise */
};

struct source {
    char *name; /* for messages: the path as given */
    struct dd_file file;
    struct dd_arena arena;
    struct dd_safetensors safetensors;
    struct torch torch;
    struct state *state;
    size_t states, room;

    /* A torch file also tells these. */
    const char *version; /* version of lucidrains' trainer, or NULL */
    int optimizer;       /* an optimizer's state lies beside the weights */

    /* These describe an average that is a list of tensors without names, as torch_ema keeps one. */
    const char *nameless;              /* its path ("ema.shadow_params"), or NULL */
    const struct pickle_node *unnamed; /* the list; NULL: there is none, or several are equally likely */
    int shadow;                        /* it is called shadow_params, which is preferred to other lists */
    const char *named_like;            /* path of the state whose names it was given, or NULL */

    /* The caller sets these. */
    const char *beside; /* name of a file beside this one with the average, or NULL */
    const char *part;   /* the U-Net that the user wants: the beginning of its names, or NULL */
};

/* Opens a file, whose first bytes tell its kind, and finds its states.  Errors name the file.  The caller
   calls source_close, after an error too. */
int source_open(struct source *s, const char *path, ddpm_error *err);
/* Does the same from memory, which outlives s. */
int source_read(struct source *s, const unsigned char *data, size_t size, const char *name, ddpm_error *err);
void source_close(struct source *s);

/* Adds a state with its tensors, and sorts them.  A name that occurs twice is an error. */
int source_add(struct source *s, const char *path, struct named *tensor, size_t tensors, ddpm_error *err);
/* Returns the tensor of this name; NULL when there is none. */
const struct named *source_find(const struct state *state, const char *name);
/* Orders two struct named by their names, for qsort. */
int source_order(const void *a, const void *b);

/* Fills t with the place and layout of one tensor.  This reads its storage if it was not read yet. */
int source_tensor(struct checkpoint_tensor *t, const struct named *n, ddpm_error *err);
#endif
