/* Draws plots by gnuplot as SVG.  Axes and text are drawn in BENCH_INK, which is replaced by the colour of
   the page's text, so that they are black on a light page and white on a dark one.  The colours of the
   samplers differ clearly from each other and from both backgrounds (Okabe and Ito 2008). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/system.h"
#include "trial/bench_axis.h"
#include "trial/bench_report.h"

static const char *const colors[] = { "#0087d0", "#d55e00", "#009e73", "#cc79a7", "#d09000",
                                      "#7f7fe0", "#808080", "#a06040", "#e04040" };

/* Runs gnuplot with script as its standard input and out as its standard output.  Returns its exit code; 127:
   it is not installed, 126: it could not be started. */
static int run_gnuplot(FILE *script, FILE *out)
{
    static const char *const words[] = { "gnuplot", "-", NULL };

    fflush(script);
    rewind(script);
    return dd_system_run(words, script, out);
}

int bench_plot_check(ddpm_error *err)
{
    FILE *script = dd_system_scratch(), *out = dd_system_scratch();
    int status = 126;

    if (script && out) {
        fputs("set terminal svg\n", script);
        status = run_gnuplot(script, out);
    }
    if (script)
        fclose(script);
    if (out)
        fclose(out);
    if (!status)
        return DDPM_OK;
    return dd_error(err, DDPM_EUNSUPPORTED,
                    status == 127 ? "--report draws with gnuplot, which is not installed: apt-get install "
                                    "gnuplot-nox, or leave --report out"
                                  : "--report draws with gnuplot, which has no SVG or cannot be started "
                                    "(exit code %d): leave --report out",
                    status);
}

/* Returns the first BENCH_INK in text and its length, or NULL.  gnuplot writes it in one form for lines and
   in another for text. */
static char *find_ink(char *text, size_t *length)
{
    static const char *const inks[] = { "rgb(  1,   2,   3)", "rgb(1,2,3)" };
    char *first = NULL;

    for (int k = 0; k < 2; k++) {
        char *at = strstr(text, inks[k]);
        if (at && (!first || at < first)) {
            first = at;
            *length = strlen(inks[k]);
        }
    }
    return first;
}

/* Copies gnuplot's output from <svg on, and replaces BENCH_INK by currentColor, the colour of the page's
   text. */
static int copy_svg(FILE *to, FILE *from, ddpm_error *err)
{
    char line[4096], *at;
    size_t length;
    bool begun = false;

    rewind(from);
    while (fgets(line, sizeof line, from)) {
        char *rest = line;
        begun = begun || strstr(line, "<svg");
        if (!begun)
            continue;

        /* A line may have the colour more than once. */
        for (; (at = find_ink(rest, &length)); rest = at + length)
            fprintf(to, "%.*scurrentColor", (int)(at - rest), rest);
        fputs(rest, to);
    }
    if (begun && !ferror(to))
        return DDPM_OK;
    return dd_error(err, DDPM_EIO, "gnuplot drew nothing; is its version at least 5.0?");
}

/* Sizes in points.  The page shows the plot at this size, somewhat larger or, on a narrow screen, smaller; so
   the letters are large. */
enum {
    WIDTH = 560,
    HEIGHT = 400,
    LETTERS = 14,
    LEFT = 84,
    TITLE = 14, /* where the words at the y axis stand, left of ticks with up to seven letters */
    RIGHT = 545,
    BOTTOM = 64,
    LEGEND_ROW = 22,
    LEGEND_COLUMNS = 3
};

