/* betas.c: noise schedules, beta_t for t = 0, ..., T-1 and alpha_bar_t = prod_{s <= t} (1 - beta_s), with the
   roundings of their origins.

   spec = [f32: | cast:] NAME [:NUMBER,...] [+zero-snr]

   NAME                  NUMBERs (default)    beta_t                                      origin
   linear                b0,b1 (1e-4,0.02)    b0 to b1, even                              [1] [2] [3]
   openai-linear         b0,b1 (1e-4,0.02)    the same times 1000/T                       [4] [5]
   scaled_linear, quad   b0,b1 (1e-4,0.02)    sqrt b0 to sqrt b1, even, squared           [2] [1]
   sqrt                  b0,b1 (1e-4,0.02)    the square root of linear                   latent-diffusion
   sigmoid               b0,b1 (1e-4,0.02)    b0 + (b1 - b0) S(-6 to 6, even)             [3] [2]
   const                 b1 (0.02)            b1                                          [1]
   warmup10, warmup50    b0,b1 (1e-4,0.02)    b0 to b1 in the first 10 or 50 %, then b1   [1]
   jsd                                        1/T, 1/(T-1), ..., 1                        [6] [1]
   cosine, squaredcos_cap_v2                  from g                                      [4] [2]
   lucid-cosine                               from g / g(0)                               [5]
   lucid-sigmoid         a,b,tau (-3,3,1)     from G / G(0)                               [7] [5]

   where

     S(x) = 1 / (1 + e^-x)
     from g:  beta_t = min(1 - g((t+1)/T) / g(t/T), 0.999),  g(u) = cos^2((u + 0.008) / 1.008 pi/2)
     G(u) = (S(b/tau) - S((u (b-a) + a) / tau)) / (S(b/tau) - S(a/tau))

   [1] Ho et al. 2020, their program   [2] diffusers   [3] ermongroup's ddim   [4] Nichol and Dhariwal 2021
   [5] lucidrains   [6] Sohl-Dickstein et al. 2015   [7] Jabri et al. 2022

   Tables are double, as those of [4], [1] and [5] are.  `f32:` computes as torch does in float32 (diffusers).
   `cast:` rounds beta to float32 first and goes on in float32 (ermongroup).  `+zero-snr` shifts and scales
   sqrt(alpha_bar) so that it ends at 0 (Lin et al. 2023, algorithm 1; diffusers' rescale_betas_zero_snr). */
#include "diffusion/betas.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/names.h"

enum { NUMBERS = 3 };

/* The arithmetic for a table.  ramp fills v [n] with even steps from a to b; round rounds a result. */
struct arithmetic {
    void (*ramp)(double *v, double a, double b, int n);
    double (*round)(double x);
};

static double keep(double x)
{
    return x;
}

static double to_float(double x)
{
    return (float)x;
}

/* Computes as numpy.linspace: each value is rounded twice, and the last value is set. */
static void ramp_double(double *v, double a, double b, int n)
{
    double step = n > 1 ? (b - a) / (n - 1) : 0;
    for (int i = 0; i < n; i++)
        v[i] = i * step + a;

    if (n > 1)
        v[n - 1] = b;
}

/* Computes as torch.linspace on float32: each half counts from its own end by a fused multiply-add, so each
   value is rounded once. */
static void ramp_float(double *v, double a, double b, int n)
{
    float first = (float)a, last = (float)b, step = n > 1 ? (last - first) / (float)(n - 1) : 0;
    for (int i = 0; i < n; i++)
        v[i] = to_float(i < n / 2 || n == 1 ? first + (double)step * i : last - (double)step * (n - 1 - i));
}

static const struct arithmetic in_double = { ramp_double, keep }, in_float = { ramp_float, to_float };

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* The schedules of the table above follow.  b holds the NUMBERs. */
static void linear(double *beta, const double *b, const struct arithmetic *r, int T)
{
    r->ramp(beta, b[0], b[1], T);
}

static void openai_linear(double *beta, const double *b, const struct arithmetic *r, int T)
{
    double scale = 1000.0 / T;
    r->ramp(beta, scale * b[0], scale * b[1], T);
}

static void scaled_linear(double *beta, const double *b, const struct arithmetic *r, int T)
{
    r->ramp(beta, sqrt(b[0]), sqrt(b[1]), T);
    for (int t = 0; t < T; t++)
        beta[t] = r->round(beta[t] * beta[t]);
}

static void square_root(double *beta, const double *b, const struct arithmetic *r, int T)
{
    r->ramp(beta, b[0], b[1], T);
    for (int t = 0; t < T; t++)
        beta[t] = r->round(sqrt(beta[t]));
}

static void sigmoid(double *beta, const double *b, const struct arithmetic *r, int T)
{
    double height = r->round(b[1] - b[0]), foot = r->round(b[0]);
    r->ramp(beta, -6, 6, T);
    for (int t = 0; t < T; t++)
        beta[t] = r->round(r->round(r->round(logistic(beta[t])) * height) + foot);
}

