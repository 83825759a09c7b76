/* The parameters of a node as its layer wants them: packed by the convolution's engine, or plain float. */
#ifndef DD_PARAMS_H
#define DD_PARAMS_H
#include "net/model.h"

/* Returns how many floats a node has in the packed block.  conv is the node's open convolution, or NULL. */
size_t dd_params_floats(const struct dd_program *p, int node, const struct dd_conv *conv);
/* Packs the parameters of a node from the tensors of a model into to [dd_params_floats]. */
int dd_params_pack(float *to, const struct dd_program *p, int node, struct dd_conv *conv, const ddpm_model *m,
                   ddpm_error *err);
/* Packs the parameters of a node that has parts from plain arrays, in which the rows of all parts are
   stacked.  bias may be NULL. */
void dd_params_repack(float *to, const struct dd_program *p, int node, struct dd_conv *conv,
                      const float *weight, const float *bias);
/* Reads the numbers of a parameter's tensor into to [param->count]. */
void dd_params_read(float *to, const struct dd_param *param, const ddpm_model *m);
/* Returns how many floats the second parameter of a node (a norm's beta) lies behind the first one. */
size_t dd_params_second(const struct dd_program *p, const struct dd_part *part);
#endif
