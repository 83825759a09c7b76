/* Gradients of convolutions by x and by w against their definitions summed in double. Both are
   adjoint to the convolution, <conv(x), y> = <x, conv^T(y)>, and their bits do not depend on the
   number of threads.

   The tolerance of dx: it sums K = taps * cout products, so |dx - exact| <= sum_bound(K + 1) * S,
   where S is the sum of |products|, as for forward (conv_test.c).

   The tolerance of dw: it sums n = images * pixels products in float, and what dw held before:
   sum_bound(n + 1) * (S + |dw|). The input x' = act(x s + b) is off by 11 u m as in conv_test.c, and
   S then holds m in its place.

   By Winograd, dW = G^T (sum over tiles of (B^T d B) * (A dz A^T)) G. Each of the three transforms
   rounds its input by at most 11 u of its size in absolute values. With
     E = |G^T| (sum over tiles of (|B^T| m |B|) * (|A| |dz| |A^T|)) |G|
   the error is at most (33 + 11 + 7 sqrt(tiles)) u E. Here m also stands for the error of x'. */
#include "check.h"
#include "tests/teams.h"
#include "layer/conv_gradient.h"
#include "maps.h"
#include "unit/alloc.h"

enum { PRE_ULPS = 11, WINOGRAD_ULPS = 44 };

struct problem {
    struct dd_conv_shape s;
    struct dd_map x, dx, dz;
    float *w, *dw, *db, *scale, *shift;
    struct dd_pre pre, *given;
};

/* Makes a problem. The bits of which: 1 pre with scale and shift, 2 strided x and dx, 4 strided dz,
   8 without db. act applies with pre or alone. */
static struct problem problem_create(struct dd_conv_shape s, int n, int which, enum dd_act act)
{
    struct problem p = { .s = s };
    size_t cin = (size_t)s.cin, cout = (size_t)s.cout, weights = cout * cin * (size_t)(s.kernel * s.kernel);
    p.x = map_create(n, s.h, s.w, s.cin, which & 2 ? 3 : 0, 1);
    p.dx = map_create(n, s.h, s.w, s.cin, which & 2 ? 5 : 0, 2);
    p.dz = map_create(n, dd_conv_height(&s), dd_conv_width(&s), s.cout, which & 4 ? 7 : 0, 3);
    p.w = floats_create(weights, -1, 1, 4);
    p.dw = floats_create(weights, -1, 1, 5);
    p.db = floats_create(cout, -1, 1, 6);
    p.scale = floats_create((size_t)n * cin, 0.5f, 1.5f, 7);
    p.shift = floats_create((size_t)n * cin, -1, 1, 8);
    p.pre = (struct dd_pre){ which & 1 ? p.scale : NULL, which & 1 ? p.shift : NULL, act };
    return p;
}

static void problem_free(struct problem *p)
{
    map_free(&p->x), map_free(&p->dx), map_free(&p->dz);
    dd_memory_free(p->w), dd_memory_free(p->dw), dd_memory_free(p->db), dd_memory_free(p->scale),
        dd_memory_free(p->shift);
}

struct run {
    const char *engine;
    unsigned cpu;
    int threads;
};

/* A problem and the gradient that solves it. */
struct solving {
    struct problem *p;
    const struct dd_conv_gradient *g;
    int which;
};

static void data_gradient(const struct dd_context *ctx, void *user)
{
    const struct solving *s = user;
    dd_conv_gradient_data(s->g, ctx, &s->p->dx, &s->p->dz);
}

static void weights_gradient(const struct dd_context *ctx, void *user)
{
    const struct solving *s = user;
    struct problem *p = s->p;
    dd_conv_gradient_weights(s->g, ctx, p->dw, s->which & 8 ? NULL : p->db, &p->dz, &p->x,
                             p->pre.scale || p->pre.act ? &p->pre : NULL);
}