static void warmup(double *beta, const double *b, const struct arithmetic *r, int T, double part)
{
    int n = (int)(T * part);
    r->ramp(beta, b[0], b[1], n);
    for (int t = n; t < T; t++)
        beta[t] = r->round(b[1]);
}

static void warmup10(double *beta, const double *b, const struct arithmetic *r, int T)
{
    warmup(beta, b, r, T, 0.1);
}

static void warmup50(double *beta, const double *b, const struct arithmetic *r, int T)
{
    warmup(beta, b, r, T, 0.5);
}

static void constant(double *beta, const double *b, const struct arithmetic *r, int T)
{
    for (int t = 0; t < T; t++)
        beta[t] = r->round(b[0]);
}

static void jsd(double *beta, const double *b, const struct arithmetic *r, int T)
{
    (void)b;
    r->ramp(beta, T, 1, T);
    for (int t = 0; t < T; t++)
        beta[t] = r->round(1 / beta[t]);
}

static const double pi = 3.14159265358979323846;

static double squared_cosine(double u)
{
    double c = cos((u + 0.008) / 1.008 * pi / 2);
    return c * c;
}

static void cosine(double *beta, const double *b, const struct arithmetic *r, int T)
{
    (void)b;
    for (int t = 0; t < T; t++)
        beta[t] = r->round(fmin(1 - squared_cosine((t + 1.0) / T) / squared_cosine((double)t / T), 0.999));
}

/* Fills beta as lucidrains does: g gives alpha_bar, which is divided by its first value; beta is clipped to
   0..0.999. */
static void from_alpha_bar(double *beta, double (*g)(double u, const double *b), const double *b,
                           const struct arithmetic *r, int T)
{
    double start = g(0, b), before = 1;

    for (int t = 0; t < T; t++) {
        double here = g((t + 1.0) / T, b) / start;
        beta[t] = r->round(fmin(fmax(1 - here / before, 0), 0.999));
        before = here;
    }
}

static double lucid_cosine_at(double u, const double *b)
{
    double c = cos((u + 0.008) / (1 + 0.008) * pi * 0.5);
    (void)b;
    return c * c;
}

static double lucid_sigmoid_at(double u, const double *b)
{
    /* These two are float32 in the original. */
    float low = (float)logistic((float)(b[0] / b[2]));
    float high = (float)logistic((float)(b[1] / b[2]));
    return (high - logistic((u * (b[1] - b[0]) + b[0]) / b[2])) / (high - low);
}

static void lucid_cosine(double *beta, const double *b, const struct arithmetic *r, int T)
{
    from_alpha_bar(beta, lucid_cosine_at, b, r, T);
}

static void lucid_sigmoid(double *beta, const double *b, const struct arithmetic *r, int T)
{
    from_alpha_bar(beta, lucid_sigmoid_at, b, r, T);
}

/* The list of schedules.  fallback holds the default NUMBERs. */
static const struct schedule {
    const char *name;
    int numbers;
    double fallback[NUMBERS];
    void (*fill)(double *beta, const double *b, const struct arithmetic *r, int T);
} schedules[] = {
    { "linear", 2, { 1e-4, 0.02 }, linear },
    { "openai-linear", 2, { 1e-4, 0.02 }, openai_linear },
    { "scaled_linear", 2, { 1e-4, 0.02 }, scaled_linear },
    { "quad", 2, { 1e-4, 0.02 }, scaled_linear },
    { "sqrt", 2, { 1e-4, 0.02 }, square_root },
    { "sigmoid", 2, { 1e-4, 0.02 }, sigmoid },
    { "const", 1, { 0.02 }, constant },
    { "warmup10", 2, { 1e-4, 0.02 }, warmup10 },
    { "warmup50", 2, { 1e-4, 0.02 }, warmup50 },
    { "jsd", 0, { 0 }, jsd },
    { "cosine", 0, { 0 }, cosine },
    { "squaredcos_cap_v2", 0, { 0 }, cosine },
    { "lucid-cosine", 0, { 0 }, lucid_cosine },
    { "lucid-sigmoid", 3, { -3, 3, 1 }, lucid_sigmoid },
};

enum { SCHEDULES = sizeof schedules / sizeof schedules[0] };

static int unknown(const char *spec, ddpm_error *err)
{
    char names[256] = "";
    for (int i = 0; i < SCHEDULES; i++)
        dd_names_join(names, sizeof names, schedules[i].name);
    return dd_error(err, DDPM_EUSAGE, "betas \"%.80s\": no such schedule; it is one of %s", spec, names);
}

