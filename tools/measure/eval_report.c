/* Prints the results of an evaluation: the terms of every step and their sum, or what the likelihood by the
   ODE consists of. */
#include "measure/eval_report.h"
#include <math.h>
#include <stdio.h>

/* Prints "name":v; null if v is not finite, which JSON has no number for. */
static void print_member(const char *name, double v)
{
    if (isfinite(v))
        printf("\"%s\":%.17g", name, v);
    else
        printf("\"%s\":null", name);
}

/* Prints the terms of all steps, as a table or as lines of JSON. */
static void print_steps(const struct evaluation *e, bool json)
{
    static const char *const heads[] = { "i", "t", "bits", "mse_eps", "mse_x0" };
    const struct eval_sums *sums = &e->eval_sums;

    if (!json)
        printf("%6s%8s%14s%14s%14s\n", heads[0], heads[1], heads[2], heads[3], heads[4]);
    for (int i = 0; i < sums->K; i++) {
        const double v[5] = { i, ddpm_chain_tables(e->chain)->t[i], eval_sums_at(sums, EVAL_SUMS_TERM, i),
                              eval_sums_at(sums, EVAL_SUMS_MSE_EPS, i),
                              eval_sums_at(sums, EVAL_SUMS_MSE_X0, i) };
        if (!json) {
            printf("%6g%8g%14.6g%14.6g%14.6g\n", v[0], v[1], v[2], v[3], v[4]);
            continue;
        }
        for (int k = 0; k < 5; k++) {
            putchar(k ? ',' : '{');
            print_member(heads[k], v[k]);
        }
        puts("}");
    }
}

/* Bits per dimension, as means over the images that were not lost. */
struct result {
    size_t n; /* images */
    double prior, l0,
        between;             /* L_T, L_0 and the sum of the terms between them; by the ODE l0 is its change */
    double total, low, high; /* the whole bound and its 95 % interval, which is NaN for a single image */
};

static struct result result_of(const struct eval_sums *sums)
{
    struct eval_sums_mean total = eval_sums_mean(sums, EVAL_SUMS_TOTAL);
    struct result r = { .n = sums->images - sums->lost,
                        .prior = eval_sums_mean(sums, EVAL_SUMS_PRIOR).mean,
                        .l0 = eval_sums_mean(sums, EVAL_SUMS_L0).mean,
                        .total = total.mean,
                        .low = sums->K ? fmax(0, total.mean - total.half) : total.mean - total.half,
                        .high = total.mean + total.half };

    for (int i = 1; i < sums->K; i++)
        r.between += eval_sums_at(sums, EVAL_SUMS_TERM, i);
    return r;
}

/* Prints the whole with its interval, of n images. */
static void print_total(const struct result *r)
{
    printf("total %.6g bits/dim", r->total);
    if (r->n > 1)
        printf(", 95 %% interval %.6g to %.6g", r->low, r->high);
    printf("; %zu image%s, ", r->n, r->n == 1 ? "" : "s");
}

static void print_text(const struct evaluation *e, const struct result *r)
{
    int K = e->eval_sums.K;

    printf("L_T %.6g, L_0 %.6g, the %d terms between %.6g bits/dim\n", r->prior, r->l0, K - 1, r->between);
    print_total(r);
    printf("%d steps, variance %s\n", K, ddpm_bound_variance(e->bound));
}

/* Prints what every JSON of an evaluation ends with. */
static void print_end(const struct result *r)
{
    print_member("total", r->total);
    if (isfinite(r->high))
        printf(",\"interval\":[%.17g,%.17g]}\n", r->low, r->high);
    else
        puts(",\"interval\":null}");
}

static void print_json(const struct eval_report *report, const struct result *r)
{
    const struct eval_sums *sums = &report->e->eval_sums;

    printf("{\"images\":%zu,\"lost\":%zu,\"skipped\":%zu,\"steps\":%d,\"variance\":\"%s\",", r->n, sums->lost,
           report->skipped, sums->K, ddpm_bound_variance(report->e->bound));
    print_member("prior", r->prior);
    putchar(',');
    print_member("l0", r->l0);
    putchar(',');
    print_member("between", r->between);
    putchar(',');
    print_end(r);
}

/* ---- by the ODE ---- */

/* Returns the bits that the levels of an image cost: the total is prior + change + these. */
static double dequantisation(const struct result *r)
{
    return r->total - r->prior - r->l0;
}

const char *eval_report_steps(char text[40], const struct evaluation_ode *ode)
{
    if (ode->steps)
        snprintf(text, 40, "%d steps", ode->steps);
    else
        snprintf(text, 40, "tolerance %g", ode->tolerance);
    return text;
}

static void print_ode_text(const struct eval_report *report, const struct result *r)
{
    char steps[40];

    printf("prior %.6g, change %.6g, dequantisation %.6g bits/dim\n", r->prior, r->l0, dequantisation(r));
    print_total(r);
    printf("ODE with %s, %.4g calls of the network for each\n", eval_report_steps(steps, report->ode),
           eval_sums_mean(&report->e->eval_sums, EVAL_SUMS_CALLS).mean);
}

static void print_ode_json(const struct eval_report *report, const struct result *r)
{
    const struct eval_sums *sums = &report->e->eval_sums;

    printf("{\"images\":%zu,\"lost\":%zu,\"skipped\":%zu,\"method\":\"ode\",", r->n, sums->lost,
           report->skipped);
    if (report->ode->steps)
        printf("\"steps\":%d,\"tolerance\":null,", report->ode->steps);
    else
        printf("\"steps\":null,\"tolerance\":%.17g,", report->ode->tolerance);
    printf("\"probe\":\"%s\",", evaluation_probe_names()[report->ode->probe]);
    print_member("calls", eval_sums_mean(sums, EVAL_SUMS_CALLS).mean);
    putchar(',');
    print_member("prior", r->prior);
    putchar(',');
    print_member("change", r->l0);
    putchar(',');
    print_member("dequantisation", dequantisation(r));
    putchar(',');
    print_end(r);
}

void eval_report_print(const struct eval_report *report, bool json)
{
    struct result r = result_of(&report->e->eval_sums);

    if (report->ode && json) {
        print_ode_json(report, &r);
    } else if (report->ode) {
        print_ode_text(report, &r);
    } else {
        print_steps(report->e, json);
        if (json)
            print_json(report, &r);
        else
            print_text(report->e, &r);
    }
}
