/* Convolutions. The ref engine is compared with the definition in double. Every other engine is
   compared with ref on the shapes of the full-size networks and on odd ones. Each engine gives the
   same bits whatever the batch, the place in it and the threads.

   The tolerance: a convolution sums K = taps * cin products and a bias, so
     |y - exact| <= sum_bound(K + 1) * S,  S = sum of |products| + |bias|.
   With `pre` the input is x' = act(x s + b). It is off by 1.1 (the largest slope of SiLU) times 2 u
   (|x s| + |b|), and by 8 u |x'| for the activation (act_vec.h). That is less than 11 u m, where m =
   |x s| + |b| >= |x'|, and S then holds |w| m in the place of |w x'|. `post` adds |add| + |residual|
   to S, and 3 roundings. For Winograd the sum has a bound of its own (winograd_bound.c). The
   roundings of bias, add and residual come to it, o u <= 11 u of them, and those of pre and post. */
#include <unistd.h>
#include "check.h"
#include "tests/teams.h"
#include "layer/conv.h"
#include "maps.h"
#include "unit/alloc.h"
#include "winograd_bound.h"

enum { PRE_ULPS = 11, POST_ULPS = 3, BIAS_ULPS = 11 };

struct problem {
    struct dd_conv_shape s;
    struct dd_map x, y, residual;
    float *w, *bias, *scale, *shift, *add;
    struct dd_pre pre;
    struct dd_post post;
    int n;
};

/* Makes a problem. The bits of which: 1 pre, 2 post, 4 strided x, 8 strided y and residual. */
static struct problem problem_create(struct dd_conv_shape s, int n, int which)
{
    struct problem p = { .s = s, .n = n };
    size_t cin = (size_t)s.cin, cout = (size_t)s.cout, weights = cout * cin * (size_t)(s.kernel * s.kernel);
    int gap = which & 8 ? 5 : 0, h = dd_conv_height(&s), w = dd_conv_width(&s);
    p.x = map_create(n, s.h, s.w, s.cin, which & 4 ? 3 : 0, 1);
    p.y = map_create(n, h, w, s.cout, gap, 2);
    p.residual = map_create(n, h, w, s.cout, gap, 3);
    p.w = floats_create(weights, -1, 1, 4);
    p.bias = floats_create(cout, -1, 1, 5);
    p.scale = floats_create((size_t)n * cin, 0.5f, 1.5f, 6);
    p.shift = floats_create((size_t)n * cin, -1, 1, 7);
    p.add = floats_create((size_t)n * (cout + 3), -1, 1, 8);
    p.pre = (struct dd_pre){ p.scale, p.shift, DD_ACT_SILU };
    p.post = (struct dd_post){ p.add, cout + 3, &p.residual, 0.7f };
    return p;
}

static void problem_free(struct problem *p)
{
    map_free(&p->x), map_free(&p->y), map_free(&p->residual);
    dd_memory_free(p->w), dd_memory_free(p->bias), dd_memory_free(p->scale), dd_memory_free(p->shift),
        dd_memory_free(p->add);
}

struct run {
    const char *engine;
    unsigned cpu;
    int batch, threads;
};

/* A convolution for all threads of a team. */
struct conv_job {
    struct dd_conv *c;
    const struct dd_map *y, *x;
    const struct dd_pre *pre;
    const struct dd_post *post;
};

static void forward(const struct dd_context *ctx, void *user)
{
    const struct conv_job *j = user;
    dd_conv_forward(j->c, ctx, j->y, j->x, j->pre, j->post);
}

/* Runs in a team of ctx->threads, or in the caller alone if the engine brings threads of its own. */
static void run_conv(struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                     const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post)
{
    struct conv_job job = { c, y, x, pre, post };
    if (dd_conv_alone(c))
        forward(ctx, &job);
    else
        team_run(ctx, forward, &job);
}

/* Runs images first .. first + n - 1 of p through an engine into the same images of y. Returns
   whether the engine was the one asked for. */
