/* The folder MODEL.train, in which a training keeps checkpoints step-000001000.ddpm, the best
   weights so far, a log and pictures.  A checkpoint is written beside its place and renamed, so
   whatever happens the newest one is whole. */
#ifndef DDPM_TRAINING_FOLDER_H
#define DDPM_TRAINING_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"
#include "cli/folder.h"

struct training_folder {
    char *path;
    char *room; /* [size], for the path of a file */
    size_t size;
    struct folder_lock lock;
};

/* Makes the folder, locks it until close (TRY_LATER: another process trains there), and removes
   what a killed one left half-written.  DDPM_ECREATE: something that is no regular file has the
   name of a file of ours. */
int training_folder_open(struct training_folder *f, const char *model, ddpm_error *err);
/* Returns "FOLDER/NAME", which stays until the next call. */
const char *training_folder_path(struct training_folder *f, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Returns the step of the newest checkpoint below this one, or -1. */
int64_t training_folder_newest(struct training_folder *f, int64_t below);
/* Returns the path of a checkpoint, which stays until the next call. */
const char *training_folder_checkpoint(struct training_folder *f, int64_t step);
/* Removes the checkpoints up to step `last`, but keeps the newest `keep` of them, at least one.
   Later ones are damaged; they stay until training comes to their steps. */
void training_folder_prune(struct training_folder *f, int64_t last, int keep);
/* If the folder holds what a training has made, gives it another name, FOLDER.1 or a higher
   number, and makes an empty one in its place.  Nothing is deleted.  kept [size]: that name, or
   "". */
int training_folder_set_aside(struct training_folder *f, char *kept, size_t size, ddpm_error *err);
void training_folder_close(struct training_folder *f);
#endif
