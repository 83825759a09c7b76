/* How far a long command is: a bar on a terminal, a line every 30 seconds with -v elsewhere, nothing with -q.  All on stderr. */
#ifndef DDPM_PROGRESS_H
#define DDPM_PROGRESS_H
#include "options.h"

/* total 0: unknown; limit: seconds after which it ends anyway, 0: none; note: what else there is to say. */
struct progress { bool bar, lines, color; const char *unit; double total, limit, start, last; char note[40]; };
void progress_begin(struct progress *p, const struct common *c, const char *unit, double total);
void progress_at(struct progress *p, double done);
void progress_clear(const struct progress *p);       /* takes the bar away, so that something else can be said */
double progress_seconds(const struct progress *p);   /* since begin */
#endif
