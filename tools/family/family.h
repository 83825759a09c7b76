/* The families of foreign checkpoints.

   A family recognises its own tensors.  It reads a checkpoint and what the user says into the
   configuration of one of our networks, and it maps our names of tensors to its own.  The names and
   shapes of our tensors are those that ddpm_model_create makes of the configuration; nothing else
   describes them. */
#ifndef DDPM_FAMILY_H
#define DDPM_FAMILY_H
#include "family/conversion.h"

/* The place of a tensor of ours in the checkpoint.  parts 3: the foreign tensor holds the rows of q, k
   and v, in runs of `run` rows, and ours are those of one part:

     our row r is its row (r / run * 3 + part) * run + r % run */
struct foreign {
    char name[128];
    int parts, part; /* 1 and 0 for a tensor that is ours alone */
    int64_t run;
};

struct family {
    const char *name;             /* "openai", of --family */
    const char *origin;           /* "OpenAI", for messages */
    const char *const *signature; /* tensors that only this family has, NULL-terminated */
    const char *const *spare;     /* settings that change nothing here, see settings_end */
    /* Makes v->net, v->diffusion, v->freq and v->shape. */
    int (*read)(struct conversion *v);
    /* Changes *from, which holds our name, to where that tensor lies; NULL: the names are ours. */
    void (*map)(struct foreign *from, const struct conversion *v, const ddpm_tensor *ours);
    /* Returns true for a foreign tensor that the network does not need; NULL: there is none. */
    bool (*ignores)(const struct conversion *v, const struct checkpoint_tensor *t);
};
extern const struct family family_diffusers, family_openai, family_ho, family_lucidrains;

/* Returns "auto" and the names of the families, NULL-terminated. */
const char *const *family_names(void);
/* Finds the family of that name; "auto": the one whose tensors the checkpoint has. */
int family_find(const struct family **f, const char *name, const struct checkpoint *c, ddpm_error *err);
/* Reads configuration and settings into v.  Says what is missing and which settings nobody used. */
int family_read(struct conversion *v, const struct family *f);

/* Returns true for a tensor of our network that foreign checkpoints hold too; false for tables that this
   program computes (time.freq, schedule.*) and for what training keeps (raw.*, adam.*, ...). */
bool family_is_weight(const char *name);
/* Makes *from of one of our weights. */
void family_map(struct foreign *from, const struct family *f, const struct conversion *v,
                const ddpm_tensor *ours);
#endif
