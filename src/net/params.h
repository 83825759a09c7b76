/* The parameters of a node as its layer wants them: packed by the convolution's engine, or plain float. */
#ifndef DD_PARAMS_H
#define DD_PARAMS_H
#include "net/model.h"

/* Floats in the packed block; conv: the node's open convolution, NULL for other nodes. */
size_t dd_params_floats(const struct dd_program *p, int node, const struct dd_conv *conv);
int dd_params_pack(float *to, const struct dd_program *p, int node, struct dd_conv *conv, const ddpm_model *m,
                   ddpm_error *err);
/* The same from plain arrays, the rows of all parts stacked; bias NULL: none.  For a node with parts. */
void dd_params_repack(float *to, const struct dd_program *p, int node, struct dd_conv *conv,
                      const float *weight, const float *bias);
/* The numbers of a parameter's tensor, to [param->count]. */
void dd_params_read(float *to, const struct dd_param *param, const ddpm_model *m);
/* Where the second parameter (a norm's beta) of a node lies behind the first. */
size_t dd_params_second(const struct dd_program *p, const struct dd_part *part);
#endif
