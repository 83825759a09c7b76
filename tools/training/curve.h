/* Curves over the steps of a training, as a picture. */
#ifndef DDPM_CURVE_H
#define DDPM_CURVE_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* Steps ascend.  A value that is no positive number is not drawn. */
struct curve {
    double *step, *value;
    size_t points, room;
};

int curve_add(struct curve *c, double step, double value, ddpm_error *err);
void curve_free(struct curve *c);
/* Returns the mean of the values about point i: a quarter of those before it on either side, at most
   `side`, and at the end of the curve those that there are.  So it follows a falling curve without
   lagging behind. */
double curve_mean(const struct curve *c, size_t i, size_t side);
/* Returns how many points on either side such a mean takes when a curve of so many is drawn. */
size_t curve_side(size_t points);
/* Fills tick with round numbers from low to high, at most room of them, and returns how many there are:
   steps of 1, 2 or 5 times a power of ten, or, logarithmic, those numbers themselves. */
int curve_ticks(double *tick, int room, double low, double high, bool logarithmic);

/* What stands beside the curves: ASCII.  A point of the training's loss is a mean of so many steps. */
struct curve_words {
    const char *title, *value;
    int steps;
};

/* Writes a PNG to path: the loss of training and that of the images held out, if it has points. */
int curve_write(const char *path, const struct curve_words *w, const struct curve *loss,
                const struct curve *held, ddpm_error *err);
#endif
