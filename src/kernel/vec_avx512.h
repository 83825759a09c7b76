/* The vector vocabulary for AVX-512 (F and DQ): 16 floats.  kernels_vec.h says what each word means. */
#include "config.h"
#include <immintrin.h>
#include <stdint.h>
#define ISA avx512

/* A gemm tile of 12 rows takes 24 sums, 2 vectors of b and 1 of a: 27 of the 32 registers.  More rows than 12
   would need more pointers than the 15 general registers can hold. */
enum { VL = 16, GEMM_MR = 12 };

#define EACH_GEMM_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
typedef __m512 vf;

static inline vf vf_set(float a)
{
    return _mm512_set1_ps(a);
}

static inline __attribute__((always_inline)) void vf_ahead(const float *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}

static inline __attribute__((always_inline)) void vf_next(const float *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}

static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vf_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}

#if EMULATED_AVX512
/* SIMDe's masked loads read the whole vector, and its masked stores clear what the mask leaves out. */
static inline vf vf_load_or(const float *p, size_t n, vf fill)
{
    float t[VL];
    vf_store(t, fill);
    for (size_t i = 0; i < n; i++)
        t[i] = p[i];
    return vf_load(t);
}

static inline vf vf_load_n(const float *p, size_t n)
{
    return vf_load_or(p, n, vf_set(0));
}

static inline void vf_store_n(float *p, vf a, size_t n)
{
    float t[VL];
    vf_store(t, a);
    for (size_t i = 0; i < n; i++)
        p[i] = t[i];
}
#else
static inline __mmask16 vf_first(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline vf vf_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(vf_first(n), p);
}

static inline vf vf_load_or(const float *p, size_t n, vf fill)
{
    return _mm512_mask_loadu_ps(fill, vf_first(n), p);
}

static inline void vf_store_n(float *p, vf a, size_t n)
{
    _mm512_mask_storeu_ps(p, vf_first(n), a);
}
#endif
static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

static inline vf vf_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf vf_above(vf a, vf b, vf c)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, vf_set(0), _CMP_GT_OQ), c, b);
}

static inline vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vf vf_pow2(vf k)
{
    __m512i e = _mm512_add_epi32(_mm512_cvtps_epi32(k), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(e, 23));
}

static inline vf vf_zip_low(vf a, vf b)
{
    return _mm512_permutex2var_ps(a,
                                  _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
                                  b);
}

static inline vf vf_zip_high(vf a, vf b)
{
    return _mm512_permutex2var_ps(
        a, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), b);
}

static inline float vf_sum(vf a)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

typedef uint64_t vf_lanes __attribute__((vector_size(64)));

static inline vf_lanes vf_low_products(vf_lanes a, uint32_t b)
{
    return (vf_lanes)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
}
