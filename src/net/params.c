/* From the tensors of a model to the packed block: float16 is widened, rows of several tensors (q, k, v; the projections of the time
   embedding) are stacked, and the gain of an RMS norm takes up its sqrt(C). */
#include "net/params.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/dtype.h"

enum { LINE = 16 };

static size_t aligned(size_t floats) { return (floats + LINE - 1) / LINE * LINE; }

size_t dd_params_second(const struct dd_program *p, const struct dd_part *part)
{
    return aligned((size_t)p->param[part->weight].count);
}

size_t dd_params_floats(const struct dd_program *p, int node, const struct dd_conv *conv)
{
    const struct dd_part *part = dd_program_part(p, &p->node[node]);
    if (conv)
        return aligned(dd_conv_packed(conv) / sizeof(float) + 1);
    if (!part)
        return 0;
    return dd_params_second(p, part) + (part->bias < 0 ? 0 : aligned((size_t)p->param[part->bias].count));
}

void dd_params_read(float *to, const struct dd_param *param, const ddpm_model *m)
{
    const ddpm_tensor *t = dd_model_find(m, param->name);
    dd_dtype_to_float(to, t->data, t->dtype == DDPM_F16 ? DD_F16 : DD_F32, (size_t)param->count);
}

static const float *floats_of(const struct dd_param *param, const ddpm_model *m)
{
    const ddpm_tensor *t = dd_model_find(m, param->name);
    return t->dtype == DDPM_F32 ? t->data : NULL;
}

/* The rows of all parts, stacked; NULL when out of memory.  Biases behind the weights; *bias NULL when there are none. */
static float *stack(const float **bias, const struct dd_program *p, int node, const ddpm_model *m)
{
    size_t weights = 0, biases = 0;
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].node == node) {
            weights += (size_t)p->param[p->part[i].weight].count;
            biases += p->part[i].bias < 0 ? 0 : (size_t)p->param[p->part[i].bias].count;
        }
    float *all = malloc((weights + biases) * sizeof *all), *w = all, *b = all + weights;
    if (!all)
        return NULL;
    *bias = biases ? b : NULL;
    for (int i = 0; i < p->parts; i++) {
        if (p->part[i].node != node)
            continue;
        dd_params_read(w, &p->param[p->part[i].weight], m);
        w += p->param[p->part[i].weight].count;
        if (p->part[i].bias >= 0) {
            dd_params_read(b, &p->param[p->part[i].bias], m);
            b += p->param[p->part[i].bias].count;
        }
    }
    return all;
}

static int pack_conv(float *to, const struct dd_program *p, int node, struct dd_conv *conv, const ddpm_model *m, ddpm_error *err)
{
    const struct dd_part *part = dd_program_part(p, &p->node[node]);
    const float *bias = part->bias < 0 ? NULL : floats_of(&p->param[part->bias], m), *w = floats_of(&p->param[part->weight], m);
    if (w && p->node[node].parts == 1) {
        dd_conv_pack(conv, to, w, bias);
        return DDPM_OK;
    }
    float *all = stack(&bias, p, node, m);
    if (!all)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the weights of %s", p->node[node].name);
    dd_conv_pack(conv, to, all, bias);
    free(all);
    return DDPM_OK;
}

/* The weights are wanted once: of a mapped file they leave memory as they are packed. */
static void forget(const struct dd_program *p, int node, const ddpm_model *m)
{
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].node == node) {
            const ddpm_tensor *t = dd_model_find(m, p->param[p->part[i].weight].name);
            dd_file_forget(&m->file, t->data, dd_model_bytes(t, NULL));
        }
}

/* An RMS norm's g becomes its gain. */
static void scale(float *to, const struct dd_program *p, int node)
{
    int64_t c = p->param[dd_program_part(p, &p->node[node])->weight].count;
    for (int64_t i = 0; i < c && p->node[node].op == DD_OP_RMS; i++)
        to[i] *= (float)sqrt((double)c);
}

int dd_params_pack(float *to, const struct dd_program *p, int node, struct dd_conv *conv, const ddpm_model *m, ddpm_error *err)
{
    const struct dd_part *part = dd_program_part(p, &p->node[node]);
    if (conv) {
        int code = pack_conv(to, p, node, conv, m, err);
        forget(p, node, m);
        return code;
    }
    if (!part)
        return DDPM_OK;
    dd_params_read(to, &p->param[part->weight], m);
    if (part->bias >= 0)
        dd_params_read(to + dd_params_second(p, part), &p->param[part->bias], m);
    scale(to, p, node);
    return DDPM_OK;
}

void dd_params_repack(float *to, const struct dd_program *p, int node, struct dd_conv *conv, const float *weight, const float *bias)
{
    const struct dd_part *part = dd_program_part(p, &p->node[node]);
    if (conv) {
        dd_conv_pack(conv, to, weight, bias);
        return;
    }
    memcpy(to, weight, (size_t)p->param[part->weight].count * sizeof *to);
    if (bias)
        memcpy(to + dd_params_second(p, part), bias, (size_t)p->param[part->bias].count * sizeof *to);
    scale(to, p, node);
}
