/* Axes of the plots of ddpm bench, and places for the labels of their points. */
#ifndef DDPM_BENCH_AXIS_H
#define DDPM_BENCH_AXIS_H
#include <stdbool.h>
#include <stdio.h>

/* A colour that stands for the colour of the page's text: black in a light page, white in a dark
   one. */
#define BENCH_INK "#010203"

struct axis {
    double low, high; /* its ends */
    bool log;
};

/* Returns an axis with some room around n numbers.  NAN is left out; a logarithmic axis leaves
   out what is not above 0 too.  The axis is not logarithmic, even if `log`, where the highest is
   less than three times the lowest. */
struct axis axis_fit(const double *v, int n, bool log);
/* Writes range, scale and ticks at round numbers for gnuplot's axis name, 'x' or 'y'. */
void axis_write(FILE *script, char name, const struct axis *a);
/* Writes range and scale with ticks at n numbers, which ascend.  A tick that would touch the one
   before is left out. */
void axis_write_at(FILE *script, char name, const struct axis *a, const double *v, int n);
/* Returns the place of v between the ends, 0 to 1.  A number beyond them is at the end. */
double axis_place(const struct axis *a, double v);

/* Rectangles of a plot, in points.  A soft one may be touched where there is no other place. */
struct box {
    double left, right, bottom, top;
    bool soft;
};

enum { BOXES_MAX = 256 };

/* The frame of a plot and what is taken in it. */
struct boxes {
    struct box frame, taken[BOXES_MAX];
    int n;
};

/* Takes a rectangle; more than BOXES_MAX are not counted. */
void boxes_take(struct boxes *b, double left, double right, double bottom, double top, bool soft);
/* Finds a place beside the point x, y for a label of this size, takes it, and fills middle.
   Returns false where there is none. */
bool boxes_label(struct boxes *b, double x, double y, double width, double height, double middle[2]);
#endif
