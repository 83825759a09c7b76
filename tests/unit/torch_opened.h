/* Opens files of torch.save that a test has written, and compares the values of their tensors. */
#ifndef TORCH_OPENED_H
#define TORCH_OPENED_H
#include "tests/check.h"
#include "tests/torch_writer.h"
#include "tools/checkpoint/checkpoint.h"

enum { STORED = 24 };

/* The checkpoint that was opened last, and the error if it could not be opened. */
extern struct checkpoint opened;
extern ddpm_error open_error;

/* Returns a storage of STORED elements: 0, 1, 2, .... */
const float *counting(void);
/* Opens a zip of this pickle, a storage "0" that counts, and more members (the last has no name; NULL:
   none). */
int open_zip(const struct writer *w, const struct member *more);
/* Opens a zip of a dictionary with the single tensor "t". */
int open_one(const struct tensor *t);
/* Opens what was written, as it is. */
int open_written(const struct writer *w);
/* Returns whether the checkpoint has one tensor and its first n values are these. */
int values_are(const float *expected, size_t n);
/* Fails the test unless the last error contains these words. file and line are the caller's; i is its
   row in a table. */
void error_says(const char *file, int line, size_t i, const char *words);
#endif
