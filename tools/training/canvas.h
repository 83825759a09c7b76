/* A white page to draw on, in smooth lines and letters, that becomes a picture.  Places are in pixels
   of that picture. */
#ifndef DDPM_CANVAS_H
#define DDPM_CANVAS_H
#include <stdbool.h>
#include "image/picture.h"

struct canvas {
    struct picture fine;
    int width, height;
};

struct color {
    unsigned char red, green, blue;
};

enum canvas_align { CANVAS_LEFT, CANVAS_MIDDLE, CANVAS_RIGHT };

struct canvas_text {
    double size;
    enum canvas_align align;
    bool upwards;
    struct color color;
};

int canvas_create(struct canvas *c, int width, int height, ddpm_error *err);
void canvas_free(struct canvas *c);
void canvas_box(struct canvas *c, double left, double top, double right, double bottom, struct color color);
/* A line of a width with round ends; a dot where both ends are the same. */
void canvas_line(struct canvas *c, double x0, double y0, double x1, double y1, double width,
                 struct color color);
/* ASCII with its middle line through y, or, written upwards, through x; aligned at the other
   coordinate.  size is the height of a capital letter. */
void canvas_text(struct canvas *c, double x, double y, const char *words, const struct canvas_text *how);
double canvas_text_width(const char *words, double size);
/* The picture, each pixel the mean of its parts. */
int canvas_picture(struct picture *p, const struct canvas *c, ddpm_error *err);
#endif