/* Overwrites dx and adds to dw and, unless bit 8 of which is set, to db. */
static void gradient_run(struct problem *p, const struct run *r, int which)
{
    struct dd_kernels k;
    struct dd_conv_gradient *g;
    struct dd_team *team = team_of(r->threads);
    ddpm_error err = { 0 };
    dd_kernels_init(&k, r->cpu);

    if (dd_conv_gradient_open(&g, &p->s,
                              &(struct dd_conv_setup){ &k, r->cpu, r->engine, p->x.n, r->threads, team },
                              &err)) {
        check_fail(__FILE__, __LINE__, "%s", err.text);
        return;
    }

    size_t packed_size = dd_conv_gradient_packed(g), scratch_size = dd_conv_gradient_scratch(g);
    float *packed = scratch_create(packed_size), *scratch = scratch_create(scratch_size);

    alloc_fail_never();
    dd_conv_gradient_pack(g, packed, p->w);
    struct dd_context ctx = { &k, r->threads, scratch, NULL };
    struct solving solving = { p, g, which };
    team_run(&ctx, data_gradient, &solving);

    /* The gradient by w may not read what that by x has left in the scratch memory: this is NaN. */
    memset(scratch, 0xff, scratch_size);
    team_run(&ctx, weights_gradient, &solving);

    CHECK(alloc_count() == 0);
    CHECK(scratch_whole(packed, packed_size) && scratch_whole(scratch, scratch_size));
    CHECK(map_whole(&p->dx));

    dd_conv_gradient_close(g);
    dd_memory_free(packed), dd_memory_free(scratch);
}

static double at(const struct dd_map *m, int image, int y, int x, int c)
{
    if (y < 0 || x < 0 || y >= m->h || x >= m->w)
        return 0;
    return m->data[(((size_t)image * (size_t)m->h + (size_t)y) * (size_t)m->w + (size_t)x) * m->stride +
                   (size_t)c];
}

/* Returns x' of an element and sets *m to the size that its error is relative to. */
static double input(const struct problem *p, int image, int y, int x, int i, double *m)
{
    *m = 0;
    if (y < 0 || x < 0 || y >= p->s.h || x >= p->s.w)
        return 0;
    double v = at(&p->x, image, y, x, i);
    *m = fabs(v);
    if (p->pre.scale) {
        size_t j = (size_t)image * (size_t)p->s.cin + (size_t)i;
        *m = fabs(v * p->pre.scale[j]) + fabs(p->pre.shift[j]);
        v = v * p->pre.scale[j] + p->pre.shift[j];
    }
    return act_exact(p->pre.act, v);
}

static void check_data(const struct problem *p)
{
    const struct dd_conv_shape *s = &p->s;
    double bound = sum_bound((size_t)(s->cout * s->kernel * s->kernel + 1));

    for (int j = 0; j < p->dx.n * s->h * s->w * s->cin; j++) {
        int i = j % s->cin, ix = j / s->cin % s->w, iy = j / s->cin / s->w % s->h,
            image = j / s->cin / s->w / s->h;
        double sum = 0, size = 0;

        /* dx at (iy, ix) gathers from every output that a tap has reached it from. */
        for (int kh = 0; kh < s->kernel; kh++)
            for (int kw = 0; kw < s->kernel; kw++) {
                int y = iy + s->top - kh, x = ix + s->left - kw;
                /* No output has read this pixel by this tap. */
                if (y < 0 || x < 0 || y % s->stride || x % s->stride)
                    continue;
                for (int o = 0; o < s->cout; o++) {
                    double one = p->w[((o * s->cin + i) * s->kernel + kh) * s->kernel + kw] *
                                 at(&p->dz, image, y / s->stride, x / s->stride, o);
                    sum += one;
                    size += fabs(one);
                }
            }

        CHECK_NEAR(at(&p->dx, image, iy, ix, i), sum, bound * size);
    }
}

static int by_tiles(const struct dd_conv_shape *s)
{
    return s->kernel == 3 && s->stride == 1 && s->top == 1 && s->left == 1 && s->bottom == 1 && s->right == 1;
}

/* Computes y [ny, ny] = |M| x |M|^T for M [ny, nx]. */
static void sandwich(double *y, const double *m, const double *x, int ny, int nx)
{
    for (int i = 0; i < ny * ny; i++) {
        y[i] = 0;
        for (int k = 0; k < nx * nx; k++)
            y[i] += fabs(m[i / ny * nx + k / nx] * m[i % ny * nx + k % nx]) * x[k];
    }
}

/* Computes E [9] of the head of this file for output channel o and input channel i. */
static void winograd_size(double *e, const struct problem *p, int o, int i)
{
    static const double bt[36] = { 4, 0, 5, 0, 1, 0, 0, 4, 4, 1, 1, 0, 0, 4, 4, 1, 1, 0,
                                   0, 2, 1, 2, 1, 0, 0, 2, 1, 2, 1, 0, 0, 4, 0, 5, 0, 1 };
    static const double a[24] = { 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 1 };
    static const double gt[18] = { 1. / 4,  1. / 6,  1. / 6, 1. / 24, 1. / 24, 0,      0,      1. / 6, 1. / 6,
                                   1. / 12, 1. / 12, 0,      0,       1. / 6,  1. / 6, 1. / 6, 1. / 6, 1 };
    double sum[36] = { 0 }, d[36], z[16], v[36], t[36];

    for (int image = 0; image < p->x.n; image++)
        for (int y = 0; y < p->s.h; y += 4)
            for (int x = 0; x < p->s.w; x += 4) {
                for (int k = 0; k < 36; k++)
                    input(p, image, y - 1 + k / 6, x - 1 + k % 6, i, &d[k]);
                for (int k = 0; k < 16; k++)
                    z[k] = fabs(at(&p->dz, image, y + k / 4, x + k % 4, o));
                sandwich(v, bt, d, 6, 6);
                sandwich(t, a, z, 6, 4);
                for (int k = 0; k < 36; k++)
                    sum[k] += v[k] * t[k];
            }

    sandwich(e, gt, sum, 3, 6);
}

