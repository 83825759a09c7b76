/* Everything is drawn in plain colours on a page with three times as many pixels per side as the picture.
   The picture is the mean over 3 x 3 of them, which makes edges smooth.  Letters are the rectangles of
   stb_easy_font, whose capitals are 7 units high. */
#include "training/canvas.h"
#include <math.h>
#include <string.h>
#include "config.h"
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#endif
#include STB_EASY_FONT_H
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

enum { FINE = 3, LETTERS = 100, QUADS = 16 * LETTERS, CAPITAL = 7 };

int canvas_create(struct canvas *c, int width, int height, ddpm_error *err)
{
    *c = (struct canvas){ .width = width, .height = height };
    int code = picture_create(&c->fine, FINE * width, FINE * height, 3, 1, err);
    if (!code)
        memset(c->fine.pixel, 255, (size_t)c->fine.width * (size_t)c->fine.height * 3);
    return code;
}

void canvas_free(struct canvas *c)
{
    picture_free(&c->fine);
}

/* Paints a pixel of the fine page; does nothing outside of it. */
static void put(struct canvas *c, int x, int y, struct color color)
{
    if (x >= 0 && y >= 0 && x < c->fine.width && y < c->fine.height)
        memcpy(c->fine.pixel + 3 * ((size_t)y * (size_t)c->fine.width + (size_t)x), &color, 3);
}

void canvas_box(struct canvas *c, double left, double top, double right, double bottom, struct color color)
{
    int end_x = (int)rint(FINE * right), end_y = (int)rint(FINE * bottom);
    for (int y = (int)rint(FINE * top); y < end_y; y++)
        for (int x = (int)rint(FINE * left); x < end_x; x++)
            put(c, x, y, color);
}

static void disc(struct canvas *c, double x, double y, double radius, struct color color)
{
    for (int v = (int)floor(y - radius); v <= (int)ceil(y + radius); v++)
        for (int u = (int)floor(x - radius); u <= (int)ceil(x + radius); u++)
            if ((u + 0.5 - x) * (u + 0.5 - x) + (v + 0.5 - y) * (v + 0.5 - y) <= radius * radius)
                put(c, u, v, color);
}

void canvas_line(struct canvas *c, double x0, double y0, double x1, double y1, struct pen pen)
{
    int n = (int)ceil(FINE * fmax(fabs(x1 - x0), fabs(y1 - y0)));
    for (int i = 0; i <= n; i++) {
        double part = n ? (double)i / n : 0;
        disc(c, FINE * (x0 + (x1 - x0) * part), FINE * (y0 + (y1 - y0) * part), FINE * pen.width / 2,
             pen.color);
    }
}

/* Copies the first letters of words.  stb_easy_font has shapes for printable ASCII alone, so every other
   character of UTF-8 becomes one question mark; the bytes after its first are left out. */
static void copy(char out[LETTERS], const char *words)
{
    size_t n = 0;
    for (const char *c = words; *c && n + 1 < LETTERS; c++)
        if (*c >= ' ' && *c <= '~')
            out[n++] = *c;
        else if (((unsigned char)*c & 0xC0) != 0x80)
            out[n++] = '?';
    out[n] = 0;
}

double canvas_text_width(const char *words, double size)
{
    char text[LETTERS];
    copy(text, words);
    return stb_easy_font_width(text) * size / CAPITAL;
}

void canvas_text(struct canvas *c, double x, double y, const char *words, const struct canvas_text *how)
{
    struct {
        float x, y, z;
        unsigned char color[4];
    } corner[4 * QUADS];

    double unit = how->size / CAPITAL, width = canvas_text_width(words, how->size);
    double back = width / 2 * how->align;
    char text[LETTERS];
    copy(text, words);

    /* Each letter is a few rectangles; corners 0 and 2 of each are opposite.  `back` aligns the text at x. */
    int quads = stb_easy_font_print(0, 0, text, NULL, corner, sizeof corner);
    for (int q = 0; q < quads; q++) {
        double left = corner[4 * q].x * unit - back, right = corner[4 * q + 2].x * unit - back;
        double top = corner[4 * q].y * unit - how->size / 2;
        double bottom = corner[4 * q + 2].y * unit - how->size / 2;
        if (how->upwards)
            canvas_box(c, x + top, y - right, x + bottom, y - left, how->color);
        else
            canvas_box(c, x + left, y + top, x + right, y + bottom, how->color);
    }
}

/* Returns colour k of a pixel of the picture: the rounded mean over its pixels of the fine page. */
static unsigned char mean_of(const struct canvas *c, int x, int y, int k)
{
    int sum = FINE * FINE / 2;

    for (int v = 0; v < FINE; v++) {
        size_t row = (size_t)(FINE * y + v) * (size_t)c->fine.width;
        for (int u = 0; u < FINE; u++)
            sum += c->fine.pixel[3 * (row + (size_t)(FINE * x + u)) + (size_t)k];
    }
    return (unsigned char)(sum / (FINE * FINE));
}

int canvas_picture(struct picture *p, const struct canvas *c, ddpm_error *err)
{
    int code = picture_create(p, c->width, c->height, 3, 1, err);

    if (code)
        return code;

    unsigned char *out = p->pixel;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++)
            for (int k = 0; k < 3; k++)
                *out++ = mean_of(c, x, y, k);
    return DDPM_OK;
}