static int conv_run(const struct problem *p, const struct run *r, const struct dd_map *y, int first, int n,
                    int which)
{
    struct dd_kernels k;
    struct dd_conv *c;
    ddpm_error err = { 0 };
    dd_kernels_init(&k, r->cpu);
    struct dd_conv_setup setup = { &k, r->cpu, r->engine, r->batch, r->threads, team_of(r->threads) };
    if (dd_conv_open(&c, &p->s, &setup, &err)) {
        check_fail(__FILE__, __LINE__, "%s: %s", r->engine, err.text);
        return 0;
    }

    size_t packed_size = dd_conv_packed(c), scratch_size = dd_conv_scratch(c);
    float *packed = scratch_create(packed_size), *scratch = scratch_create(scratch_size);
    struct dd_map in = map_images(&p->x, first, n), out = map_images(y, first, n),
                  residual = map_images(&p->residual, first, n);

    struct dd_pre pre = p->pre;
    struct dd_post post = p->post;
    /* Scale, shift and add have a row for each image. */
    pre.scale += first * p->s.cin, pre.shift += first * p->s.cin;
    post.add += (size_t)first * post.add_stride, post.residual = &residual;
    dd_conv_pack(c, packed, p->w, p->bias);

    /* A pass takes at most r->batch images, and their rows of scale, shift and add. */
    for (int done = 0, part; done < n; done += part) {
        part = n - done < r->batch ? n - done : r->batch;
        struct dd_map pi = map_images(&in, done, part), po = map_images(&out, done, part),
                      pr = map_images(&residual, done, part);
        struct dd_pre ppre = { pre.scale + done * p->s.cin, pre.shift + done * p->s.cin, pre.act };
        struct dd_post ppost = post;
        ppost.add += (size_t)done * post.add_stride, ppost.residual = &pr;
        alloc_fail_never();
        run_conv(c, &(struct dd_context){ &k, r->threads, scratch, NULL }, &po, &pi, which & 1 ? &ppre : NULL,
                 which & 2 ? &ppost : NULL);
        CHECK(alloc_count() == 0);
    }

    /* An engine that does not take a shape leaves it to another one. */
    int asked = !strncmp(dd_conv_engine(c), r->engine, strlen(r->engine));
    CHECK(scratch_whole(packed, packed_size) && scratch_whole(scratch, scratch_size));
    CHECK(map_whole(y));

    dd_conv_close(c);
    dd_memory_free(packed), dd_memory_free(scratch);
    return asked;
}

/* Returns an element of the input; sets *size to m of the head of this file. */
static double exact_input(const struct problem *p, int image, int iy, int ix, int i, int which, double *size)
{
    *size = 0;
    if (iy < 0 || ix < 0 || iy >= p->s.h << p->s.doubled || ix >= p->s.w << p->s.doubled)
        return 0;
    iy >>= p->s.doubled, ix >>= p->s.doubled;
    double x = p->x.data[(((size_t)image * (size_t)p->s.h + (size_t)iy) * (size_t)p->s.w + (size_t)ix) *
                             p->x.stride +
                         (size_t)i];
    size_t at = (size_t)image * (size_t)p->s.cin + (size_t)i;
    *size = fabs(x);
    if (which & 1) {
        *size = fabs(x * p->pre.scale[at]) + fabs(p->pre.shift[at]);
        x = act_exact(p->pre.act, x * p->pre.scale[at] + p->pre.shift[at]);
    }
    return x;
}

/* Returns an element of the output by the definition; sets *size to S. */
static double exact_output(const struct problem *p, int image, int oy, int ox, int o, int which, double *size)
{
    const struct dd_conv_shape *s = &p->s;
    double sum = p->bias[o];
    *size = fabs(sum);

    for (int i = 0; i < s->cin; i++)
        for (int kh = 0; kh < s->kernel; kh++)
            for (int kw = 0; kw < s->kernel; kw++) {
                double w = p->w[((o * s->cin + i) * s->kernel + kh) * s->kernel + kw], m;
                sum += w * exact_input(p, image, oy * s->stride + kh - s->top, ox * s->stride + kw - s->left,
                                       i, which, &m);
                *size += fabs(w) * m;
            }

    if (which & 2) {
        size_t at = ((size_t)image * (size_t)p->y.h + (size_t)oy) * (size_t)p->y.w + (size_t)ox;
        double add = p->add[(size_t)image * p->post.add_stride + (size_t)o],
               r = p->residual.data[at * p->residual.stride + (size_t)o];
        *size += fabs(add) + fabs(r);
        sum = (sum + add + r) * p->post.scale;
    }

    return sum;
}