/* Checks dw and db, which held `before` and before_b when the gradients were added. */
static void check_weights(const struct problem *p, const float *before, const float *before_b, int bias)
{
    const struct dd_conv_shape *s = &p->s;
    int pixels = p->dz.h * p->dz.w, n = p->x.n * pixels, taps = s->kernel * s->kernel;
    double u = ldexp(1, -24), bound = sum_bound((size_t)n + 1) + PRE_ULPS * u;
    double tiles = p->x.n * ((s->h + 3) / 4) * ((s->w + 3) / 4),
           tiled = (WINOGRAD_ULPS + 7 * sqrt(tiles)) * u;

    for (int j = 0; j < s->cout * s->cin; j++) {
        int o = j / s->cin, i = j % s->cin;
        double e[9] = { 0 };
        if (by_tiles(s))
            winograd_size(e, p, o, i);

        for (int tap = 0; tap < taps; tap++) {
            double sum = before[j * taps + tap], size = fabs(sum), m;
            for (int q = 0; q < n; q++) {
                int image = q / pixels, oy = q % pixels / p->dz.w, ox = q % p->dz.w;
                double z = at(&p->dz, image, oy, ox, o);
                sum += z * input(p, image, oy * s->stride + tap / s->kernel - s->top,
                                 ox * s->stride + tap % s->kernel - s->left, i, &m);
                size += fabs(z) * m;
            }
            CHECK_NEAR(p->dw[j * taps + tap], sum, bound * size + (by_tiles(s) ? tiled * e[tap] : 0));
        }
    }

    for (int o = 0; o < s->cout; o++) {
        double sum = before_b[o], size = fabs(sum);
        for (int q = 0; bias && q < n; q++) {
            double z = at(&p->dz, q / pixels, q % pixels / p->dz.w, q % p->dz.w, o);
            sum += z;
            size += fabs(z);
        }
        CHECK_NEAR(p->db[o], sum, bias ? sum_bound((size_t)n + 1) * size : 0);
    }
}

static const struct dd_conv_shape shapes[] = {
    { 5, 7, 3, 4, 3, 1, 1, 1, 1, 1, 0 },   { 6, 4, 1, 1, 3, 1, 1, 1, 1, 1, 0 },
    { 1, 1, 8, 16, 3, 1, 1, 1, 1, 1, 0 },  { 9, 8, 33, 37, 3, 1, 1, 1, 1, 1, 0 },
    { 4, 4, 67, 35, 3, 1, 1, 1, 1, 1, 0 }, { 7, 5, 2, 19, 3, 2, 1, 1, 1, 1, 0 },
    { 6, 8, 5, 3, 3, 2, 0, 0, 1, 1, 0 },   { 8, 8, 34, 33, 3, 2, 0, 0, 1, 1, 0 },
    { 1, 1, 5, 6, 3, 2, 1, 1, 1, 1, 0 },   { 2, 2, 9, 6, 3, 2, 0, 0, 1, 1, 0 },
    { 9, 7, 33, 40, 3, 2, 1, 1, 1, 1, 0 }, { 3, 3, 4, 33, 1, 1, 0, 0, 0, 0, 0 },
    { 1, 1, 37, 41, 1, 1, 0, 0, 0, 0, 0 }, { 8, 9, 3, 5, 7, 1, 3, 3, 3, 3, 0 },
    { 5, 5, 17, 2, 5, 1, 2, 2, 2, 2, 0 },  { 6, 5, 3, 6, 2, 1, 0, 1, 1, 0, 0 },
    { 4, 4, 9, 7, 2, 2, 0, 0, 0, 0, 0 },   { 9, 9, 2, 3, 3, 3, 1, 0, 1, 2, 0 },
    { 6, 6, 3, 4, 6, 1, 2, 3, 3, 2, 0 },   { 5, 4, 6, 8, 4, 2, 1, 1, 1, 1, 0 },
    { 7, 7, 3, 2, 1, 2, 0, 0, 0, 0, 0 },   { 6, 6, 40, 3, 3, 1, 1, 1, 1, 1, 0 },
    { 6, 6, 1, 40, 3, 1, 1, 1, 1, 1, 0 },  { 8, 8, 40, 1, 1, 1, 0, 0, 0, 0, 0 },
    { 9, 8, 32, 64, 1, 1, 0, 0, 0, 0, 0 }, { 9, 8, 64, 1, 1, 1, 0, 0, 0, 0, 0 },
    { 7, 9, 5, 32, 3, 2, 1, 1, 1, 1, 0 },
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static void against_definition(struct dd_conv_shape s, int n, int which, enum dd_act act, const char *engine,
                               unsigned cpu)
{
    struct problem p = problem_create(s, n, which, act), before = problem_create(s, n, which, act);
    gradient_run(&p, &(struct run){ engine, cpu, 2 }, which);
    check_data(&p);
    check_weights(&p, before.dw, before.db, !(which & 8));
    problem_free(&p), problem_free(&before);
}

TEST(conv_gradient, is_the_definition)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (int i = 0; i < SHAPES; i++)
        for (int set = 0; set < sets; set++)
            for (int which = 0; which < 16; which += 5)
                against_definition(shapes[i], 3, which, (enum dd_act)((i + which) % 5),
                                   which & 1 ? "winograd" : NULL, masks[set]);
}

