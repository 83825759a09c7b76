/* The progress of a long command on stderr.  It is a bar on a terminal; elsewhere, with -v, a line every
   30 seconds; with -q nothing. */
#ifndef DDPM_PROGRESS_H
#define DDPM_PROGRESS_H
#include <stdio.h>
#include "cli/options.h"

enum { PROGRESS_TIME = 32 };

struct progress {
    bool bar, lines, color; /* how it is shown */
    const char *what;       /* name of the work, or NULL */
    const char *unit;       /* unit that is counted, as in "images" */
    double first;           /* units done before this start */
    double total;           /* units of the whole work; 0: unknown */
    double limit;           /* time limit of the command in seconds; 0: no limit */
    double after;           /* seconds for the work that follows */
    double start, last;     /* times of the start and of the last line */
    char note[48];          /* further text in the line, or "" */
};

void progress_begin(struct progress *p, const struct common *c, const char *unit, double total);
/* Shows that `done` units are done, unless the last line is recent. */
void progress_at(struct progress *p, double done);
/* Erases the bar, so that another message can be printed. */
void progress_clear(const struct progress *p);
/* Returns the seconds since progress_begin. */
double progress_seconds(const struct progress *p);
/* Returns the seconds of the monotonic clock, which nobody can set. */
double progress_now(void);
/* Writes a length of time as people read it: "45 s", "5 min 10 s", "7 h 57 min", "3 d 4 h". */
void progress_time(char out[PROGRESS_TIME], double seconds);

enum { PROGRESS_TOOK = 2 * PROGRESS_TIME + 16 };

/* Writes the time that a number of images took, ", in 40.5 s, 2.53 s an image"; "" for no images or no
   time. */
void progress_took(char out[PROGRESS_TOOK], double seconds, int images);
/* Writes the line of a terminal, of fewer than `columns` characters; "" if not even the percentage fits. */
void progress_line(char *out, size_t size, const struct progress *p, double done, int columns);
/* Returns the width of the terminal f; otherwise the value of COLUMNS, or 80. */
int progress_columns(FILE *f);
#endif
