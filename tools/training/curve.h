/* Curves over the steps of a training, as a picture. */
#ifndef DDPM_CURVE_H
#define DDPM_CURVE_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* A curve begins as zeros.  Steps ascend.  A value that is no positive number is not drawn. */
struct curve {
    double *step, *value; /* [points] */
    size_t points;
};

/* Adds a point.  DDPM_ENOMEM is the only error. */
int curve_add(struct curve *c, double step, double value, ddpm_error *err);
void curve_free(struct curve *c);
/* Returns the mean of the values about point i, which follows a falling curve without lagging
   behind. It takes i / 4 values on either side, at most `side`, and at the end of the curve
   those that there are. */
double curve_mean(const struct curve *c, size_t i, size_t side);
/* Returns the `side` of such means for the drawing of a curve of so many points. */
size_t curve_side(size_t points);
/* Fills tick with round numbers from low to high, at most room of them, and returns how many
   there are. They are apart by 1, 2 or 5 times a power of ten, or, logarithmic, are those
   numbers themselves. */
int curve_ticks(double *tick, int room, double low, double high, bool logarithmic);

/* The words beside the curves, in ASCII. */
struct curve_words {
    const char *title, *value;
    int steps; /* a point of the training's loss is a mean of so many */
};

/* Writes a PNG to path, replacing what is there: the loss of training, and that of the held-out
   images if it has points. */
int curve_write(const char *path, const struct curve_words *w, const struct curve *loss,
                const struct curve *held, ddpm_error *err);
#endif
