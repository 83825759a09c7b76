/* The vector kernels, compiled for WebAssembly. */
#include <stddef.h>
#include "kernel/vec_wasm.h"
#include "kernel/kernels_vec.h"