/* Fills b with the NUMBERs in text up to end; an empty text leaves the defaults. */
static int read_numbers(double *b, const char *text, const char *end, const struct schedule *s,
                        const char *spec, ddpm_error *err)
{
    int n = 0;
    memcpy(b, s->fallback, sizeof s->fallback);

    for (const char *p = text; p < end; n++) {
        char *after;
        double v = strtod(p + 1, &after);
        if (after == p + 1 || after > end || (after < end && *after != ',') || !isfinite(v))
            return dd_error(err, DDPM_EUSAGE,
                            "betas \"%.80s\": \"%.*s\" is not a list of numbers such as 1e-4,0.02", spec,
                            (int)(end - text > 40 ? 40 : end - text), text);
        if (n < NUMBERS)
            b[n] = v;
        p = after;
    }

    if (n && n != s->numbers)
        return dd_error(err, DDPM_EUSAGE, "betas \"%.80s\": %s takes %d numbers, %d given", spec, s->name,
                        s->numbers, n);
    return DDPM_OK;
}

/* Fills alpha_bar from beta.  The product is double, as in torch's float32 cumprod. */
static void accumulate(double *alpha_bar, const double *beta, const struct arithmetic *r, int T)
{
    double product = 1;
    for (int t = 0; t < T; t++) {
        product *= r->round(1 - beta[t]);
        alpha_bar[t] = r->round(product);
    }
}

/* Replaces sqrt(alpha_bar) by (s_t - s_{T-1}) s_0 / (s_0 - s_{T-1}), and beta accordingly.  Here alpha_bar
   is only work space. */
static void end_at_zero(double *beta, double *alpha_bar, const struct arithmetic *r, int T)
{
    accumulate(alpha_bar, beta, r, T);
    double first = r->round(sqrt(alpha_bar[0])), last = r->round(sqrt(alpha_bar[T - 1]));
    double scale = r->round(first / r->round(first - last)), before = 1;

    /* beta follows from the neighbours' alpha_bar. */
    for (int t = 0; t < T; t++) {
        double s = r->round(r->round(r->round(sqrt(alpha_bar[t])) - last) * scale), here = r->round(s * s);
        beta[t] = r->round(1 - r->round(here / before));
        before = here;
    }
}

static int check(const double *beta, const double *alpha_bar, int T, const char *spec, ddpm_error *err)
{
    double before = 1;
    for (int t = 0; t < T; t++) {
        if (!(beta[t] > 0 && (beta[t] < 1 || (beta[t] == 1 && t == T - 1))))
            return dd_error(
                err, DDPM_EUSAGE,
                "betas \"%.80s\" with %d steps: beta = %.9g at t = %d, but beta lies between 0 and 1", spec,
                T, beta[t], t);
        if (!(alpha_bar[t] < before))
            return dd_error(err, DDPM_EUSAGE,
                            "betas \"%.80s\" with %d steps: alpha_bar does not fall at t = %d (%.9g)", spec,
                            T, t, alpha_bar[t]);
        before = alpha_bar[t];
    }
    return DDPM_OK;
}

/* Moves *text behind prefix and returns 1, if the text begins with it. */
static int starts_with(const char **text, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(*text, prefix, n))
        return 0;
    *text += n;
    return 1;
}

int dd_betas(double *beta, double *alpha_bar, int T, const char *spec, ddpm_error *err)
{
    const char *name = spec, *end = spec + strlen(spec);
    int as_torch = starts_with(&name, "f32:"), cast = !as_torch && starts_with(&name, "cast:");
    int zero = end - name > 9 && !strcmp(end - 9, "+zero-snr");
    double b[NUMBERS];

    if (T < 1 || T > DD_STEPS_MAX)
        return dd_error(err, DDPM_EUSAGE, "a schedule of %d steps is asked for; choose 1 to %d", T,
                        DD_STEPS_MAX);
    if (zero && T < 2)
        return dd_error(err, DDPM_EUSAGE, "betas \"%.80s\": +zero-snr needs at least 2 steps", spec);
    if (zero)
        end -= 9;

    /* NAME ends at the colon, or at the end. */
    const char *colon = memchr(name, ':', (size_t)(end - name));
    size_t length = (size_t)((colon ? colon : end) - name);
    const struct schedule *s = schedules;
    while (s < schedules + SCHEDULES && (strlen(s->name) != length || strncmp(s->name, name, length)))
        s++;
    if (s == schedules + SCHEDULES)
        return unknown(spec, err);

    int code = read_numbers(b, name + length, end, s, spec, err);
    if (code)
        return code;

    /* "cast:" computes beta in double and everything after it in float. */
    const struct arithmetic *tables = as_torch || cast ? &in_float : &in_double;
    s->fill(beta, b, as_torch ? &in_float : &in_double, T);
    for (int t = 0; t < T; t++)
        beta[t] = tables->round(beta[t]);
    if (zero)
        end_at_zero(beta, alpha_bar, tables, T);
    accumulate(alpha_bar, beta, tables, T);
    return check(beta, alpha_bar, T, spec, err);
}
