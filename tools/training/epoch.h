/* The order in which images are trained with.  The stream of images is endless: position p is place p mod n of epoch p / n, and every epoch
   is a permutation of its own, which depends on the seed, the epoch and n alone; so a stream goes on anywhere. */
#ifndef DDPM_EPOCH_H
#define DDPM_EPOCH_H
#include "image/dataset.h"

enum { EPOCH_SPLIT = -1 }; /* as an epoch: the permutation that says which images are held out */

/* order [n]: the images of an epoch.  Fisher and Yates's shuffle (Durstenfeld 1964), its numbers those of purpose "order of data". */
void epoch_order(uint32_t *order, size_t n, uint64_t seed, uint32_t epoch);
/* Whether the image at this place of the epoch is mirrored: one bit of another draw. */
bool epoch_flip(uint64_t seed, uint32_t epoch, size_t place);

struct stream {
    const struct dataset *data;
    uint64_t seed;
    bool flip;
    uint64_t epoch; /* of order */
    uint32_t *order;
    double *x;
};

int stream_open(struct stream *s, const struct dataset *data, uint64_t seed, bool flip, ddpm_error *err);
/* x0 [n, h, w, c], classes [n]: the images from a position on. */
int stream_read(struct stream *s, float *x0, int32_t *classes, uint64_t position, size_t n, ddpm_error *err);
void stream_close(struct stream *s);
#endif
