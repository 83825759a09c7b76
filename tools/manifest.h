/* manifest.jsonl of a folder of images: a line with the recipe, then a line per image as it is written. */
#ifndef DDPM_MANIFEST_H
#define DDPM_MANIFEST_H
#include <stdio.h>
#include <stdint.h>
#include "ddpm.h"

struct manifest { FILE *file; char *path; };
/* The folder's manifest, which may exist only with force.  header: the recipe's text. */
int  manifest_create(struct manifest *m, const char *folder, const char *header, int force, ddpm_error *err);
/* name: the file's, below the folder; step: where a lost image was lost (file is then not there), 0. */
int  manifest_add(struct manifest *m, uint32_t index, const char *name, const char *sha256, int lost_step, double seconds, ddpm_error *err);
int  manifest_close(struct manifest *m, ddpm_error *err);
#endif
