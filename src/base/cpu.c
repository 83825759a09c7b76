/* Finds instruction sets by cpuid and xgetbv.  A set counts only if the operating system saves its
   registers: bits 1 and 2 of XCR0 stand for xmm and ymm, bits 5 to 7 for the masks and zmm. */
#include "base/cpu.h"
#include "config.h"
#include <stdbool.h>
#include "base/names.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* Returns the low half of XCR0.  The bytes are the instruction xgetbv, whose name the assembler knows only
   with -mxsave. */
static unsigned xcr0(void)
{
    unsigned a, d;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(a), "=d"(d) : "c"(0));
    return a;
}

unsigned dd_cpu_detect(void)
{
    enum { YMM = 0x06, ZMM = 0xe6 };

    unsigned a, b, c, d, fma_osxsave_avx = 1u << 12 | 1u << 27 | 1u << 28;
    unsigned avx2 = 1u << 5, avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & fma_osxsave_avx) != fma_osxsave_avx || (xcr0() & YMM) != YMM)
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & avx2))
        return 0;

    /* In a build for tests AVX-512 is emulated, so every CPU has it. */
    bool has512 = EMULATED_AVX512 || ((b & avx512) == avx512 && (xcr0() & ZMM) == ZMM);
    return has512 ? DD_CPU_AVX2 | DD_CPU_AVX512 : DD_CPU_AVX2;
}
#elif defined(__aarch64__)
/* NEON is part of the base architecture. */
unsigned dd_cpu_detect(void)
{
    return DD_CPU_NEON;
}
#elif defined(__wasm__)
/* A browser without SIMD refuses the whole module. */
unsigned dd_cpu_detect(void)
{
    return HAVE_WASM ? DD_CPU_WASM : 0;
}
#else
unsigned dd_cpu_detect(void)
{
    return 0;
}
#endif

/* The sets in ascending order.  own is the bit of the set itself; includes has the bits of all sets that
   its name stands for. */
static const struct {
    const char *name;
    unsigned own, includes;
} sets[] = {
    { "ref", 0, 0 },

#define CPU_SET(name, NAME, includes) { #name, DD_CPU_##NAME, includes },
#include "base/cpu.def"
#undef CPU_SET
};

enum { SETS = sizeof sets / sizeof sets[0] };

const char *const *dd_cpu_names(void)
{
    static const char *const names[] = {
        "ref",
#define CPU_SET(name, NAME, includes) #name,
#include "base/cpu.def"
#undef CPU_SET
        NULL,
    };
    return names;
}

int dd_cpu_ceiling(unsigned *cpu, const char *name, ddpm_error *err)
{
    unsigned have = dd_cpu_detect();
    int i;
    *cpu = have;
    if (!name)
        return DDPM_OK;

    int code = dd_names_choose(&i, "instruction set", name, dd_cpu_names(), err);
    if (code)
        return code;

    if ((have & sets[i].includes) != sets[i].includes)
        return dd_error(err, DDPM_EUNSUPPORTED, "this CPU has no %s: its best instruction set is %s", name,
                        dd_cpu_name(have));
    *cpu = sets[i].includes;
    return DDPM_OK;
}

const char *dd_cpu_name(unsigned cpu)
{
    int i = SETS - 1;
    while ((cpu & sets[i].own) != sets[i].own)
        i--;
    return sets[i].name;
}
