/* tools/training/curve.h: means that do not lag, round marks, and a picture with both curves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../tools/training/canvas.h"
#include "../tools/training/curve.h"
#include "../tools/image/picture.h"
#include "check.h"

enum { POINTS = 400 };

static struct curve made_of(double (*value)(double), size_t points)
{
    struct curve c = { .points = 0 };
    for (size_t i = 0; i < points; i++)
        CHECK(curve_add(&c, 10 * (double)(i + 1), value((double)i), NULL) == DDPM_OK);
    return c;
}

static double straight(double i)
{
    return 1000 - i;
}

static double falling(double i)
{
    return exp(-i / 20);
}

/* A mean over the same distance on either side of a point is the value there if the curve is straight.
   At the end it is the value of the points up to half a window back. For exp(-i / 20), with h points on
   either side, it is sinh((h + 1/2) / 20) / ((2h + 1) sinh(1 / 40)) times the value. */
TEST(unit, curve_means_do_not_lag)
{
    struct curve line = made_of(straight, POINTS), fall = made_of(falling, POINTS);
    size_t side = curve_side(POINTS);
    double h = (double)side, most = sinh((h + 0.5) / 20) / ((2 * h + 1) * sinh(1.0 / 40));
    CHECK(side >= 4);
    for (size_t i = 0; i < POINTS - side; i++) {
        CHECK_NEAR(curve_mean(&line, i, side), straight((double)i), 1e-9);
        double ratio = curve_mean(&fall, i, side) / falling((double)i);
        CHECK(ratio >= 1 - 1e-12 && ratio <= most + 1e-12);
    }
    for (size_t i = POINTS - side; i < POINTS; i++)
        CHECK_NEAR(curve_mean(&line, i, side), straight((double)i), h / 2);
    CHECK_NEAR(curve_mean(&fall, 3, 100), falling(3), 0);

    line.value[200] = NAN;
    CHECK_NEAR(curve_mean(&line, 200, 1), straight(200), 1e-9);
    curve_free(&line);
    curve_free(&fall);
}

static void check_round(const double *tick, int n)
{
    for (int i = 1; i < n; i++) {
        double step = tick[i] - tick[i - 1], lead = step / pow(10, floor(log10(step) + 1e-9));
        CHECK(fabs(lead - 1) < 1e-6 || fabs(lead - 2) < 1e-6 || fabs(lead - 5) < 1e-6);
        CHECK_NEAR(tick[i] / step, rint(tick[i] / step), 1e-6);
    }
}

TEST(unit, curve_ticks_are_round)
{
    static const double wanted[] = { 0.02, 0.05, 0.1, 0.2, 0.5, 1 };
    double tick[24];

    CHECK(curve_ticks(tick, 24, 0.0153, 1.37, true) == 6);
    for (int i = 0; i < 6; i++)
        CHECK_NEAR(tick[i], wanted[i], 1e-12);

    for (double high = 1e-3; high < 1e7; high *= 1.7) {
        int n = curve_ticks(tick, 24, 0, high, false);
        CHECK(n >= 3 && n <= 9 && tick[0] == 0 && !signbit(tick[0]) && tick[n - 1] <= high * (1 + 1e-9));
        check_round(tick, n);
        n = curve_ticks(tick, 24, high, 1.3 * high, false);
        CHECK(n >= 3 && n <= 9 && tick[0] >= high * (1 - 1e-9));
        check_round(tick, n);
        n = curve_ticks(tick, 24, high, 11 * high, true);
        CHECK(n >= 3);
    }

    CHECK(curve_ticks(tick, 2, 0, 1000, false) == 2);
}

static int red_pixels(const struct picture *p)
{
    int n = 0;
    for (size_t i = 0; i < (size_t)p->width * (size_t)p->height; i++)
        n += p->pixel[3 * i] == 196 && p->pixel[3 * i + 1] == 60 && p->pixel[3 * i + 2] == 28;
    return n;
}

static int red_of(const struct curve *loss, const struct curve *held)
{
    const struct curve_words w = { "a title that is longer than fits, and then some more", "error", 10 };
    const char *path = check_path(check_folder(), "loss.png");
    struct picture p;
    char *text;
    CHECK(curve_write(path, &w, loss, held, NULL) == DDPM_OK);
    CHECK(picture_read(&p, &text, path, NULL) == DDPM_OK);
    int n = red_pixels(&p);
    picture_free(&p);
    free(text);
    return n;
}

/* Counts the vertical lines of the grid, which are one or two pixels wide, in a row of the picture
   without ticks of the other axis. */
static int grid_lines(const struct picture *p, int row)
{
    int n = 0;
    for (int x = 1; x < p->width; x++) {
        const uint8_t *at = p->pixel + 3 * ((size_t)row * (size_t)p->width + (size_t)x), *before = at - 3;
        n += at[0] < 255 && before[0] == 255;
    }
    return n;
}

TEST(unit, curve_ticks_of_few_steps_are_whole)
{
    const struct curve_words w = { "few", "error", 10 };
    const char *path = check_path(check_folder(), "few.png");
    struct curve none = { .points = 0 };
    for (int last = 1; last <= 5; last++) {
        struct curve held = { .points = 0 };
        struct picture p;
        char *text;
        CHECK(curve_add(&held, last, 0.9, NULL) == DDPM_OK);
        CHECK(curve_write(path, &w, &none, &held, NULL) == DDPM_OK);
        CHECK(picture_read(&p, &text, path, NULL) == DDPM_OK);
        CHECK(grid_lines(&p, 660) == last + 1);
        picture_free(&p);
        free(text);
        curve_free(&held);
    }
}

TEST(unit, curve_pictures)
{
    struct curve none = { .points = 0 }, loss = made_of(falling, 300), held = made_of(falling, 8);
    CHECK(red_of(&none, &none) == 0 && red_of(&loss, &none) == 0);
    CHECK(red_of(&none, &held) > 0 && red_of(&loss, &held) > 0);
    held.value[0] = NAN;
    held.value[1] = 0;
    held.points = 3;
    CHECK(red_of(&loss, &held) > 0);
    curve_free(&loss);
    curve_free(&held);
}

/* A name may hold any bytes, and the letters that are drawn have only ASCII. */
TEST(unit, canvas_letters_that_have_no_shape)
{
    CHECK(canvas_text_width("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8C\x88", 7) ==
          canvas_text_width("caf? ? ?", 7));
    CHECK(canvas_text_width("\x80\xFF\x01\x7F", 7) == canvas_text_width("???", 7));
    CHECK(canvas_text_width("?", 7) > 0);
}
