/* The order in which images are trained with.  The stream of images is endless: position p is
   place p mod n of epoch p / n.  Every epoch is a permutation of its own, which depends on the
   seed, the epoch and n alone, so a stream goes on anywhere. */
#ifndef DDPM_EPOCH_H
#define DDPM_EPOCH_H
#include "image/dataset.h"

/* As an epoch: the permutation that says which images are held out. */
enum { EPOCH_SPLIT = -1 };

/* Fills order [n] with the images of an epoch by Fisher and Yates's shuffle (Durstenfeld 1964).
   Its numbers are those of the purpose "order of data". */
void epoch_order(uint32_t *order, size_t n, uint64_t seed, uint32_t epoch);
/* Returns whether the image at this place of the epoch is mirrored: one bit of another draw. */
bool epoch_flip(uint64_t seed, uint32_t epoch, size_t place);

/* Returns the CRC-32 of an image x [d] as float32. */
uint32_t epoch_checksum(const double *x, size_t d);
/* Returns DDPM_EDATA when x [h, w, c], image k of the data, is not what it was: files may be
   replaced while a training reads them again.  check holds the checksum of every image by its
   index in the data; NULL: not known. */
int epoch_check(const struct dataset *data, const uint32_t *check, const double *x, size_t k,
                ddpm_error *err);

struct stream {
    const struct dataset *data;
    const uint32_t *check; /* as in epoch_check */
    size_t d;              /* values of an image */
    uint64_t seed;
    bool flip;       /* mirror images at random */
    uint64_t epoch;  /* that order is of */
    uint32_t *order; /* [data->count] */
    double *x;       /* [d]: an image */
};

/* The data outlive the stream.  DDPM_ENOMEM is the only error; stream_close is allowed after it
   too. */
int stream_open(struct stream *s, const struct dataset *data, const uint32_t *check, uint64_t seed, bool flip,
                ddpm_error *err);
/* Fills x0 [n, h, w, c] and classes [n] with the images from a position on.  Errors are those of
   dataset_read and epoch_check. */
int stream_read(struct stream *s, float *x0, int32_t *classes, uint64_t position, size_t n, ddpm_error *err);
void stream_close(struct stream *s);
#endif
