/* Gradients of whole networks, by every parameter, by x and by t, against the original implementations
   in double (make_gradients.py): classes and scale-shift norms of diffusers, residual up and down of
   guided-diffusion, Ho's network, memory tokens and both attentions of lucidrains. Weights and x, t, y
   are those of the cases in golden/cases.

   data/gradients.safetensors holds for each parameter four projections on random signs, its norm, and
   `spread`, the norm of the error that torch makes in float32; for x it holds dx itself and its spread.
   A projection of an error on signs is about as large as its norm, so each projection may be off by
   TIMES the spread. Up to 13 were measured, at most 2e-4 of a gradient's norm, with AVX-512; most of it
   comes from Winograd's transforms, which torch's convolutions do not use. */
#include "base/file.h"
#include "base/safetensors.h"
#include "net/gradient.h"
#include "tests/check.h"
#include "tests/converted.h"
#include "tests/torch_init.h"

enum { IMAGES = 2, PROJECTIONS = 4, TIMES = 30 };

struct net_case {
    const char *name, *checkpoint, *flags[CONVERTED_FLAGS];
};

struct data {
    struct dd_file file;
    struct dd_safetensors s;
};

static int data_open(struct data *d, const char *path)
{
    if (dd_file_map(&d->file, check_path(check_source(), "tests/golden/%s", path), NULL))
        return 0;
    return dd_safetensors_read(&d->s, d->file.data, d->file.size, path, NULL) == DDPM_OK;
}

static void data_close(struct data *d)
{
    dd_safetensors_free(&d->s);
    dd_file_unmap(&d->file);
}

/* Returns a copy of the tensor NAME.SUFFIX, or NULL; the caller frees it. */
static void *data_get(const struct data *d, const char *name, const char *suffix)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", name, suffix);
    const struct dd_entry *e = dd_safetensors_find(&d->s, full);
    void *copy = e ? malloc(e->size) : NULL;
    return copy ? memcpy(copy, e->data, e->size) : NULL;
}

