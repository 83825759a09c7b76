/* What a training keeps while it runs, in the folder MODEL.train: checkpoints step-000001000.ddpm, the best weights so far, a log and pictures.
   A checkpoint is written beside its place and renamed, so whatever happens the newest one is whole. */
#ifndef DDPM_TRAINING_FOLDER_H
#define DDPM_TRAINING_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"
#include "folder.h"

struct training_folder { char *path, *room; size_t size; struct folder_lock lock; };
/* Makes the folder, locks it until close (TRY_LATER: another process trains there), and removes what a killed one left half-written. */
int  training_folder_open(struct training_folder *f, const char *model, ddpm_error *err);
/* "FOLDER/NAME", until the next call. */
const char *training_folder_path(struct training_folder *f, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* The step of the newest checkpoint, or -1. */
int64_t training_folder_newest(struct training_folder *f);
const char *training_folder_checkpoint(struct training_folder *f, int64_t step);     /* its path, until the next call */
/* Removes all checkpoints but the newest so many; keep 0: everything that a training writes. */
void training_folder_prune(struct training_folder *f, int keep);
void training_folder_close(struct training_folder *f);
#endif