static const struct dd_conv_shape odd_shapes[] = {
    { 5, 7, 3, 4, 3, 1, 1, 1, 1, 1, 0 },     { 6, 4, 1, 1, 3, 1, 1, 1, 1, 1, 0 },
    { 7, 5, 2, 19, 3, 2, 1, 1, 1, 1, 0 },    { 6, 8, 5, 3, 3, 2, 0, 0, 1, 1, 0 },
    { 3, 3, 4, 33, 1, 1, 0, 0, 0, 0, 0 },    { 1, 1, 37, 41, 1, 1, 0, 0, 0, 0, 0 },
    { 8, 9, 3, 5, 7, 1, 3, 3, 3, 3, 0 },     { 5, 5, 17, 2, 5, 1, 2, 2, 2, 2, 0 },
    { 6, 5, 3, 6, 2, 1, 0, 1, 1, 0, 0 },     { 4, 4, 9, 7, 2, 2, 0, 0, 0, 0, 0 },
    { 9, 9, 2, 3, 3, 3, 1, 0, 1, 2, 0 },     { 1, 1, 8, 16, 3, 1, 1, 1, 1, 1, 0 },
    { 6, 6, 3, 4, 6, 1, 2, 3, 3, 2, 0 },     { 5, 4, 6, 8, 4, 2, 1, 1, 1, 1, 0 },
    { 1, 1, 5, 3, 3, 1, 1, 1, 1, 1, 1 },     { 3, 5, 7, 9, 3, 1, 1, 1, 1, 1, 1 },
    { 9, 8, 5, 18, 3, 1, 1, 1, 1, 1, 1 },    { 17, 18, 3, 5, 3, 1, 1, 1, 1, 1, 0 },
    { 16, 16, 37, 23, 3, 1, 1, 1, 1, 1, 0 }, { 8, 9, 33, 17, 3, 1, 1, 1, 1, 1, 1 },
    { 9, 7, 149, 5, 3, 1, 1, 1, 1, 1, 0 },
};
/* Shapes on which the winograd engine cuts sides into sixes and fours. A side of 32 becomes 4 sixes
   and 2 fours, 36 becomes 6 sixes, 38 becomes 5 sixes and 2 fours. Other sides leave tiles that
   reach over the border: a four for 31, a six for 33 to 35. Sides of 2 and 3 are one four. */
static const struct dd_conv_shape large_shapes[] = {
    { 65, 66, 3, 2, 3, 1, 1, 1, 1, 1, 0 }, { 33, 34, 2, 3, 3, 1, 1, 1, 1, 1, 1 },
    { 32, 32, 5, 3, 3, 1, 1, 1, 1, 1, 0 }, { 38, 34, 2, 19, 3, 1, 1, 1, 1, 1, 0 },
    { 16, 16, 3, 5, 3, 1, 1, 1, 1, 1, 1 }, { 17, 18, 4, 2, 3, 1, 1, 1, 1, 1, 1 },
    { 31, 37, 3, 4, 3, 1, 1, 1, 1, 1, 0 }, { 35, 33, 2, 3, 3, 1, 1, 1, 1, 1, 0 },
    { 3, 342, 3, 2, 3, 1, 1, 1, 1, 1, 0 }, { 516, 2, 2, 3, 3, 1, 1, 1, 1, 1, 0 },
};

TEST(conv, ref_is_the_definition)
{
    for (size_t i = 0; i < sizeof odd_shapes / sizeof *odd_shapes; i++)
        for (int which = 0; which < 16; which++) {
            struct problem p = problem_create(odd_shapes[i], 2, which);
            struct run r = { "ref", 0, 2, 2 };
            CHECK(conv_run(&p, &r, &p.y, 0, 2, which));
            const struct dd_map *y = &p.y;
            double u = ldexp(1, -24), relative = sum_bound((size_t)(p.s.cin * p.s.kernel * p.s.kernel + 1)) +
                                                 (PRE_ULPS + POST_ULPS) * u;
            for (size_t at = 0; at < (size_t)(2 * y->h * y->w * y->c); at++) {
                int o = (int)at % y->c, pixel = (int)at / y->c, ox = pixel % y->w, oy = pixel / y->w % y->h,
                    image = pixel / y->w / y->h;
                double size, exact = exact_output(&p, image, oy, ox, o, which, &size);
                CHECK_NEAR(y->data[(size_t)pixel * y->stride + (size_t)o], exact, relative * size);
            }
            problem_free(&p);
        }
}

