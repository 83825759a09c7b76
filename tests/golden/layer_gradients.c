/* Gradients of single layers against PyTorch's in float64 (make_layer_gradients.py), on strided maps,
   written and added, with the same bits for 1, 2 and 3 threads.

   The tolerances are relative to `size`, the gradient's formula over absolute values. With e(n) =
   sum_bound(n) and u = 2^-24:

   Load: 30 u for act' (kernels.def).

   Group norm: n = (x - mean) rstd, act' and each of the sums over a chunk of 64 pixels are good to e(64)
   + 4 u of their terms in size, and an element is made of at most four such. RMS norm is alike, with
   sums of c.

   Attention: a score is off by s = (e(D) + 2 u) |q| |k| / sqrt(D), so P is off by r = exp(2 s) - 1 + 8 u
   + 2 e(T). dS holds P twice, dP (e(D)) and P . dP (e(T)), and is summed over T or the pixels.

   Linear attention: three softmaxes of 12 u + e(T), C or dC, and two sums. */
#include "base/safetensors.h"
#include "check.h"
#include "tests/teams.h"
#include "layer/attention.h"
#include "layer/norm.h"
#include "layer/pre.h"
#include "property/maps.h"

enum { OUTPUTS = 4, METAS = 8 };

struct layer_case {
    const struct dd_safetensors *file;
    const char *kind;
    int i, n, h, w, meta[METAS];
    double score;
};

/* Returns a tensor of the case, or NULL when the case has none of this name. */
static const struct dd_entry *entry(const struct layer_case *t, const char *prefix, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%d.%s%s", t->kind, t->i, prefix, name);
    return dd_safetensors_find(t->file, full);
}

static float *numbers(const struct layer_case *t, const char *prefix, const char *name)
{
    const struct dd_entry *e = entry(t, prefix, name);
    float *x = floats_create(e ? (size_t)e->count : 0, 0, 0, 1);
    if (e)
        memcpy(x, e->data, e->size);
    return x;
}

static struct dd_map spread(const struct layer_case *t, const float *dense, int c, int gap)
{
    struct dd_map m = map_create(t->n, t->h, t->w, c, gap, 1);
    for (size_t p = 0; p < (size_t)(t->n * t->h * t->w); p++)
        memcpy(m.data + p * m.stride, dense + p * (size_t)c, sizeof(float) * (size_t)c);
    return m;
}

static struct dd_map input(const struct layer_case *t, const char *name, int c, int gap)
{
    float *dense = numbers(t, "", name);
    struct dd_map m = spread(t, dense, c, gap);
    dd_memory_free(dense);
    return m;
}

/* Copies a strided output into dense [n, h, w, c], checks that its gaps are as they were, and frees it. */
static void gather(float *dense, struct dd_map *m)
{
    CHECK(map_whole(m));
    for (size_t p = 0; p < (size_t)(m->n * m->h * m->w); p++)
        memcpy(dense + p * (size_t)m->c, m->data + p * m->stride, sizeof(float) * (size_t)m->c);
    map_free(m);
}

/* The gradient of a load. */
struct load {
    const struct dd_map *dx, *du, *x;
    const struct dd_pre *pre;
    int add;
};

static void load_backward(const struct dd_context *ctx, void *user)
{
    const struct load *l = user;
    dd_pre_backward(ctx, (struct dd_grad_map){ l->dx, l->add }, (struct dd_pre_sums){ NULL, NULL }, l->du,
                    l->x, l->pre);
}

static void load_run(const struct layer_case *t, const struct dd_kernels *k, int threads, int add,
                     float *const *out)
{
    int c = t->meta[3];
    struct dd_map x = input(t, "x", c, 1), du = input(t, "du", c, 0), dx = spread(t, out[0], c, 2);
    struct dd_pre pre = { NULL, NULL, (enum dd_act)t->meta[4] };
    team_run(&(struct dd_context){ k, threads, NULL, NULL }, load_backward,
             &(struct load){ &dx, &du, &x, &pre, add });
    gather(out[0], &dx);
    map_free(&x), map_free(&du);
}

static double load_factor(const struct layer_case *t)
{
    (void)t;
    return 30 * ldexp(1, -24);
}

/* A norm, the load behind it, and their gradients. */
struct normed {
    const struct dd_map *dx, *du, *x;
    const struct dd_pre *pre;
    const struct dd_norm *norm;
    const struct dd_norm_gradients *d;
    float *v, *moments;
    size_t vector;
};

