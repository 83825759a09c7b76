/* What a training keeps while it runs, in the folder MODEL.train: checkpoints step-000001000.ddpm, the best weights so far, a log and pictures.
   A checkpoint is written beside its place and renamed, so whatever happens the newest one is whole. */
#ifndef DDPM_TRAINING_FOLDER_H
#define DDPM_TRAINING_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"
#include "cli/folder.h"

struct training_folder {
    char *path, *room;
    size_t size;
    struct folder_lock lock;
};

/* Makes the folder, locks it until close (TRY_LATER: another process trains there), and removes what a killed
   one left half-written.  DDPM_ECREATE: something that is no regular file has the name of a file of ours. */
int training_folder_open(struct training_folder *f, const char *model, ddpm_error *err);
/* "FOLDER/NAME", until the next call. */
const char *training_folder_path(struct training_folder *f, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Returns the step of the newest checkpoint below this one, or -1. */
int64_t training_folder_newest(struct training_folder *f, int64_t below);
const char *training_folder_checkpoint(struct training_folder *f,
                                       int64_t step); /* its path, until the next call */
/* Removes checkpoints of this step and before, but the newest so many of them, at least one.  Later ones are
   damaged: they stay until training comes to their steps. */
void training_folder_prune(struct training_folder *f, int64_t last, int keep);
/* Gives the folder another name, FOLDER.1 or a higher number, if it holds what a training has made, and
   makes an empty one in its place.  Nothing is deleted.  kept [size]: that name, or "". */
int training_folder_set_aside(struct training_folder *f, char *kept, size_t size, ddpm_error *err);
void training_folder_close(struct training_folder *f);
#endif
