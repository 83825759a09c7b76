/* x = left + (step - first) / (last - first) width, y = bottom - ln(value / low) / ln(high / low) height; tick marks at 1, 2, 5 times a power of
   ten.  The running mean is m <- m + (value - m) / min(i + 1, 20).  Letters are stb_easy_font's rectangles. */
#include "curve.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "config.h"
#include "picture.h"
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#endif
#include STB_EASY_FONT_H
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

enum { WIDTH = 960, HEIGHT = 480, LEFT = 70, RIGHT = 940, TOP = 30, BOTTOM = 440 };
struct frame { struct picture picture; double first, last, low, high; };
struct color { unsigned char r, g, b; };
static const struct color black = { 0, 0, 0 }, pale = { 225, 225, 225 }, gray = { 170, 170, 170 }, blue = { 30, 80, 200 }, red = { 200, 40, 30 };

int curve_add(struct curve *c, double step, double value, ddpm_error *err)
{
    if (c->points == c->room) {
        size_t room = 2 * c->room + 256;
        double *both = malloc(2 * room * sizeof *both);
        if (!both)
            return dd_error(err, DDPM_ENOMEM, "out of memory for a curve of %zu points", room);
        for (size_t i = 0; i < c->points; i++)
            both[i] = c->step[i], both[room + i] = c->value[i];
        free(c->step);
        c->step = both, c->value = both + room, c->room = room;
    }
    c->step[c->points] = step, c->value[c->points++] = value;
    return DDPM_OK;
}

void curve_free(struct curve *c)
{
    free(c->step);
    *c = (struct curve){ .points = 0 };
}

static void dot(struct picture *p, int x, int y, struct color c)
{
    if (x >= 0 && y >= 0 && x < WIDTH && y < HEIGHT)
        memcpy(p->pixel + 3 * (y * WIDTH + x), &c, 3);
}

static void line(struct picture *p, double x0, double y0, double x1, double y1, struct color c)
{
    int n = (int)fmax(fabs(x1 - x0), fabs(y1 - y0)) + 1;
    for (int i = 0; i <= n; i++)
        dot(p, (int)rint(x0 + (x1 - x0) * i / n), (int)rint(y0 + (y1 - y0) * i / n), c);
}

/* right: the text ends at x instead of beginning there. */
static void text(struct picture *p, int x, int y, const char *words, int right, struct color c)
{
    struct { float x, y, z; unsigned char color[4]; } corner[4 * 300];
    char copy[64];
    snprintf(copy, sizeof copy, "%s", words);
    x -= right ? stb_easy_font_width(copy) : 0;
    int quads = stb_easy_font_print((float)x, (float)y, copy, NULL, corner, sizeof corner);
    for (int q = 0; q < quads; q++)
        for (int v = (int)corner[4 * q].y; v < (int)corner[4 * q + 2].y; v++)
            for (int u = (int)corner[4 * q].x; u < (int)corner[4 * q + 2].x; u++)
                dot(p, u, v, c);
}

static double place_x(const struct frame *f, double step) { return LEFT + (step - f->first) / (f->last - f->first) * (RIGHT - LEFT); }
static double place_y(const struct frame *f, double v) { return BOTTOM - log(v / f->low) / log(f->high / f->low) * (BOTTOM - TOP); }

static void bounds(struct frame *f, const struct curve *c)
{
    for (size_t i = 0; i < c->points; i++) {
        double v = c->value[i];
        if (!(v > 0) || !isfinite(v))
            continue;
        f->first = fmin(f->first, c->step[i]), f->last = fmax(f->last, c->step[i]);
        f->low = fmin(f->low, v), f->high = fmax(f->high, v);
    }
}

static void axes(struct frame *f)
{
    static const double marks[] = { 1, 2, 5 };
    struct picture *p = &f->picture;
    char label[32];
    for (int e = (int)floor(log10(f->low)); e <= (int)ceil(log10(f->high)); e++)
        for (int k = 0; k < 3; k++) {
            double v = marks[k] * pow(10, e), y = place_y(f, v);
            if (y < TOP - 1 || y > BOTTOM + 1)
                continue;
            line(p, LEFT, y, RIGHT, y, pale);
            snprintf(label, sizeof label, "%g", v);
            text(p, LEFT - 6, (int)y - 4, label, 1, black);
        }
    for (int i = 0; i <= 4; i++) {
        double step = f->first + (f->last - f->first) * i / 4, x = place_x(f, step);
        line(p, x, BOTTOM, x, BOTTOM + 5, black);
        snprintf(label, sizeof label, "%.0f", step);
        text(p, (int)x + stb_easy_font_width(label) / 2, BOTTOM + 10, label, 1, black);
    }
    line(p, LEFT, TOP, LEFT, BOTTOM, black);
    line(p, LEFT, BOTTOM, RIGHT, BOTTOM, black);
}

static void draw(struct frame *f, const struct curve *c, int smooth, struct color color)
{
    double mean = 0, x = 0, y = 0;
    int drawn = 0;
    for (size_t i = 0; i < c->points; i++) {
        if (!(c->value[i] > 0) || !isfinite(c->value[i]))
            continue;
        mean = drawn && smooth ? mean + (c->value[i] - mean) / fmin(++drawn, 20) : c->value[i];
        double u = place_x(f, c->step[i]), v = place_y(f, mean);
        line(&f->picture, drawn ? x : u, drawn ? y : v, u, v, color);
        x = u, y = v, drawn += !drawn;
    }
}

int curve_write(const char *path, const struct curve *a, const char *a_name, const struct curve *b, const char *b_name, ddpm_error *err)
{
    struct frame f = { .first = INFINITY, .last = -INFINITY, .low = INFINITY, .high = -INFINITY };
    struct dd_output o;
    int code = picture_create(&f.picture, WIDTH, HEIGHT, 3, err);
    if (code)
        return code;
    memset(f.picture.pixel, 255, (size_t)WIDTH * HEIGHT * 3);
    bounds(&f, a), bounds(&f, b);
    if (f.low <= f.high) {
        f.last += f.last == f.first;
        f.low /= 1.05, f.high *= 1.05;
        axes(&f);
        draw(&f, a, 0, gray), draw(&f, a, 1, blue), draw(&f, b, 0, red);
    }
    text(&f.picture, LEFT + 10, 12, a_name, 0, blue);
    text(&f.picture, LEFT + 200, 12, b->points ? b_name : "", 0, red);
    if (!(code = dd_output_create(&o, path, 1, err)) && !(code = picture_write(o.stream, &f.picture, "{}", err)))
        code = dd_output_commit(&o, err);
    else
        dd_output_abandon(&o);
    picture_free(&f.picture);
    return code;
}