/* Runs the gradient of what reads the norm, then that of the norm itself. */
static void norm_backward(const struct dd_context *ctx, void *user)
{
    const struct normed *n = user;
    float *dscale = n->v + 2 * n->vector, *dshift = dscale + n->vector;
    struct dd_norm_sums sums = { dscale, dshift, n->moments };
    dd_norm_forward(ctx, n->v, n->v + n->vector, n->moments, n->x, n->norm);
    dd_pre_backward(ctx, (struct dd_grad_map){ n->dx, n->d->demb_add },
                    (struct dd_pre_sums){ dscale, dshift }, n->du, n->x, n->pre);
    dd_norm_backward(ctx, n->dx, n->d, &sums, n->x, n->norm);
}

static void norm_run(const struct layer_case *t, const struct dd_kernels *k, int threads, int add,
                     float *const *out)
{
    int c = t->meta[3], groups = t->meta[4];
    size_t size = dd_pre_scratch(t->n, t->h, t->w, c) + dd_norm_backward_scratch(t->n, c) +
                  dd_norm_scratch(t->n, t->h, t->w, c);
    size_t vector = (size_t)(t->n * c), wide = 2 * (size_t)c;
    float *scratch = scratch_create(size), *gamma = numbers(t, "", "gamma"), *beta = numbers(t, "", "beta"),
          *all = numbers(t, "", "emb");
    float *v = floats_create(4 * vector + 2 * (size_t)(t->n * groups), NAN, NAN, 1),
          *moments = v + 4 * vector;
    float *emb = t->meta[5] ? all : NULL, *demb = emb ? out[3] : NULL;
    struct dd_map x = input(t, "x", c, 3), du = input(t, "du", c, 1), dx = spread(t, out[0], c, 2);
    struct dd_pre pre = { v, v + vector, (enum dd_act)t->meta[6] };
    struct dd_norm norm = { groups, 1e-5, gamma, beta, { emb, wide } };
    struct dd_norm_gradients d = { out[1], out[2], demb, wide, add };

    team_run(&(struct dd_context){ k, threads, scratch, NULL }, norm_backward,
             &(struct normed){ &dx, &du, &x, &pre, &norm, &d, v, moments, vector });

    CHECK(scratch_whole(scratch, size));
    gather(out[0], &dx);
    map_free(&x), map_free(&du), dd_memory_free(v), dd_memory_free(gamma), dd_memory_free(beta),
        dd_memory_free(all), dd_memory_free(scratch);
}

static double norm_factor(const struct layer_case *t)
{
    (void)t;
    return 4 * (sum_bound(64) + 4 * ldexp(1, -24));
}

/* The gradient of an RMS norm that has a residual. */
struct rms {
    const struct dd_map *dx, *dy, *x, *residual;
    const struct dd_norm_rms *rms;
    const struct dd_norm_gradients *d;
};

static void rms_backward(const struct dd_context *ctx, void *user)
{
    const struct rms *r = user;
    dd_norm_rms_backward(ctx, (struct dd_grad_map){ r->dx, r->d->demb_add }, r->d,
                         (struct dd_grad_map){ r->residual, r->d->demb_add }, r->dy, r->x, r->rms);
}

static void rms_run(const struct layer_case *t, const struct dd_kernels *k, int threads, int add,
                    float *const *out)
{
    int c = t->meta[3];
    size_t size = dd_norm_rms_backward_scratch(t->n, t->h, t->w, c, threads), wide = 2 * (size_t)c;
    float *scratch = scratch_create(size), *gain = numbers(t, "", "g"), *all = numbers(t, "", "emb"),
          *emb = t->meta[4] ? all : NULL;
    struct dd_map x = input(t, "x", c, 3), dy = input(t, "dy", c, 1), dx = spread(t, out[0], c, 2),
                  residual = spread(t, out[3], c, 1);

    /* PyTorch's g is multiplied by sqrt(c), which the layer's gain holds already. */
    for (int i = 0; i < c; i++)
        gain[i] = (float)(gain[i] * sqrt(c));
    struct dd_norm_rms rms = { gain, { emb, wide }, (enum dd_act)t->meta[5] };
    struct dd_norm_gradients d = { out[1], NULL, emb ? out[2] : NULL, wide, add };

    team_run(&(struct dd_context){ k, threads, scratch, NULL }, rms_backward,
             &(struct rms){ &dx, &dy, &x, &residual, &rms, &d });

    CHECK(scratch_whole(scratch, size));
    gather(out[0], &dx), gather(out[3], &residual);
    map_free(&x), map_free(&dy), dd_memory_free(gain), dd_memory_free(all), dd_memory_free(scratch);
}

