/* The number of threads, and instruction sets. */
#include "base/cpu.h"
#include "tests/check.h"
#include "tests/host.h"

TEST(threads, this_machine)
{
    host_environment("OMP_NUM_THREADS", NULL);
    int n = dd_cpu_threads("");
    CHECK(n >= 1 && n <= host_processors());
}

/* 0 stands for the number without the variable. */
TEST(threads, what_openmp_is_told)
{
    static const struct {
        const char *text;
        int threads;
    } cases[] = { { "3", 3 },    { "24", 24 }, { "5,2", 5 },
                  { "0", 0 },    { "-2", 0 },  { "", 0 },
                  { "many", 0 }, { "4x", 0 },  { "99999999999999999999", 0 } };

    host_environment("OMP_NUM_THREADS", NULL);
    int n = dd_cpu_threads("");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        host_environment("OMP_NUM_THREADS", cases[i].text);
        CHECK(dd_cpu_threads("") == (cases[i].threads ? cases[i].threads : n));
    }
    host_environment("OMP_NUM_THREADS", NULL);
    CHECK(dd_cpu_threads("") == n);
}

TEST(cpu, ceiling)
{
    unsigned all = dd_cpu_detect(), cpu = 99;
    ddpm_error err;

    CHECK(dd_cpu_ceiling(&cpu, NULL, &err) == DDPM_OK && cpu == all);
    CHECK(dd_cpu_ceiling(&cpu, "ref", &err) == DDPM_OK && cpu == 0);
    CHECK(dd_cpu_ceiling(&cpu, "sse9", &err) == DDPM_EUSAGE && strstr(err.text, "sse9"));
    CHECK(!(all & DD_CPU_AVX512) || all & DD_CPU_AVX2);

    static const char *const names[] = { "avx2", "avx512", "neon" };
    for (int i = 0; i < 3; i++) {
        int code = dd_cpu_ceiling(&cpu, names[i], &err);
        if (code == DDPM_OK)
            CHECK_TEXT(dd_cpu_name(cpu), names[i]);
        else
            CHECK(code == DDPM_EUNSUPPORTED && strstr(err.text, names[i]) && cpu == all);
    }

    CHECK_TEXT(dd_cpu_name(0), "ref");
    CHECK_TEXT(dd_cpu_name(DD_CPU_AVX2), "avx2");
    CHECK_TEXT(dd_cpu_name(DD_CPU_AVX2 | DD_CPU_AVX512), "avx512");
}
