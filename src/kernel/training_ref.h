/* The part of kernels_ref.c for training: what a step does to whole vectors of parameters, and dropout. */
#include "base/rng.h"

static void adam_ref(float *w, float *m, float *v, const float *g, size_t n, const struct dd_adam *a)
{
    for (size_t i = 0; i < n; i++) {
        double h = (double)a->clip * g[i];
        double first = (double)a->keep1 * m[i] + a->take1 * h;
        double second = (double)a->keep2 * v[i] + a->take2 * h * h;

        m[i] = (float)first;
        v[i] = (float)second;
        w[i] = (float)((double)a->keep * w[i] - a->step * (first / (a->root * sqrt(second) + a->epsilon)));
    }
}

static void lerp_ref(float *y, float *low, const float *x, float rate, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float t = low[i] + rate * ((x[i] - y[i]) - low[i]), sum = y[i] + t;
        low[i] = t - (sum - y[i]);
        y[i] = sum;
    }
}

static void dropout_ref(float *y, size_t n, const struct dd_dropout_terms *terms)
{
    const uint32_t *counter = terms->counter;
    size_t skip = terms->skip;

    for (size_t i = skip; i < skip + n; i++) {
        uint32_t at[4] = { counter[0] + (uint32_t)(i / 4), counter[1], counter[2], counter[3] }, word[4];
        dd_rng_philox(word, at, terms->key);
        y[i - skip] = word[i % 4] < terms->limit ? 0 : y[i - skip] * terms->scale;
    }
}

static float squares_ref(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return (float)sum;
}
