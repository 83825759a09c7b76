/* Reports the results of ddpm bench: lines of JSON, a table, or a folder with report.csv and report.html.  A
   result holds numbers that were rounded to six digits once, so all reports have the same numbers. */
#ifndef DDPM_BENCH_REPORT_H
#define DDPM_BENCH_REPORT_H
#include <cjson/cJSON.h>
#include "trial/trial.h"

struct bench_result {
    cJSON *settings, *machine;
    cJSON *rows;    /* array of objects, one for each trial */
    cJSON *profile; /* array of objects, one for each operation of the network */
    cJSON *choice;  /* the suggestion; NULL: it was not asked for */
};

/* Makes a result.  refusal: why nothing is ranked, or NULL; best: the trial that is suggested, or -1. */
int bench_result_create(struct bench_result *r, const struct trials *t, const char *refusal, int best,
                        ddpm_error *err);
void bench_result_free(struct bench_result *r);
/* Prints the lines of --json on standard output. */
void bench_result_lines(const struct bench_result *r);
/* Prints the table for people on standard output. */
void bench_result_table(const struct bench_result *r);
/* Returns whether some row has a number of this name. */
bool bench_result_has(const struct bench_result *r, const char *name);

/* Makes the folder and checks, before the work, that the files of the report can be created in it. */
int bench_report_check(const char *folder, bool force, ddpm_error *err);
/* Writes report.csv and report.html. */
int bench_report_write(const char *folder, bool force, const struct bench_result *r, const struct trials *t,
                       ddpm_error *err);

/* Returns DDPM_EUNSUPPORTED unless gnuplot can be run; the sentence says what to install. */
int bench_plot_check(ddpm_error *err);
/* Write a plot as an SVG element for an HTML page: seconds against steps, and distance against seconds with
   front and knee. */
int bench_plot_time(FILE *to, const struct bench_result *r, ddpm_error *err);
int bench_plot_quality(FILE *to, const struct bench_result *r, ddpm_error *err);
/* Returns the number `name` of a row for the page: three digits, or all digits before the point; "" for
   null. */
const char *bench_short(char text[32], const cJSON *row, const char *name);
/* Returns the number `name` of a row for programs: six digits as in the JSON; "" for null. */
const char *bench_number(char text[32], const cJSON *row, const char *name);
#endif
