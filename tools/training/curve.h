/* Draws the curves of the losses over the steps of a training as a picture. */
#ifndef DDPM_CURVE_H
#define DDPM_CURVE_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* A curve; { 0 } is an empty one.  Its steps ascend.  A value that is no positive number is not drawn. */
struct curve {
    double *step, *value; /* [points] */
    size_t points;
};

/* Adds a point.  DDPM_ENOMEM is the only error. */
int curve_add(struct curve *c, double step, double value, ddpm_error *err);
void curve_free(struct curve *c);
/* Returns the mean of the values around point i.  It takes i / 4 values, at most `side`, on either side
   (fewer near the end of the curve), so it does not lag behind a falling curve. */
double curve_mean(const struct curve *c, size_t i, size_t side);
/* Returns the `side` with which a curve of so many points is drawn. */
size_t curve_side(size_t points);
/* Fills tick with round numbers from low to high, at most `room`, and returns how many there are.  On a
   linear axis neighbours differ by 1, 2 or 5 times a power of ten; on a logarithmic axis the ticks are such
   numbers. */
int curve_ticks(double *tick, int room, double low, double high, bool logarithmic);

/* The words beside the curves, in ASCII. */
struct curve_words {
    const char *title, *value;
    int steps; /* a point of the training's loss is the mean over so many steps */
};

/* Writes a PNG with both losses to path, in place of a file that is there.  `loss` is that of the training,
   `held` that of the held-out images; a curve without points is left out. */
int curve_write(const char *path, const struct curve_words *w, const struct curve *loss,
                const struct curve *held, ddpm_error *err);
#endif
