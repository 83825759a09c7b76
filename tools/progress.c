/* done / elapsed is the rate, the time left what the rest takes at that rate; drawn ten times a second at most. */
#include "progress.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_begin(struct progress *p, const struct common *c, const char *unit, double total)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    bool dumb = !terminal || !strcmp(terminal, "dumb");
    *p = (struct progress){ .unit = unit, .total = total, .start = now(), .last = now() };
    p->bar = !c->quiet && isatty(STDERR_FILENO) && !dumb;
    p->lines = !c->quiet && c->verbose && !p->bar;
    p->color = !(no_color && *no_color);
}

double progress_seconds(const struct progress *p)
{
    return now() - p->start;
}

/* Of the work or of the time, whichever is more; 0 when neither is known. */
static double part_done(const struct progress *p, double done)
{
    double work = p->total > 0 ? done / p->total : 0, time = p->limit > 0 ? progress_seconds(p) / p->limit : 0;
    double part = work > time ? work : time;
    return part < 1 ? part : 1;
}

/* "12.3 steps/s, 1:05 left, loss 0.1" */
static void rate_text(char out[120], const struct progress *p, double done)
{
    double elapsed = progress_seconds(p), part = part_done(p, done), left = elapsed * (1 - part) / (part + 1e-9);
    int n = snprintf(out, 120, "%.3g %s/s", done / (elapsed + 1e-9), p->unit);
    if (p->total > 0 || p->limit > 0)
        n += snprintf(out + n, 120 - (size_t)n, ", %.0f:%02d left", floor(left / 60), (int)fmod(left, 60));
    if (*p->note)
        snprintf(out + n, 120 - (size_t)n, ", %s", p->note);
}

static void draw_bar(const struct progress *p, double done, const char *rate)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    double part = part_done(p, done);
    int full = (int)(WIDTH * part);
    memset(bar, '.', WIDTH);
    memset(bar, '#', (size_t)full);
    bar[WIDTH] = 0;
    fprintf(stderr, "\r%s[%s]%s %3.0f %%  %s   ", p->color ? "\033[36m" : "", bar, p->color ? "\033[0m" : "", 100 * part, rate);
    fflush(stderr);
}

void progress_at(struct progress *p, double done)
{
    char rate[120];
    double t = now();
    if (t - p->last < (p->bar ? 0.1 : 30) || !(p->bar || p->lines))
        return;
    p->last = t;
    rate_text(rate, p, done);
    if (p->bar)
        draw_bar(p, done, rate);
    else if (p->total > 0)
        fprintf(stderr, "%.0f of %.0f %s, %s\n", done, p->total, p->unit, rate);
    else
        fprintf(stderr, "%.0f %s, %s\n", done, p->unit, rate);
}

void progress_clear(const struct progress *p)
{
    if (p->bar)
        fprintf(stderr, "\r%110s\r", "");
}
