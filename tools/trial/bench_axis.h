/* Axes of the plots of ddpm bench, and places for the labels of their points. */
#ifndef DDPM_BENCH_AXIS_H
#define DDPM_BENCH_AXIS_H
#include <stdbool.h>
#include <stdio.h>

/* What is black in a light page and white in a dark one; the page puts the colour of its text there. */
#define BENCH_INK "#010203"

struct axis {
    double low, high;
    bool log;
};
/* Returns an axis with some room around the n numbers.  NAN is left out, and of a logarithmic axis what is
   not above 0.  Numbers less than three times apart are on no logarithmic one. */
struct axis axis_fit(const double *v, int n, bool log);
/* Writes range, scale and ticks at round numbers for gnuplot's axis name, 'x' or 'y'. */
void axis_write(FILE *script, char name, const struct axis *a);
/* Writes range and scale with ticks at the n numbers, which ascend; one that would touch the last is left
   out. */
void axis_write_at(FILE *script, char name, const struct axis *a, const double *v, int n);
/* Returns where v lies between the ends, 0 to 1; what lies beyond is at the end. */
double axis_place(const struct axis *a, double v);

/* Rectangles of a plot, in points.  A soft one may be touched where there is no other place. */
struct box {
    double left, right, bottom, top;
    bool soft;
};

enum { BOXES_MAX = 256 };

struct boxes {
    struct box frame, taken[BOXES_MAX];
    int n;
};

void boxes_take(struct boxes *b, double left, double right, double bottom, double top, bool soft);
/* Puts the middle of a label of this size beside the point x, y where it touches nothing, and takes it.
   Returns false where there is none. */
bool boxes_label(struct boxes *b, double x, double y, double width, double height, double middle[2]);
#endif
