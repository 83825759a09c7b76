/* Finds instruction sets by cpuid and xgetbv.  A set counts only where the operating system saves its registers:
   bits 1 and 2 of XCR0 stand for xmm and ymm, bits 5 to 7 for the masks and zmm. */
#include "base/cpu.h"
#include "config.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

static unsigned xcr0(void)
{
    unsigned a, d;
    /* These bytes are xgetbv, which the compiler itself only knows with -mxsave. */
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

    /* Emulated, in a build for tests only, every CPU has it. */
    bool has512 = EMULATED_AVX512 || ((b & avx512) == avx512 && (xcr0() & ZMM) == ZMM);
    return has512 ? DD_CPU_AVX2 | DD_CPU_AVX512 : DD_CPU_AVX2;
}
#elif defined(__aarch64__)
unsigned dd_cpu_detect(void)
{
    return DD_CPU_NEON; /* part of the base architecture */
}
#else
unsigned dd_cpu_detect(void)
{
    return 0;
}
#endif

/* In ascending order. */
static const struct {
    const char *name;
    unsigned own;      /* the bit of its own */
    unsigned includes; /* all bits that its name stands for */
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

/* Writes "ref, avx2, avx512 or neon". */
static const char *choices(char text[96])
{
    text[0] = '\0';
    for (int i = 0; i < SETS; i++) {
        const char *before = i == 0 ? "" : ", ";
        if (i == SETS - 1)
            before = " or ";
        snprintf(text + strlen(text), 96 - strlen(text), "%s%s", before, sets[i].name);
    }
    return text;
}

int dd_cpu_ceiling(unsigned *cpu, const char *name, ddpm_error *err)
{
    unsigned have = dd_cpu_detect();
    *cpu = have;
    if (!name)
        return DDPM_OK;

    for (int i = 0; i < SETS; i++) {
        if (strcmp(name, sets[i].name))
            continue;
        if ((have & sets[i].includes) != sets[i].includes)
            return dd_error(err, DDPM_EUNSUPPORTED, "this CPU has no %s: its best instruction set is %s",
                            name, dd_cpu_name(have));
        *cpu = sets[i].includes;
        return DDPM_OK;
    }

    char text[96];
    return dd_error(err, DDPM_EUSAGE, "unknown instruction set \"%s\": choose %s", name, choices(text));
}

const char *dd_cpu_name(unsigned cpu)
{
    int i = SETS - 1;
    while ((cpu & sets[i].own) != sets[i].own)
        i--;
    return sets[i].name;
}
