/* Shows the progress of a long command.

   The rate is the work done since the start, divided by the time it took.  The time left is the time for the
   rest at that rate, plus the time for the work that follows.

   The bar is drawn ten times a second at most.  It is shorter than the width of the terminal, which is asked
   at every draw, and the cursor goes back to the first column.  If the terminal becomes narrower and wraps
   the line, the cursor is still at the beginning of the line, and everything from there on is erased before
   the next draw. */
#include "cli/progress.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"

enum { BAR_LEAST = 10, BAR_MOST = 40, LINE = 256 };

double progress_now(void)
{
    return dd_system_time(DD_TIME_RUNNING);
}

int progress_columns(FILE *f)
{
    const char *columns = getenv("COLUMNS");
    int given = columns ? atoi(columns) : 0, shown = dd_system_columns(f);
    if (shown > 0)
        return shown;
    return given > 0 && given < 10000 ? given : 80;
}

void progress_begin(struct progress *p, const struct common *c, const char *unit, double total)
{
    const char *no_color = getenv("NO_COLOR");
    double now = progress_now();

    *p = (struct progress){ .unit = unit, .total = total, .start = now, .last = now };
    p->bar = !c->quiet && dd_system_terminal(stderr) >= DD_SYSTEM_PALETTE;
    p->lines = !c->quiet && c->verbose && !p->bar;
    p->color = !(no_color && *no_color);
}

double progress_seconds(const struct progress *p)
{
    return progress_now() - p->start;
}

void progress_time(char out[PROGRESS_TIME], double seconds)
{
    double s = rint(fmin(fmax(seconds, 0), 1e9)), minutes = rint(s / 60), hours = rint(s / 3600);
    if (s < 60)
        snprintf(out, PROGRESS_TIME, "%.0f s", s);
    else if (s < 3600)
        snprintf(out, PROGRESS_TIME, "%.0f min %.0f s", floor(s / 60), fmod(s, 60));
    else if (minutes < 24 * 60)
        snprintf(out, PROGRESS_TIME, "%.0f h %.0f min", floor(minutes / 60), fmod(minutes, 60));
    else
        snprintf(out, PROGRESS_TIME, "%.0f d %.0f h", floor(hours / 24), fmod(hours, 24));
}

/* ---- the state at one moment ---- */

/* The state of the work at one moment. */
struct state {
    double rate; /* units of work a second */
    double part; /* the part that is done, 0 to 1; negative: unknown */
    double left; /* seconds left; infinite: unknown */
};

static struct state state_of(const struct progress *p, double done)
{
    double elapsed = progress_seconds(p);
    /* The small number avoids a division by 0 at the start. */
    struct state s = { .rate = (done - p->first) / (elapsed + 1e-9), .part = -1, .left = INFINITY };
    if (p->total > 0) {
        s.part = fmin(done / p->total, 1);
        s.left = s.rate > 0 ? fmax(p->total - done, 0) / s.rate + p->after : INFINITY;
    }

    /* A time limit that is reached first ends the command. */
    double until_limit = p->limit > 0 ? fmax(p->limit - elapsed, 0) : INFINITY;
    if (until_limit < s.left) {
        s.left = until_limit;
        s.part = fmin(elapsed / p->limit, 1);
    }
    return s;
}

/* ---- a line for a terminal ---- */

/* Appends ", " and `more` if the line then has at most `room` characters; room < LINE. */
static bool append(char *line, int room, const char *more)
{
    size_t n = strlen(line), comma = n ? 2 : 0;
    if (!*more || n + comma + strlen(more) > (size_t)room)
        return false;

    memcpy(line + n, ", ", comma);
    memcpy(line + n + comma, more, strlen(more) + 1);
    return true;
}

/* Appends the time left, the note and the rate, each if there is room for it. */
static void append_words(char *words, const struct progress *p, const struct state *s, double done, int room)
{
    char text[PROGRESS_TIME + 64], time[PROGRESS_TIME];
    if (isfinite(s->left)) {
        progress_time(time, s->left);
        snprintf(text, sizeof text, "%s left", time);
        if (!append(words, room, text))
            append(words, room, time);
    }

    /* The note and the rate leave room for a bar, its brackets and a space. */
    room = (int)fmax(room - (s->part >= 0 ? BAR_LEAST + 3 : 0), 0);
    append(words, room, p->note);
    snprintf(text, sizeof text, "%.3g %s/s", s->rate, p->unit);
    if (done > p->first)
        append(words, room, text);
}

