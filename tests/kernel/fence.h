/* Memory for kernel tests. An array ends where the next page may not be touched, so one float too many
   is a fault. The gaps between strided pixels and the floats before the first hold a pattern that must
   still be there afterwards. In all kernel tests u is the unit roundoff of float, 2^-24. */
#ifndef FENCE_H
#define FENCE_H
#include "tests/check.h"
#include "kernel/kernels.h"

#define U 0x1p-24

enum { SLOTS = 10, SLOT_FLOATS = 1 << 17 };

/* Pixels of `channels` floats, `stride` apart. A vector is one pixel. */
struct plane {
    float *at;
    size_t pixels, channels, stride;
};

/* ORDINARY values are uniform in [-4, 4]. SPECIAL ones have NaN, infinities, zeros, denormals and larger
   numbers among them. */
enum values { ORDINARY, SPECIAL };

/* Makes a plane in a slot; each slot holds one plane at a time. */
struct plane plane(int slot, size_t pixels, size_t channels, size_t stride, enum values values);
struct plane vector(int slot, size_t n);
/* Copies p's pixels into another slot. */
struct plane plane_copy(int slot, const struct plane *p);
/* Checks that nothing but the pixels has been written. */
void plane_check(const struct plane *p, const char *kernel);

static inline float *plane_at(const struct plane *p, size_t pixel, size_t channel)
{
    return p->at + pixel * p->stride + channel;
}

/* Return p for a kernel to read or to write. */
static inline struct dd_in plane_in(const struct plane *p)
{
    return dd_in(p->at, p->stride);
}

static inline struct dd_out plane_out(const struct plane *p)
{
    return dd_out(p->at, p->stride);
}

static inline struct dd_grad_out plane_grad_out(const struct plane *p, int add)
{
    return (struct dd_grad_out){ p->at, p->stride, add };
}

double random_value(void);    /* uniform in [-1, 1], the same sequence in every run */
size_t random_size(size_t n); /* uniform in 0 .. n - 1 */

/* Checks that got at (pixel, channel) is want within bound, that both are NaN, or that both are the same
   infinity. */
void near(const struct dd_kernels *k, const char *kernel, const struct plane *got, size_t pixel,
          size_t channel, double want, double bound);
/* Checks that both planes have the same bits. */
void same(const struct dd_kernels *k, const char *kernel, const struct plane *got, const struct plane *want);

/* Returns the bound of act(z): the error of act itself, and |act'| <= 1.13 times the error of z, none if
   z is infinite. The constants are derived in act_vec.h. The reference's rounding adds 1 u. 1e-36 is for
   e^x, which is 0 or infinite a little before the end of the range. */
double act_bound(enum dd_act act, double want, double error);

/* Declares a test function for every kernel, k against the reference, so that a kernel without one does
   not link. */
#define KERNEL(name, ret, params) void check_##name(const struct dd_kernels *k, const struct dd_kernels *ref);
#include "kernel/kernels.def"
#undef KERNEL
#endif