/* 3x3 layers of google/ddpm-cifar10-32, ddpm-celebahq-256, an OpenAI 64x64 network (192 channels)
   and a lucidrains dim-64 network, by their channels. The images are smaller, so that ref is quick. */
static const struct {
    int cin, cout, kernel, stride;
} full_size[] = {
    { 3, 128, 3, 1 },   { 128, 128, 3, 1 },  { 128, 256, 3, 1 }, { 256, 256, 3, 1 }, { 512, 256, 3, 1 },
    { 384, 256, 3, 1 }, { 384, 128, 3, 1 },  { 256, 128, 3, 1 }, { 128, 3, 3, 1 },   { 128, 128, 3, 2 },
    { 256, 256, 3, 2 }, { 256, 512, 3, 1 },  { 512, 512, 3, 1 }, { 512, 512, 3, 2 }, { 1024, 512, 3, 1 },
    { 768, 512, 3, 1 }, { 768, 256, 3, 1 },  { 128, 256, 1, 1 }, { 512, 256, 1, 1 }, { 1024, 512, 1, 1 },
    { 256, 768, 1, 1 }, { 3, 192, 3, 1 },    { 192, 192, 3, 1 }, { 192, 384, 3, 1 }, { 576, 576, 3, 1 },
    { 960, 384, 3, 1 }, { 1536, 768, 3, 1 }, { 192, 6, 3, 1 },   { 3, 64, 7, 1 },    { 64, 64, 3, 1 },
    { 128, 64, 3, 1 },  { 192, 128, 3, 1 },  { 64, 3, 1, 1 },    { 64, 384, 1, 1 },  { 512, 2048, 1, 1 },
};

static struct dd_conv_shape full_shape(size_t i)
{
    int cin = full_size[i].cin, cout = full_size[i].cout, kernel = full_size[i].kernel, pad = kernel / 2;
    int large = cin * cout * kernel * kernel > 1000000, even = full_size[i].stride == 2 && i % 2;
    return (struct dd_conv_shape){ large ? 3 : 8,  large ? 3 : 9,  cin, cout, kernel, full_size[i].stride,
                                   even ? 0 : pad, even ? 0 : pad, pad, pad,  0 };
}

static void absolute(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = fabsf(x[i]);
}

/* Returns S [1, h, w, cout], by running ref on absolute values without activations. */
static struct dd_map sizes_create(struct dd_conv_shape s, int which)
{
    struct problem a = problem_create(s, 1, which & 3);
    size_t cin = (size_t)s.cin, pixels = (size_t)(s.h * s.w);
    struct dd_map sizes = map_create(1, a.y.h, a.y.w, a.y.c, 0, 0);
    for (size_t i = 0; i < pixels * cin; i++)
        a.x.data[i] =
            which & 1 ? fabsf(a.x.data[i]) * a.scale[i % cin] + fabsf(a.shift[i % cin]) : fabsf(a.x.data[i]);
    absolute(a.w, cin * (size_t)(s.cout * s.kernel * s.kernel));
    absolute(a.bias, (size_t)s.cout);
    absolute(a.add, (size_t)s.cout);
    absolute(a.residual.data, (size_t)(a.y.h * a.y.w * a.y.c));
    a.post.scale = 1;
    CHECK(conv_run(&a, &(struct run){ "ref", 0, 1, 2 }, &sizes, 0, 1, which & 2));
    problem_free(&a);
    return sizes;
}

