/* Packs the tensors of a model into the block that the layers read:

   - float16 is widened to float;
   - the rows of several tensors (q, k, v; the projections of the time embedding) are stacked;
   - two matrices become their product (program_fold.c);
   - the gain of an RMS norm takes up its sqrt(C). */
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

/* Returns a pointer to the numbers of a parameter, or NULL when they are float16. */
static const float *floats_of(const struct dd_param *param, const ddpm_model *m)
{
    const ddpm_tensor *t = dd_model_find(m, param->name);
    return t->dtype == DDPM_F32 ? t->data : NULL;
}

/* Returns the stacked rows of all parts with the biases behind them, in memory that the caller frees; NULL:
   out of memory.  *bias is NULL when there are no biases. */
static float *stack(const float **bias, const struct dd_program *p, int node, const ddpm_model *m)
{
    size_t weights = 0, biases = 0;
    for (int i = 0; i < p->parts; i++) {
        if (p->part[i].node != node)
            continue;
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

/* The two matrices of a node that is a product, and its sizes. */
struct factors {
    const float *w1, *b1; /* [inner, cin], [inner] */
    const float *w2, *b2; /* [cout, inner], or turned [inner, cout]; [cout] */
    size_t cout, inner, cin;
    bool turned;
};

/* Fills w [cout, cin] = W2 W1 and bias [cout] = W2 b1 + b2, or turned w = W2^T W1 and bias = W2^T b1.  Each
   sum is computed in double, in order of k, and rounded once. */
static void multiply(float *w, float *bias, const struct factors *f)
{
    enum { COLUMNS = 64 };

    for (size_t o = 0; o < f->cout; o++) {
        const float *row = f->turned ? f->w2 + o : f->w2 + o * f->inner;
        size_t step = f->turned ? f->cout : 1;

        double sum = f->turned ? 0 : f->b2[o];
        for (size_t k = 0; k < f->inner; k++)
            sum += (double)row[k * step] * f->b1[k];
        bias[o] = (float)sum;

        for (size_t first = 0; first < f->cin; first += COLUMNS) {
            size_t n = f->cin - first < COLUMNS ? f->cin - first : COLUMNS;
            double sums[COLUMNS] = { 0 };
            for (size_t k = 0; k < f->inner; k++)
                for (size_t i = 0; i < n; i++)
                    sums[i] += (double)row[k * step] * f->w1[k * f->cin + first + i];
            for (size_t i = 0; i < n; i++)
                w[o * f->cin + first + i] = (float)sums[i];
        }
    }
}

/* Returns the product of a node's two parts, with its bias behind it, like stack. */
static float *product(const float **bias, const struct dd_program *p, int node, const ddpm_model *m)
{
    const struct dd_node *n = &p->node[node];

    /* The second part is the next part of this node in the list. */
    int second = n->part + 1;
    while (p->part[second].node != node)
        second++;
    const struct dd_param *w1 = &p->param[p->part[n->part].weight], *w2 = &p->param[p->part[second].weight];
    struct factors f = {
        .cin = (size_t)w1->dim[1],
        .inner = (size_t)w1->dim[0],
        .turned = n->product == DD_PRODUCT_TURNED,
    };
    f.cout = (size_t)w2->dim[f.turned];

    float *parts = stack(&f.b1, p, node, m), *w = NULL;
    if (parts)
        w = malloc((f.cin + 1) * f.cout * sizeof *w);
    if (w) {
        f.w1 = parts;
        f.w2 = parts + w1->count;
        f.b2 = f.b1 + f.inner;
        *bias = w + f.cin * f.cout;
        multiply(w, w + f.cin * f.cout, &f);
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
    /* A single tensor of floats is packed from where it lies. */
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

/* Lets the weights of a mapped file leave memory after they are packed, because they are not read again. */
static void forget(const struct dd_program *p, int node, const ddpm_model *m)
{
    for (int i = 0; i < p->parts; i++) {
        if (p->part[i].node != node)
            continue;
        const ddpm_tensor *t = dd_model_find(m, p->param[p->part[i].weight].name);
        dd_file_forget(&m->file, t->data, dd_model_bytes(t, NULL));
    }
}

/* Turns g of an RMS norm into its gain g sqrt(C).  Other nodes stay as they are. */
static void make_gain(float *to, const struct dd_program *p, int node)
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
    make_gain(to, p, node);
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
    make_gain(to, p, node);
}
