/* Types of tensor elements as safetensors names them, all little-endian, and their conversion to float,
   double and half. */
#ifndef DD_DTYPE_H
#define DD_DTYPE_H
#include <stddef.h>
#include <stdint.h>

/* The types have the order of the reference implementation, which writes wide types first. */
enum dd_dtype {
    DD_BOOL,
    DD_F4,
    DD_F6_E2M3,
    DD_F6_E3M2,
    DD_U8,
    DD_I8,
    DD_F8_E5M2,
    DD_F8_E4M3,
    DD_F8_E8M0,
    DD_F8_E4M3FNUZ,
    DD_F8_E5M2FNUZ,
    DD_I16,
    DD_U16,
    DD_F16,
    DD_BF16,
    DD_I32,
    DD_U32,
    DD_F32,
    DD_C64,
    DD_F64,
    DD_I64,
    DD_U64,
    DD_DTYPES
};

/* Returns the name of a type, such as "F32", and the bits of one value. */
const char *dd_dtype_name(enum dd_dtype t);
unsigned dd_dtype_bits(enum dd_dtype t);

/* Converts n values of F16, BF16, F32 or F64, at any address, to out [n].  Returns 0, or -1 for other
   types, which the caller reports. */
int dd_dtype_to_float(float *out, const void *in, enum dd_dtype t, size_t n);
int dd_dtype_to_double(double *out, const void *in, enum dd_dtype t, size_t n);

/* Rounds in [n] to nearest, ties to even.  A value that is too large becomes infinity. */
void dd_dtype_to_half(uint16_t *out, const float *in, size_t n);
#endif
