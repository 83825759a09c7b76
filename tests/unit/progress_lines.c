/* tools/cli/progress.h: lengths of time as people write them, and lines that fit into any width. */
#include <string.h>
#include "../tools/cli/progress.h"
#include "check.h"

#define check_that(line, x, ...)                     \
    do {                                             \
        if (!(x))                                    \
            check_fail(__FILE__, line, __VA_ARGS__); \
    } while (0)

TEST(unit, progress_times)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        { 0, "0 s" },
        { -3, "0 s" },
        { 59.4, "59 s" },
        { 59.6, "1 min 0 s" },
        { 310, "5 min 10 s" },
        { 3599.6, "1 h 0 min" },
        { 28620, "7 h 57 min" },
        { 28649, "7 h 57 min" },
        { 86369, "23 h 59 min" },
        { 86371, "1 d 0 h" },
        { 273600, "3 d 4 h" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[PROGRESS_TIME];
        progress_time(text, cases[i].seconds);
        CHECK_TEXT(text, cases[i].text);
    }
}

/* Makes progress at 500 of 1000, 400 of which were there before this start 100 seconds ago. So 500
   seconds are left. */
static struct progress half_way(void)
{
    double start = progress_now() - 100;
    struct progress p = { .what = "training", .unit = "images", .first = 400, .total = 1000, .start = start };
    snprintf(p.note, sizeof p.note, "step 50, loss 0.1234");
    return p;
}

TEST(unit, progress_lines_fit)
{
    struct progress p = half_way();
    char line[256];
    for (int columns = 0; columns <= 400; columns++) {
        progress_line(line, sizeof line, &p, 500, columns);
        check_that(__LINE__, strlen(line) < (size_t)columns || !*line, "%d columns: %s", columns, line);
        check_that(__LINE__, !strstr(line, " 50 %") == (columns < 6), "%d columns: %s", columns, line);
        check_that(__LINE__, !strstr(line, "8 min 20 s") == (columns < 18), "%d columns: %s", columns, line);
    }
    CHECK(strstr(line, "training: [####"));
    CHECK(strstr(line, ", 8 min 20 s left, step 50, loss 0.1234, 1 images/s"));
}

/* The time of what follows is added to that of the work. A limit may end the work before. */
TEST(unit, progress_time_left)
{
    struct progress p = half_way();
    char line[256];
    p.after = 100;
    progress_line(line, sizeof line, &p, 500, 200);
    check_that(__LINE__, strstr(line, " 50 %, 10 min 0 s left"), "%s", line);
    p.limit = 400;
    progress_line(line, sizeof line, &p, 500, 200);
    check_that(__LINE__, strstr(line, " 25 %, 5 min 0 s left"), "%s", line);
    p.limit = 0;
    p.total = 0;
    progress_line(line, sizeof line, &p, 500, 200);
    CHECK(!strchr(line, '%') && !strstr(line, "left") && strstr(line, "1 images/s"));
}
