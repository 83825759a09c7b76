/* The vector kernels, compiled for AVX2 and FMA. */
#include <stddef.h>
#include "kernel/vec_avx2.h"
#include "kernel/kernels_vec.h"
