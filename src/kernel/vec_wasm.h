/* The vector vocabulary for WebAssembly's 128-bit SIMD: 4 floats.  kernels_vec.h says what each word means.

   There is no fused multiply-add.  vf_fma computes in double, where the product is exact and the sum is
   rounded to 53 bits before it is rounded to float.  vf_mac, of which most of the work consists, rounds
   product and sum. */
#include <stdint.h>
#include <string.h>
#include <wasm_simd128.h>
#define ISA wasm

/* A gemm tile of 4 rows takes 8 sums, 2 vectors of b, one of a and a product: 12 of the 16 registers that
   x86-64 has. */
enum { VL = 4, GEMM_MR = 4 };

#define EACH_GEMM_ROW(X) X(1) X(2) X(3) X(4)
typedef v128_t vf;

static inline vf vf_set(float a)
{
    return wasm_f32x4_splat(a);
}

/* WebAssembly has no instruction that fetches ahead. */
static inline void vf_ahead(const float *p)
{
    (void)p;
}

static inline void vf_next(const float *p)
{
    (void)p;
}

static inline vf vf_load(const float *p)
{
    return wasm_v128_load(p);
}

static inline vf vf_load_or(const float *p, size_t n, vf fill)
{
    float t[4];
    wasm_v128_store(t, fill);
    memcpy(t, p, n * sizeof *p);
    return wasm_v128_load(t);
}

static inline vf vf_load_n(const float *p, size_t n)
{
    return vf_load_or(p, n, vf_set(0));
}

static inline void vf_store(float *p, vf a)
{
    wasm_v128_store(p, a);
}

static inline void vf_store_n(float *p, vf a, size_t n)
{
    float t[4];
    wasm_v128_store(t, a);
    memcpy(p, t, n * sizeof *p);
}

static inline vf vf_add(vf a, vf b)
{
    return wasm_f32x4_add(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return wasm_f32x4_sub(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return wasm_f32x4_mul(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return wasm_f32x4_div(a, b);
}

static inline vf vf_sqrt(vf a)
{
    return wasm_f32x4_sqrt(a);
}

/* Returns a b + c of the first two lanes, in double. */
static inline vf fma_low(vf a, vf b, vf c)
{
    vf product = wasm_f64x2_mul(wasm_f64x2_promote_low_f32x4(a), wasm_f64x2_promote_low_f32x4(b));
    return wasm_f32x4_demote_f64x2_zero(wasm_f64x2_add(product, wasm_f64x2_promote_low_f32x4(c)));
}

/* Returns the last two lanes in the place of the first two. */
static inline vf upper(vf a)
{
    return wasm_i64x2_shuffle(a, a, 1, 1);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return wasm_i64x2_shuffle(fma_low(a, b, c), fma_low(upper(a), upper(b), upper(c)), 0, 2);
}

#define vf_mac vf_mac

static inline vf vf_mac(vf a, vf b, vf c)
{
    return wasm_f32x4_add(wasm_f32x4_mul(a, b), c);
}

/* pmin(x, y) is y < x ? y : x. */
static inline vf vf_min(vf a, vf b)
{
    return wasm_f32x4_pmin(b, a);
}

static inline vf vf_max(vf a, vf b)
{
    return wasm_f32x4_pmax(b, a);
}

static inline vf vf_above(vf a, vf b, vf c)
{
    return wasm_v128_bitselect(b, c, wasm_f32x4_gt(a, vf_set(0)));
}

static inline vf vf_round(vf a)
{
    return wasm_f32x4_nearest(a);
}

/* The sum has k + 127 in its lowest bits, which the shift makes the exponent. */
static inline vf vf_pow2(vf k)
{
    return wasm_i32x4_shl(wasm_f32x4_add(k, vf_set(0x1.8p23f + 127)), 23);
}

static inline vf vf_zip_low(vf a, vf b)
{
    return wasm_i32x4_shuffle(a, b, 0, 4, 1, 5);
}

static inline vf vf_zip_high(vf a, vf b)
{
    return wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
}

static inline float vf_sum(vf a)
{
    return (wasm_f32x4_extract_lane(a, 0) + wasm_f32x4_extract_lane(a, 1)) +
           (wasm_f32x4_extract_lane(a, 2) + wasm_f32x4_extract_lane(a, 3));
}

typedef uint64_t vf_lanes __attribute__((vector_size(16)));

static inline vf_lanes vf_low_products(vf_lanes a, uint32_t b)
{
    vf low = wasm_i32x4_shuffle((vf)a, (vf)a, 0, 2, 0, 2);
    return (vf_lanes)wasm_u64x2_extmul_low_u32x4(low, wasm_i32x4_splat((int32_t)b));
}
