/* The next step is expected to take as long as the slowest step so far; that memory fades by a tenth with
   each step.  More images than in that step take longer in proportion; fewer are not expected to be faster.
   A quarter is added, as a busy machine may slow a step down. */
#include "sample/time_budget.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/system.h"

/* Reads text as a time of day on the date in t, or as date and time.  A date that the calendar does not have,
   such as 30 February, is refused; mktime would make another date from it. */
static bool read_time(struct tm *t, const char *text)
{
    static const char *const forms[] = {
        "%H:%M",          "%I %p",          "%I:%M %p",         "%Hh", "%Hh%M", "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M", "%Y-%m-%d %I %p", "%Y-%m-%d %I:%M %p"
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        /* A form must take the whole text. */
        struct tm read = *t, same;
        const char *end = strptime(text, forms[i], &read);
        same = read;
        if (end && !*end && mktime(&same) != -1 && same.tm_mday == read.tm_mday) {
            *t = read;
            return true;
        }
    }
    return false;
}

/* Reads when the run must end.  A time of day that is past today means tomorrow. */
static int read_deadline(time_t *deadline, const char *text, ddpm_error *err)
{
    time_t now = (time_t)dd_system_time(DD_TIME_OF_DAY);
    struct tm t;
    char today[40];

    localtime_r(&now, &t);
    strftime(today, sizeof today, "%Y-%m-%d %H:%M", &t);
    t.tm_min = t.tm_sec = 0;
    t.tm_isdst = -1;
    if (!read_time(&t, text))
        return dd_error(err, DDPM_EUSAGE,
                        "--deadline %.40s: expected a time of day such as 06:00 or 6am, or a date and time "
                        "such as 2030-01-31 06:00",
                        text);

    /* mktime makes the first day of the next month from a day after the last. */
    struct tm tomorrow = t;
    *deadline = mktime(&t);
    tomorrow.tm_mday++;
    if (*deadline <= now && !strchr(text, '-'))
        *deadline = mktime(&tomorrow);
    if (*deadline <= now)
        return dd_error(err, DDPM_EUSAGE, "--deadline %.40s is past: it is %s now", text, today);
    return DDPM_OK;
}

int time_budget_begin(struct time_budget *p, double max_time, const char *deadline, ddpm_error *err)
{
    *p = (struct time_budget){ .end = max_time > 0 ? dd_system_time(DD_TIME_ELAPSED) + max_time : INFINITY };
    return deadline ? read_deadline(&p->deadline, deadline, err) : DDPM_OK;
}

double time_budget_left(const struct time_budget *p)
{
    double left = isfinite(p->end) ? p->end - dd_system_time(DD_TIME_ELAPSED) : INFINITY;
    return p->deadline ? fmin(left, (double)p->deadline - dd_system_time(DD_TIME_OF_DAY)) : left;
}

bool time_budget_over(const struct time_budget *p)
{
    return time_budget_left(p) <= p->save;
}

bool time_budget_allows(const struct time_budget *p, int rows)
{
    double more = rows > p->rows && p->rows ? (double)rows / p->rows : 1;
    return time_budget_left(p) > p->save + 1.25 * p->step * more;
}

void time_budget_step(struct time_budget *p, double seconds, int rows)
{
    p->step = p->tried ? seconds : fmax(seconds, 0.9 * p->step);
    p->rows = rows;
    p->tried = false;
}

void time_budget_saved(struct time_budget *p, double seconds)
{
    p->save = fmax(p->save, 1.5 * seconds);
}
