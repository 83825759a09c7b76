/* ddpm-bench is one program of several measurements; each is a line in the table of bench.c and a file of its own. */
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

/* The value of the argument `name`; one that is none, or outside of least .. most, or where `most` is INT_MAX no whole number, ends the program with 64. */
double bench_number(const char *name, const char *text, double least, double most);

double bench_now(void); /* seconds */

/* Seconds of one f(state): median and least of `rounds` rounds, each of as many calls as fill `least` seconds. */
struct bench_time {
    double median, best;
};
struct bench_time bench_time(void (*f)(void *state), void *state, int rounds, double least);

/* Of the machine (bench_machine.c); 0 where it cannot be measured. */
double bench_peak(
    const struct dd_kernels *k); /* FLOP/s of one core on the instruction set of k; a multiply-add is 2 */
double bench_read(int threads);  /* bytes/s from memory */
double bench_copy(void);         /* bytes/s read and written within the second-level cache, one core */
double bench_loop(int threads);  /* seconds of an empty loop of a run */

/* A model file, or one of tests/known_nets.c with random weights, of images of `size` unless that is 0. */
int bench_model_open(ddpm_model **m, const char *name, int size, ddpm_error *err);

struct bench_input {
    float *x, *y, *t;
    int32_t *classes;
    int n;
};

int bench_input_create(struct bench_input *in, const ddpm_about *a, int n);
void bench_input_free(struct bench_input *in);

/* The fastest step of a batch (at least one, after an untimed one, for `least` seconds): FLOPs, bytes of weights it reads, bytes of
   values its nodes write and read once, and the bytes that are held. */
struct bench_step {
    double seconds, flops, weights, values, held;
    size_t nodes;
};

int bench_step(struct bench_step *r, const ddpm_model *m, const ddpm_net_options *o, double least,
               ddpm_error *err);
#endif