TEST(conv_gradient, each_activation_with_scale_and_without)
{
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (int set = 0; set < sets; set++)
        for (int act = 0; act < 10; act++) {
            against_definition(shapes[3], 2, act % 2, (enum dd_act)(act / 2), NULL, masks[set]);
            against_definition(shapes[12], 9, act % 2, (enum dd_act)(act / 2), NULL, masks[set]);
        }
}

static double inner(const struct dd_map *a, const struct dd_map *b, double *size)
{
    double sum = 0;
    *size = 0;
    for (size_t j = 0; j < (size_t)a->n * (size_t)a->h * (size_t)a->w * (size_t)a->c; j++) {
        size_t pixel = j / (size_t)a->c, c = j % (size_t)a->c;
        double one = (double)a->data[pixel * a->stride + c] * b->data[pixel * b->stride + c];
        sum += one;
        *size += one * one;
    }
    *size = sqrt(*size);
    return sum;
}

/* A convolution and its maps. */
struct forward {
    struct dd_conv *c;
    const struct dd_map *y, *x;
};

static void conv_forward(const struct dd_context *ctx, void *user)
{
    const struct forward *f = user;
    dd_conv_forward(f->c, ctx, f->y, f->x, NULL, NULL);
}

/* Checks <conv(x, w), y> = <x, dx(y)> = <w, dw(x, y)> for the layers of full-size networks on small
   images. The products are summed in double. The terms' own errors, sum_bound(K) of |products| each
   (conv_test.c), are independent, so the tolerance is 7 times their root mean square. */
static void adjoint(struct dd_conv_shape s, int n)
{
    struct problem p = problem_create(s, n, 0, DD_ACT_NONE);
    struct dd_map y = map_create(n, p.dz.h, p.dz.w, s.cout, 0, 0);
    size_t weights = (size_t)s.cout * (size_t)s.cin * (size_t)(s.kernel * s.kernel);
    struct dd_kernels k;
    struct dd_conv *c;
    ddpm_error err;
    unsigned cpu = dd_cpu_detect();

    dd_kernels_init(&k, cpu);
    REQUIRE(!dd_conv_open(&c, &s, &(struct dd_conv_setup){ &k, cpu, NULL, n, 2, team_of(2) }, &err));

    float *packed = scratch_create(dd_conv_packed(c)), *scratch = scratch_create(dd_conv_scratch(c));
    dd_conv_pack(c, packed, p.w, NULL);
    team_run(&(struct dd_context){ &k, 2, scratch, NULL }, conv_forward, &(struct forward){ c, &y, &p.x });
    dd_conv_close(c);

    memset(p.dw, 0, weights * sizeof *p.dw);
    gradient_run(&p, &(struct run){ NULL, cpu, 2 }, 8);

    struct dd_map w = { p.w, 1, 1, 1, (int)weights, weights }, dw = { p.dw, 1, 1, 1, (int)weights, weights };
    double sizes[3], forward = inner(&y, &p.dz, &sizes[0]), data = inner(&p.x, &p.dx, &sizes[1]),
                     weight = inner(&w, &dw, &sizes[2]);

    double u = ldexp(1, -24), deepest = fmax(s.kernel * s.kernel * fmax(s.cin, s.cout), n * p.dz.h * p.dz.w);
    CHECK_NEAR(data, forward, 49 * sqrt(deepest) * u * (sizes[0] + sizes[1]));
    CHECK_NEAR(weight, forward, 49 * sqrt(deepest) * u * (sizes[0] + sizes[2]));

    dd_memory_free(packed), dd_memory_free(scratch), map_free(&y), problem_free(&p);
}

