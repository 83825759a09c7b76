/* A model: its metadata, the list of tensors that follows from them, and their data, owned or lying in a mapped file. */
#ifndef DD_MODEL_H
#define DD_MODEL_H
#include "base/file.h"
#include "net/program.h"

struct ddpm_model {
    struct dd_config config;
    struct dd_diffusion diffusion;
    struct dd_program program; /* its parameters are the tensors, beside schedule.* and stats.* */
    ddpm_tensor *tensor;       /* [tensors] in order of names */
    int *param;                /* [tensors] index in program.param, -1 for the others */
    size_t tensors;
    ddpm_about about;
    bool stats;
    bool training, low;    /* a training checkpoint, whose average has a second part: */
    int64_t steps, images; /* taken so far, and trained with so far */
    char id[65];
    cJSON *root; /* the metadata */
    char *json;
    void *block; /* the data of a created model */
    struct dd_file file;
    const char *path; /* path: NULL where there is no file */
    struct dd_arena arena;
};

/* Metadata and tensors without data; name is for messages.  has_id: "id" must be there, else it is passed over. */
int dd_model_describe(ddpm_model **m, const char *json, size_t size, const char *name, bool has_id,
                      ddpm_error *err);
/* Zeroed data, with time.freq by the formula; schedule.* is left to the caller. */
int dd_model_allocate(ddpm_model *m, ddpm_error *err);
/* Points m->about at what m holds, once its tensors have data. */
void dd_model_about(ddpm_model *m);
void dd_model_init(ddpm_model *m, uint64_t seed);
/* Finite numbers everywhere, 0 < beta < 1, alpha_bar strictly falling. */
int dd_model_validate(const ddpm_model *m, const char *name, ddpm_error *err);
const ddpm_tensor *dd_model_find(const ddpm_model *m, const char *name);

/* What training keeps beside a parameter, PREFIX.NAME. */
enum { DD_MODEL_RAW, DD_MODEL_ADAM_M, DD_MODEL_ADAM_V, DD_MODEL_LOW, DD_MODEL_KEPT };

extern const char *const dd_model_kept[DD_MODEL_KEPT];
/* What "average" of "train.trainer" says where the average has a second part. */
extern const char dd_model_average[];
size_t dd_model_bytes(const ddpm_tensor *t, int64_t *count); /* count may be NULL */
/* To be asked once tensors have been read: DDPM_EDATA when the file they lie in was written to meanwhile. */
int dd_model_unchanged(const ddpm_model *m, ddpm_error *err);
void dd_model_free(ddpm_model *m);
#endif
