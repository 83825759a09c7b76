/* Draws curves over the steps of a training.  The point of a step and its value is at

     x = left + width step / last,   y = bottom - height part,

   where `part` rises from 0 at the lowest value to 1 at the highest.  It is linear in the value or, if the
   highest value is more than ten times the lowest, in its logarithm. */
#include "training/curve.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "training/canvas.h"

/* The page and the axes on it, in pixels. */
enum { WIDTH = 1200, HEIGHT = 780, LEFT = 140, RIGHT = 1150, TOP = 66, BOTTOM = 670 };

/* Distances of the words from the axes, and the length of a tick. */
enum {
    TICK = 7,
    VALUES_LEFT = 14,  /* from the axis to the right end of the values */
    STEPS_BELOW = 28,  /* from the axis to the middle of the steps' numbers */
    NAME_BELOW = 72,   /* from the axis to the middle of "training step" */
    NAME_X = 24,       /* the middle of the name of the values, which is written upwards */
    MESSAGE_BELOW = 30 /* from the top to a message in place of the curves */
};

/* The legend: its place in the upper right corner, and the columns in it. */
enum {
    LEGEND_RIGHT = 16, /* from the legend's right end to that of the axis */
    LEGEND_TOP = 14,   /* from the top of the axis to that of the legend */
    LEGEND_ROW = 32,   /* height of a row */
    LEGEND_EDGE = 6,   /* above the first row and below the last */
    LINE_BEGIN = 16,   /* from the legend's left end to the left end of a sample line */
    LINE_END = 60,     /* from there to the right end of a sample line */
    WORDS = 76,        /* from the legend's left end to the words */
    WORDS_BEHIND = 16  /* from the end of the longest words to the legend's right end */
};

/* An axis has at most TICKS ticks; a curve of at most MARKED points is marked by dots. */
enum { TICKS = 24, MARKED = 60 };

static const double letters = 17, small_letters = 15; /* heights of a capital */
static const double thick = 3, dot = 9;               /* widths of a curve, and of a dot on it */
static const struct pen grid = { 1, { 222, 222, 222 } }, axis = { 1.5, { 30, 30, 30 } };

/* In their right half the curves stay below this part of the height; the legend stands above. */
static const double below_legend = 0.76;
static const struct color black = { 30, 30, 30 }, white = { 255, 255, 255 }, pale_blue = { 168, 196, 232 },
                          blue = { 24, 78, 160 }, red = { 196, 60, 28 };

/* The page and the ranges of its axes. */
struct frame {
    struct canvas canvas;
    double last;      /* step at the right end */
    double low, high; /* values at the lower and the upper end */
    bool logarithmic; /* the axis of values is logarithmic */
};

int curve_add(struct curve *c, double step, double value, ddpm_error *err)
{
    double *steps = dd_memory_more(c->step, c->points, sizeof *steps);
    if (!steps)
        return dd_error_memory(err, "a curve");
    c->step = steps;

    double *values = dd_memory_more(c->value, c->points, sizeof *values);
    if (!values)
        return dd_error_memory(err, "a curve");
    c->value = values;

    c->step[c->points] = step;
    c->value[c->points++] = value;
    return DDPM_OK;
}

void curve_free(struct curve *c)
{
    free(c->step);
    free(c->value);
    *c = (struct curve){ .points = 0 };
}

double curve_mean(const struct curve *c, size_t i, size_t side)
{
    double sum = 0;
    size_t n = 0, half = i / 4 < side ? i / 4 : side;

    /* i - half is not below 0, since half is at most i / 4. */
    for (size_t k = i - half; k <= i + half && k < c->points; k++) {
        if (!(c->value[k] > 0) || !isfinite(c->value[k]))
            continue;
        sum += c->value[k];
        n++;
    }
    return n ? sum / (double)n : NAN;
}

size_t curve_side(size_t points)
{
    if (points < 12)
        return 0;
    return points < 120 ? 3 : points / 40;
}

/* ---- the frame ---- */

/* Returns whether point i can be drawn: its value is a positive number. */
static bool drawn(const struct curve *c, size_t i)
{
    return c->value[i] > 0 && isfinite(c->value[i]);
}

/* Returns the least number of the form 1, 2 or 5 times a power of ten that is at least `wanted`. */
static double round_step(double wanted)
{
    double ten = pow(10, floor(log10(wanted))), part = wanted / ten;

    if (part <= 1)
        return ten;
    if (part <= 2)
        return 2 * ten;
    return part <= 5 ? 5 * ten : 10 * ten;
}

