/* Times of day as people write them, read back through the C library's calendar. */
#include <time.h>
#include "tests/check.h"
#include "tools/sample/time_budget.h"

TEST(time_budget, times_of_day)
{
    static const struct {
        const char *text;
        int hour, minute;
    } good[] = {
        { "06:00", 6, 0 }, { "6am", 6, 0 },      { "6 am", 6, 0 },     { "6AM", 6, 0 },
        { "6pm", 18, 0 },  { "6:30pm", 18, 30 }, { "06:05 am", 6, 5 }, { "12am", 0, 0 },
        { "12pm", 12, 0 }, { "18h", 18, 0 },     { "18h30", 18, 30 },  { "0:01", 0, 1 },
    };

    static const char *const bad[] = { "6",
                                       "13pm",
                                       "0am",
                                       "25h",
                                       "24:00",
                                       "6:60",
                                       "6am7",
                                       "am",
                                       "",
                                       "6 o'clock",
                                       "2030-02-31 6pm",
                                       "2130-01-31T6pm",
                                       "2130-01-31 18h",
                                       "2130-1 6pm",
                                       "-6:00",
                                       "+6:00" };
    time_t now = time(NULL);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct time_budget p;
        struct tm t = { .tm_hour = -1 };
        ddpm_error err = { .text = "" };
        CHECK(time_budget_begin(&p, 0, good[i].text, &err) == DDPM_OK);
        t = *localtime(&p.deadline);
        if (t.tm_hour != good[i].hour || t.tm_min != good[i].minute || t.tm_sec)
            check_fail(__FILE__, __LINE__, "%s is read as %d:%02d: %s", good[i].text, t.tm_hour, t.tm_min,
                       err.text);
        /* The deadline is the next such time; a day may have 25 hours. */
        CHECK(p.deadline > now && p.deadline <= now + 26 * 3600);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct time_budget p;
        if (time_budget_begin(&p, 0, bad[i], NULL) != DDPM_EUSAGE)
            check_fail(__FILE__, __LINE__, "%s is taken for a time", bad[i]);
    }
    struct time_budget p;
    struct tm t;
    CHECK(time_budget_begin(&p, 0, "2130-01-31 6:30pm", NULL) == DDPM_OK);
    t = *localtime(&p.deadline);
    CHECK(t.tm_year == 230 && t.tm_mon == 0 && t.tm_mday == 31 && t.tm_hour == 18 && t.tm_min == 30);
}
