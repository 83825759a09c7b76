/* The vector kernels, compiled for AVX-512. */
#include <stddef.h>
#include "kernel/vec_avx512.h"
#include "kernel/kernels_vec.h"