/* Returns the upper end of the plot, which lies below a legend with so many entries. */
static int top_of(int entries)
{
    return HEIGHT - 14 - LEGEND_ROW * ((entries + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS);
}

/* Writes the settings that both plots need: size, margins, legend, frame, the words at the axes. */
static void begin(FILE *script, const char *name, const char *x, const char *y, int entries)
{
    fprintf(script, "set terminal svg size %d,%d dynamic font 'sans-serif,%d' name '%s'\n", WIDTH, HEIGHT,
            LETTERS, name);
    fputs("set datafile missing '-'\n", script);
    fprintf(script, "set lmargin at screen %.4f\nset rmargin at screen %.4f\n", (double)LEFT / WIDTH,
            (double)RIGHT / WIDTH);
    fprintf(script, "set bmargin at screen %.4f\nset tmargin at screen %.4f\n", (double)BOTTOM / HEIGHT,
            (double)top_of(entries) / HEIGHT);
    fprintf(script, "set key at screen 0.5,0.99 center top horizontal maxcols %d samplen 2", LEGEND_COLUMNS);
    fputs(" tc rgb '" BENCH_INK "'\n", script);
    fputs("set border 3 lc rgb '" BENCH_INK "'\nset grid lc rgb '#808080' lw 0.4\n", script);
    fprintf(script, "set xlabel '%s' offset 0,0.4 tc rgb '" BENCH_INK "'\n", x);

    /* A ylabel would be left out where wide ticks leave it no room. */
    fprintf(script, "set label '%s' at screen %.4f,%.4f center rotate by 90 tc rgb '" BENCH_INK "'\n", y,
            (double)TITLE / WIDTH, (double)(BOTTOM + top_of(entries)) / 2 / HEIGHT);
}

/* Runs gnuplot on the script and copies the plot; closes the script. */
static int finish(FILE *to, FILE *script, ddpm_error *err)
{
    FILE *out = dd_system_scratch();
    int status = out ? run_gnuplot(script, out) : 126;
    int code = status ? dd_error(err, DDPM_EIO, "gnuplot failed on the plots (exit code %d)", status)
                      : copy_svg(to, out, err);

    if (out)
        fclose(out);
    fclose(script);
    return code;
}

static const char *text_of(const cJSON *row, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, name));
}

static double number_of(const cJSON *row, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, name);
    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

/* Fills v with the number `name` of each row.  Returns how many rows there are. */
static int read_column(double v[TRIALS_MAX], const cJSON *rows, const char *name)
{
    const cJSON *row;
    int n = 0;
    cJSON_ArrayForEach(row, rows)
        v[n++] = number_of(row, name);
    return n;
}

/* Writes a block of data for each sampler, with lines of steps, seconds, distance, low and high.  A value
   below the axis y is replaced by its lower end, as a logarithmic axis has no place for 0.  Fills name with
   the samplers and returns how many blocks there are. */
static int write_data(FILE *script, const cJSON *rows, const struct axis *y, const char *name[TRIALS_MAX])
{
    static const char *const columns[] = { "steps", "seconds", "distance", "low", "high" };
    const cJSON *row;
    int n = 0;

    cJSON_ArrayForEach(row, rows) {
        if (!n || strcmp(text_of(row, "sampler"), name[n - 1])) {
            if (n)
                fputs("end\n", script);
            name[n++] = text_of(row, "sampler");
            fprintf(script, "$set%d << end\n", n);
        }
        for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
            double v = number_of(row, columns[k]);
            if (isnan(v))
                fputs("- ", script);
            else
                fprintf(script, "%.6g ", k > 1 ? fmax(v, y->low) : v);
        }
        fputc('\n', script);
    }
    fputs("end\n", script);
    return n;
}

/* Returns how many samplers the rows have; the rows of a sampler follow each other. */
static int samplers_of(const cJSON *rows)
{
    const cJSON *row;
    const char *last = "";
    int n = 0;

    cJSON_ArrayForEach(row, rows) {
        n += strcmp(text_of(row, "sampler"), last) != 0;
        last = text_of(row, "sampler");
    }
    return n;
}

