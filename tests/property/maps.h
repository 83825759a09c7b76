/* Random maps for the tests of layers.  The gaps between the pixels of a strided map and the ends of a scratch block hold NaN: reading
   one spoils the result, writing one is seen. */
#ifndef MAPS_H
#define MAPS_H
#include "base/memory.h"
#include "layer/map.h"

/* U(-1, 1), the same numbers for the same seed whatever the gap; channels [c, c + gap) of each pixel are NaN. */
struct dd_map map_create(int n, int h, int w, int c, int gap, unsigned seed);
void map_free(struct dd_map *m);
/* Images first .. first + n of m. */
struct dd_map map_images(const struct dd_map *m, int first, int n);
/* The gaps are still NaN. */
int map_whole(const struct dd_map *m);
/* The same bits in every channel of n images, m from first on. */
int map_same(const struct dd_map *m, int first, const struct dd_map *expected, int expected_first, int n);
/* n of U(low, high). */
float *floats_create(size_t n, float low, float high, unsigned seed);
/* A block whose end is watched, as large as a layer asks for. */
float *scratch_create(size_t bytes);
int scratch_whole(const float *scratch, size_t bytes);
/* The instruction sets of this machine and build, the plain one first; masks [4].  Only the one that the variable names, if set. */
#define CPU_VARIABLE "DDPM_CHECK_CPU"
int instruction_sets(unsigned *masks);
/* act in double, as its paper defines it. */
double act_exact(enum dd_act act, double x);
/* A bound for the rounding errors of a sum of n products in any order: lambda sqrt(n) u, u = 2^-24, in units of the sum of |products|;
   lambda = 7 fails with probability below 2 n exp(-24) (Higham and Mary 2019, theorem 2.4, for each of the sums). */
double sum_bound(size_t n);
#endif