void progress_line(char *out, size_t size, const struct progress *p, double done, int columns)
{
    struct state s = state_of(p, done);
    char words[LINE] = "", bar[BAR_MOST + 4] = "", what[64] = "";
    int room = columns < LINE ? columns - 1 : LINE - 1;
    if (room < 1) {
        *out = 0;
        return;
    }

    if (s.part >= 0) {
        char percent[16];
        snprintf(percent, sizeof percent, "%3.0f %%", floor(100 * s.part));
        append(words, room, percent);
    }
    append_words(words, p, &s, done, room);

    /* The name of the work and the bar get the room that the words leave. */
    int left = room - (int)strlen(words);
    if (p->what && left >= (int)strlen(p->what) + 2 + (s.part >= 0 ? BAR_LEAST + 3 : 0)) {
        snprintf(what, sizeof what, "%.60s: ", p->what);
        left -= (int)strlen(what);
    }

    int width = left - 3 < BAR_MOST ? left - 3 : BAR_MOST;
    if (s.part >= 0 && *words && width >= BAR_LEAST / 2) {
        memset(bar, '.', (size_t)width + 1);
        memset(bar + 1, '#', (size_t)(width * s.part));
        bar[0] = '[';
        bar[width + 1] = ']';
        bar[width + 2] = ' ';
    }

    snprintf(out, size, "%s%s%s", what, bar, words);
}

/* Draws the line, with the bar in colour, and puts the cursor back into the first column. */
static void draw(const struct progress *p, double done)
{
    char line[LINE];
    progress_line(line, sizeof line, p, done, progress_columns(stderr));

    /* "\033[J" erases everything behind the cursor, "\033[36m" begins cyan, "\033[0m" ends it. */
    char *bar = strchr(line, '['), *end = bar ? strchr(bar, ']') : NULL;
    if (p->color && end)
        fprintf(stderr, "\r\033[J%.*s\033[36m%.*s\033[0m%s\r", (int)(bar - line), line, (int)(end + 1 - bar),
                bar, end + 1);
    else
        fprintf(stderr, "\r\033[J%s\r", line);
    fflush(stderr);
}

/* Prints the progress as a line of a log. */
static void print_line(const struct progress *p, double done)
{
    struct state s = state_of(p, done);
    char words[LINE] = "";

    append_words(words, p, &s, done, LINE - 1);
    fprintf(stderr, "%s%s%.0f", p->what ? p->what : "", p->what ? ": " : "", done);
    if (p->total > 0)
        fprintf(stderr, " of %.0f", p->total);
    fprintf(stderr, " %s%s%s\n", p->unit, *words ? ", " : "", words);
    fflush(stderr);
}

void progress_at(struct progress *p, double done)
{
    double now = progress_now();
    /* A bar changes at most 10 times a second, a log gets a line every 30 seconds. */
    if (now - p->last < (p->bar ? 0.1 : 30) || !(p->bar || p->lines))
        return;

    p->last = now;
    if (p->bar)
        draw(p, done);
    else
        print_line(p, done);
}

void progress_clear(const struct progress *p)
{
    if (p->bar)
        fprintf(stderr, "\r\033[J");
}

/* Writes a length of time like progress_time, but one below 10 s with two decimals. */
static void short_time(char out[PROGRESS_TIME], double seconds)
{
    if (seconds < 10)
        snprintf(out, PROGRESS_TIME, "%.2f s", seconds);
    else
        progress_time(out, seconds);
}

void progress_took(char out[PROGRESS_TOOK], double seconds, int images)
{
    char all[PROGRESS_TIME], each[PROGRESS_TIME];
    *out = 0;
    if (images < 1 || !(seconds > 0))
        return;

    short_time(all, seconds);
    short_time(each, seconds / images);
    if (images > 1)
        snprintf(out, PROGRESS_TOOK, ", in %s, %s an image", all, each);
    else
        snprintf(out, PROGRESS_TOOK, ", in %s", all);
}