static double rms_factor(const struct layer_case *t)
{
    return 4 * (sum_bound((size_t)(t->meta[3] < 64 ? 64 : t->meta[3])) + 8 * ldexp(1, -24));
}

/* The gradient of attention, softmax or linear. */
struct attending {
    const struct dd_map *dqkv, *dy, *qkv;
    const struct dd_attention *a;
    const float *memory;
    float *dmemory;
    int linear;
};

static void attention_backward(const struct dd_context *ctx, void *user)
{
    const struct attending *p = user;
    if (p->linear)
        dd_linear_attention_backward(ctx, p->dqkv, p->dmemory, p->dy, p->qkv, p->a, p->memory);
    else
        dd_attention_backward(ctx, p->dqkv, p->dmemory, p->dy, p->qkv, p->a, p->memory);
}

static void attention_run(const struct layer_case *t, const struct dd_kernels *k, int threads, int linear,
                          float *const *out)
{
    struct dd_attention a = { t->h, t->w, t->meta[3], t->meta[4], t->meta[5], 0 };
    int inner = a.heads * a.dim;
    size_t size =
        (linear ? dd_linear_attention_backward_scratch : dd_attention_backward_scratch)(k, &a, t->n, threads);
    float *scratch = scratch_create(size), *all = numbers(t, "", "memory"), *memory = a.memory ? all : NULL;
    struct dd_map qkv = input(t, "qkv", 3 * inner, 2), dy = input(t, "dy", inner, 1),
                  dqkv = spread(t, out[0], 3 * inner, 3);
    team_run(&(struct dd_context){ k, threads, scratch, NULL }, attention_backward,
             &(struct attending){ &dqkv, &dy, &qkv, &a, memory, memory ? out[1] : NULL, linear });
    CHECK(scratch_whole(scratch, size));
    gather(out[0], &dqkv);
    map_free(&qkv), map_free(&dy), dd_memory_free(all), dd_memory_free(scratch);
}

static void softmax_run(const struct layer_case *t, const struct dd_kernels *k, int threads, int add,
                        float *const *out)
{
    (void)add;
    attention_run(t, k, threads, 0, out);
}

static void linear_run(const struct layer_case *t, const struct dd_kernels *k, int threads, int add,
                       float *const *out)
{
    (void)add;
    attention_run(t, k, threads, 1, out);
}

static double softmax_factor(const struct layer_case *t)
{
    double u = ldexp(1, -24), dim = sum_bound((size_t)t->meta[4]),
           all = sum_bound((size_t)(t->meta[5] + t->h * t->w));
    double p = exp(2 * (dim + 2 * u) * t->score) - 1 + 8 * u + 2 * all;
    return 2 * p + dim + 2 * all + 8 * u;
}

static double linear_factor(const struct layer_case *t)
{
    return 6 * (12 * ldexp(1, -24) + sum_bound((size_t)t->meta[4]) +
                sum_bound((size_t)(t->meta[5] + t->h * t->w)));
}

/* How an output is given: as the case asks, always written, or always added. */
enum mode { AS_ASKED, WRITTEN, ADDED };

struct output {
    const char *name;
    enum mode mode;
};

struct kind {
    const char *name;
    struct output output[OUTPUTS];
    void (*run)(const struct layer_case *t, const struct dd_kernels *k, int threads, int add,
                float *const *out);
    double (*factor)(const struct layer_case *t);
};

/* Compares an output with PyTorch's. The gradient of a residual has no `size`: it is dy, to the bit. */
static void check_output(const struct layer_case *t, const struct output *o, int add, double factor,
                         const float *got, const float *before)
{
    double u = ldexp(1, -24);
    const struct dd_entry *e = entry(t, "", o->name);
    float *want = numbers(t, "", o->name), *size = numbers(t, "size.", o->name);
    for (size_t i = 0; e && i < e->count; i++) {
        double base = o->mode == ADDED || (o->mode == AS_ASKED && add) ? before[i] : 0;
        double bound = entry(t, "size.", o->name)
                           ? factor * size[i] + u * (fabs(want[i]) + fabs(base + want[i]))
                           : u * fabs(base + want[i]);
        if (!(fabs(got[i] - (base + want[i])) <= bound))
            check_fail(__FILE__, __LINE__, "%s.%d.%s[%zu] = %.9g, expected %.9g within %.3g", t->kind, t->i,
                       o->name, i, got[i], base + want[i], bound);
    }
    dd_memory_free(want), dd_memory_free(size);
}

