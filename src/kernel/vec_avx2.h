/* The vector vocabulary for AVX2 and FMA: 8 floats.  kernels_vec.h says what each word means. */
#include <immintrin.h>
#include <stdint.h>
#define ISA avx2

/* A gemm tile of 6 rows takes 12 sums, 2 vectors of b and 1 of a: 15 of the 16 registers. */
enum { VL = 8, GEMM_MR = 6 };

#define EACH_GEMM_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6)
typedef __m256 vf;

/* A mask of the first n lanes. */
static inline __m256i vf_first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vf vf_set(float a)
{
    return _mm256_set1_ps(a);
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
    return _mm256_loadu_ps(p);
}

static inline vf vf_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, vf_first(n));
}

static inline vf vf_load_or(const float *p, size_t n, vf fill)
{
    return _mm256_blendv_ps(fill, vf_load_n(p, n), _mm256_castsi256_ps(vf_first(n)));
}

static inline void vf_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a);
}

static inline void vf_store_n(float *p, vf a, size_t n)
{
    _mm256_maskstore_ps(p, vf_first(n), a);
}

static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

static inline vf vf_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf vf_above(vf a, vf b, vf c)
{
    return _mm256_blendv_ps(c, b, _mm256_cmp_ps(a, vf_set(0), _CMP_GT_OQ));
}

static inline vf vf_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vf vf_pow2(vf k)
{
    __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
}

static inline vf vf_zip_low(vf a, vf b)
{
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}

static inline vf vf_zip_high(vf a, vf b)
{
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}

static inline float vf_sum(vf a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

typedef uint64_t vf_lanes __attribute__((vector_size(32)));

static inline vf_lanes vf_low_products(vf_lanes a, uint32_t b)
{
    return (vf_lanes)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
}
