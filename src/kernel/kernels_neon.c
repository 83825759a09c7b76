/* The vector kernels, compiled for NEON. */
#include <stddef.h>
#include "kernel/vec_neon.h"
#include "kernel/kernels_vec.h"
