/* Converts between element types.

   binary16 has 1 sign, 5 exponent and 10 fraction bits:
     0 < e < 31    (-1)^s 2^(e-15) 1.f
     e = 0         (-1)^s 2^-24 f       (subnormal, f taken as a whole number)
     e = 31        infinity or NaN
   bfloat16 is the upper half of a binary32. */
#include "base/dtype.h"
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are used as they lie in the file, little-endian: big-endian machines are not supported"
#endif

static const struct {
    const char *name;
    unsigned bits;
} dtypes[DD_DTYPES] = {
    [DD_BOOL] = { "BOOL", 8 },
    [DD_F4] = { "F4", 4 },
    [DD_F6_E2M3] = { "F6_E2M3", 6 },
    [DD_F6_E3M2] = { "F6_E3M2", 6 },
    [DD_U8] = { "U8", 8 },
    [DD_I8] = { "I8", 8 },
    [DD_F8_E5M2] = { "F8_E5M2", 8 },
    [DD_F8_E4M3] = { "F8_E4M3", 8 },
    [DD_F8_E8M0] = { "F8_E8M0", 8 },
    [DD_F8_E4M3FNUZ] = { "F8_E4M3FNUZ", 8 },
    [DD_F8_E5M2FNUZ] = { "F8_E5M2FNUZ", 8 },
    [DD_I16] = { "I16", 16 },
    [DD_U16] = { "U16", 16 },
    [DD_F16] = { "F16", 16 },
    [DD_BF16] = { "BF16", 16 },
    [DD_I32] = { "I32", 32 },
    [DD_U32] = { "U32", 32 },
    [DD_F32] = { "F32", 32 },
    [DD_C64] = { "C64", 64 },
    [DD_F64] = { "F64", 64 },
    [DD_I64] = { "I64", 64 },
    [DD_U64] = { "U64", 64 },
};

const char *dd_dtype_name(enum dd_dtype t)
{
    return dtypes[t].name;
}

unsigned dd_dtype_bits(enum dd_dtype t)
{
    return dtypes[t].bits;
}

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t to_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Numbers at the place of a float's exponent: the difference of the two biases, and a one. */
enum { BIAS = (127 - 15) << 23, STEP = 1 << 23 };

/* Returns value i of in, a binary16.  In scalar code branches are faster than masks, because nearly all
   weights take the last branch. */
static float half_at(const unsigned char *in, size_t i)
{
    uint16_t half;
    memcpy(&half, in + 2 * i, 2);
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff;

    /* Infinity and NaN, then subnormal numbers, then all others. */
    if (rest >= 0x7c00)
        return from_bits(sign | 0x7f800000 | (rest & 0x3ff) << 13);
    if (rest < 0x400)
        return from_bits(sign | to_bits((float)rest * 0x1p-24f));
    return from_bits(sign | ((rest << 13) + BIAS));
}

/* Return value i of in, a bfloat16, a float and a double, at any address. */
static float brain_at(const unsigned char *in, size_t i)
{
    uint16_t half;
    memcpy(&half, in + 2 * i, 2);
    return from_bits((uint32_t)half << 16);
}

static float single_at(const unsigned char *in, size_t i)
{
    float v;
    memcpy(&v, in + 4 * i, 4);
    return v;
}

static double double_at(const unsigned char *in, size_t i)
{
    double v;
    memcpy(&v, in + 8 * i, 8);
    return v;
}

/* The body of a conversion; `at` reads one value. */
#define EACH(type, at)             \
    for (size_t i = 0; i < n; i++) \
        out[i] = (type)at(in, i);  \
    return 0

int dd_dtype_to_float(float *out, const void *in, enum dd_dtype t, size_t n)
{
    switch (t) {
    case DD_F16: EACH(float, half_at);
    case DD_BF16: EACH(float, brain_at);
    case DD_F32: EACH(float, single_at);
    case DD_F64: EACH(float, double_at);
    default: return -1;
    }
}

int dd_dtype_to_double(double *out, const void *in, enum dd_dtype t, size_t n)
{
    switch (t) {
    case DD_F16: EACH(double, half_at);
    case DD_BF16: EACH(double, brain_at);
    case DD_F32: EACH(double, single_at);
    case DD_F64: EACH(double, double_at);
    default: return -1;
    }
}

/* Rounds to binary16, to nearest, ties to even.

   Adding half a unit less one, plus the last kept bit, and then dropping 13 bits of the fraction rounds in
   this way.  A carry into the exponent is right, up to and including infinity.  Below 2^-14 the addition of
   0.5 = 2^23 * 2^-24 itself rounds, because it lines the units up. */
static uint16_t to_half(float f)
{
    uint32_t bits = to_bits(f) & 0x7fffffff;
    uint16_t sign = (uint16_t)(to_bits(f) >> 16 & 0x8000);

    /* NaN keeps its upper bits.  A number that rounds beyond the largest finite one becomes infinity. */
    if (bits > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));
    if (bits >= 0x47800000)
        return sign | 0x7c00;
    if (bits < BIAS + STEP)
        return (uint16_t)(sign | (to_bits(from_bits(bits) + 0.5f) - 0x3f000000));

    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | (bits - BIAS) >> 13);
}

void dd_dtype_to_half(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = to_half(in[i]);
}
