/* ddpm-bench is a program with several measurements.  Each has a line in the table of bench.c and its own
   file. */
#ifndef BENCH_H
#define BENCH_H
#include "ddpm.h"

struct dd_kernels;

struct bench {
    const char *name, *does;
    int (*run)(int argc, char **argv);
};

int bench_machine(int argc, char **argv);
int bench_kernels(int argc, char **argv);
int bench_conv(int argc, char **argv);
int bench_net(int argc, char **argv);
int bench_train(int argc, char **argv);
int bench_growth(int argc, char **argv);
int bench_scaling(int argc, char **argv);
int bench_sampler(int argc, char **argv);
int bench_guidance(int argc, char **argv);

/* Returns the value of the argument `name`.  The program exits with 64 if text is no number from least to
   most or, if `most` is INT_MAX, no whole number. */
double bench_number(const char *name, const char *text, double least, double most);

/* Returns the seconds on CLOCK_MONOTONIC, which is never set. */
double bench_now(void);

/* Seconds of a call: the median and the least over rounds. */
struct bench_time {
    double median, best;
};

/* Times f(state) in `rounds` rounds, each with as many calls as fill about `least` seconds. */
struct bench_time bench_time(void (*f)(void *state), void *state, int rounds, double least);

/* ---- the limits of the machine (bench_machine.c); 0: cannot be measured ---- */

/* Measures the FLOP/s of one core with the instruction set of k; a multiply-add is 2 FLOPs. */
double bench_peak(const struct dd_kernels *k);
/* Measures the bytes/s that are read from memory. */
double bench_read(int threads);
/* Measures the bytes/s that one core reads and writes within its second-level cache. */
double bench_copy(void);
/* Measures the seconds that a team of threads takes for a loop with empty tasks. */
double bench_loop(int threads);

/* Opens a model file, or makes a network of tests/known_nets.c with random weights.  size: height and width
   of its images; 0: those of the network. */
int bench_model_open(ddpm_model **m, const char *name, int size, ddpm_error *err);

/* A batch of n images x, their steps t and classes, and room for the outputs y. */
struct bench_input {
    float *x, *y, *t;
    int32_t *classes;
    int n;
};

int bench_input_create(struct bench_input *in, const ddpm_about *a, int n);
void bench_input_free(struct bench_input *in);

/* A step of a network for a batch. */
struct bench_step {
    double seconds; /* time of the fastest step */
    double flops;
    double weights; /* bytes of weights that are read */
    double values;  /* bytes of the nodes' outputs, each written and read once */
    double held;    /* bytes of memory that the network holds */
    size_t nodes;
};

/* Fills r: after an untimed step, steps are timed for `least` seconds, but at least one. */
int bench_step(struct bench_step *r, const ddpm_model *m, const ddpm_net_options *o, double least,
               ddpm_error *err);
#endif
