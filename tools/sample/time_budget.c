/* The next step is expected to take as long as the slowest step so far; that memory fades by a tenth with
   each step.  More images than in that step take longer in proportion; fewer are not expected to be faster.
   A quarter is added, as a busy machine may slow a step down. */
#include "sample/time_budget.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"
#include "base/system.h"

/* Takes a number of at most so many digits from *at, behind blanks, and moves *at behind it.  Returns
   whether it lies between least and most. */
static bool take_number(int *value, const char **at, int digits, int least, int most)
{
    const char *c = *at + strspn(*at, " ");
    int n = 0;
    *value = 0;
    for (; n < digits && isdigit((unsigned char)c[n]); n++)
        *value = 10 * *value + (c[n] - '0');
    *at = c + n;
    return n && *value >= least && *value <= most;
}

/* Takes am or pm from *at, and turns the hour on such a clock into one of 24; 12am is midnight. */
static bool take_half(int *hour, const char **at)
{
    const char *c = *at + strspn(*at, " ");
    bool am = !strncasecmp(c, "am", 2), pm = !strncasecmp(c, "pm", 2);
    if ((!am && !pm) || *hour < 1 || *hour > 12)
        return false;

    *hour = *hour % 12 + (pm ? 12 : 0);
    *at = c + 2;
    return true;
}

/* Reads HH:MM, 6am, 6:30pm and, on a day that is not named, 18h and 18h30. */
static bool read_clock(struct tm *t, const char *at, bool day_is_named)
{
    if (!take_number(&t->tm_hour, &at, 2, 0, 23))
        return false;
    if (*at == 'h' && !day_is_named) {
        at++;
        return !*at || (take_number(&t->tm_min, &at, 2, 0, 59) && !*at);
    }

    bool colon = *at == ':';
    at += colon;
    if (colon && !take_number(&t->tm_min, &at, 2, 0, 59))
        return false;
    return (colon && !*at) || (take_half(&t->tm_hour, &at) && !*at);
}

/* Reads YYYY-MM-DD from *at and moves *at behind it. */
static bool take_date(struct tm *t, const char **at)
{
    int year, month;
    bool good = take_number(&year, at, 4, 0, 9999) && *(*at)++ == '-' && take_number(&month, at, 2, 1, 12) &&
                *(*at)++ == '-' && take_number(&t->tm_mday, at, 2, 1, 31);
    t->tm_year = good ? year - 1900 : t->tm_year;
    t->tm_mon = good ? month - 1 : t->tm_mon;
    return good;
}

/* Reads text as a time of day on the date in t, or as date and time.  A date that the calendar does not have,
   such as 30 February, is refused; mktime would make another date from it. */
static bool read_time(struct tm *t, const char *text)
{
    struct tm read = *t, same;
    bool date = strchr(text, '-');
    if (date && !take_date(&read, &text))
        return false;

    /* ISO 8601 has a T between date and time, and hours up to 23 then. */
    bool iso = date && *text == 'T';
    text += iso;
    if (!read_clock(&read, text, date) || (iso && !isdigit((unsigned char)text[strlen(text) - 1])))
        return false;

    same = read;
    if (mktime(&same) == -1 || same.tm_mday != read.tm_mday)
        return false;
    *t = read;
    return true;
}

/* Reads when the run must end.  A time of day that is past today means tomorrow. */
static int read_deadline(time_t *deadline, const char *text, ddpm_error *err)
{
    time_t now = (time_t)dd_system_time(DD_TIME_OF_DAY);
    struct tm t;
    char today[40];

    t = *localtime(&now);
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
