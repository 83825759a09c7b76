/* resume.safetensors beside a manifest: a batch that was stopped mid-chain.  Tensors index U32 [n], state F64
   [buffers, n, d] and frames F64 [n, frames, d]; metadata "recipe", the manifest's header, "taken", the
   number of steps behind it, and "sha256", the hash of the file (base/safetensors.h), without which it is not
   believed.  A shard's (shard.h) is called resume-0-of-4.safetensors; part is that "-0-of-4", or "". */
#ifndef DDPM_SAVED_BATCH_H
#define DDPM_SAVED_BATCH_H
#include "sample/generator.h"

int saved_batch_save(const struct saved_batch *f, const char *folder, const char *part, const char *header,
                     ddpm_error *err);
/* f->n is 0 when there is none.  DDPM_EDATA: damaged, or of another run. */
int saved_batch_load(struct saved_batch *f, const struct generator *s, const char *folder, const char *part,
                     const char *header, ddpm_error *err);
/* Leaves those images of f that are among index [n], ascending or not. */
void saved_batch_keep(struct saved_batch *f, const uint32_t *index, int n);
/* Returns DDPM_ECREATE where a folder lies in the file's place, which nothing replaces or removes. */
int saved_batch_check(const char *folder, const char *part, ddpm_error *err);
int saved_batch_remove(const char *folder, const char *part,
                       ddpm_error *err); /* nothing where there is none */
#endif
