/* The engine class: program version, instruction set, convolution engines and C library, which decide bits
   besides model, seed, index and settings. */
#ifndef DD_ENGINE_CLASS_H
#define DD_ENGINE_CLASS_H
#include "base/memory.h"
#include "base/error.h"

/* Returns "auto" and the names of all engines, NULL last. */
const char *const *dd_engine_class_names(void);
/* Sets *engine to the engine of this name.  For NULL and "auto" it becomes NULL, which lets the rule of
   conv.c choose.  DDPM_EUSAGE: there is no such name; DDPM_EUNSUPPORTED: this build does not have it. */
int dd_engine_class_choose(const char **engine, const char *name, ddpm_error *err);
/* Returns "ddpm 0.1.0, avx2, conv auto of dnnl gemm ref, oneDNN 2.6.3, libc 2.36"; NULL: out of memory. */
const char *dd_engine_class_text(struct dd_arena *a, const char *cpu, const char *engine);
#endif
