/* What this machine has: instruction sets and the number of threads that it is sensible to start. */
#ifndef DD_CPU_H
#define DD_CPU_H
#include "base/error.h"

enum { DD_THREADS_MOST = 1024 };

enum { DD_CPU_AVX2 = 1, DD_CPU_AVX512 = 2, DD_CPU_NEON = 4 };

/* What the CPU and the operating system offer (AVX2 stands for AVX2 and FMA; AVX512 for F, BW, DQ and VL, with AVX2). */
unsigned dd_cpu_detect(void);
/* *cpu: what is there, up to name: NULL (all), "ref", "avx2", "avx512" or "neon".  DDPM_EUSAGE: no such name; DDPM_EUNSUPPORTED: not
   on this CPU. */
int dd_cpu_ceiling(unsigned *cpu, const char *name, ddpm_error *err);
/* "avx512", "avx2", "neon" or "ref": the highest in cpu. */
const char *dd_cpu_name(unsigned cpu);
/* OMP_NUM_THREADS where it is a number above 0; else the smallest of: the physical cores (performance cores, if some are slower) among the
   processors of the affinity mask, the cgroup v1 or v2 quota rounded up; at least 1.
   sysroot: "", or in tests a folder that holds /proc and /sys. */
int dd_cpu_threads(const char *sysroot);
#endif
