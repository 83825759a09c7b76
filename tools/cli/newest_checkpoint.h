/* The checkpoints that a running training leaves: step-000001000.ddpm, with nine digits of the step, so that
   names sort as steps do. */
#ifndef DDPM_NEWEST_CHECKPOINT_H
#define DDPM_NEWEST_CHECKPOINT_H
#include <stdbool.h>
#include <stddef.h>

/* Returns whether a name in a folder is that of a checkpoint. */
bool newest_checkpoint_is(const char *folder, const char *name);
/* Fills path with the newest checkpoint in a folder; false: there is none.  The folder may be any. */
bool newest_checkpoint(char *path, size_t size, const char *folder);
#endif
