/* Makes the axes of the plots of ddpm bench, and finds places for the labels of their points. */
#ifndef DDPM_BENCH_AXIS_H
#define DDPM_BENCH_AXIS_H
#include <stdbool.h>
#include <stdio.h>

/* A colour that is later replaced by that of the page's text: black on a light page, white on a dark one. */
#define BENCH_INK "#010203"

struct axis {
    double low, high; /* the numbers at its ends */
    bool log;
};

/* Returns an axis with some room around n numbers, without NAN and, on a logarithmic axis, without those that
   are not above 0.  log: the axis is logarithmic if the highest number is at least three times the lowest. */
struct axis axis_fit(const double *v, int n, bool log);
/* Writes range, scale and ticks at round numbers for gnuplot's axis `name`, 'x' or 'y'. */
void axis_write(FILE *script, char name, const struct axis *a);
/* Writes range, scale and ticks at the n numbers of v, which ascend.  A tick that would touch the one before
   is left out. */
void axis_write_at(FILE *script, char name, const struct axis *a, const double *v, int n);
/* Returns the place of v on the axis, 0 to 1.  A number beyond an end is at that end. */
double axis_place(const struct axis *a, double v);

/* A rectangle of a plot, in points.  A label may touch a soft one if there is no other place for it. */
struct box {
    double left, right, bottom, top;
    bool soft;
};

enum { BOXES_MAX = 256 };

/* The frame of a plot and the rectangles in it that are taken. */
struct boxes {
    struct box frame, taken[BOXES_MAX];
    int n;
};

/* Takes a rectangle; does nothing if BOXES_MAX are taken already. */
void boxes_take(struct boxes *b, double left, double right, double bottom, double top, bool soft);
/* Finds a place beside the point x, y for a label of this size, takes it, and fills middle with its middle.
   Returns false if there is no free place. */
bool boxes_label(struct boxes *b, double x, double y, double width, double height, double middle[2]);
#endif
