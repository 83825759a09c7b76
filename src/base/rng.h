/* Counter-based noise: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011) and the inverse normal (Wichura 1988, AS241).  A number depends
   on its place alone, never on what was drawn before, and has the same bits on every machine. */
#ifndef DD_RNG_H
#define DD_RNG_H
#include <stddef.h>
#include <stdint.h>

enum { DD_RNG_SAMPLE, DD_RNG_EVAL, DD_RNG_TRAIN, DD_RNG_ORDER, DD_RNG_DROPOUT, DD_RNG_WEIGHTS }; /* purpose */

/* A stream: the words of one image at one step.  t: dd_rng_t of the step; purpose << 24 | draw. */
struct dd_rng {
    uint64_t seed;
    uint32_t index, t, purpose_draw;
};

void dd_rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);
uint32_t dd_rng_t(double t); /* llround(65536 t), 0 <= t < 65536; INFINITY: 0xFFFFFFFF */
void dd_rng_words(const struct dd_rng *r, uint32_t *w, size_t first,
                  size_t n); /* w [n]: words first .. first + n of the stream */
void dd_rng_normal(const struct dd_rng *r, double *z, size_t n); /* z [n] = Phi^-1((w_i + 1/2) 2^-32) */
void dd_rng_uniform(const struct dd_rng *r, double *u,
                    size_t n);    /* u [n] = (w_i + 1/2) 2^-32, never 0 or 1 */
double dd_rng_quantile(double p); /* Phi^-1, 2^-1022 <= p < 1 */
#endif
