/* Curves over the steps of a training, as a picture. */
#ifndef DDPM_CURVE_H
#define DDPM_CURVE_H
#include <stddef.h>
#include "ddpm.h"

struct curve { double *step, *value; size_t points, room; };           /* steps ascend; a value that is no positive number is not drawn */
int  curve_add(struct curve *c, double step, double value, ddpm_error *err);
/* PNG at path: a in gray with its running mean in blue, b in red, over a logarithmic scale; names are ASCII. */
int  curve_write(const char *path, const struct curve *a, const char *a_name, const struct curve *b, const char *b_name, ddpm_error *err);
void curve_free(struct curve *c);
#endif
