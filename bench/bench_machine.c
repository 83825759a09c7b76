/* Measures the limits of the machine, which other measurements compare with:

     peak        FLOP/s of one core, by independent chains of fused multiply-adds in registers
     bandwidth   bytes/s read from an array larger than any cache, and copied within one that
                 fits the second-level cache
     loop        seconds of a loop with empty tasks, at the end of which the threads meet  */
#include "bench/bench.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "kernel/kernels.h"
#include "layer/parallel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 9, LOOPS = 1000, LANES = 16, LARGE_TASKS = 512 };

static const size_t SMALL = (size_t)512 << 10, TASK = (size_t)1 << 20,
                    LARGE = ((size_t)1 << 20) * LARGE_TASKS;

/* Twelve independent chains hide a latency of up to six cycles at two instructions a cycle. */
enum { CHAINS = 12, LINKS = 10000 };
#if defined __x86_64__
#define FMA(r, i) "vfmadd231ps %%" r "0, %%" r "0, %%" r #i "\n"
#define LOOP(r)                                                                                      \
    "vzeroall\n 1: " FMA(r, 1) FMA(r, 2) FMA(r, 3) FMA(r, 4) FMA(r, 5) FMA(r, 6) FMA(r, 7) FMA(r, 8) \
        FMA(r, 9) FMA(r, 10) FMA(r, 11) FMA(r, 12) "dec %0\n jnz 1b\n"

/* Runs LINKS links of all chains.  The registers begin as zeros, as denormal numbers might be slow. */
static void chains(size_t nr)
{
    long n = LINKS;

    if (nr == 32)
        __asm__ volatile(LOOP("zmm")
                         : "+r"(n)
                         :
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                           "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc");
    else
        __asm__ volatile(LOOP("ymm")
                         : "+r"(n)
                         :
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                           "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc");
}
#endif

double bench_peak(const struct dd_kernels *k)
{
    double best = INFINITY;

#if defined __x86_64__
    for (int i = 0; i < 200; i++) {
        double start = bench_now();
        chains(k->gemm_nr);
        best = fmin(best, bench_now() - start);
    }
#endif
    return LINKS * CHAINS * (double)k->gemm_nr / best;
}

/* Returns the sum of a task's numbers; independent lanes keep the additions from waiting for each other. */
static uint64_t sum_of(const uint64_t *x)
{
    uint64_t lane[LANES] = { 0 }, sum = 0;

    for (size_t i = 0; i < TASK / sizeof *x; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

/* An array to be read, and the sum of each part. */
struct reading {
    const uint64_t *x;
    uint64_t *sums;
};

static void add_up(struct dd_worker *worker, void *user)
{
    const struct reading *r = user;
    DD_TASKS(worker, task, LARGE_TASKS)
        r->sums[task] = sum_of(r->x + task * (TASK / sizeof *r->x));
}

double bench_read(int threads)
{
    uint64_t *x = dd_memory(LARGE, 1), sums[LARGE_TASKS];
    double best = INFINITY;
    struct dd_team *team = dd_parallel_create(threads);

    if (!x || !team) {
        dd_memory_free(x);
        dd_parallel_free(team);
        return 0;
    }

    /* Writing first gives the array its memory. */
    memset(x, 1, LARGE);
    for (int r = 0; r < ROUNDS; r++) {
        double start = bench_now();
        dd_parallel_run(team, add_up, &(struct reading){ x, sums });
        best = fmin(best, bench_now() - start);
    }
    dd_memory_free(x);
    dd_parallel_free(team);
    return sums[0] ? (double)LARGE / best : 0;
}

static void copy_small(void *state)
{
    char *x = state;
    memcpy(x + SMALL, x, SMALL);
}

double bench_copy(void)
{
    char *x = dd_memory(2 * SMALL, 1);

    if (!x)
        return 0;

    memset(x, 1, 2 * SMALL);
    double seconds = bench_time(copy_small, x, ROUNDS, 0.005).best;
    dd_memory_free(x);
    return 2 * (double)SMALL / seconds;
}

static void empty_loops(struct dd_worker *worker, void *user)
{
    (void)user;
    /* The barrier keeps the compiler from dropping a loop that does nothing. */
    for (int i = 0; i < LOOPS; i++)
        DD_TASKS(worker, task, worker->threads)
            __asm__ volatile("" : : : "memory");
}

double bench_loop(int threads)
{
    struct dd_team *team = dd_parallel_create(threads);
    double best = INFINITY;

    for (int r = 0; r < ROUNDS && team; r++) {
        double start = bench_now();

        dd_parallel_run(team, empty_loops, NULL);
        best = fmin(best, (bench_now() - start) / LOOPS);
    }
    dd_parallel_free(team);
    return team ? best : 0;
}

int bench_machine(int argc, char **argv)
{
    static const unsigned masks[] = { DD_CPU_AVX2, DD_CPU_AVX2 | DD_CPU_AVX512 };
    int most = dd_cpu_threads("");

    (void)argc;
    (void)argv;

    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        struct dd_kernels k;
        if ((masks[i] & dd_cpu_detect()) != masks[i])
            continue;
        dd_kernels_init(&k, masks[i]);
        printf("%s: peak %.1f GFLOP/s a core\n", k.name, 1e-9 * bench_peak(&k));
    }
    printf("copy within %zu KB: %.1f GB/s, read and written\n", 2 * SMALL >> 10, 1e-9 * bench_copy());
    for (int threads = 1; threads <= most; threads *= 2)
        printf("%d thread%s: memory read at %.1f GB/s; an empty loop takes %.2f us\n", threads,
               threads > 1 ? "s" : "", 1e-9 * bench_read(threads), 1e6 * bench_loop(threads));
    return 0;
}
