/* The model that a command works on: a file, or the one that is linked into the program. */
#ifndef DDPM_COMMAND_MODEL_H
#define DDPM_COMMAND_MODEL_H
#include "ddpm.h"
#include "cli/options.h"

extern const unsigned char embedded_model[];
size_t embedded_size(void);
/* Opens the model at path; NULL: the embedded one. */
int model_open(ddpm_model **m, const char *path, ddpm_error *err);
/* Returns DDPM_EMISSING.  *err says that path is not there, and says more when a model on a hub has that
   name. */
int missing_path(const char *path, ddpm_error *err);
/* Returns DDPM_EMISSING or the like unless something is at path, or path is NULL.  A command says that before
   it asks for more. */
int input_check(const char *path, ddpm_error *err);
/* Reads all tensors and returns DDPM_EDATA unless they are those that the model's id stands for; path is as
   before. */
int model_check(const ddpm_model *m, const char *path, ddpm_error *err);
/* Opens a model and checks it.  A model made from a damaged one would get an id of its own, and nothing would
   tell any more that it is damaged. */
int model_open_whole(ddpm_model **m, const char *path, ddpm_error *err);
/* Creates a network for batch images with the threads, instruction set and engine that the user asked for. */
int model_net(ddpm_net **net, const ddpm_model *m, const struct common *c, int batch, ddpm_error *err);
/* Returns the flags of ddpm_model_save for what is made of m: weights as narrow as m's, and whether a file may be
   replaced. */
unsigned model_save_flags(const ddpm_model *m, bool replace);
#endif