static const char *color(int k)
{
    return colors[(size_t)k % (sizeof colors / sizeof *colors)];
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int bench_plot_time(FILE *to, const struct bench_result *r, ddpm_error *err)
{
    const char *name[TRIALS_MAX];
    double K[TRIALS_MAX], seconds[TRIALS_MAX];
    int rows = read_column(K, r->rows, "steps");

    read_column(seconds, r->rows, "seconds");
    const struct axis x = axis_fit(K, rows, true), y = axis_fit(seconds, rows, true);
    if (!bench_result_has(r, "seconds")) {
        fputs("<p>Nothing could be timed.</p>\n", to);
        return DDPM_OK;
    }

    FILE *script = dd_system_scratch();
    if (!script)
        return dd_error(err, DDPM_EIO, "no temporary file for gnuplot: %s", strerror(errno));

    begin(script, "time", "steps", "seconds per image", samplers_of(r->rows));

    /* The axis needs its ticks in order; the rows keep theirs. */
    qsort(K, (size_t)rows, sizeof *K, ascending);
    axis_write_at(script, 'x', &x, K, rows);
    axis_write(script, 'y', &y);
    int n = write_data(script, r->rows, &y, name);
    for (int k = 0; k < n; k++)
        fprintf(script, "%s $set%d using 1:2 with linespoints lc rgb '%s' lw 2 pt 7 ps 0.6 title '%s'",
                k ? "," : "plot", k + 1, color(k), name[k]);
    fputc('\n', script);
    return finish(to, script, err);
}

/* Fills order with the rows of the front, sorted by time (by insertion), and returns how many there are. */
static int front_order(int order[TRIALS_MAX], const cJSON *rows)
{
    int n = 0;

    for (int i = 0; i < cJSON_GetArraySize(rows); i++) {
        const cJSON *row = cJSON_GetArrayItem(rows, i);
        int k = n;
        if (!cJSON_IsTrue(cJSON_GetObjectItem(row, "front")))
            continue;
        double seconds = number_of(row, "seconds");
        while (k > 0 && number_of(cJSON_GetArrayItem(rows, order[k - 1]), "seconds") > seconds) {
            order[k] = order[k - 1];
            k--;
        }
        order[k] = i;
        n++;
    }
    return n;
}

/* Writes a block of data with the points of the front or, with `knee`, only its knee. */
static void write_front(FILE *script, const cJSON *rows, const char *block, bool knee)
{
    int order[TRIALS_MAX], n = front_order(order, rows);
    char seconds[32], distance[32];

    fprintf(script, "$%s << end\n", block);
    for (int i = 0; i < n; i++) {
        const cJSON *row = cJSON_GetArrayItem(rows, order[i]);
        if (!knee || cJSON_IsTrue(cJSON_GetObjectItem(row, "knee")))
            fprintf(script, "%s %s\n", bench_number(seconds, row, "seconds"),
                    bench_number(distance, row, "distance"));
    }
    fputs("end\n", script);
}

static bool has_knee(const cJSON *rows)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
        if (cJSON_IsTrue(cJSON_GetObjectItem(row, "knee")))
            return true;
    return false;
}

/* Returns an axis for the distances and the upper ends of their intervals.  Lower ends may be below it, down
   to 0. */
static struct axis distance_axis(const cJSON *rows)
{
    double v[2 * TRIALS_MAX], most = 0, least = INFINITY;
    int n = read_column(v, rows, "distance"), used = n;

    for (int i = 0; i < n; i++) {
        most = fmax(most, v[i]);
        least = v[i] > 0 ? fmin(least, v[i]) : least;
    }

    /* The axis begins at 0 or, if it is logarithmic, well below the least distance. */
    bool log = most > 10 * least;
    v[used++] = log ? least / 2 : 0;
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
        if (used < 2 * TRIALS_MAX)
            v[used++] = number_of(row, "high");
    return axis_fit(v, used, log);
}

/* Writes the number of steps beside each point.  It touches no points and no other numbers, and an error bar
   only if there is no other place. */
