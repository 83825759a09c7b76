/* Checkpoints that other programs wrote, as flat lists of named tensors: files of torch.save and of
   safetensors, and folders of diffusers.  Pickles are read by a machine that executes nothing.  Wrappers
   are opened, prefixes are stripped, and the average of the weights (EMA) is preferred where there is one. */
#ifndef DDPM_CHECKPOINT_H
#define DDPM_CHECKPOINT_H
#include <stdarg.h>
#include <cjson/cJSON.h>
#include "base/safetensors.h"

/* A tensor as it lies in the file: element (i_0, i_1, ...) is at data + (sum_k i_k stride_k)
   elements. */
struct checkpoint_tensor {
    const char *name;
    enum dd_dtype dtype;
    int rank;
    int64_t dim[DD_RANK_MAX], stride[DD_RANK_MAX];
    int big_endian;
    const unsigned char *data;
};

struct checkpoint {
    /* The tensors of the U-Net, and the buffers of lucidrains' schedule (betas,
       loss_weight, ...), by name. */
    struct checkpoint_tensor *tensor;
    size_t tensors;

    const char *weights; /* "ema" or "raw"; "" when nothing tells */
    int has_ema, has_raw;
    int others;          /* other weights lie in a file beside this one */
    const char *version; /* the "version" of lucidrains' trainer, or NULL */
    char notes[900];     /* what was left out and what was found elsewhere, a line each */

    cJSON *config, *scheduler; /* configurations of U-Net and scheduler from a diffusers folder, or NULL */

    /* The base name and SHA-256 of the file of weights, or of the index when there are several files. */
    char file[256], sha256[65];
    void *owned;
};

/* Opens a file or a folder.  want: "ema", "raw", or NULL for the average where there is one.  "ema" is
   refused when nothing says that the weights are an average.  part: the beginning of the tensor names of
   the U-Net to take, or NULL.  DDPM_EDATA: hostile, damaged or unknown; DDPM_EMISSING.  After an error *c
   is closed. */
int checkpoint_open(struct checkpoint *c, const char *path, const char *want, const char *part,
                    ddpm_error *err);
/* Does the same from memory, which outlives c; name stands for the path. */
int checkpoint_open_memory(struct checkpoint *c, const unsigned char *data, size_t size, const char *name,
                           const char *want, ddpm_error *err);
/* Returns DDPM_EDATA when one of the files was written to since it was opened.  It is asked after reading
   tensors. */
int checkpoint_unchanged(const struct checkpoint *c, ddpm_error *err);
void checkpoint_close(struct checkpoint *c);

/* Returns the tensor of this name; NULL when there is none. */
const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *c, const char *name);
/* Reads all elements, in row-major order.  DDPM_EDATA: they are not floating-point numbers, or one is not
   finite; the error names file and tensor. */
int checkpoint_floats(const struct checkpoint *c, const struct checkpoint_tensor *t, float *out,
                      ddpm_error *err);
int checkpoint_doubles(const struct checkpoint *c, const struct checkpoint_tensor *t, double *out,
                       ddpm_error *err);

/* Adds a line to the text notes [size], as far as there is room. */
void checkpoint_add_note(char *notes, size_t size, const char *format, va_list arguments);
#endif
