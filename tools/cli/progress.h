/* The progress of a long command on stderr: a bar on a terminal, a line every 30 seconds with -v elsewhere,
   nothing with -q. */
#ifndef DDPM_PROGRESS_H
#define DDPM_PROGRESS_H
#include <stdio.h>
#include "cli/options.h"

enum { PROGRESS_TIME = 32 };

struct progress {
    bool bar, lines, color; /* how it is shown */
    const char *what;       /* what is going on, or NULL */
    const char *unit;       /* what is counted */
    double first;           /* done before this start */
    double total;           /* all there is to do; 0: unknown */
    double limit;           /* seconds until the command ends anyway; 0: none */
    double after;           /* seconds for what comes behind */
    double start, last;     /* times of the beginning and of the last line */
    char note[48];          /* what else there is to say */
};

void progress_begin(struct progress *p, const struct common *c, const char *unit, double total);
/* Shows that so much is done, unless the last line is recent. */
void progress_at(struct progress *p, double done);
/* Takes the bar away, so that something else can be said. */
void progress_clear(const struct progress *p);
/* Returns the seconds since progress_begin. */
double progress_seconds(const struct progress *p);
/* Returns the seconds of a clock that nobody sets. */
double progress_now(void);
/* Writes a length of time as people read it: "45 s", "5 min 10 s", "7 h 57 min", "3 d 4 h". */
void progress_time(char out[PROGRESS_TIME], double seconds);

enum { PROGRESS_TOOK = 2 * PROGRESS_TIME + 16 };

/* Writes ", in 40.5 s, 2.53 s an image" of so many images; "" when there is nothing to tell. */
void progress_took(char out[PROGRESS_TOOK], double seconds, int images);
/* Writes one line of fewer than `columns` characters for done; "" when not even the percentage fits. */
void progress_line(char *out, size_t size, const struct progress *p, double done, int columns);
/* Returns the width of the terminal that f is, or what COLUMNS says, or 80. */
int progress_columns(FILE *f);
#endif
