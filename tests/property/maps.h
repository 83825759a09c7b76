/* Random maps for the tests of layers. The gaps between the pixels of a strided map and the ends of
   a scratch block hold NaN: reading one spoils the result, and writing one is detected. */
#ifndef MAPS_H
#define MAPS_H
#include "base/memory.h"
#include "layer/map.h"

/* Makes a map of U(-1, 1), with the same numbers for the same seed whatever the gap. Channels [c, c
   + gap) of each pixel are NaN. */
struct dd_map map_create(int n, int h, int w, int c, int gap, unsigned seed);
void map_free(struct dd_map *m);
/* Returns images first .. first + n - 1 of m; they share its memory. */
struct dd_map map_images(const struct dd_map *m, int first, int n);
/* Returns whether all gaps are still NaN. */
int map_whole(const struct dd_map *m);
/* Returns whether n images of m, from `first` on, have the bits of those of expected, from
   expected_first on. */
int map_same(const struct dd_map *m, int first, const struct dd_map *expected, int expected_first, int n);
/* Returns n floats of U(low, high); released by dd_memory_free. */
float *floats_create(size_t n, float low, float high, unsigned seed);
/* Makes a block as large as a layer asks for, whose end is watched; scratch_whole returns whether
   that end is untouched. */
float *scratch_create(size_t bytes);
int scratch_whole(const float *scratch, size_t bytes);
/* Fills masks [4] with the instruction sets of this machine and build, the plain one first, and
   returns their number. If the variable is set, only the one that it names. */
#define CPU_VARIABLE "DDPM_CHECK_CPU"
int instruction_sets(unsigned *masks);
/* Returns act in double, by the definition in its paper. */
double act_exact(enum dd_act act, double x);
/* Bounds the rounding errors of a sum of n products in any order: lambda sqrt(n) u, u = 2^-24, in
   units of the sum of |products|. With lambda = 7 it fails with a probability below 2 n exp(-24)
   (Higham and Mary 2019, theorem 2.4, for each of the sums). */
double sum_bound(size_t n);
#endif
