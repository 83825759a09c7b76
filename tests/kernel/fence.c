/* Memory for kernel tests, comparisons, and one test per kernel; see fence.h. */
#include "tests/kernel/fence.h"
#include <stdint.h>
#include "tests/host.h"

enum { MARGIN = 64, VECTOR = 16 };

static const uint32_t PATTERN = 0x7fc0fe7c; /* a NaN, so that reading it shows too */

/* Loads eight floats of which only the first is asked for. It is the last before the forbidden page. */
static int masked_load(void *end)
{
#if defined __x86_64__
    static const int first[8] = { -1 };
    __asm__ volatile("vmovups %0, %%ymm0\n vmaskmovps %1, %%ymm0, %%ymm1\n vzeroupper" ::"m"(first),
                     "m"(((const float *)end)[-1])
                     : "xmm0", "xmm1");
#else
    (void)end;
#endif
    return 0;
}

/* Returns whether a masked load faults on a forbidden page that its mask leaves out. No CPU does that,
   but qemu 7.2 does. */
static int masked_loads_fault(float *end)
{
    return (dd_cpu_detect() & DD_CPU_AVX2) && host_fork(masked_load, end) == -1;
}

/* Returns the end of a slot's floats: where the forbidden page starts, or a vector before it where
   masked loads fault. */
static float *slot_end(int slot)
{
    static int slack = -1;
    static float *ends[SLOTS];
    if (!ends[slot]) {
        ends[slot] = (float *)host_fence(SLOT_FLOATS * sizeof(float)) + SLOT_FLOATS;
        if (slack < 0)
            slack = masked_loads_fault(ends[slot]) ? VECTOR : 0;
        ends[slot] -= slack;
        for (int i = 0; i < slack; i++)
            memcpy(ends[slot] + i, &PATTERN, sizeof PATTERN);
    }
    return ends[slot];
}

static uint64_t random_bits(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

double random_value(void)
{
    return (double)random_bits() * 0x1p-30 - 1;
}

size_t random_size(size_t n)
{
    return random_bits() % n;
}

static float special_value(void)
{
    static const float values[] = { NAN, INFINITY, -INFINITY, 0,      -0.0f, 1e-40f, -1e-40f,
                                    30,  -30,      87.9f,     -87.9f, 1e4f,  -1e4f };
    return values[random_size(sizeof values / sizeof *values)];
}

struct plane plane(int slot, size_t pixels, size_t channels, size_t stride, enum values values)
{
    size_t n = pixels ? (pixels - 1) * stride + channels : 0;
    struct plane p = { slot_end(slot) - n, pixels, channels, stride };
    if (n + MARGIN + VECTOR > SLOT_FLOATS)
        abort();
    for (float *f = p.at - MARGIN; f < p.at + n; f++)
        memcpy(f, &PATTERN, sizeof *f);
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++)
            *plane_at(&p, i, c) =
                values == SPECIAL && random_size(16) == 0 ? special_value() : (float)(4 * random_value());
    return p;
}

struct plane vector(int slot, size_t n)
{
    return plane(slot, 1, n, n, ORDINARY);
}

struct plane plane_copy(int slot, const struct plane *p)
{
    struct plane q = plane(slot, p->pixels, p->channels, p->stride, ORDINARY);
    for (size_t i = 0; i < p->pixels; i++)
        memcpy(plane_at(&q, i, 0), plane_at(p, i, 0), p->channels * sizeof(float));
    return q;
}

static int untouched(const float *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(f + i, &PATTERN, sizeof PATTERN))
            return 0;
    return 1;
}

void plane_check(const struct plane *p, const char *kernel)
{
    int clean = untouched(p->at - MARGIN, MARGIN);
    for (size_t i = 0; i + 1 < p->pixels; i++)
        clean &= untouched(plane_at(p, i, p->channels), p->stride - p->channels);
    if (!clean)
        check_fail(__FILE__, __LINE__, "%s wrote outside %zu pixels of %zu channels, %zu apart", kernel,
                   p->pixels, p->channels, p->stride);
}

void near(const struct dd_kernels *k, const char *kernel, const struct plane *got, size_t pixel,
          size_t channel, double want, double bound)
{
    double value = *plane_at(got, pixel, channel);
    if (isnan(want) ? isnan(value) : isinf(want) ? value == want : fabs(value - want) <= bound)
        return;
    check_fail(__FILE__, __LINE__, "%s %s: pixel %zu channel %zu of %zu is %.9g, expected %.9g within %.3g",
               k->name, kernel, pixel, channel, got->channels, value, want, bound);
}

void same(const struct dd_kernels *k, const char *kernel, const struct plane *got, const struct plane *want)
{
    for (size_t i = 0; i < want->pixels; i++)
        for (size_t c = 0; c < want->channels; c++) {
            float a = *plane_at(got, i, c), b = *plane_at(want, i, c);
            if (memcmp(&a, &b, sizeof a) && !(isnan(a) && isnan(b))) {
                check_fail(__FILE__, __LINE__,
                           "%s %s: pixel %zu channel %zu of %zu is %a, expected the bits of %a", k->name,
                           kernel, i, c, want->channels, a, b);
                return;
            }
        }
}

double act_bound(enum dd_act act, double want, double error)
{
    static const double relative[] = { 0, 4, 1, 0, 9 }, absolute[] = { 0, 0, 4.7, 0, 0 };
    return U * ((relative[act] + 1) * fabs(want) + absolute[act]) + 1.13 * (isfinite(error) ? error : 0) +
           1e-36;
}

/* Runs a check for each instruction set, and for the reference too, which must not touch what is not its
   own either. */
static void each_isa(void (*check)(const struct dd_kernels *k, const struct dd_kernels *ref))
{
    static const unsigned masks[] = { 0, DD_CPU_AVX2, DD_CPU_AVX2 | DD_CPU_AVX512, DD_CPU_NEON };
    struct dd_kernels k, ref;
    dd_kernels_init(&ref, 0);
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        if ((masks[i] & dd_cpu_detect()) == masks[i]) {
            dd_kernels_init(&k, masks[i]);
            check(&k, &ref);
        }
}

#define KERNEL(name, ret, params) \
    TEST(kernel, name)            \
    {                             \
        each_isa(check_##name);   \
    }
#include "kernel/kernels.def"
#undef KERNEL

/* No function in an instruction set's table is the reference's, so a default run spends no time there. */
static void no_ref(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    if (!strcmp(k->name, "ref"))
        return;
#define KERNEL(name, ret, params) CHECK(k->name != ref->name);
#include "kernel/kernels.def"
#undef KERNEL
}

TEST(kernel_table, nothing_is_left_to_the_reference)
{
    each_isa(no_ref);
}