int curve_ticks(double *tick, int room, double low, double high, bool logarithmic)
{
    static const double marks[] = { 1, 2, 5 };
    int n = 0;

    if (logarithmic) {
        for (int e = (int)floor(log10(low)); e <= (int)ceil(log10(high)); e++)
            for (int k = 0; k < 3 && n < room; k++) {
                double v = marks[k] * pow(10, e);

                /* Tolerance, so that rounding does not lose a tick at the end of the axis. */
                if (v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9))
                    tick[n++] = v;
            }
        return n;
    }

    /* About seven ticks.  Tolerance of 1e-9 of a step, so that rounding does not lose one at the end of the
       axis. ceil may return -0, which would be printed with its sign. */
    double step = round_step((high - low) / 7);
    for (double k = ceil(low / step - 1e-9); k * step <= high + 1e-9 * step && n < room; k++)
        tick[n++] = k == 0 ? 0 : k * step;
    return n;
}

static double place_x(const struct frame *f, double step)
{
    return LEFT + step / f->last * (RIGHT - LEFT);
}

static double place_y(const struct frame *f, double v)
{
    double part =
        f->logarithmic ? log(v / f->low) / log(f->high / f->low) : (v - f->low) / (f->high - f->low);
    return BOTTOM - part * (BOTTOM - TOP);
}

/* Widens the ranges so that the curve lies in them. */
static void widen(struct frame *f, const struct curve *c)
{
    for (size_t i = 0; i < c->points; i++) {
        if (!drawn(c, i))
            continue;
        f->last = fmax(f->last, c->step[i]);
        f->low = fmin(f->low, c->value[i]);
        f->high = fmax(f->high, c->value[i]);
    }
}

/* Raises the upper end so far that the right half of the curve stays below the legend. */
static void leave_room(struct frame *f, const struct curve *c)
{
    for (size_t i = 0; i < c->points; i++) {
        double v = c->value[i];
        if (!drawn(c, i) || c->step[i] < f->last / 2)
            continue;
        f->high = fmax(f->high, f->logarithmic ? f->low * pow(v / f->low, 1 / below_legend)
                                               : f->low + (v - f->low) / below_legend);
    }
}

/* Chooses the ranges of both axes, with some room.  Returns false if there is nothing to draw. */
static bool choose_range(struct frame *f, const struct curve *loss, const struct curve *held)
{
    *f = (struct frame){ .canvas = f->canvas, .last = 1, .low = INFINITY, .high = -INFINITY };
    widen(f, loss);
    widen(f, held);
    if (!(f->low <= f->high))
        return false;

    f->logarithmic = f->high > 10 * f->low;
    if (f->logarithmic) {
        f->low /= 1.15;
        f->high *= 1.15;
    } else {
        double room = f->high > f->low ? (f->high - f->low) / 12 : f->high / 10;
        f->low = fmax(f->low - room, 0);
        f->high += room;
    }
    f->last *= 1.02;

    leave_room(f, loss);
    leave_room(f, held);
    return true;
}

/* Writes a whole number with commas: 12000 as "12,000". */
static void whole_number(char out[32], double v)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%.0f", v), at = 0;

    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
}

/* Draws both axes with ticks, numbers and names, and the grid. */
static void draw_axes(struct frame *f, const struct curve_words *w)
{
    struct canvas *c = &f->canvas;
    const struct canvas_text right = { letters, CANVAS_RIGHT, false, black };
    const struct canvas_text middle = { letters, CANVAS_MIDDLE, false, black };
    const struct canvas_text upwards = { letters, CANVAS_MIDDLE, true, black };
    double tick[TICKS];
    char label[32];
    int n = curve_ticks(tick, TICKS, f->low, f->high, f->logarithmic);

    for (int i = 0; i < n; i++) {
        double y = place_y(f, tick[i]);
        canvas_line(c, LEFT, y, RIGHT, y, grid);
        canvas_line(c, LEFT - TICK, y, LEFT, y, axis);
        snprintf(label, sizeof label, "%.6g", tick[i]);
        canvas_text(c, LEFT - VALUES_LEFT, y, label, &right);
    }

    /* Ticks that are no whole step are skipped. */
    n = curve_ticks(tick, TICKS, 0, f->last, false);
    for (int i = 0; i < n; i++) {
        if (tick[i] != rint(tick[i]))
            continue;
        double x = place_x(f, tick[i]);
        canvas_line(c, x, TOP, x, BOTTOM, grid);
        canvas_line(c, x, BOTTOM, x, BOTTOM + TICK, axis);
        whole_number(label, tick[i]);
        canvas_text(c, x, BOTTOM + STEPS_BELOW, label, &middle);
    }

    canvas_line(c, LEFT, TOP, LEFT, BOTTOM, axis);
    canvas_line(c, LEFT, BOTTOM, RIGHT, BOTTOM, axis);
    canvas_text(c, (LEFT + RIGHT) / 2, BOTTOM + NAME_BELOW, "training step", &middle);
    canvas_text(c, NAME_X, (TOP + BOTTOM) / 2, w->value, &upwards);
}

/* ---- the curves ---- */

