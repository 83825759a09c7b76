/* The vector vocabulary for AArch64's NEON: 4 floats.  kernels_vec.h says what each word means. */
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>
#define ISA neon

/* A gemm tile of 8 rows takes 16 sums, 2 vectors of b and up to 8 of a: 26 of the 32 registers. */
enum { VL = 4, GEMM_MR = 8 };

#define EACH_GEMM_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
typedef float32x4_t vf;

static inline vf vf_set(float a)
{
    return vdupq_n_f32(a);
}

static inline __attribute__((always_inline)) void vf_ahead(const float *p)
{
    __builtin_prefetch(p, 0, 2);
}

static inline __attribute__((always_inline)) void vf_next(const float *p)
{
    __builtin_prefetch(p, 0, 3);
}

static inline vf vf_load(const float *p)
{
    return vld1q_f32(p);
}

static inline vf vf_load_or(const float *p, size_t n, vf fill)
{
    float t[4];
    vst1q_f32(t, fill);
    memcpy(t, p, n * sizeof *p);
    return vld1q_f32(t);
}

static inline vf vf_load_n(const float *p, size_t n)
{
    return vf_load_or(p, n, vdupq_n_f32(0));
}

static inline void vf_store(float *p, vf a)
{
    vst1q_f32(p, a);
}

static inline void vf_store_n(float *p, vf a, size_t n)
{
    float t[4];
    vst1q_f32(t, a);
    memcpy(p, t, n * sizeof *p);
}

static inline vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}

static inline vf vf_sqrt(vf a)
{
    return vsqrtq_f32(a);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return vminq_f32(a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return vmaxq_f32(a, b);
}

static inline vf vf_above(vf a, vf b, vf c)
{
    return vbslq_f32(vcgtq_f32(a, vf_set(0)), b, c);
}

static inline vf vf_round(vf a)
{
    return vrndnq_f32(a);
}

static inline vf vf_pow2(vf k)
{
    int32x4_t e = vaddq_s32(vcvtnq_s32_f32(k), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(e, 23));
}

static inline vf vf_zip_low(vf a, vf b)
{
    return vzip1q_f32(a, b);
}

static inline vf vf_zip_high(vf a, vf b)
{
    return vzip2q_f32(a, b);
}

static inline float vf_sum(vf a)
{
    return vaddvq_f32(a);
}

typedef uint64_t vf_lanes __attribute__((vector_size(16)));

static inline vf_lanes vf_low_products(vf_lanes a, uint32_t b)
{
    return (vf_lanes)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(b));
}
