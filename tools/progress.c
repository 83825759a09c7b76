/* done / elapsed is the rate, (total - done) / rate the time left; drawn ten times a second at most. */
#include "progress.h"
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

/* "12.3 steps/s, 1:05 left" */
static void rate_text(char out[80], const struct progress *p, double done)
{
    double rate = done / (progress_seconds(p) + 1e-9), left = (p->total - done) / (rate + 1e-9);
    snprintf(out, 80, "%.3g %s/s, %.0f:%02d left", rate, p->unit, left / 60 - 0.5 > 0 ? (double)(long)(left / 60) : 0, (int)left % 60);
}

static void draw_bar(const struct progress *p, double done, const char *rate)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    int full = (int)(WIDTH * done / p->total);
    memset(bar, '.', WIDTH);
    memset(bar, '#', (size_t)(full < WIDTH ? full : WIDTH));
    bar[WIDTH] = 0;
    fprintf(stderr, "\r%s[%s]%s %3.0f %%  %s   ", p->color ? "\033[36m" : "", bar, p->color ? "\033[0m" : "", 100 * done / p->total, rate);
    fflush(stderr);
}

void progress_at(struct progress *p, double done)
{
    char rate[80];
    double t = now();
    if (t - p->last < (p->bar ? 0.1 : 30) || !(p->bar || p->lines))
        return;
    p->last = t;
    rate_text(rate, p, done);
    if (p->bar)
        draw_bar(p, done, rate);
    else
        fprintf(stderr, "%.0f of %.0f %s, %s\n", done, p->total, p->unit, rate);
}

void progress_clear(const struct progress *p)
{
    if (p->bar)
        fprintf(stderr, "\r%70s\r", "");
}
