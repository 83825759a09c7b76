/* Counter-based noise: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011) and the inverse normal distribution
   function (Wichura 1988, AS 241).  A number depends on its place alone, never on what was drawn before, and
   has the same bits on every machine. */
#ifndef DD_RNG_H
#define DD_RNG_H
#include <stddef.h>
#include <stdint.h>

/* The purpose of a stream, so that no two uses share noise. */
enum {
    DD_RNG_SAMPLE,
    DD_RNG_EVAL,
    DD_RNG_TRAIN,
    DD_RNG_ORDER,
    DD_RNG_DROPOUT,
    DD_RNG_WEIGHTS,
    DD_RNG_LIKELIHOOD
};

/* A stream: the words for one image at one step.  t is dd_rng_t of the step; purpose_draw is purpose << 24
   | draw. */
struct dd_rng {
    uint64_t seed;
    uint32_t index, t, purpose_draw;
};

/* Returns llround(65536 t) for 0 <= t < 65536, and 0xFFFFFFFF for INFINITY. */
uint32_t dd_rng_t(double t);

/* Fills w [n] with the words first, ..., first + n - 1 of the stream. */
void dd_rng_words(const struct dd_rng *r, uint32_t *w, size_t first, size_t n);

/* Fills u [n] with (w_i + 1/2) 2^-32, which is never 0 or 1. */
void dd_rng_uniform(const struct dd_rng *r, double *u, size_t n);

/* Fills z [n] with Phi^-1((w_i + 1/2) 2^-32). */
void dd_rng_normal(const struct dd_rng *r, double *z, size_t n);

/* Returns Phi^-1(p), 2^-1022 <= p < 1. */
double dd_rng_quantile(double p);

/* Fills out with the block of words for a counter and a key. */
void dd_rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);
#endif
