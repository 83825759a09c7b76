/* Files of torch.save (checkpoint-families.md 7).  A pickle describes a tree of Python values.  The
   numbers lie in storages beside it, which the pickle refers to by keys, and a tensor is a view of
   a storage: an offset, a size and strides.  Two containers hold pickle and storages: a zip archive
   (torch_zip.c), and until torch 1.6 one stream of bytes (torch_legacy.c). */
#ifndef DDPM_TORCH_H
#define DDPM_TORCH_H
#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pickle.h"

struct source;

struct torch_storage {
    const char *key;
    enum dd_dtype dtype;
    uint64_t count;            /* elements, or bytes if it is untyped */
    const unsigned char *data; /* NULL until it is read */
};

struct torch {
    struct pickle pickle;
    struct torch_storage *storage; /* sorted by key */
    size_t storages;
    int big_endian;

    /* Only the zip container uses these. */
    void *zip;     /* libzip's handle */
    void *view;    /* the file as libzip sees it */
    char *folder;  /* the folder in the archive, usually "archive" */
    uint64_t left; /* bytes that may still be read from the archive */
};

/* Reads the container in data [size], which outlives s: pickle, storages and states. */
int torch_zip_read(struct source *s, const unsigned char *data, size_t size, ddpm_error *err);
int torch_legacy_read(struct source *s, const unsigned char *data, size_t size, ddpm_error *err);
/* Fills storage->data from the zip container. */
int torch_zip_storage(struct source *s, struct torch_storage *storage, ddpm_error *err);
void torch_zip_close(struct source *s);

/* Fills the table of storages from the pickle's persistent ids.  legacy: each id also has a view. */
int torch_storages(struct source *s, int legacy, ddpm_error *err);
/* Returns the storage under key [length]; NULL when there is none. */
struct torch_storage *torch_storage_find(const struct torch *t, const char *key, size_t length);

/* Fills s->state from the tree, and the fields of s that describe averages. */
int torch_states(struct source *s, ddpm_error *err);

/* Fills t with the place and layout of one tensor.  This reads its storage if it was not read yet.  The
   error does not name the tensor. */
int torch_tensor(struct checkpoint_tensor *t, struct source *s, const struct pickle_node *node,
                 ddpm_error *err);
/* Returns the tensor that a parameter holds, or the node itself. */
const struct pickle_node *torch_parameter(const struct pickle_node *node);
/* Returns whether a node is an integer of 0 or more. */
int torch_is_count(const struct pickle_node *node);
#endif
