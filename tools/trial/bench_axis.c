/* Writes axes for gnuplot with ticks at round numbers, and finds places for labels.  Six places around a
   point are tried for its label: first those where it touches nothing, then those where it touches only soft
   rectangles. */
#include "trial/bench_axis.h"
#include <math.h>

struct axis axis_fit(const double *v, int n, bool log)
{
    double low = INFINITY, high = -INFINITY;

    for (int i = 0; i < n; i++)
        if (!isnan(v[i]) && (!log || v[i] > 0)) {
            low = fmin(low, v[i]);
            high = fmax(high, v[i]);
        }
    if (low > high)
        return (struct axis){ 0, 1, false };

    /* The room at either end is 7 % of the range of logarithms, or 8 % of the range on a linear axis. */
    if (log && high >= 3 * low) {
        double room = pow(high / low, 0.07);
        return (struct axis){ low / room, high * room, true };
    }

    /* If no number is negative, the axis does not go below 0. */
    double span = high > low ? high - low : fmax(fabs(high), 1e-9), below = low - 0.08 * span;
    if (low >= 0)
        below = fmax(0, below);
    return (struct axis){ below, high + 0.08 * span, false };
}

static void write_range(FILE *script, char name, const struct axis *a)
{
    fprintf(script, "set %crange [%.9g:%.9g]\n", name, a->low, a->high);
    fprintf(script, "%s logscale %c\n", a->log ? "set" : "unset", name);
}

/* Begins the ticks of an axis.  write_tick adds a tick, end_ticks ends them. */
static void start_ticks(FILE *script, char name)
{
    fprintf(script, "set %ctics nomirror tc rgb '" BENCH_INK "' (", name);
}

static void write_tick(FILE *script, double v, bool first)
{
    fprintf(script, "%s\"%.6g\" %.9g", first ? "" : ", ", v, v);
}

static void end_ticks(FILE *script)
{
    fputs(")\n", script);
}

/* Writes ticks on the axis at all factors times powers of ten, and returns how many there are.  script NULL:
   only counts them. */
static int powers(FILE *script, const struct axis *a, const double *factor, int factors)
{
    int n = 0;

    for (double power = pow(10, floor(log10(a->low))); power <= a->high; power *= 10)
        for (int k = 0; k < factors; k++) {
            double v = factor[k] * power;
            if (v < a->low || v > a->high)
                continue;
            if (script)
                write_tick(script, v, n == 0);
            n++;
        }
    return n;
}

/* Writes at most parts + 1 ticks, at distances of 1, 2 or 5 times a power of ten.  On a logarithmic axis they
   come nearer and nearer, so one that is too near to the tick before is left out. */
static void steps(FILE *script, const struct axis *a, int parts)
{
    static const double nearest = 0.1;
    double last = -1; /* place of the last tick, 0 to 1 */
    double raw = (a->high - a->low) / parts, power = pow(10, floor(log10(raw))), step = 10 * power;
    const double factor[] = { 5, 2, 1 };

    for (int k = 0; k < 3; k++)
        step = raw <= factor[k] * power ? factor[k] * power : step;

    /* first counts steps from 0, so that the ticks are multiples of the step. */
    double first = ceil(a->low / step);
    for (double i = first; i * step <= a->high; i++) {
        double place = axis_place(a, i * step);
        if (last >= 0 && place - last < nearest)
            continue;
        write_tick(script, i * step, last < 0);
        last = place;
    }
}

void axis_write(FILE *script, char name, const struct axis *a)
{
    static const double factor[] = { 1, 2, 5 };

    enum { LEAST = 3, MOST = 9 };

    /* A logarithmic axis has ticks at 1, 2 and 5 times powers of ten; if these are too many, at powers of
       ten; if they are too few, even steps. */
    int n = a->log ? powers(NULL, a, factor, 3) : 0;

    write_range(script, name, a);
    start_ticks(script, name);
    if (n >= LEAST)
        powers(script, a, factor, n > MOST ? 1 : 3);
    else
        steps(script, a, a->log ? MOST - 1 : MOST - 3);
    end_ticks(script);
}

void axis_write_at(FILE *script, char name, const struct axis *a, const double *v, int n)
{
    double last = -1; /* place of the last tick, 0 to 1 */

    write_range(script, name, a);
    start_ticks(script, name);
    for (int i = 0; i < n; i++) {
        double place = axis_place(a, v[i]);
        if (last >= 0 && place - last < 0.08)
            continue;
        write_tick(script, v[i], last < 0);
        last = place;
    }
    end_ticks(script);
}

double axis_place(const struct axis *a, double v)
{
    double at = a->log ? log(v / a->low) / log(a->high / a->low) : (v - a->low) / (a->high - a->low);
    return fmin(1, fmax(0, at));
}

void boxes_take(struct boxes *b, double left, double right, double bottom, double top, bool soft)
{
    if (b->n < BOXES_MAX)
        b->taken[b->n++] = (struct box){ left, right, bottom, top, soft };
}

/* Returns whether rectangle a lies in the frame and touches no other one; soft_too: not even a soft one. */
static bool is_free(const struct boxes *b, const struct box *a, bool soft_too)
{
    const struct box *f = &b->frame;

    if (a->left < f->left || a->right > f->right || a->bottom < f->bottom || a->top > f->top)
        return false;

    for (int i = 0; i < b->n; i++) {
        const struct box *c = &b->taken[i];

        bool apart = a->right <= c->left || c->right <= a->left || a->top <= c->bottom || c->top <= a->bottom;
        if (!apart && (soft_too || !c->soft))
            return false;
    }
    return true;
}

bool boxes_label(struct boxes *b, double x, double y, double width, double height, double middle[2])
{
    /* The middle of the label, in halves of its size from the point. */
    static const double sides[][2] = {
        { 1, 0.7 }, { -1, 0.7 }, { 1, -0.7 }, { -1, -0.7 }, { 0, 1 }, { 0, -1 },
    };

    enum { SIDES = sizeof sides / sizeof *sides, GAP = 5 }; /* GAP: points between point and label */

    for (int try = 0; try < 2 * SIDES; try++) {
        const double *side = sides[try % SIDES];
        double u = x + side[0] * (width / 2 + GAP), v = y + side[1] * (height / 2 + GAP);
        struct box place = { u - width / 2, u + width / 2, v - height / 2, v + height / 2, false };
        if (!is_free(b, &place, try < SIDES))
            continue;
        boxes_take(b, place.left, place.right, place.bottom, place.top, false);
        middle[0] = u;
        middle[1] = v;
        return true;
    }
    return false;
}
