/* A model: its metadata, the list of tensors that follows from them, and the tensors' data, which is owned
   or lies in a mapped file. */
#ifndef DD_MODEL_H
#define DD_MODEL_H
#include "base/file.h"
#include "net/program.h"

struct ddpm_model {
    struct dd_config config;
    struct dd_diffusion diffusion;
    struct dd_program program; /* its parameters are the tensors except schedule.* and stats.* */
    ddpm_tensor *tensor;       /* [tensors] in order of names */
    int *param;                /* [tensors] the index in program.param, or -1 */
    size_t tensors;
    ddpm_about about;
    ddpm_tuned *tuned; /* [tuned_count] in order of K; the tables are tensors */
    int tuned_count;
    bool stats;     /* the tensors stats.gamma and stats.mse are there */
    bool training;  /* the model is a training checkpoint */
    bool low;       /* the model is a training checkpoint whose average has a second part, average.low.NAME */
    int64_t steps;  /* training checkpoint: steps taken so far */
    int64_t images; /* training checkpoint: images trained with so far */
    char id[65];
    cJSON *root; /* the metadata */
    char *json;  /* the metadata as text */
    void *block; /* the data of a created model */
    struct dd_file file;
    const char *path; /* the path of the file, or NULL */
    struct dd_arena arena;
};

/* Makes a model from metadata; its tensors have no data yet.  name is for messages.  has_id says whether
   "id" must be there; otherwise it is ignored. */
int dd_model_describe(ddpm_model **m, const char *json, size_t size, const char *name, bool has_id,
                      ddpm_error *err);
/* Gives the tensors zeroed data, and fills time.freq by its formula.  The caller fills schedule.*. */
int dd_model_allocate(ddpm_model *m, ddpm_error *err);
/* Points m->about at what m holds, once its tensors have data. */
void dd_model_about(ddpm_model *m);
/* Draws the initial weights, see ddpm_model_init. */
void dd_model_init(ddpm_model *m, uint64_t seed);
/* Checks that all numbers are finite, that 0 < beta < 1 and that alpha_bar falls strictly.  DDPM_EDATA: a
   number fails; *err names the tensor and the element. */
int dd_model_validate(const ddpm_model *m, const char *name, ddpm_error *err);
/* Returns the tensor of this name, or NULL. */
const ddpm_tensor *dd_model_find(const ddpm_model *m, const char *name);

/* The tensors PREFIX.NAME that training keeps besides a parameter NAME. */
enum { DD_MODEL_RAW, DD_MODEL_ADAM_M, DD_MODEL_ADAM_V, DD_MODEL_LOW, DD_MODEL_KEPT };

/* The prefixes of these tensors. */
extern const char *const dd_model_kept[DD_MODEL_KEPT];
/* The value of "average" in "train.trainer" when the average has a second part. */
extern const char dd_model_average[];
/* Returns the size of a tensor in bytes; *count, which may be NULL, is its number of elements. */
size_t dd_model_bytes(const ddpm_tensor *t, int64_t *count);
/* Checks, after the tensors have been read, that their file has not been written to meanwhile.  DDPM_EDATA:
   it has. */
int dd_model_unchanged(const ddpm_model *m, ddpm_error *err);
/* Refuses a classifier where a network that makes images is needed.  DDPM_EUSAGE: m is one. */
int dd_model_makes_images(const ddpm_model *m, ddpm_error *err);
void dd_model_free(ddpm_model *m);
#endif
