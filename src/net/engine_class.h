/* What decides bits beside model, seed, index and settings: program version, instruction set, convolution engines, C library. */
#ifndef DD_ENGINE_CLASS_H
#define DD_ENGINE_CLASS_H
#include "base/memory.h"
#include "base/error.h"

/* name: NULL, "auto" or an engine; *engine is NULL for the rule.  DDPM_EUSAGE: no such name; DDPM_EUNSUPPORTED: not in this build. */
int dd_engine_class_choose(const char **engine, const char *name, ddpm_error *err);
/* "ddpm 0.1.0, avx2, conv auto of dnnl gemm ref, oneDNN 2.6.3, libc 2.36"; NULL when out of memory. */
const char *dd_engine_class_text(struct dd_arena *a, const char *cpu, const char *engine);
#endif