/* Returns the winograd engine's tile in the form that winograd_bound takes. */
static int tile_of(int h, int w, int weights)
{
    int sixes, fours, six = winograd_cut(h, &sixes, &fours) * winograd_cut(w, &sixes, &fours),
                      four = (h + 3) / 4 * ((w + 3) / 4) * 36;
    if (h * w >= 32 * 32 && 10 * six <= 9 * four && weights <= (h * w >= 64 * 64 ? 256 * 256 : 384 * 128))
        return 6;
    return h * w >= 8 * 8 ? 4 : 2;
}

/* Returns the bound [h, w, cout] of the winograd engine's sum, or NULL where that engine does not
   take the shape. */
static double *transforms_create(const struct problem *p, int which)
{
    const struct dd_conv_shape *s = &p->s;
    int h = s->h << s->doubled, w = s->w << s->doubled;
    if (s->kernel != 3 || s->stride != 1)
        return NULL;
    double *x = malloc((size_t)(h * w * s->cin) * sizeof *x),
           *bound = malloc((size_t)(p->y.h * p->y.w * s->cout) * sizeof *bound), size;
    for (int at = 0; at < h * w * s->cin; at++)
        x[at] = exact_input(p, 0, at / s->cin / w, at / s->cin % w, at % s->cin, which, &size);
    winograd_bound(bound, s, tile_of(p->y.h, p->y.w, s->cin * s->cout), x, p->w);
    free(x);
    return bound;
}

static void against_ref(struct dd_conv_shape s, int which, const unsigned *masks, int sets, int *taken)
{
    struct problem p = problem_create(s, 1, which);
    struct dd_map expected = map_create(1, p.y.h, p.y.w, p.y.c, (int)p.y.stride - p.y.c, 0),
                  sizes = sizes_create(s, which);
    double *transforms = transforms_create(&p, which);

    CHECK(conv_run(&p, &(struct run){ "ref", 0, 1, 2 }, &expected, 0, 1, which));
    /* Both sides round pre and post. One rounding comes on top of the engine's sum, since ref's own
       result is a float. */
    double rest = ldexp(1 + 2 * PRE_ULPS * (which & 1) + POST_ULPS * (which & 2), -24);
    double sums = rest + sum_bound((size_t)(s.cin * s.kernel * s.kernel + 1)),
           outside = rest + ldexp(BIAS_ULPS, -24);

    for (const char *const *e = dd_conv_engines(); *e; e++)
        for (int i = sets - 1; i >= 0; i--) {
            int asked = conv_run(&p, &(struct run){ *e, masks[i], 1, 2 }, &p.y, 0, 1, which),
                tiles = asked && !strcmp(*e, "winograd");
            taken[e - dd_conv_engines()] += asked;
            for (size_t j = 0; j < (size_t)(p.y.h * p.y.w * p.y.c); j++) {
                size_t at = j / (size_t)p.y.c * p.y.stride + j % (size_t)p.y.c;
                CHECK_NEAR(p.y.data[at], expected.data[at],
                           tiles ? transforms[j] + outside * sizes.data[j] : sums * sizes.data[j]);
            }
        }

    problem_free(&p), map_free(&expected), map_free(&sizes), free(transforms);
}

TEST(conv, engines_agree_with_ref)
{
    unsigned masks[4];
    int sets = instruction_sets(masks), taken[8] = { 0 };
    for (size_t i = 0; i < sizeof full_size / sizeof *full_size; i++)
        against_ref(full_shape(i), (int)i % 16, masks, sets, taken);
    for (size_t i = 0; i < sizeof odd_shapes / sizeof *odd_shapes; i++)
        against_ref(odd_shapes[i], (int)(15 - i), masks, sets, taken);
    for (size_t i = 0; i < sizeof large_shapes / sizeof *large_shapes; i++)
        against_ref(large_shapes[i], (5 + 7 * (int)i) % 16, masks, sets, taken);
    for (int e = 0; dd_conv_engines()[e]; e++)
        if (strcmp(dd_conv_engines()[e], "dnnl") || dd_cpu_detect() & DD_CPU_AVX2)
            CHECK(taken[e] > 0);
}