static void check_case(const struct kind *kind, const struct layer_case *t, unsigned cpu, int add)
{
    struct dd_kernels k;
    float *out[3][OUTPUTS], *before[OUTPUTS];
    size_t count[OUTPUTS];

    dd_kernels_init(&k, cpu);

    for (int team = 0; team < 3; team++) {
        for (int i = 0; i < OUTPUTS; i++) {
            const struct dd_entry *e = kind->output[i].name ? entry(t, "", kind->output[i].name) : NULL;
            count[i] = e ? (size_t)e->count : 0;
            out[team][i] = floats_create(count[i], -1, 1, (unsigned)i);
            before[i] = team ? before[i] : floats_create(count[i], -1, 1, (unsigned)i);
        }
        kind->run(t, &k, team + 1, add, out[team]);
    }

    for (int i = 0; i < OUTPUTS; i++) {
        CHECK(!memcmp(out[0][i], out[1][i], count[i] * sizeof(float)) &&
              !memcmp(out[0][i], out[2][i], count[i] * sizeof(float)));

        /* A case without an embedding has no gradient of one. */
        if (count[i] &&
            !(!strcmp(kind->output[i].name, "demb") && !t->meta[!strcmp(kind->name, "norm") ? 5 : 4]))
            check_output(t, &kind->output[i], add, kind->factor(t), out[0][i], before[i]);
    }

    for (int i = 0; i < OUTPUTS; i++)
        dd_memory_free(out[0][i]), dd_memory_free(out[1][i]), dd_memory_free(out[2][i]),
            dd_memory_free(before[i]);
}

static void check_kind(const struct kind *kind)
{
    struct dd_file file;
    struct dd_safetensors s;
    unsigned masks[4];
    int sets = instruction_sets(masks), cases = 0;

    REQUIRE(dd_file_map(&file, check_path(check_source(), "tests/golden/data/layer_gradients.safetensors"),
                        NULL) == 0);
    REQUIRE(dd_safetensors_read(&s, file.data, file.size, "layer_gradients", NULL) == 0);

    for (struct layer_case t = { .file = &s, .kind = kind->name }; entry(&t, "", "meta"); t.i++, cases++) {
        float *meta = numbers(&t, "", "meta");
        size_t metas = (size_t)entry(&t, "", "meta")->count;
        for (size_t i = 0; i < METAS; i++)
            t.meta[i] = i < metas ? (int)meta[i] : 0;
        t.n = t.meta[0], t.h = t.meta[1], t.w = t.meta[2];
        t.score = metas > 6 ? meta[6] : 0;

        for (int set = 0; set < sets; set++)
            for (int add = 0; add < 2; add++)
                check_case(kind, &t, masks[set], add);
        free(meta);
    }

    CHECK(cases >= 5);
    dd_safetensors_free(&s);
    dd_file_unmap(&file);
}

TEST(gradient, load)
{
    check_kind(&(struct kind){ "load", { { "dx", AS_ASKED } }, load_run, load_factor });
}

TEST(gradient, group_norm)
{
    check_kind(
        &(struct kind){ "norm",
                        { { "dx", AS_ASKED }, { "dgamma", ADDED }, { "dbeta", ADDED }, { "demb", AS_ASKED } },
                        norm_run,
                        norm_factor });
}

TEST(gradient, rms_norm)
{
    check_kind(
        &(struct kind){ "rms",
                        { { "dx", AS_ASKED }, { "dg", ADDED }, { "demb", AS_ASKED }, { "dy", AS_ASKED } },
                        rms_run,
                        rms_factor });
}

TEST(gradient, attention)
{
    check_kind(&(struct kind){
        "attention", { { "dqkv", WRITTEN }, { "dmemory", ADDED } }, softmax_run, softmax_factor });
}

TEST(gradient, linear_attention)
{
    check_kind(
        &(struct kind){ "linear", { { "dqkv", WRITTEN }, { "dmemory", ADDED } }, linear_run, linear_factor });
}
