/* A canvas is a white page on which smooth lines and letters are drawn and which then becomes a picture.
   Places and sizes are in pixels of that picture, x to the right and y down. */
#ifndef DDPM_CANVAS_H
#define DDPM_CANVAS_H
#include <stdbool.h>
#include "image/picture.h"

struct canvas {
    struct picture fine; /* the page, three times as many pixels per side */
    int width, height;
};

struct color {
    unsigned char red, green, blue;
};

struct pen {
    double width;
    struct color color;
};

/* The point of a text that is put at x: its left end, its middle or its right end.  The number counts halves
   of its width. */
enum canvas_align { CANVAS_LEFT, CANVAS_MIDDLE, CANVAS_RIGHT };

struct canvas_text {
    double size; /* height of a capital letter */
    enum canvas_align align;
    bool upwards; /* turned by 90 degrees, to be read from below */
    struct color color;
};

/* Makes a white page.  DDPM_ENOMEM is the only error. */
int canvas_create(struct canvas *c, int width, int height, ddpm_error *err);
void canvas_free(struct canvas *c);
/* Fills a rectangle. */
void canvas_box(struct canvas *c, double left, double top, double right, double bottom, struct color color);
/* Draws a line with round ends; if both ends are the same, this is a dot. */
void canvas_line(struct canvas *c, double x0, double y0, double x1, double y1, struct pen pen);
/* Writes at most 99 letters of words.  A character that is not printable ASCII is drawn as a question mark.
   The text is aligned at x, and the middle of its height is at y; if
   written upwards, it is aligned at y, and the middle of its height is at x. */
void canvas_text(struct canvas *c, double x, double y, const char *words, const struct canvas_text *how);
/* Returns the width of words in letters of this size. */
double canvas_text_width(const char *words, double size);
/* Makes the picture, to be released by picture_free. */
int canvas_picture(struct picture *p, const struct canvas *c, ddpm_error *err);
#endif
