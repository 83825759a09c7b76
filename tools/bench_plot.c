/* Plots by gnuplot as SVG.  What is black on white in a light page and white on black in a dark one is drawn in INK, which becomes the colour of
   the page's text; the samplers have colours that can be told from each other, and from both grounds (Okabe and Ito 2008). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/error.h"
#include "bench_report.h"

#define INK "#010203"
static const char *const colors[] = { "#0087d0", "#d55e00", "#009e73", "#cc79a7", "#d09000", "#7f7fe0", "#808080", "#a06040", "#e04040" };

/* gnuplot with these as its standard input and output.  The exit code; 127: there is none. */
static int run_gnuplot(FILE *script, FILE *out)
{
    int status = 0;
    fflush(script);
    rewind(script);
    pid_t child = fork();
    if (child == 0) {
        FILE *nowhere = fopen("/dev/null", "w");
        if (!nowhere || dup2(fileno(script), 0) < 0 || dup2(fileno(out), 1) < 0 || dup2(fileno(nowhere), 2) < 0)
            _exit(126);
        execlp("gnuplot", "gnuplot", "-", (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

int bench_plot_check(ddpm_error *err)
{
    FILE *script = tmpfile(), *out = tmpfile();
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
    return dd_error(err, DDPM_EUNSUPPORTED, status == 127 ? "--report draws with gnuplot, which is not installed: apt-get install gnuplot-nox, or leave --report out"
                    : "--report draws with gnuplot, which has no SVG or cannot be started (exit code %d): leave --report out", status);
}

/* gnuplot writes INK in one way for lines and in another for text. */
static char *find_ink(char *text, size_t *length)
{
    static const char *const inks[] = { "rgb(  1,   2,   3)", "rgb(1,2,3)" };
    char *first = NULL;
    for (int k = 0; k < 2; k++) {
        char *at = strstr(text, inks[k]);
        if (at && (!first || at < first))
            first = at, *length = strlen(inks[k]);
    }
    return first;
}

/* What gnuplot wrote, without the head of a file of its own, in the page's ink. */
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
        for (; (at = find_ink(rest, &length)); rest = at + length)
            fprintf(to, "%.*scurrentColor", (int)(at - rest), rest);
        fputs(rest, to);
    }
    return begun && !ferror(to) ? DDPM_OK : dd_error(err, DDPM_EIO, "gnuplot drew nothing; is its version at least 5.0?");
}

static void begin(FILE *script, const char *name, const char *x, const char *y)
{
    fprintf(script, "set terminal svg size 760,420 dynamic font 'sans-serif,13' name '%s'\nset datafile missing '-'\n"
            "set border 3 lc rgb '" INK "'\nset key outside right top tc rgb '" INK "'\nset xtics nomirror tc rgb '" INK "'\nset ytics nomirror tc rgb '" INK "'\n"
            "set grid lc rgb '#808080' lw 0.4\nset xlabel '%s' tc rgb '" INK "'\nset ylabel '%s' tc rgb '" INK "'\nset logscale x\nset offsets graph 0, graph 0.05, graph 0.08, graph 0\n", name, x, y);
}

static int finish(FILE *to, FILE *script, ddpm_error *err)
{
    FILE *out = tmpfile();
    int status = out ? run_gnuplot(script, out) : 126;
    int code = status ? dd_error(err, DDPM_EIO, "gnuplot failed on the plots (exit code %d)", status) : copy_svg(to, out, err);
    if (out)
        fclose(out);
    fclose(script);
    return code;
}

static const char *text_of(const cJSON *row, const char *name) { return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, name)); }

/* A block of data for each sampler: lines of steps, seconds, half of the spread, distance, low, high.  Returns how many; name [TRIALS_MAX]. */
static int write_data(FILE *script, const cJSON *rows, const char *name[TRIALS_MAX])
{
    static const char *const columns[] = { "steps", "seconds", "spread", "distance", "low", "high" };
    const cJSON *row;
    char text[32];
    int n = 0;
    cJSON_ArrayForEach(row, rows) {
        if (!n || strcmp(text_of(row, "sampler"), name[n - 1])) {
            if (n)
                fputs("end\n", script);
            name[n++] = text_of(row, "sampler");
            fprintf(script, "$set%d << end\n", n);
        }
        for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
            bench_number(text, row, columns[k]);
            fprintf(script, "%s ", *text ? text : "-");
        }
        fputc('\n', script);
    }
    fputs("end\n", script);
    return n;
}