static void write_labels(FILE *script, const cJSON *rows, int entries, const struct axis *x,
                         const struct axis *y)
{
    enum { POINT = 4, LETTER = 8, LINE = 14 };
    struct boxes b = { .frame = { LEFT, RIGHT, BOTTOM, top_of(entries), false } };
    double across = RIGHT - LEFT, up = b.frame.top - BOTTOM, middle[2];
    const cJSON *row;
    const char *last = "";
    int set = -1;

    cJSON_ArrayForEach(row, rows) {
        double u = LEFT + across * axis_place(x, number_of(row, "seconds"));
        double v = BOTTOM + up * axis_place(y, number_of(row, "distance"));
        double low = BOTTOM + up * axis_place(y, number_of(row, "low"));
        double high = BOTTOM + up * axis_place(y, number_of(row, "high"));
        if (isnan(number_of(row, "seconds")) || isnan(number_of(row, "distance")))
            continue;

        /* A label never touches a point; it may touch a bar if there is no other place. */
        boxes_take(&b, u - POINT, u + POINT, v - POINT, v + POINT, false);
        boxes_take(&b, u - 1, u + 1, low, high, true);
    }

    cJSON_ArrayForEach(row, rows) {
        char text[32];
        double u = LEFT + across * axis_place(x, number_of(row, "seconds"));
        double v = BOTTOM + up * axis_place(y, number_of(row, "distance"));
        set += strcmp(text_of(row, "sampler"), last) != 0;
        last = text_of(row, "sampler");
        bench_number(text, row, "steps");
        if (isnan(number_of(row, "seconds")) || isnan(number_of(row, "distance")))
            continue;
        if (boxes_label(&b, u, v, (double)(LETTER * strlen(text)), LINE, middle))
            fprintf(script, "set label '%s' at screen %.5f,%.5f center front tc rgb '%s'\n", text,
                    middle[0] / WIDTH, middle[1] / HEIGHT, color(set));
    }
}

int bench_plot_quality(FILE *to, const struct bench_result *r, ddpm_error *err)
{
    const char *name[TRIALS_MAX];
    double seconds[TRIALS_MAX];
    int order[TRIALS_MAX], front = front_order(order, r->rows);
    int rows = read_column(seconds, r->rows, "seconds"), entries = samplers_of(r->rows);
    const struct axis x = axis_fit(seconds, rows, true), y = distance_axis(r->rows);

    if (!bench_result_has(r, "seconds") || !bench_result_has(r, "distance")) {
        fputs("<p>No set could be compared.</p>\n", to);
        return DDPM_OK;
    }

    FILE *script = dd_system_scratch();
    if (!script)
        return dd_error(err, DDPM_EIO, "no temporary file for gnuplot: %s", strerror(errno));

    entries += (front > 1) + has_knee(r->rows);
    begin(script, "quality", "seconds per image", "sliced Wasserstein distance", entries);
    axis_write(script, 'x', &x);
    axis_write(script, 'y', &y);
    write_labels(script, r->rows, entries, &x, &y);

    int n = write_data(script, r->rows, &y, name);
    write_front(script, r->rows, "front", false);
    write_front(script, r->rows, "knee", true);
    for (int k = 0; k < n; k++)
        fprintf(script, "%s $set%d using 2:3:4:5 with yerrorbars lc rgb '%s' lw 1.5 pt 7 ps 0.6 title '%s'",
                k ? "," : "plot", k + 1, color(k), name[k]);

    /* The front is a line through its points; the knee is a ring around one of them. */
    if (front > 1)
        fputs(", $front using 1:2 with lines lc rgb '" BENCH_INK "' dt 2 title 'Pareto front'", script);
    if (has_knee(r->rows))
        fputs(", $knee using 1:2 with points lc rgb '" BENCH_INK "' pt 6 ps 2 lw 1.5 title 'knee'", script);
    fputc('\n', script);
    return finish(to, script, err);
}
