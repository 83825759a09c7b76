/* Memory for kernel tests.  An array ends where the next page may not be touched, so one float too many is a fault; the gaps
   between strided pixels and the floats before the first hold a pattern that must still be there afterwards.  u is the unit
   roundoff of float. */
#ifndef FENCE_H
#define FENCE_H
#include "tests/check.h"
#include "kernel/kernels.h"

#define U 0x1p-24

enum { SLOTS = 10, SLOT_FLOATS = 1 << 17 };

/* Pixels of `channels` floats, `stride` apart; a vector is one pixel. */
struct plane {
    float *at;
    size_t pixels, channels, stride;
};

/* ORDINARY: uniform in [-4, 4]; SPECIAL: with NaN, infinities, zeros, denormals and larger numbers among them. */
enum values { ORDINARY, SPECIAL };

/* Each slot holds one plane at a time. */
struct plane plane(int slot, size_t pixels, size_t channels, size_t stride, enum values values);
struct plane vector(int slot, size_t n);
/* A copy of p's pixels in another slot. */
struct plane plane_copy(int slot, const struct plane *p);
/* Nothing but the pixels has been written. */
void plane_check(const struct plane *p, const char *kernel);

static inline float *plane_at(const struct plane *p, size_t pixel, size_t channel)
{
    return p->at + pixel * p->stride + channel;
}

double random_value(void);    /* uniform in [-1, 1], the same sequence in every run */
size_t random_size(size_t n); /* uniform in 0 .. n - 1 */

/* got at (pixel, channel) is want within bound; both NaN, or the same infinity. */
void near(const struct dd_kernels *k, const char *kernel, const struct plane *got, size_t pixel,
          size_t channel, double want, double bound);
/* The same bits. */
void same(const struct dd_kernels *k, const char *kernel, const struct plane *got, const struct plane *want);

/* Bound for act(z): what act itself may be wrong by, and |act'| <= 1.13 times the error of z, none if z is infinite.  The
   constants are derived in act_vec.h; 1 u for the reference's rounding; 1e-36 for e^x, which is 0 or infinite a little before
   the end of the range. */
double act_bound(enum dd_act act, double want, double error);

/* A function for every kernel, so that one without a test does not link: k against the reference. */
#define KERNEL(name, ret, params) void check_##name(const struct dd_kernels *k, const struct dd_kernels *ref);
#include "kernel/kernels.def"
#undef KERNEL
#endif
