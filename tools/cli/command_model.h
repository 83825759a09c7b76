/* The model of a command: a file, or the model that is linked into the program. */
#ifndef DDPM_COMMAND_MODEL_H
#define DDPM_COMMAND_MODEL_H
#include "ddpm.h"
#include "cli/options.h"

extern const unsigned char embedded_model[];
size_t embedded_size(void);
/* Opens the model at path; NULL: the embedded one.  DDPM_EDATA: it is a classifier, which makes no images. */
int model_open(ddpm_model **m, const char *path, ddpm_error *err);
/* Opens a model that makes images, or a classifier. */
int model_open_any(ddpm_model **m, const char *path, ddpm_error *err);
/* Opens the classifier at path and checks it, see model_check.  DDPM_EDATA: it is none. */
int model_open_classifier(ddpm_model **m, const char *path, ddpm_error *err);
/* Returns DDPM_EMISSING.  *err tells that nothing is at path, and how to get it when it looks like the
   name of a model on a hub. */
int missing_path(const char *path, ddpm_error *err);
/* Returns DDPM_EMISSING, or another code, unless path is NULL or something is there.  A command checks
   this before it asks for more options. */
int input_check(const char *path, ddpm_error *err);
/* Reads all tensors and returns DDPM_EDATA unless the model's id is their hash.  path is the one given to
   model_open. */
int model_check(const ddpm_model *m, const char *path, ddpm_error *err);
/* Opens a model and checks it.  A model made from a damaged one would get a valid id of its own, which
   would hide the damage. */
int model_open_whole(ddpm_model **m, const char *path, ddpm_error *err);
/* Creates a network for `batch` images with the threads, instruction set and engine that the user asked
   for. */
int model_net(ddpm_net **net, const ddpm_model *m, const struct common *c, int batch, ddpm_error *err);
/* The same for a network with its vector-Jacobian product. */
int model_vjp(ddpm_vjp **v, const ddpm_model *m, const struct common *c, int batch, ddpm_error *err);
/* Returns the flags of ddpm_model_save for a model made from m: its weights are as narrow as those of m.
   replace: an existing file may be replaced. */
unsigned model_save_flags(const ddpm_model *m, bool replace);
/* Returns the choices of --clip, NULL-terminated. */
const char *const *clip_choices(void);
/* Returns the bound of |x0| by --clip: the model's own, or 1 for "yes" if the model has no bound; 0: no
   bound.  choice is NULL if --clip is not given. */
double clip_bound(const char *choice, const ddpm_about *a);
#endif
