/* The checkpoints that a running training leaves: step-000001000.ddpm.  The step has nine digits, so names
   sort as steps do. */
#ifndef DDPM_NEWEST_CHECKPOINT_H
#define DDPM_NEWEST_CHECKPOINT_H
#include <stdbool.h>
#include <stddef.h>

/* Returns whether a file in a folder has the name of a checkpoint. */
bool newest_checkpoint_is(const char *folder, const char *name);
/* Fills path with the newest checkpoint in a folder; false: it has no checkpoint, or does not exist. */
bool newest_checkpoint(char *path, size_t size, const char *folder);
#endif
