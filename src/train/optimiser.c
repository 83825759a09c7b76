/* Computes the steps of Adam (Kingma and Ba 2015, algorithm 1) or, with decoupled decay, AdamW (Loshchilov
   and Hutter 2019).  In step n = 1, 2, ...

     h = g min(1, clip / ||g||),   m = beta1 m + (1 - beta1) h,   v = beta2 v + (1 - beta2) h^2
     w = (1 - rate_n decay) w - rate_n / (1 - beta1^n)  m / (sqrt(v) / sqrt(1 - beta2^n) + epsilon)

     rate_n = rate n / warmup                                                    for n <= warmup,
            = rate                                                               afterwards, or with an end
            = rate (1 + cos(pi (n - 1 - warmup) / (steps - warmup))) / 2,        and 0 beyond it

   The factors of a step are computed in double.  Vectors are divided into chunks of constant size, whose
   sums of squares are added up in order. */
#include "train/optimiser.h"
#include <math.h>
#include "layer/parallel.h"

enum { CHUNK = 1 << 16, SQUARES = 1024 };

static const double pi = 3.14159265358979323846;

int dd_optimiser_check(const struct dd_optimiser *o, ddpm_error *err)
{
    if (!(o->rate > 0 && o->rate <= 100))
        return dd_error(err, DDPM_EUSAGE, "the rate is %g, expected above 0, at most 100", o->rate);
    if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1))
        return dd_error(err, DDPM_EUSAGE, "beta1 and beta2 are %g and %g, expected at least 0 and below 1",
                        o->beta1, o->beta2);
    if (!(o->epsilon >= 1e-30 && o->epsilon <= 1e6))
        return dd_error(err, DDPM_EUSAGE, "epsilon is %g, expected 1e-30 to 1e6", o->epsilon);
    if (!(o->decay >= 0 && o->decay * o->rate < 1))
        return dd_error(err, DDPM_EUSAGE, "decay is %g, expected at least 0 and, times the rate, below 1",
                        o->decay);
    if (!(o->clip >= 0 && o->clip <= 1e30))
        return dd_error(err, DDPM_EUSAGE, "clip is %g, expected the largest norm of a gradient, or 0 for any",
                        o->clip);
    if (o->warmup < 0 || o->steps < 0 || (o->steps && o->steps <= o->warmup))
        return dd_error(err, DDPM_EUSAGE,
                        "warmup is %lld of %lld steps, expected at least 0, and fewer than all where there "
                        "is an end (0: none)",
                        (long long)o->warmup, (long long)o->steps);
    return DDPM_OK;
}

double dd_optimiser_rate(const struct dd_optimiser *o, int64_t done)
{
    if (done < o->warmup)
        return o->rate * (double)(done + 1) / (double)o->warmup;
    if (!o->steps)
        return o->rate;
    if (done >= o->steps)
        return 0;
    return o->rate * 0.5 * (1 + cos(pi * (double)(done - o->warmup) / (double)(o->steps - o->warmup)));
}

size_t dd_optimiser_scratch(size_t n)
{
    return dd_blocks(n, CHUNK) * sizeof(double);
}

double dd_optimiser_norm(const struct dd_context *ctx, const float *g, size_t n)
{
    double *part = (double *)(void *)ctx->scratch, sum = 0;
    size_t chunks = dd_blocks(n, CHUNK);

    DD_TASKS(ctx->worker, c, chunks) {
        size_t end = dd_min(n, (c + 1) * CHUNK);
        part[c] = 0;
        for (size_t i = c * CHUNK; i < end; i += SQUARES)
            part[c] += ctx->k->squares(g + i, dd_min(SQUARES, end - i));
    }

    /* The order of this sum does not depend on which thread computed a part. */
    for (size_t c = 0; c < chunks; c++)
        sum += part[c];
    return sqrt(sum);
}

void dd_optimiser_step(const struct dd_optimiser *o, const struct dd_context *ctx,
                       const struct dd_optimiser_vectors *x, double norm, int64_t done)
{
    double rate = dd_optimiser_rate(o, done), step = (double)(done + 1);
    /* The kernel's factors include the bias corrections and the rate. */
    struct dd_adam a = {
        .clip = (float)(o->clip > 0 && norm > o->clip ? o->clip / norm : 1),
        .keep1 = (float)o->beta1,
        .take1 = (float)(1 - o->beta1),
        .keep2 = (float)o->beta2,
        .take2 = (float)(1 - o->beta2),
        .root = (float)(1 / sqrt(1 - pow(o->beta2, step))),
        .epsilon = (float)o->epsilon,
        .step = (float)(rate / (1 - pow(o->beta1, step))),
        .keep = (float)(1 - rate * o->decay),
    };

    DD_TASKS(ctx->worker, c, dd_blocks(x->n, CHUNK)) {
        size_t i = c * CHUNK;
        ctx->k->adam(x->w + i, x->m + i, x->v + i, x->g + i, dd_min(CHUNK, x->n - i), &a);
    }
}