/* The words of a curve in the legend, and the way in which it is drawn. */
struct entry {
    char words[80];
    bool marked; /* the points are marked by dots */
    struct pen pen;
};

/* Draws a curve as lines between its points, each of which is a mean over `side` values on either side. */
static void draw_curve(struct frame *f, const struct curve *c, size_t side, const struct entry *e)
{
    double x = NAN, y = NAN;

    for (size_t i = 0; i < c->points; i++) {
        if (!drawn(c, i))
            continue;
        double u = place_x(f, c->step[i]), v = place_y(f, curve_mean(c, i, side));
        if (isnan(x)) {
            x = u;
            y = v;
        }
        canvas_line(&f->canvas, x, y, u, v, e->pen);
        if (e->marked)
            canvas_line(&f->canvas, u, v, u, v, (struct pen){ dot, e->pen.color });
        x = u;
        y = v;
    }
}

/* Draws the legend of n curves in the upper right corner. */
static void draw_legend(struct frame *f, const struct entry *e, int n)
{
    const struct canvas_text how = { small_letters, CANVAS_LEFT, false, black };
    double widest = 0, right = RIGHT - LEGEND_RIGHT, top = TOP + LEGEND_TOP;

    for (int i = 0; i < n; i++)
        widest = fmax(widest, canvas_text_width(e[i].words, how.size));

    /* The frame is a rectangle under a smaller white one. */
    double left = right - widest - (WORDS + WORDS_BEHIND), bottom = top + LEGEND_ROW * n + 2 * LEGEND_EDGE;
    canvas_box(&f->canvas, left - axis.width, top - axis.width, right + axis.width, bottom + axis.width,
               grid.color);
    canvas_box(&f->canvas, left, top, right, bottom, white);

    for (int i = 0; i < n; i++) {
        double y = top + LEGEND_EDGE + LEGEND_ROW * (i + 0.5), middle = left + (LINE_BEGIN + LINE_END) / 2;
        canvas_line(&f->canvas, left + LINE_BEGIN, y, left + LINE_END, y, e[i].pen);
        if (e[i].marked)
            canvas_line(&f->canvas, middle, y, middle, y, (struct pen){ dot, e[i].pen.color });
        canvas_text(&f->canvas, left + WORDS, y, e[i].words, &how);
    }
}

/* Draws all curves and their legend. */
static void draw(struct frame *f, const struct curve_words *w, const struct curve *loss,
                 const struct curve *held)
{
    size_t side = curve_side(loss->points);
    struct entry entry[3];
    char steps[32];
    int n = 0;

    /* The single points are drawn in a pale colour if their means are drawn over them. */
    if (loss->points) {
        bool few = !side && loss->points <= MARKED;
        struct entry e = { .marked = few, .pen = { thick, blue } };
        if (side)
            e.pen = (struct pen){ axis.width, pale_blue };
        snprintf(e.words, sizeof e.words, "training, means of %d steps", w->steps);
        draw_curve(f, loss, 0, &e);
        entry[n++] = e;
    }

    if (side) {
        struct entry e = { .pen = { thick, blue } };
        whole_number(steps, (double)((2 * side + 1) * (size_t)w->steps));
        snprintf(e.words, sizeof e.words, "training, means of up to %s steps", steps);
        draw_curve(f, loss, side, &e);
        entry[n++] = e;
    }

    if (held->points) {
        bool few = held->points <= MARKED;
        struct entry e = {
            .words = "held-out images, averaged weights",
            .marked = few,
            .pen = { thick, red },
        };
        draw_curve(f, held, 0, &e);
        entry[n++] = e;
    }

    draw_legend(f, entry, n);
}

static int write_picture(const char *path, const struct canvas *c, ddpm_error *err)
{
    struct picture p;
    struct dd_output o;
    int code = canvas_picture(&p, c, err);
    if (code)
        return code;

    code = dd_output_create(&o, path, 1, err);
    if (!code)
        code = picture_write(o.stream, &p, "{}", err);
    if (code)
        dd_output_abandon(&o);
    else
        code = dd_output_commit(&o, err);
    picture_free(&p);
    return code;
}

int curve_write(const char *path, const struct curve_words *w, const struct curve *loss,
                const struct curve *held, ddpm_error *err)
{
    const struct canvas_text title = { letters, CANVAS_LEFT, false, black };
    struct frame f;
    int code = canvas_create(&f.canvas, WIDTH, HEIGHT, err);
    if (code)
        return code;

    canvas_text(&f.canvas, LEFT, TOP / 2, w->title, &title);
    if (choose_range(&f, loss, held)) {
        draw_axes(&f, w);
        draw(&f, w, loss, held);
    } else {
        canvas_text(&f.canvas, LEFT, TOP + MESSAGE_BELOW, "no loss has been measured yet", &title);
    }
    code = write_picture(path, &f.canvas, err);
    canvas_free(&f.canvas);
    return code;
}
