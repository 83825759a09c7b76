/* A file of weights opened, before it is decided which of its tensors are the U-Net: every dictionary of named tensors in it is a
   state.  Names are known and sorted; a tensor is read only when it is asked for. */
#ifndef DDPM_SOURCE_H
#define DDPM_SOURCE_H
#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pickle.h"

struct source;

struct named {
    const char *name;
    struct source *source;
    const void *item;
}; /* item: struct dd_entry or struct pickle_node */

/* path: "" the file's top, "ema", "model.ema", "[4]" */
struct state {
    const char *path;
    struct named *tensor;
    size_t tensors;
    const struct pickle_node *dict;
};

/* A torch.save file: its pickle and its storages, sorted by key. */
struct torch_storage {
    const char *key;
    enum dd_dtype dtype;
    uint64_t count;            /* elements; bytes of an untyped one */
    const unsigned char *data; /* NULL: not read yet */
};

struct torch {
    struct pickle pickle;
    struct torch_storage *storage;
    size_t storages;
    int big_endian;
    void *zip, *view; /* the zip container: libzip's handle, what it reads from, */
    char *folder;
    uint64_t left; /* "archive", bytes that may still be read */
};

struct source {
    char *name; /* for messages: the path as given */
    struct dd_file file;
    struct dd_arena arena;
    struct dd_safetensors safetensors;
    struct torch torch;
    struct state *state;
    size_t states, room;
    const char *version; /* lucidrains */
    int optimizer;       /* an optimizer's state lies beside */
    /* where an average lies whose tensors have no names ("ema.shadow_params"), or NULL */
    const char *nameless;
    const struct pickle_node *unnamed; /* its list of tensors, or NULL: there is none, or more than one */
    int shadow;                        /* it is called shadow_params, which no other list outweighs */
    const char *named_like;            /* the table whose names it was given, or NULL */
    /* the name of a file beside this one, which has the average; or NULL */
    const char *beside;
    /* the U-Net that the user means, by the beginning of its tensors' names, or NULL */
    const char *part;
};

/* Detects the kind by its first bytes.  Errors name the file. */
int source_open(struct source *s, const char *path, ddpm_error *err);
int source_read(struct source *s, const unsigned char *data, size_t size, const char *name,
                ddpm_error *err); /* data outlive s */
void source_close(struct source *s);
/* Lays out one tensor, reading its storage where need be. */
int source_tensor(struct checkpoint_tensor *t, const struct named *n, ddpm_error *err);
const struct named *source_find(const struct state *state, const char *name);

/* torch_zip.c, torch_legacy.c: the two containers.  The data outlive s. */
int torch_zip_read(struct source *s, const unsigned char *data, size_t size, ddpm_error *err);
int torch_zip_storage(struct source *s, struct torch_storage *storage, ddpm_error *err);
void torch_zip_close(struct source *s);
int torch_legacy_read(struct source *s, const unsigned char *data, size_t size, ddpm_error *err);

/* torch_states.c: what the pickle says.  Fills the table of storages from the persistent ids. */
int torch_storages(struct source *s, int legacy, ddpm_error *err);
struct torch_storage *torch_storage_find(const struct torch *t, const char *key, size_t length);
/* Fills s->state from the tree. */
int torch_states(struct source *s, ddpm_error *err);
/* Returns whether a node is an integer of 0 or more. */
int torch_is_count(const struct pickle_node *n);
/* Returns the tensor that a parameter holds; a tensor of a subclass is told by its name. */
const struct pickle_node *torch_parameter(const struct pickle_node *n);

/* torch_tensor.c: lays out one tensor, reading its storage where need be. */
int torch_tensor(struct checkpoint_tensor *t, struct source *s, const struct pickle_node *node,
                 ddpm_error *err);

/* source_states.c. */
/* Adds a state with its tensors, which are then sorted; a doubled name is an error. */
int source_add(struct source *s, const char *path, struct named *tensor, size_t tensors, ddpm_error *err);

/* diffusers_folder.c: the files of a folder; source[0] then holds the tensors of all shards in one state. */
struct files {
    struct dd_arena arena;
    struct source *source;
    size_t sources;
    int sharded;
    const char *weights; /* path of the file that stands for them: the index of shards */
    cJSON *config, *scheduler;
    const char *scheduler_path;
    int scheduler_above; /* above: it lies in a folder around the given one */
    /* "ema", "raw" or "": what folder and names of files say of the weights */
    const char *label;
    int both;                   /* the folder has averaged and raw ones to choose from */
    const char *others;         /* the name of a file beside that holds other weights, or NULL */
    const char *average_beside; /* the name of the average that lies beside raw weights, or NULL */
};

int diffusers_folder_open(struct files *f, const char *path, const char *want, ddpm_error *err);
/* Of a file of diffusers' weights: the configuration beside it, and all that its folder says. */
int diffusers_folder_beside(struct files *f, const char *path, ddpm_error *err);
#endif
