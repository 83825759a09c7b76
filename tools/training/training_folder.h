/* The folder MODEL.train, in which a training keeps checkpoints step-000001000.ddpm, the best weights so far,
   a log and pictures.  A checkpoint is written under another name and renamed, so after a crash the newest
   one is whole. */
#ifndef DDPM_TRAINING_FOLDER_H
#define DDPM_TRAINING_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"
#include "cli/folder.h"

struct training_folder {
    char *path;
    char *room; /* [size], the path that training_folder_path returned last */
    size_t size;
    struct folder_lock lock;
};

/* Makes the folder MODEL.train, locks it until close, and removes half-written files of a killed process.
   TRY_LATER: another process trains there.  DDPM_ECREATE: something that is no regular file has a name that a
   training uses. */
int training_folder_open(struct training_folder *f, const char *model, ddpm_error *err);
/* Returns "FOLDER/NAME", valid until the next call of this function or of training_folder_checkpoint. */
const char *training_folder_path(struct training_folder *f, const char *format, ...) DD_PRINTF(2, 3);
/* Returns the step of the newest checkpoint below this one, or -1. */
int64_t training_folder_newest(struct training_folder *f, int64_t below);
/* Returns the path of the checkpoint of a step, valid as long as that of training_folder_path. */
const char *training_folder_checkpoint(struct training_folder *f, int64_t step);
/* Removes the checkpoints up to step `last`, but keeps the newest `keep` of them, at least one.  Later ones
   are damaged; each stays until training comes to its step and replaces it. */
void training_folder_prune(struct training_folder *f, int64_t last, int keep);
/* If the folder holds work of a training, renames it to FOLDER.1 or a higher number and makes an empty folder
   in its place.  Nothing is deleted.  kept [size]: the new name, or "" if nothing was renamed. */
int training_folder_set_aside(struct training_folder *f, char *kept, size_t size, ddpm_error *err);
void training_folder_close(struct training_folder *f);
#endif
