/* The families of foreign checkpoints.

   A family recognises its own tensors.  It makes the configuration of one of our networks from a
   checkpoint and the user's settings, and it maps our names of tensors to its own.  ddpm_model_create
   makes the names and shapes of our tensors from that configuration; nothing else describes them. */
#ifndef DDPM_FAMILY_H
#define DDPM_FAMILY_H
#include "family/conversion.h"

/* The place of one of our tensors in the checkpoint.  parts 3: the foreign tensor holds the rows of q, k
   and v, in runs of `run` rows, and our tensor has the rows of one part:

     our row r is its row (r / run * 3 + part) * run + r % run

   Our last row may be a tensor of its own, `last`. */
struct foreign {
    char name[128], last[32]; /* last "": there is no such tensor */
    int parts, part;          /* 1 and 0 for a tensor that is not shared */
    int64_t run;
};

struct family {
    const char *name;             /* value of --family: "openai" */
    const char *origin;           /* "OpenAI", for messages */
    const char *const *signature; /* tensors that only this family has, NULL-terminated */
    const char *const *spare;     /* settings without effect here, see settings_end */
    /* Makes v->net, v->diffusion, v->freq and v->shape. */
    int (*read)(struct conversion *v);
    /* Changes *from, which holds our name, to the place of that tensor; NULL: the names are ours. */
    void (*map)(struct foreign *from, const struct conversion *v, const ddpm_tensor *ours);
    /* Returns true for a foreign tensor that the network does not need; NULL: every tensor is needed. */
    bool (*ignores)(const struct conversion *v, const struct checkpoint_tensor *t);
};
extern const struct family family_diffusers, family_openai, family_ho, family_lucidrains;

/* Returns "auto" and the names of the families, NULL-terminated. */
const char *const *family_names(void);
/* Finds the family of this name; "auto": the family whose tensors the checkpoint has.  DDPM_EDATA: the
   checkpoint is not of this family, or of no known one. */
int family_find(const struct family **f, const char *name, const struct checkpoint *c, ddpm_error *err);
/* Reads configuration and settings into v.  The error tells what is missing; a note tells which settings
   were not used. */
int family_read(struct conversion *v, const struct family *f);

/* Returns true for a tensor of our network that foreign checkpoints hold too.  Tables that this program
   computes (time.freq, schedule.*) and tensors of training (raw.*, adam.*, ...) are not among them. */
bool family_is_weight(const char *name);
/* Fills *from with the place of one of our weights in the checkpoint. */
void family_map(struct foreign *from, const struct family *f, const struct conversion *v,
                const ddpm_tensor *ours);
#endif