static double sign(uint64_t k, uint64_t e)
{
    uint64_t x = ((k << 32) + e + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (x ^ (x >> 31)) >> 63 ? -1 : 1;
}

/* Returns a copy of two images of c channels, turned from torch's order into ours or back. */
static float *images(const float *z, int c, int h, int w,
                     void (*order)(float *, const float *, int, int, int))
{
    size_t d = (size_t)(c * h * w);
    float *x = malloc(IMAGES * d * sizeof *x);
    for (size_t i = 0; i < IMAGES; i++)
        order(x + i * d, z + i * d, c, h, w);
    return x;
}

static double distance(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sqrt(sum);
}

static void check_param(const struct data *d, const struct net_case *c, const struct dd_param *p,
                        const float *gradient)
{
    char name[256];
    snprintf(name, sizeof name, ".%s", p->name);
    double *want = data_get(d, c->name, name);
    REQUIRE(want);
    double norm = want[PROJECTIONS], spread = want[PROJECTIONS + 1], worst = 0;

    for (uint64_t k = 0; k < PROJECTIONS; k++) {
        double sum = 0;
        for (uint64_t e = 0; e < (uint64_t)p->count; e++)
            sum += sign(k, e) * gradient[e];
        worst = fmax(worst, fabs(sum - want[k]));
    }

    if (!(worst <= TIMES * spread))
        check_fail(
            __FILE__, __LINE__,
            "%s, gradient by %s (norm %g): a projection is off by %g, float32 of the original by about %g",
            c->name, p->name, norm, worst, spread);

    /* Some gradients are stored whole. */
    snprintf(name, sizeof name, ".whole.%s", p->name);
    float *whole = data_get(d, c->name, name);
    if (whole)
        CHECK_NEAR(distance(gradient, whole, (size_t)p->count), 0, TIMES * spread);
    free(whole);
    free(want);
}

/* Compares dx, and dt unless that is NULL, with the original's. */
static void check_inputs(const struct data *d, const struct net_case *c, const struct dd_config *f,
                         const float *dx, const float *dt)
{
    size_t in = (size_t)(IMAGES * f->height * f->width * f->channels);
    double *spread = data_get(d, c->name, ".spread"), *want_dt = data_get(d, c->name, ".dt");
    float *want = data_get(d, c->name, ".dx"),
          *torch_dx = images(dx, f->channels, f->height, f->width, torch_to_nchw);
    REQUIRE(spread && want && want_dt);

    CHECK_NEAR(distance(torch_dx, want, in), 0, TIMES * spread[0]);
    for (int i = 0; dt && i < IMAGES; i++)
        CHECK_NEAR(dt[i], want_dt[i], TIMES * hypot(want_dt[IMAGES], want_dt[IMAGES + 1]));

    free(spread);
    free(want_dt);
    free(want);
    free(torch_dx);
}

/* Runs both passes of the case. With by_inputs, g has no gradients by parameters, and dt is checked too. */
static void backward(struct dd_gradient *g, bool by_inputs, const struct dd_config *f, const struct data *io,
                     const struct data *d, const struct net_case *c)
{
    size_t in = (size_t)(IMAGES * f->height * f->width * f->channels),
           outs = (size_t)(IMAGES * f->height * f->width * f->outputs);
    float *x = data_get(io, "x", ""), *dout = data_get(d, c->name, ".dout"), t[IMAGES], dt[IMAGES];
    int64_t *step = data_get(io, "t", ""), *given = data_get(io, "y", "");
    int32_t classes[IMAGES] = { 0 };
    REQUIRE(x && dout && step);

    for (int i = 0; i < IMAGES; i++) {
        t[i] = (float)step[i];
        classes[i] = given ? (int32_t)given[i] : 0;
    }

    float *nx = images(x, f->channels, f->height, f->width, torch_to_nhwc),
          *nd = images(dout, f->outputs, f->height, f->width, torch_to_nhwc);
    float *out = malloc(outs * sizeof *out), *dx = malloc(in * sizeof *dx);
    struct dd_slice s = { .out = out,
                          .x = nx,
                          .t = t,
                          .classes = given ? classes : NULL,
                          .n = IMAGES,
                          .dout = nd,
                          .dx = dx,
                          .dt = dt };

    dd_gradient_forward(g, &s);
    dd_gradient_backward(g, &s);
    check_inputs(d, c, f, dx, by_inputs ? dt : NULL);

    void *all[] = { x, dout, step, given, nx, nd, out, dx };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void check_case(const struct net_case *c)
{
    const char *path = check_path(check_folder(), "model.ddpm"),
               *from = check_path(check_source(), "tests/golden/cases/%s", c->checkpoint);
    char io_path[128];
    struct data io, d;
    struct dd_gradient *g = NULL, *by_inputs = NULL;
    ddpm_model *m = NULL;
    ddpm_error err = { 0 };

    snprintf(io_path, sizeof io_path, "cases/%.*s/io.safetensors", (int)strcspn(c->checkpoint, "/"),
             c->checkpoint);
    REQUIRE(data_open(&io, io_path) && data_open(&d, "data/gradients.safetensors"));
    REQUIRE(converted(from, c->flags, path) == 0 && ddpm_model_open(&m, path, &err) == DDPM_OK);

    ddpm_net_options options = { .batch = IMAGES, .threads = 2 };
    REQUIRE(dd_gradient_create(&g, m, &options, -1, &err) == DDPM_OK);
    REQUIRE(dd_gradient_create_by_inputs(&by_inputs, m, &options, &err) == DDPM_OK);
    backward(by_inputs, true, &m->config, &io, &d, c);
    backward(g, false, &m->config, &io, &d, c);

    int checked = 0;
    for (int i = 0; i < m->program.params; i++)
        if (dd_gradient_offset(g, i) != SIZE_MAX) {
            check_param(&d, c, &m->program.param[i], dd_gradient_sums(g) + dd_gradient_offset(g, i));
            checked++;
        }
    /* All parameters have a gradient but the frequencies of the time embedding. */
    CHECK(checked == m->program.params - 1 && dd_gradient_count(g) == (size_t)m->program.parameters);

    dd_gradient_free(g);
    dd_gradient_free(by_inputs);
    ddpm_model_close(m);
    data_close(&io);
    data_close(&d);
}

TEST(golden, gradients_diffusers)
{
    check_case(&(struct net_case){ "A3", "A3_scale_shift_classes", { NULL } });
}

TEST(golden, gradients_openai)
{
    check_case(&(struct net_case){ "B3",
                                   "B3_guided_updown/ema_0.9999_000100.pt",
                                   { "--set", "image_size=16", "--set", "attention_resolutions=8", "--set",
                                     "num_head_channels=8", "--set", "use_new_attention_order=false", "--set",
                                     "rescale_timesteps=false", "--set", "diffusion_steps=1000", "--set",
                                     "noise_schedule=linear", "--set", "class_cond=false", NULL } });
}

TEST(golden, gradients_ho)
{
    check_case(&(struct net_case){ "C1",
                                   "C1_pesser/model-790000.ckpt",
                                   { "--set", "resolution=32", "--set", "attn_resolutions=16", NULL } });
}

TEST(golden, gradients_lucidrains)
{
    check_case(&(struct net_case){ "D1",
                                   "D1_unet3/unet.pt",
                                   { "--set", "image_size=32", "--set", "objective=pred_v", "--set",
                                     "beta_schedule=sigmoid", "--set", "timesteps=1000", NULL } });
}
