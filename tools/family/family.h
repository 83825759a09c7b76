/* The families of foreign checkpoints.  A family recognises its own names, reads what a checkpoint and the user say into our
   configuration, and lists every tensor that our model wants with the foreign one that it comes from; the rest is common to
   all. */
#ifndef DDPM_FAMILY_H
#define DDPM_FAMILY_H
#include "checkpoint/checkpoint.h"
#include "family/settings.h"

/* A tensor of ours and where it comes from.  Trailing ones of the foreign shape do not count.  parts 3: the foreign tensor
   holds the rows of q, k and v, in runs of run rows; ours are those of one part:
   our row r is theirs (r / run * 3 + part) * run + r % run. */
struct want {
    char name[80], from[128];
    int rank;
    int64_t dim[4];
    int parts, part;
    int64_t run;
};

struct conversion {
    const struct checkpoint *in;
    struct settings *say;
    cJSON *net, *diffusion; /* "net" and "diffusion" of the model file */
    struct want *want;
    size_t wants;
    float *freq;
    int freqs; /* time.freq as the origin rounds it */
    double *beta, *alpha_bar;
    int steps;        /* a table that the checkpoint holds; NULL: what diffusion.name says */
    char notes[1200]; /* what was taken for granted, a line each */
    struct dd_arena arena;
    ddpm_error *err;
};

struct family {
    const char *name, *origin;    /* "openai", "OpenAI's improved-diffusion and guided-diffusion" */
    const char *const *signature; /* tensors that only this family has, NULL-terminated */
    const char *const *spare;     /* settings that change nothing here, see settings_end */
    int (*read)(struct conversion *v);
    bool (*ignores)(const struct conversion *v,
                    const struct checkpoint_tensor *t); /* a tensor that nothing wants; or NULL */
};
extern const struct family family_diffusers, family_openai, family_ho, family_lucidrains;

const char *const *family_names(void); /* "auto" first; NULL-terminated */
/* The family of that name, or by the names of the tensors when it is "auto". */
int family_find(const struct family **f, const char *name, const struct checkpoint *c, ddpm_error *err);
/* Everything up to the list of wants, each met by exactly one foreign tensor of the right shape. */
int family_read(struct conversion *v, const struct family *f);
void conversion_free(struct conversion *v);

/* For the families. */
int conversion_note(struct conversion *v, const char *format, ...) DD_PRINTF(2, 3);
/* DDPM_EDATA, the file's name before it. */
int conversion_error(struct conversion *v, const char *format, ...) DD_PRINTF(2, 3);
/* Adds a want; from NULL: called the same. */
int conversion_want(struct conversion *v, const char *name, const char *from, int rank, const int64_t *dim);
/* The shape of a tensor that must be there, dim [4] with ones behind; error when it is not there or its rank is below. */
int conversion_shape(struct conversion *v, int64_t dim[4], int rank, const char *format, ...) DD_PRINTF(4, 5);
/* Has a tensor this part in its name? */
bool conversion_mentions(const struct conversion *v, const char *part);
bool conversion_has(const struct conversion *v, const char *format, ...) DD_PRINTF(2, 3);
/* Notes an error when the setting is given and is not `found`, which the tensors show. */
void conversion_check_int(struct conversion *v, const char *key, int found);
/* Notes an error about the setting when `asked`: it asks for what this program does not have. */
void conversion_refuse_if(struct conversion *v, const char *key, bool asked);
/* f_i = exp(-ln(10000) i / divisor) in float32, i < half, in the order of roundings of diffusers and OpenAI; and of Ho and
   lucidrains, which divide first. */
int conversion_freq_late(struct conversion *v, int half, double divisor);
int conversion_freq_early(struct conversion *v, int half, double divisor, double theta);
/* "net" is there; adds "diffusion". */
int conversion_diffusion(struct conversion *v, int steps, const char *name, const char *prediction,
                         const char *variance, double clip, double t_scale);
/* A number with as many digits as it takes to read it back; text. */
const char *conversion_number(char text[32], double x);
#endif
