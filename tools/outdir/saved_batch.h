/* resume.safetensors beside a manifest holds a batch that was stopped mid-chain.  Its tensors are index U32
   [n], state F64 [buffers, n, d] and frames F64 [n, frames, d].  Its metadata are "recipe" (the manifest's
   header), "taken" (the steps that were taken) and "sha256" (the hash of the file, base/safetensors.h); a
   file without the hash is refused.  The file of a shard (shard.h) is called resume-0-of-4.safetensors;
   `part` is that "-0-of-4", or "". */
#ifndef DDPM_SAVED_BATCH_H
#define DDPM_SAVED_BATCH_H
#include "sample/generator.h"

/* Writes f to the file of the folder.  header: the settings of the run, as in its manifest. */
int saved_batch_save(const struct saved_batch *f, const char *folder, const char *part, const char *header,
                     ddpm_error *err);
/* Reads the file into f; f->n is 0 if there is no file.  DDPM_EDATA: it is damaged, or from another run. */
int saved_batch_load(struct saved_batch *f, const struct generator *s, const char *folder, const char *part,
                     const char *header, ddpm_error *err);
/* Keeps only those images of f that are among index [n]. */
void saved_batch_keep(struct saved_batch *f, const uint32_t *index, int n);
/* Returns DDPM_ECREATE if there is a folder in the file's place, which could not be replaced later. */
int saved_batch_check(const char *folder, const char *part, ddpm_error *err);
/* Removes the file, if there is one. */
int saved_batch_remove(const char *folder, const char *part, ddpm_error *err);
#endif
