/* ddpm-bench is one program of several measurements; each is a line in the table of bench.c and a file of its own. */
#ifndef BENCH_H
#define BENCH_H

struct bench { const char *name, *does; int (*run)(int argc, char **argv); };

int bench_kernels(int argc, char **argv);
int bench_conv(int argc, char **argv);
int bench_net(int argc, char **argv);

double bench_now(void);                                    /* seconds */
/* Seconds of one f(state): median and least of `rounds` rounds, each of as many calls as fill `least` seconds. */
struct bench_time { double median, best; };
struct bench_time bench_time(void (*f)(void *state), void *state, int rounds, double least);
#endif
