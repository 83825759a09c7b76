/* respace.c: chooses the list of steps C(i), i = 0, ..., K-1, of a shorter chain (Nichol and Dhariwal 2021,
   section 4).  C is strictly increasing within 0, ..., T-1, and alpha_bar_i of the chain is alpha_bar_{C(i)}.
   rint rounds half to even, as Python's and numpy's round do.

   spacing    C(i) before the fix-up                            source
   iddpm      rint(0 + s + s + ...), i times s = (T-1)/(K-1)    improved-diffusion, one section
   leading    i floor(T/K)                                      diffusers; "ddimK" of improved-diffusion
   linspace   rint(i (T-1)/(K-1))                               diffusers
   trailing   rint((i+1) T/K) - 1                               diffusers, without its float arange
   quad       floor((i sqrt(0.8 T)/(K-1))^2)                    Song, Meng, Ermon 2021
   logsnr     the step whose ln(alpha_bar/(1-alpha_bar)) is nearest to i/(K-1) of the way between the ends
   optimal    the list of least bound, from statistics          optimal_steps.c

   The fix-up, c_i = max(c_i, c_{i-1} + 1) going up, then c_i = min(c_i, T-K+i), gives exactly K steps for
   every K in 1, ..., T, and does not change a list that has them already.  K = 1 is [T-1]: a chain of one
   step starts from noise.

   A list "0,10,999" is taken as it stands; "999," is a list of one.  Sections "iddpm:10,15,20" cut 0, ...,
   T-1 into parts of equal size, the first T mod parts one longer, and space each as iddpm does. */
#include "diffusion/respace.h"
#include "diffusion/betas.h"
#include "diffusion/optimal_steps.h"
#include "base/names.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fills c [K], K >= 2, before the fix-up, from alpha_bar [T]. */
typedef void preset_fn(double *c, int K, const double *alpha_bar, int T);

/* Fills c [count] with some of the `size` steps from start on, spaced as iddpm does. */
static void section(double *c, int count, int start, int size)
{
    double stride = count > 1 ? (size - 1.0) / (count - 1) : 1, way = 0;

    for (int i = 0; i < count; i++, way += stride)
        c[i] = start + rint(way);
}

static void iddpm(double *c, int K, const double *alpha_bar, int T)
{
    (void)alpha_bar;
    section(c, K, 0, T);
}

static void leading(double *c, int K, const double *alpha_bar, int T)
{
    (void)alpha_bar;
    for (int i = 0; i < K; i++)
        c[i] = (double)i * (T / K);
}

static void linspace(double *c, int K, const double *alpha_bar, int T)
{
    double stride = (T - 1.0) / (K - 1);
    (void)alpha_bar;

    for (int i = 0; i < K; i++)
        c[i] = rint(i * stride);
}

static void trailing(double *c, int K, const double *alpha_bar, int T)
{
    (void)alpha_bar;
    for (int i = 0; i < K; i++)
        c[i] = rint((i + 1.0) * T / K) - 1;
}

static void quad(double *c, int K, const double *alpha_bar, int T)
{
    double top = sqrt(0.8 * T), stride = top / (K - 1);
    (void)alpha_bar;
    for (int i = 0; i < K; i++) {
        double root = i < K - 1 ? i * stride : top; /* numpy.linspace sets its last value, too */
        c[i] = floor(root * root);
    }
}

static double log_snr(double alpha_bar)
{
    return log(alpha_bar / (1 - alpha_bar));
}

static void logsnr(double *c, int K, const double *alpha_bar, int T)
{
    /* A chain of zero SNR has no finite end. */
    int last = alpha_bar[T - 1] > 0 ? T - 1 : T - 2, t = 0;
    double high = log_snr(alpha_bar[0]), low = log_snr(alpha_bar[last]);

    for (int i = 0; i < K - 1; i++) {
        double wanted = high + (low - high) * i / (K - 1);
        /* ln SNR falls with t, so the nearest step only moves up. */
        while (t < last && fabs(log_snr(alpha_bar[t + 1]) - wanted) < fabs(log_snr(alpha_bar[t]) - wanted))
            t++;
        c[i] = t;
    }
    c[K - 1] = T - 1;
}

#define PRESETS(X) X(iddpm) X(leading) X(linspace) X(trailing) X(quad) X(logsnr)
#define NAME(x) #x,
#define FUNCTION(x) x,
static const char *const names[] = { PRESETS(NAME) "optimal", NULL };

/* "optimal" has no function here, because it needs more of the model than alpha_bar. */
static preset_fn *const presets[] = { PRESETS(FUNCTION) NULL };

const char *const *dd_respace_names(void)
{
    return names;
}

