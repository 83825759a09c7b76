/* Element types against the definitions of binary16 and bfloat16 in double arithmetic (ldexp), which is
   exact for every value here. */
#include <stdint.h>
#include "base/dtype.h"
#include "tests/check.h"

/* Returns the value of a finite half by its definition. */
static double defined(unsigned half)
{
    int e = half >> 10 & 31, f = half & 1023;
    double v = e ? ldexp(1024 + f, e - 25) : ldexp(f, -24);
    return half & 0x8000 ? -v : v;
}

static uint16_t rounded(double v)
{
    float f = (float)v;
    uint16_t half;
    dd_dtype_to_half(&half, &f, 1);
    return half;
}

TEST(dtype, every_half)
{
    for (unsigned i = 0; i < 65536; i++) {
        uint16_t half = (uint16_t)i, back;
        float f;
        double d;
        CHECK(dd_dtype_to_float(&f, &half, DD_F16, 1) == 0 && dd_dtype_to_double(&d, &half, DD_F16, 1) == 0);
        dd_dtype_to_half(&back, &f, 1);
        if ((i & 0x7c00) != 0x7c00)
            CHECK(d == defined(i) && f == d && !signbit(d) == (i < 0x8000) && back == i);
        else if (i & 0x3ff)
            CHECK(isnan(f) && isnan(d) && (back & 0x7c00) == 0x7c00 && (back & 0x3ff));
        else
            CHECK(isinf(f) && d == f && back == i);
    }
}

/* Between each pair of neighbours lie three values: just below the middle, the middle (which rounds to
   even), and just above it. The last pair ends in infinity. */
TEST(dtype, half_rounds_to_nearest_even)
{
    for (unsigned i = 0; i < 0x7c00; i++) {
        double low = defined(i), high = i == 0x7bff ? 65536 : defined(i + 1), middle = (low + high) / 2;
        double step = ldexp(middle, -23); /* at most an ulp of the float, at least half of one */
        uint16_t even = (uint16_t)(i + (i & 1));
        CHECK(rounded(middle) == even && rounded(-middle) == (even | 0x8000));
        CHECK(rounded(middle - step) == i && rounded(middle + step) == i + 1);
    }
    CHECK(rounded(1e30) == 0x7c00 && rounded(-1e30) == 0xfc00 && rounded(65504) == 0x7bff);
    CHECK(rounded(1e-30) == 0 && rounded(-1e-45) == 0x8000 && rounded(ldexp(1, -25)) == 0);
}

TEST(dtype, conversions)
{
    uint16_t brain[3] = { 0x3f80, 0xc049, 0x7f80 };
    float f[3];
    double d[3], wide[3] = { 1, -0.1, 1e300 };
    CHECK(dd_dtype_to_float(f, brain, DD_BF16, 3) == 0 && f[0] == 1 && f[1] == -3.140625f && isinf(f[2]));
    CHECK(dd_dtype_to_float(f, wide, DD_F64, 3) == 0 && f[0] == 1 && f[1] == -0.1f && isinf(f[2]));
    CHECK(dd_dtype_to_double(d, wide, DD_F64, 3) == 0 && !memcmp(d, wide, sizeof d));
    unsigned char bytes[9] = { 0xff }; /* tensors may begin at any byte */
    memcpy(bytes + 1, &f[1], 4);
    CHECK(dd_dtype_to_double(d, bytes + 1, DD_F32, 1) == 0 && d[0] == (double)-0.1f);
    CHECK(dd_dtype_to_float(f, bytes, DD_I32, 1) == -1 && dd_dtype_to_double(d, bytes, DD_BOOL, 1) == -1);
}

TEST(dtype, names_and_sizes)
{
    CHECK_TEXT(dd_dtype_name(DD_BF16), "BF16");
    CHECK_TEXT(dd_dtype_name(DD_F8_E4M3FNUZ), "F8_E4M3FNUZ");
    CHECK(dd_dtype_bits(DD_F4) == 4 && dd_dtype_bits(DD_F6_E2M3) == 6 && dd_dtype_bits(DD_BOOL) == 8 &&
          dd_dtype_bits(DD_C64) == 64);
    for (int t = 0; t < DD_DTYPES; t++)
        CHECK(dd_dtype_name((enum dd_dtype)t) && dd_dtype_bits((enum dd_dtype)t));
}
