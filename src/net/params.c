/* From the tensors of a model to the packed block: float16 is widened, rows of several tensors (q, k, v; the projections of the time
   embedding) are stacked, two matrices become their product, and the gain of an RMS norm takes up its sqrt(C). */
#include "net/params.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/dtype.h"

enum { LINE = 16 };

static size_t aligned(size_t floats)
{
    return (floats + LINE - 1) / LINE * LINE;
}

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

/* w [cout, cin] of a node that is a product of its two parts, W2 [cout, inner], or turned [inner, cout], times W1 [inner, cin]; its bias is
   that times b1, plus b2 unless turned.  Sums in double, in order, rounded once. */
static void multiply(float *w, float *bias, const float *w1, const float *b1, const float *w2,
                     const float *b2, size_t cout, size_t inner, size_t cin, bool turned)
{
    enum { COLUMNS = 64 };

    for (size_t o = 0; o < cout; o++) {
        const float *row = turned ? w2 + o : w2 + o * inner;
        size_t step = turned ? cout : 1;
        double sum = turned ? 0 : b2[o];
        for (size_t k = 0; k < inner; k++)
            sum += (double)row[k * step] * b1[k];
        bias[o] = (float)sum;
        for (size_t first = 0; first < cin; first += COLUMNS) {
            size_t n = cin - first < COLUMNS ? cin - first : COLUMNS;
            double sums[COLUMNS] = { 0 };
            for (size_t k = 0; k < inner; k++)
                for (size_t i = 0; i < n; i++)
                    sums[i] += (double)row[k * step] * w1[k * cin + first + i];
            for (size_t i = 0; i < n; i++)
                w[o * cin + first + i] = (float)sums[i];
        }
    }
}

/* The same as of stack, of a product. */
static float *product(const float **bias, const struct dd_program *p, int node, const ddpm_model *m)
{
    const struct dd_node *n = &p->node[node];
    int second = n->part + 1;
    while (p->part[second].node != node)
        second++;
    const struct dd_param *w1 = &p->param[p->part[n->part].weight], *w2 = &p->param[p->part[second].weight];
    bool turned = n->product == DD_PRODUCT_TURNED;
    size_t cin = (size_t)w1->dim[1], inner = (size_t)w1->dim[0], cout = (size_t)w2->dim[turned];
    const float *b;
    float *parts = stack(&b, p, node, m), *w = parts ? malloc((cin + 1) * cout * sizeof *w) : NULL;
    if (w) {
        *bias = w + cin * cout;
        multiply(w, w + cin * cout, parts, b, parts + w1->count, b + inner, cout, inner, cin, turned);
    }
    free(parts);
    return w;
}

static int pack_conv(float *to, const struct dd_program *p, int node, struct dd_conv *conv,
                     const ddpm_model *m, ddpm_error *err)
{
    const struct dd_part *part = dd_program_part(p, &p->node[node]);
    const float *bias = part->bias < 0 ? NULL : floats_of(&p->param[part->bias], m),
                *w = floats_of(&p->param[part->weight], m);
    if (w && p->node[node].parts == 1) {
        dd_conv_pack(conv, to, w, bias);
        return DDPM_OK;
    }
    float *all = (p->node[node].product ? product : stack)(&bias, p, node, m);
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

int dd_params_pack(float *to, const struct dd_program *p, int node, struct dd_conv *conv, const ddpm_model *m,
                   ddpm_error *err)
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

void dd_params_repack(float *to, const struct dd_program *p, int node, struct dd_conv *conv,
                      const float *weight, const float *bias)
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
