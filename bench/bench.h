/* ddpm-bench is one program of several measurements.  Each is a line in the table of bench.c and
   a file of its own. */
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

/* Returns the value of the argument `name`.  A text that is no number from least to most, or no
   whole number where `most` is INT_MAX, ends the program with 64. */
double bench_number(const char *name, const char *text, double least, double most);

/* Returns the seconds of a clock that nobody sets. */
double bench_now(void);

/* Returns the seconds of one f(state): median and least of `rounds` rounds, each of as many
   calls as fill `least` seconds. */
struct bench_time {
    double median, best;
};
struct bench_time bench_time(void (*f)(void *state), void *state, int rounds, double least);

/* ---- what the machine can do (bench_machine.c); 0 where it cannot be measured ---- */

/* FLOP/s of one core on the instruction set of k; a multiply-add is 2. */
double bench_peak(const struct dd_kernels *k);
/* Bytes/s read from memory. */
double bench_read(int threads);
/* Bytes/s read and written within the second-level cache by one core. */
double bench_copy(void);
/* Seconds of an empty loop of a run. */
double bench_loop(int threads);

/* Opens a model file, or one of tests/known_nets.c with random weights; images have this size
   unless it is 0. */
int bench_model_open(ddpm_model **m, const char *name, int size, ddpm_error *err);

struct bench_input {
    float *x, *y, *t;
    int32_t *classes;
    int n;
};

int bench_input_create(struct bench_input *in, const ddpm_about *a, int n);
void bench_input_free(struct bench_input *in);

/* The fastest step of a batch: after an untimed step, steps are timed for `least` seconds, at
   least one.  Beside it FLOPs, bytes of weights that it reads, bytes of values that its nodes
   write and read once, and bytes held. */
struct bench_step {
    double seconds, flops, weights, values, held;
    size_t nodes;
};

int bench_step(struct bench_step *r, const ddpm_model *m, const ddpm_net_options *o, double least,
               ddpm_error *err);
#endif