/* Makes c [K] strictly increasing within 0, ..., T-1. */
static void fix_up(double *c, int K, int T)
{
    /* Upwards: no step comes twice. */
    for (int i = 1; i < K; i++)
        c[i] = fmax(c[i], c[i - 1] + 1);
    /* Below T: there is room for the steps that follow. */
    for (int i = 0; i < K; i++)
        c[i] = fmin(c[i], T - K + i);
}

/* Returns how many entries a list has.  It may end with a comma, which makes "999," a list of one. */
static int entries(const char *list)
{
    int n = 0;
    for (; *list && n <= DD_STEPS_MAX; list += *list == ',', n++)
        list += strcspn(list, ",");
    return n ? n : 1;
}

/* Reads the next number of a list, which lies within low..high, and moves *text behind it and its comma. */
static int next_number(int *number, const char **text, int low, int high, const char *steps, ddpm_error *err)
{
    size_t length = strcspn(*text, ",");

    /* strtol returns LONG_MAX for a number that is too large, which is above `high`, too. */
    long v = length && strspn(*text, "0123456789") == length ? strtol(*text, NULL, 10) : -1;
    if (v < low || v > high)
        return dd_error(
            err, DDPM_EUSAGE,
            "steps \"%.60s\": \"%.*s\" is not a number from %d to %d; steps are a count, all, a rising list "
            "such as 0,10,999 or sections such as iddpm:10,15,20",
            steps, (int)(length > 20 ? 20 : length), *text, low, high);

    *number = (int)v;
    *text += length + ((*text)[length] == ',');
    return DDPM_OK;
}

static int read_list(double *c, int K, int T, const char *steps, ddpm_error *err)
{
    const char *text = steps;
    for (int i = 0, number; i < K; i++) {
        int code = next_number(&number, &text, 0, T - 1, steps, err);
        if (code)
            return code;

        c[i] = number;
        if (i && c[i] <= c[i - 1])
            return dd_error(err, DDPM_EUSAGE, "steps \"%.60s\": %g follows %g, but the list rises strictly",
                            steps, c[i], c[i - 1]);
    }
    return DDPM_OK;
}

static int read_sections(double *c, int *K, int T, const char *steps, ddpm_error *err)
{
    const char *text = strchr(steps, ':') + 1;
    int parts = entries(text), start = 0;
    *K = 0;

    for (int k = 0, count; k < parts; k++) {
        int size = T / parts + (k < T % parts), code = next_number(&count, &text, 1, size, steps, err);
        if (code) {
            dd_error_context(err, "section %d of %d", k + 1, parts);
            return code;
        }

        section(c + *K, count, start, size);
        *K += count;
        start += size;
    }
    return DDPM_OK;
}

/* Fills c [T], which has room for any list, and *K. */
static int read_steps(double *c, int *K, const ddpm_about *a, const char *steps, int preset, ddpm_error *err)
{
    const char *text = steps;
    int code, T = a->steps;

    if (!strncmp(steps, "iddpm:", 6)) {
        code = read_sections(c, K, T, steps, err);
    } else if (strchr(steps, ',')) {
        *K = entries(steps);
        if (*K > T)
            return dd_error(err, DDPM_EUSAGE, "steps \"%.60s\": %d steps are listed, but the model has %d",
                            steps, *K, T);
        return read_list(c, *K, T, steps, err);
    } else {
        *K = T;
        code = strcmp(steps, "all") ? next_number(K, &text, 1, T, steps, err) : DDPM_OK;
        if (!code && *K > 1 && presets[preset])
            presets[preset](c, *K, a->alpha_bar, T);
        else if (!code && *K > 1)
            code = dd_optimal_steps(c, *K, a, err);
    }
    if (code)
        return code;

    /* A chain of one step starts from noise. */
    if (*K == 1)
        c[0] = T - 1;
    fix_up(c, *K, T);
    return DDPM_OK;
}

int dd_respace(ddpm_chain **chain, const ddpm_about *a, const char *steps, const char *spacing,
               ddpm_error *err)
{
    int K, T = a->steps, preset = 0;
    int code = spacing ? dd_names_choose(&preset, "spacing", spacing, names, err) : DDPM_OK;
    if (code)
        return code;
    if (T < 1 || T > DD_STEPS_MAX)
        return dd_error(err, DDPM_EUSAGE, "the model has %d steps; 1 to %d are possible", T, DD_STEPS_MAX);

    double *c = malloc(2 * (size_t)T * sizeof *c);
    if (!c)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a list of %d steps", T);

    code = read_steps(c, &K, a, steps, preset, err);
    for (int i = 0; !code && i < K; i++)
        c[T + i] = a->alpha_bar[(int)c[i]];
    if (!code)
        code = dd_chain_create(chain, K, c, c + T, a->beta, err);

    free(c);
    return code;
}