TEST(conv_gradient, is_the_adjoint_of_forward)
{
    static const struct {
        int size, cin, cout, kernel, stride;
    } layers[] = {
        { 32, 3, 128, 3, 1 },  { 32, 128, 128, 3, 1 }, { 32, 384, 128, 3, 1 }, { 16, 256, 256, 3, 1 },
        { 8, 512, 256, 3, 1 }, { 4, 256, 256, 3, 1 },  { 32, 128, 3, 3, 1 },   { 32, 128, 128, 3, 2 },
        { 33, 64, 64, 3, 2 },  { 16, 256, 768, 1, 1 }, { 1, 512, 256, 1, 1 },  { 40, 3, 64, 7, 1 },
        { 32, 64, 128, 1, 1 }, { 12, 192, 192, 3, 1 }, { 32, 1, 32, 3, 1 },    { 32, 32, 1, 3, 1 },
        { 16, 64, 64, 3, 1 },
    };

    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        int pad = layers[i].kernel / 2, size = layers[i].size,
            first = layers[i].stride == 2 && size % 2 == 0 ? 0 : pad;
        adjoint((struct dd_conv_shape){ size, size, layers[i].cin, layers[i].cout, layers[i].kernel,
                                        layers[i].stride, first, first, pad, pad, 0 },
                size == 1 ? 40 : 3);
    }
}

static int same_floats(const float *a, const float *b, int n)
{
    return !memcmp(a, b, sizeof *a * (size_t)n);
}

TEST(conv_gradient, same_bits_for_any_threads)
{
    static const struct dd_conv_shape large[] = {
        { 20, 16, 64, 48, 3, 1, 1, 1, 1, 1, 0 }, { 4, 4, 96, 130, 3, 1, 1, 1, 1, 1, 0 },
        { 16, 16, 32, 40, 3, 2, 0, 0, 1, 1, 0 }, { 1, 1, 96, 130, 1, 1, 0, 0, 0, 0, 0 },
        { 15, 17, 70, 21, 1, 1, 0, 0, 0, 0, 0 }, { 15, 17, 64, 96, 1, 1, 0, 0, 0, 0, 0 },
        { 19, 21, 3, 20, 7, 1, 3, 3, 3, 3, 0 },  { 17, 13, 16, 3, 3, 1, 1, 1, 1, 1, 0 },
    };
    static const int threads[] = { 2, 3, 7 };
    unsigned masks[4];
    int sets = instruction_sets(masks);

    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        for (int set = 0; set < sets; set++) {
            struct dd_conv_shape s = large[i];
            struct problem one = problem_create(s, 7, (int)i % 8, DD_ACT_SILU);
            gradient_run(&one, &(struct run){ NULL, masks[set], 1 }, (int)i % 8);

            for (int t = 0; t < 3; t++) {
                struct problem p = problem_create(s, 7, (int)i % 8, DD_ACT_SILU);
                gradient_run(&p, &(struct run){ NULL, masks[set], threads[t] }, (int)i % 8);
                CHECK(map_same(&p.dx, 0, &one.dx, 0, 7));
                CHECK(same_floats(p.dw, one.dw, s.cin * s.cout * s.kernel * s.kernel) &&
                      same_floats(p.db, one.db, s.cout));
                problem_free(&p);
            }
            problem_free(&one);
        }
}

TEST(conv_gradient, open_survives_every_failing_allocation)
{
    struct dd_kernels k;
    unsigned cpu = dd_cpu_detect();
    dd_kernels_init(&k, cpu);

    for (int i = 0; i < SHAPES; i++)
        for (long n = 1;; n++) {
            struct dd_conv_gradient *g = NULL;
            ddpm_error err;
            alloc_fail_at(n);
            int code = dd_conv_gradient_open(&g, &shapes[i],
                                             &(struct dd_conv_setup){ &k, cpu, NULL, 2, 2, NULL }, &err);
            alloc_fail_never();

            if (code == DDPM_OK) {
                dd_conv_gradient_close(g);
                break;
            }
            CHECK(code == DDPM_ENOMEM && n < 10);
        }
}
