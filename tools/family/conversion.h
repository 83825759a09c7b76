/* A conversion: a foreign checkpoint, its settings, and the configuration that its family makes from
   both.  Below are the functions that the families share. */
#ifndef DDPM_CONVERSION_H
#define DDPM_CONVERSION_H
#include "checkpoint/checkpoint.h"
#include "family/settings.h"

struct conversion {
    const struct checkpoint *in;
    struct settings *say;
    cJSON *net, *diffusion; /* "net" and "diffusion" of the model file (model-file.md), made by the family */
    const void *shape;      /* what the family's map of names needs, in the arena; NULL: nothing */

    const char *class_names; /* the file of --set class_names=FILE, or NULL */
    float *freq;             /* [net.time.dim / 2] time.freq, rounded as in the origin */

    double *beta, *alpha_bar; /* [steps] a schedule in the checkpoint; NULL: diffusion.name names it */
    int steps;

    char notes[1200]; /* assumptions, one a line */
    struct dd_arena arena;
    ddpm_error *err;
};

void conversion_free(struct conversion *v);

/* Adds a line to the notes and returns DDPM_OK. */
int conversion_note(struct conversion *v, const char *format, ...) DD_PRINTF(2, 3);
/* Sets an error that begins with the file's name and returns DDPM_EDATA. */
int conversion_error(struct conversion *v, const char *format, ...) DD_PRINTF(2, 3);

/* Returns true when the checkpoint has a tensor of this name. */
bool conversion_has(const struct conversion *v, const char *format, ...) DD_PRINTF(2, 3);
/* Returns true when the name of a tensor contains `part`. */
bool conversion_mentions(const struct conversion *v, const char *part);
/* Fills dim with the shape of a tensor, followed by ones.  Returns DDPM_EDATA when the tensor is missing
   or has fewer than `rank` dimensions. */
int conversion_shape(struct conversion *v, int64_t dim[4], int rank, const char *format, ...) DD_PRINTF(4, 5);

/* The widths outside of the levels: of the time embedding, hidden and as it leaves it, of the first
   convolution, of images, and of what the network gives. */
struct conversion_ends {
    int time_hidden, time_dim, init, channels, outputs;
};

/* The tensors that have them.  out_rank: the dimensions of the last one. */
struct conversion_end_names {
    const char *time, *in, *out;
    int out_rank;
};

/* Fills the ends from the shapes of those tensors; errors as conversion_shape. */
int conversion_ends(struct conversion *v, struct conversion_ends *ends,
                    const struct conversion_end_names *names);

/* Notes an error when the setting is given and differs from `found`, the value that the tensors show. */
void conversion_check_int(struct conversion *v, const char *key, int found);
/* Returns true when the setting null_class, called `key`, says that the last of this many classes
   stands for no class.  Notes an error when it names another class. */
bool conversion_null_class(struct conversion *v, const char *key, int classes);
/* Notes an error if `asked`: the setting asks for a feature that this program does not have. */
void conversion_refuse_if(struct conversion *v, const char *key, bool asked);

/* Fill v->freq with f_i = theta^(-i / divisor), i < half, in float32.  The origins round in two ways.  The
   first multiplies ln theta by i and then divides, with theta = 10000 (diffusers, OpenAI); the second
   divides first (Ho, lucidrains). */
int conversion_freq_divide_last(struct conversion *v, int half, double divisor);
int conversion_freq_divide_first(struct conversion *v, int half, double divisor, double theta);

/* The values of "diffusion" in the model file (model-file.md). */
struct diffusion {
    int steps;
    const char *name, *prediction, *variance; /* prediction NULL: of a classifier, which has only steps, name
                                                 and t_scale */
    double clip, t_scale;
};

/* Makes v->diffusion.  Returns DDPM_EDATA when no schedule of this name has this number of steps. */
int conversion_diffusion(struct conversion *v, const struct diffusion *d);

/* Writes x with just enough digits to read back as the same number; returns text. */
const char *conversion_number(char text[32], double x);
#endif
