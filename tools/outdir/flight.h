/* resume.safetensors beside a manifest: a batch that was stopped mid-chain.  Tensors index U32 [n], state F64
   [buffers, n, d] and frames F64 [n, frames, d]; metadata "recipe", the manifest's header, "taken", the
   number of steps behind it, and "sha256", the hash of the file (base/safetensors.h), without which it is not
   believed.  A shard's (shard.h) is called resume-0-of-4.safetensors; part is that "-0-of-4", or "". */
#ifndef DDPM_FLIGHT_H
#define DDPM_FLIGHT_H
#include "sample/studio.h"

int flight_save(const struct flight *f, const char *folder, const char *part, const char *header,
                ddpm_error *err);
/* f->n is 0 when there is none.  DDPM_EDATA: damaged, or of another run. */
int flight_load(struct flight *f, const struct studio *s, const char *folder, const char *part,
                const char *header, ddpm_error *err);
/* Leaves those images of f that are among index [n], ascending or not. */
void flight_keep(struct flight *f, const uint32_t *index, int n);
/* Returns DDPM_ECREATE where a folder lies in the file's place, which nothing replaces or removes. */
int flight_check(const char *folder, const char *part, ddpm_error *err);
int flight_remove(const char *folder, const char *part, ddpm_error *err); /* nothing where there is none */
#endif