static void same_bits(struct dd_conv_shape s, const char *engine, unsigned cpu, int which)
{
    enum { IMAGES = 16 };

    static const struct {
        int batch, threads;
    } ways[] = { { 1, 7 }, { 3, 2 }, { 8, 3 }, { 16, 1 }, { 16, 7 } };
    struct problem p = problem_create(s, IMAGES, which);
    struct dd_map expected = map_create(IMAGES, p.y.h, p.y.w, p.y.c, 0, 0);
    conv_run(&p, &(struct run){ engine, cpu, 1, 1 }, &expected, 0, IMAGES, which);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        conv_run(&p, &(struct run){ engine, cpu, ways[i].batch, ways[i].threads }, &p.y, 0, IMAGES, which);
        if (!map_same(&p.y, 0, &expected, 0, IMAGES))
            check_fail(__FILE__, __LINE__,
                       "%s, cpu %u: batch %d, %d threads differ from one image alone (%d to %d, %dx%d, "
                       "kernel %d, which %d)",
                       engine, cpu, ways[i].batch, ways[i].threads, s.cin, s.cout, s.h, s.w, s.kernel, which);
    }
    problem_free(&p), map_free(&expected);
}

TEST(conv, same_bits_for_any_batch_and_threads)
{
    static const struct dd_conv_shape shapes[] = {
        { 4, 4, 64, 48, 3, 1, 1, 1, 1, 1, 0 },   { 8, 8, 149, 40, 3, 1, 1, 1, 1, 1, 0 },
        { 16, 16, 32, 32, 3, 2, 0, 0, 1, 1, 0 }, { 1, 1, 96, 130, 1, 1, 0, 0, 0, 0, 0 },
        { 5, 7, 19, 21, 1, 1, 0, 0, 0, 0, 0 },   { 9, 11, 3, 20, 7, 1, 3, 3, 3, 3, 0 },
        { 17, 13, 16, 3, 3, 1, 1, 1, 1, 1, 0 },  { 4, 3, 33, 40, 3, 1, 1, 1, 1, 1, 1 },
        { 8, 9, 19, 35, 3, 1, 1, 1, 1, 1, 1 },   { 38, 44, 3, 18, 3, 1, 1, 1, 1, 1, 0 },
    };
    unsigned masks[4];
    int sets = instruction_sets(masks);
    for (const char *const *e = dd_conv_engines(); *e; e++)
        for (int i = sets - 1; i >= 0; i--)
            for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++)
                if (strcmp(*e, "ref") || i == sets - 1)
                    same_bits(shapes[j], *e, masks[i], (int)(j % 2) * 15),
                        same_bits(shapes[j], *e, masks[i], 10 - (int)(j % 2) * 5);
}

TEST(conv, an_engine_that_does_not_exist)
{
    struct dd_kernels k;
    struct dd_conv *c;
    ddpm_error err;
    dd_kernels_init(&k, 0);
    CHECK(dd_conv_open(&c, &odd_shapes[0], &(struct dd_conv_setup){ &k, 0, "fftw", 1, 1, NULL }, &err) ==
          DDPM_EUSAGE);
    CHECK(strstr(err.text, "fftw"));
}

TEST(conv, open_survives_every_failing_allocation)
{
    struct dd_kernels k;
    unsigned cpu = dd_cpu_detect();
    dd_kernels_init(&k, cpu);

    for (const char *const *e = dd_conv_engines(); *e; e++)
        for (long n = 1;; n++) {
            struct dd_conv *c = NULL;
            ddpm_error err;
            alloc_fail_at(n);
            int code =
                dd_conv_open(&c, &odd_shapes[2], &(struct dd_conv_setup){ &k, cpu, *e, 2, 2, NULL }, &err);
            alloc_fail_never();

            if (code == DDPM_OK) {
                dd_conv_close(c);
                break;
            }
            CHECK(code == DDPM_ENOMEM && n < 10);
        }
}

/* oneDNN has one ceiling for the instruction set per process, so the lower ones are tested in
   processes of their own. */
TEST(conv, dnnl_below_the_highest_instruction_set)
{
#if HAVE_DNNL
    if (!(dd_cpu_detect() & DD_CPU_AVX512) || getenv(CPU_VARIABLE))
        return;
    char self[1024] = "", command[1200];
    REQUIRE(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, CPU_VARIABLE "=avx2 '%s' -t conv.engines -t conv.same >/dev/null",
             self);
    CHECK(system(command) == 0);
#endif
}
