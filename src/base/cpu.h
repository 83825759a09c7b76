/* Describes this machine: its instruction sets and the number of threads that it is sensible to start. */
#ifndef DD_CPU_H
#define DD_CPU_H
#include "base/error.h"

enum { DD_THREADS_MOST = 1024 };

/* A bit DD_CPU_NAME for each set of cpu.def.  A number of such bits describes several sets. */
enum {

#define CPU_SET(name, NAME, includes) DD_CPU_INDEX_##NAME,
#include "base/cpu.def"
#undef CPU_SET
};

enum {

#define CPU_SET(name, NAME, includes) DD_CPU_##NAME = 1 << DD_CPU_INDEX_##NAME,
#include "base/cpu.def"
#undef CPU_SET
};

/* Returns the sets that the CPU and the operating system offer.  AVX2 stands for AVX2 and FMA; AVX512 for
   F, BW, DQ and VL, with AVX2. */
unsigned dd_cpu_detect(void);
/* Sets *cpu to the sets of this CPU up to the set of this name, or to all sets if name is NULL.
   DDPM_EUSAGE: there is no such name; DDPM_EUNSUPPORTED: this CPU does not have it. */
int dd_cpu_ceiling(unsigned *cpu, const char *name, ddpm_error *err);
/* Returns the name of the best set in cpu: "avx512", "avx2", "neon" or "ref". */
const char *dd_cpu_name(unsigned cpu);
/* Returns the names of all sets, "ref" first, NULL last. */
const char *const *dd_cpu_names(void);
/* Returns OMP_NUM_THREADS if it is a number above 0.  Otherwise it returns the smaller of two numbers, at
   least 1: the physical cores, fast and slow, among the processors of the affinity mask, and the quota of
   cgroup v1 or v2, rounded up.  sysroot is "", or in tests a folder that holds /proc and /sys. */
int dd_cpu_threads(const char *sysroot);
#endif
