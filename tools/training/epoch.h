/* Gives the images of a training in a random order.  The stream of images is endless: position p is place p
   mod n in epoch p / n.  Every epoch has its own permutation, which depends only on the seed, the epoch and
   n.  So a stream can go on from any position. */
#ifndef DDPM_EPOCH_H
#define DDPM_EPOCH_H
#include "image/dataset.h"

/* The number of the epoch whose permutation says which images are held out. */
enum { EPOCH_SPLIT = -1 };

/* Fills order [n] with the images of an epoch by Fisher and Yates's shuffle (Durstenfeld 1964).
   Its numbers are those of the purpose "order of data". */
void epoch_order(uint32_t *order, size_t n, uint64_t seed, uint32_t epoch);
/* Returns whether the image at this place in the epoch is mirrored, by one bit of another draw. */
bool epoch_flip(uint64_t seed, uint32_t epoch, size_t place);

/* Returns the CRC-32 of an image x [d] as float32. */
uint32_t epoch_checksum(const double *x, size_t d);
/* Returns DDPM_EDATA if x [h, w, c], image k of the data, has changed, as files may be replaced while a
   training reads them again.  check [all images] has the checksums by index in the data; NULL: nothing is
   checked. */
int epoch_check(const struct dataset *data, const uint32_t *check, const double *x, size_t k,
                ddpm_error *err);

struct stream {
    const struct dataset *data;
    const uint32_t *check; /* checksums, see epoch_check */
    size_t d;              /* values of an image */
    uint64_t seed;
    bool flip;       /* mirror images at random */
    uint64_t epoch;  /* the epoch that `order` belongs to */
    uint32_t *order; /* [data->count] */
    double *x;       /* [d]: an image */
};

/* Opens a stream of images; the data must outlive it.  DDPM_ENOMEM is the only error; stream_close is allowed
   after it too. */
int stream_open(struct stream *s, const struct dataset *data, const uint32_t *check, uint64_t seed, bool flip,
                ddpm_error *err);
/* Fills x0 [n, h, w, c] and classes [n] with the images from a position on.  Errors are those of
   dataset_read and epoch_check. */
int stream_read(struct stream *s, float *x0, int32_t *classes, uint64_t position, size_t n, ddpm_error *err);
void stream_close(struct stream *s);
#endif
