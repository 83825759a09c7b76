/* Foreign checkpoints as flat lists of named tensors: torch.save files (zip and legacy, read by a
   pickle machine that executes nothing), safetensors files, diffusers folders.  Wrappers are
   opened, prefixes stripped, the average (EMA) preferred where there is one. */
#ifndef DDPM_CHECKPOINT_H
#define DDPM_CHECKPOINT_H
#include <stdarg.h>
#include <cjson/cJSON.h>
#include "base/safetensors.h"

/* A tensor as it lies in the file: element (i0, i1, ...) at data + (sum of i_k * stride_k) elements
   of dtype. */
struct checkpoint_tensor {
    const char *name;
    enum dd_dtype dtype;
    int rank;
    int64_t dim[DD_RANK_MAX], stride[DD_RANK_MAX];
    int big_endian;
    const unsigned char *data;
};

struct checkpoint {
    struct checkpoint_tensor *tensor;
    size_t
        tensors; /* sorted by name; the U-Net's, and lucidrains' schedule buffers (betas, loss_weight, ...) */
    const char *weights; /* "ema" or "raw"; "" where the file does not say which it holds */
    int has_ema, has_raw;
    int others;                 /* a file of other weights lies beside theirs */
    const char *version;        /* lucidrains Trainer's "version", or NULL */
    char notes[900];            /* what was left out and what was found elsewhere, a line each */
    cJSON *config, *scheduler;  /* diffusers folder: unet config and scheduler config, or NULL */
    char file[256], sha256[65]; /* base name and hash of the weights' file (of the index, when sharded) */
    void *owned;
};

/* path: a file or a folder; want: "ema", "raw" or NULL (ema where it exists); part: which of
   several U-Nets, by the beginning of its tensors' names, or NULL.  "ema" is refused where nothing
   says that the weights are an average.  Refuses hostile and unknown files with one sentence. */
int checkpoint_open(struct checkpoint *c, const char *path, const char *want, const char *part,
                    ddpm_error *err);
/* The same from memory, which outlives c; name stands for the file's. */
int checkpoint_open_memory(struct checkpoint *c, const unsigned char *data, size_t size, const char *name,
                           const char *want, ddpm_error *err);
/* To be asked once tensors have been read: DDPM_EDATA when one of the files was written to
   meanwhile. */
int checkpoint_unchanged(const struct checkpoint *c, ddpm_error *err);
void checkpoint_close(struct checkpoint *c);
const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *c, const char *name);
/* All elements in row-major order as float (double); not floating or not finite: DDPM_EDATA naming
   file and tensor. */
int checkpoint_floats(const struct checkpoint *c, const struct checkpoint_tensor *t, float *out,
                      ddpm_error *err);
int checkpoint_doubles(const struct checkpoint *c, const struct checkpoint_tensor *t, double *out,
                       ddpm_error *err);
/* Adds a line to the text notes [size], as far as there is room. */
void checkpoint_add_note(char *notes, size_t size, const char *format, va_list arguments);
#endif
