/* Axes fit their numbers, and labels of crowded points touch neither each other nor the points. */
#include "check.h"
#include "tools/trial/bench_axis.h"
#include <math.h>

/* Between 5.1 and 17.9 lies only one of 1, 2, 5, 10, ..., too few to read a scale by, so other ticks are
   added. */
TEST(unit, axes_have_ticks)
{
    const double narrow[] = { 6, 18 };
    struct axis a = axis_fit(narrow, 2, true);
    char text[512] = "";
    int ticks = 0;
    FILE *script = tmpfile();
    REQUIRE(script);

    axis_write(script, 'y', &a);
    rewind(script);
    text[fread(text, 1, sizeof text - 1, script)] = 0;
    fclose(script);

    for (const char *p = text; (p = strchr(p, '"')); p++)
        ticks++;
    CHECK(a.log && ticks / 2 >= 3 && ticks / 2 <= 9);
}

TEST(unit, axes_fit)
{
    const double wide[] = { 0.01, NAN, 0, 10 }, narrow[] = { 5, 6, 7 }, one[] = { 0, 0 };
    struct axis a = axis_fit(wide, 4, true), b = axis_fit(narrow, 3, true), c = axis_fit(one, 2, false);
    CHECK(a.log && a.low < 0.01 && a.low > 0.005 && a.high > 10 && a.high < 20);
    CHECK(!b.log && b.low > 4.5 && b.low < 5 && b.high > 7 && b.high < 7.5);
    CHECK(c.low == 0 && c.high > 0);
    CHECK_NEAR(axis_place(&a, sqrt(a.low * a.high)), 0.5, 1e-12);
    CHECK(axis_place(&a, 0) == 0 && axis_place(&a, 1e9) == 1 && axis_place(&b, (b.low + b.high) / 2) == 0.5);
}

TEST(unit, labels_touch_nothing)
{
    enum { POINTS = 12, SIZE = 4 };
    struct boxes b = { .frame = { 0, 300, 0, 200, false } };
    double middle[2];
    int placed = 0;
    for (int i = 0; i < POINTS; i++)
        boxes_take(&b, 100 + 9 * i - SIZE, 100 + 9 * i + SIZE, 100 - SIZE, 100 + SIZE, false);
    for (int i = 0; i < POINTS; i++)
        placed += boxes_label(&b, 100 + 9 * i, 100, 24, 14, middle);
    CHECK(placed >= 6 && placed < POINTS && b.n == POINTS + placed);
    for (int i = POINTS; i < b.n; i++)
        for (int k = 0; k < i; k++) {
            const struct box *p = &b.taken[i], *q = &b.taken[k];
            CHECK(p->right <= q->left || q->right <= p->left || p->top <= q->bottom || q->top <= p->bottom);
        }
    CHECK(!boxes_label(&b, 1000, 1000, 24, 14, middle));
}