static bool has(const cJSON *rows, const char *column)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
        if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(row, column)))
            return true;
    return false;
}

static const char *color(int k) { return colors[(size_t)k % (sizeof colors / sizeof *colors)]; }

int bench_plot_time(FILE *to, const struct bench_result *r, ddpm_error *err)
{
    const char *name[TRIALS_MAX];
    FILE *script = tmpfile();
    if (!script)
        return dd_error(err, DDPM_EIO, "no temporary file for gnuplot: %s", strerror(errno));
    if (!has(r->rows, "seconds"))
        return fputs("<p>Nothing could be timed.</p>\n", to), fclose(script), DDPM_OK;
    begin(script, "time", "steps", "seconds per image");
    fputs("set logscale y\n", script);
    int n = write_data(script, r->rows, name);
    for (int k = 0; k < n; k++)
        fprintf(script, "%s $set%d using 1:2 with linespoints lc rgb '%s' lw 2 pt 7 ps 0.6 title '%s'", k ? "," : "plot", k + 1, color(k), name[k]);
    fputc('\n', script);
    return finish(to, script, err);
}

/* The points of the front by their time. */
static int front_order(int order[TRIALS_MAX], const cJSON *rows)
{
    int n = 0;
    for (int i = 0; i < cJSON_GetArraySize(rows); i++) {
        const cJSON *row = cJSON_GetArrayItem(rows, i);
        int k = n;
        if (!cJSON_IsTrue(cJSON_GetObjectItem(row, "front")))
            continue;
        double seconds = cJSON_GetObjectItem(row, "seconds")->valuedouble;
        for (; k > 0 && cJSON_GetObjectItem(cJSON_GetArrayItem(rows, order[k - 1]), "seconds")->valuedouble > seconds; k--)
            order[k] = order[k - 1];
        order[k] = i, n++;
    }
    return n;
}

static void write_front(FILE *script, const cJSON *rows, const char *block, bool knee)
{
    int order[TRIALS_MAX], n = front_order(order, rows);
    char seconds[32], distance[32];
    fprintf(script, "$%s << end\n", block);
    for (int i = 0; i < n; i++) {
        const cJSON *row = cJSON_GetArrayItem(rows, order[i]);
        if (!knee || cJSON_IsTrue(cJSON_GetObjectItem(row, "knee")))
            fprintf(script, "%s %s\n", bench_number(seconds, row, "seconds"), bench_number(distance, row, "distance"));
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

int bench_plot_quality(FILE *to, const struct bench_result *r, ddpm_error *err)
{
    const char *name[TRIALS_MAX];
    int order[TRIALS_MAX];
    if (!has(r->rows, "seconds") || !has(r->rows, "distance"))
        return fputs("<p>No set could be compared.</p>\n", to), DDPM_OK;
    FILE *script = tmpfile();
    if (!script)
        return dd_error(err, DDPM_EIO, "no temporary file for gnuplot: %s", strerror(errno));
    begin(script, "quality", "seconds per image", "Frechet distance");
    int n = write_data(script, r->rows, name);
    write_front(script, r->rows, "front", false);
    write_front(script, r->rows, "knee", true);
    for (int k = 0; k < n; k++)
        fprintf(script, "%s $set%d using 2:4:5:6 with yerrorbars lc rgb '%s' lw 1.5 pt 7 ps 0.6 title '%s', "
                "$set%d using 2:4:1 with labels offset 1.6,0.5 tc rgb '%s' notitle", k ? "," : "plot", k + 1, color(k), name[k], k + 1, color(k));
    if (front_order(order, r->rows) > 1)
        fputs(", $front using 1:2 with lines lc rgb '" INK "' dt 2 title 'Pareto front'", script);
    if (has_knee(r->rows))
        fputs(", $knee using 1:2 with points lc rgb '" INK "' pt 6 ps 2 lw 1.5 title 'knee'", script);
    fputc('\n', script);
    return finish(to, script, err);
}
