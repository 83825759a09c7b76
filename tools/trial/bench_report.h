/* What a bench has found: lines of JSON, a table, a folder with report.csv and report.html.  All of them print the numbers of the lines, which
   are rounded to six digits once, here. */
#ifndef DDPM_BENCH_REPORT_H
#define DDPM_BENCH_REPORT_H
#include <cjson/cJSON.h>
#include "trial/trial.h"

struct bench_result {
    cJSON *settings, *rows, *profile, *machine,
        *choice; /* objects, but rows and profile, which are arrays of them; choice NULL: not asked */
};

/* refusal: why nothing is ranked, or NULL; best: the trial that is suggested, or -1. */
int bench_result_create(struct bench_result *r, const struct trials *t, const char *refusal, int best,
                        ddpm_error *err);
void bench_result_free(struct bench_result *r);
void bench_result_lines(const struct bench_result *r);                 /* --json, on stdout */
bool bench_result_has(const struct bench_result *r, const char *name); /* a number in some row */
void bench_result_table(const struct bench_result *r);                 /* for people, on stdout */

/* Before the work: the folder, its files, gnuplot. */
int bench_report_check(const char *folder, bool force, ddpm_error *err);
int bench_report_write(const char *folder, bool force, const struct bench_result *r, const struct trials *t,
                       ddpm_error *err);

/* Whether gnuplot runs; otherwise DDPM_EUNSUPPORTED, and what to install. */
int bench_plot_check(ddpm_error *err);
/* The plots as SVG elements for an HTML page: seconds against steps, and distance against seconds with front and knee. */
int bench_plot_time(FILE *to, const struct bench_result *r, ddpm_error *err);
int bench_plot_quality(FILE *to, const struct bench_result *r, ddpm_error *err);
/* Three digits of it, or all of what is before the point, for the page. */
const char *bench_short(char text[32], const cJSON *row, const char *name);
/* A number of a row for programs: six digits as in the JSON, "" for null. */
const char *bench_number(char text[32], const cJSON *row, const char *name);
#endif
