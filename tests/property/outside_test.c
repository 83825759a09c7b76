/* Nothing from outside leaks into the library. Under every rounding mode, with denormal numbers flushed,
   and in a locale whose decimal point is a comma, it gives the same bits as under the defaults. It
   leaves the modes of all threads and the locale as they were.

   A leak would show. The network's input is 1e-39 and every bias and embedding is 0, so flushing makes
   its output 0. The other modes round sums of the noise, the tables and the optimiser to other numbers.
   strtod reads "0.02" only up to "0" where the point is a comma. */
#include <fenv.h>
#include <locale.h>
#include <stdbool.h>
#include "tests/check.h"
#include "tests/host.h"
#include "tests/openmp.h"
#include "tests/small_nets.h"

enum { IMAGES = 2, STEPS = 4, THREADS = 3, T = 50, MOST = 1 << 20 };

/* All results of a run, one behind the other. */
struct results {
    size_t size;
    unsigned char byte[MOST];
};

static void keep(struct results *r, const void *data, size_t size)
{
    if (r->size + size > sizeof r->byte)
        check_fail(__FILE__, __LINE__, "more results than there is room for");
    else
        memcpy(r->byte + r->size, data, size), r->size += size;
}

static void keep_model(struct results *r, const ddpm_model *m)
{
    const ddpm_tensor *t;
    size_t n = ddpm_model_tensors(m, &t);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = t[i].dtype == DDPM_F64 ? 8 : 4;
        for (int k = 0; k < t[i].rank; k++)
            bytes *= (size_t)t[i].dim[k];
        keep(r, t[i].data, bytes < 4000 ? bytes : 4000);
    }
}

/* Sets every bias and what comes from the timestep to 0, so that the output is as faint as the input. */
static void make_faint(ddpm_model *m)
{
    const ddpm_tensor *t;
    size_t n = ddpm_model_tensors(m, &t);
    for (size_t i = 0; i < n; i++)
        if (strstr(t[i].name, "bias") || strstr(t[i].name, "time_emb_proj"))
            memset(t[i].data, 0,
                   (size_t)t[i].dim[0] * (size_t)(t[i].rank > 1 ? t[i].dim[1] : 1) * sizeof(float));
}

/* Inputs that are made under the defaults: ordinary ones, and faint ones. */
static struct small_batch input[2];

static void inputs_create(void)
{
    ddpm_model *m = small_net_create("wide");
    for (int i = 0; i < 2; i++)
        input[i] = small_batch_create(m, IMAGES);
    for (size_t k = 0; k < IMAGES * input[1].in; k++)
        input[1].x[k] *= 1e-39f;
    ddpm_model_close(m);
}

static void inputs_free(void)
{
    for (int i = 0; i < 2; i++)
        small_batch_free(&input[i]);
}

static int run_network(struct results *r, const ddpm_model *m, ddpm_error *err)
{
    ddpm_net_options o = { .batch = IMAGES, .threads = THREADS };
    ddpm_net *net;
    int code = ddpm_net_create(&net, m, &o, err);
    for (int i = 0; i < 2 && !code; i++) {
        const struct small_batch *b = &input[i];
        code = ddpm_net_run(net, b->out, b->x, b->t, b->classes, IMAGES, err);
        keep(r, b->out, IMAGES * b->outs * sizeof *b->out);
    }
    ddpm_net_free(net);
    return code;
}

static int sample(struct results *r, const ddpm_model *m, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(m);
    size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    const uint32_t index[IMAGES] = { 3, 4 };
    ddpm_net_options o = { .batch = IMAGES, .threads = THREADS };
    ddpm_sampler_options so;
    ddpm_net *net = NULL;
    ddpm_chain *chain = NULL;
    ddpm_sampler *s = NULL;

    ddpm_sampler_defaults(&so, a);
    int code = ddpm_net_create(&net, m, &o, err);
    if (!code)
        code = ddpm_chain_respace(&chain, a, "4", "logsnr", err);

    so.eps = ddpm_net_eps, so.eps_user = net, so.seed = 5;
    if (!code)
        code = ddpm_sampler_create(&s, chain, &so, d, IMAGES, NULL, err);
    if (!code)
        code = ddpm_sampler_start(s, index, NULL, IMAGES, NULL, 0, err);
    for (int i = 0; i < STEPS && !code; i++)
        code = ddpm_sampler_step(s, err);
    if (!code)
        keep(r, ddpm_sampler_state(s, NULL), IMAGES * d * sizeof(double));

    ddpm_sampler_free(s), ddpm_chain_free(chain), ddpm_net_free(net);
    return code;
}

static int train(struct results *r, const ddpm_model *m, ddpm_error *err)
{
    ddpm_trainer_options o;
    ddpm_trainer_report report;
    ddpm_trainer *t;
    ddpm_model *after = NULL;

    ddpm_trainer_defaults(&o);
    o.batch = IMAGES, o.threads = THREADS;

    int code = ddpm_trainer_create(&t, m, &o, err);
    if (!code)
        code = ddpm_trainer_step(t, input[0].x, NULL, &report, err);
    if (!code)
        code = ddpm_trainer_model(t, &after, 0, NULL, err);
    if (!code) {
        keep(r, &report, sizeof report);
        keep_model(r, after);
    }

    ddpm_model_close(after), ddpm_trainer_free(t);
    return code;
}

/* Measures an image by the ODE, in two steps. */
static int likelihood(struct results *r, const ddpm_model *m, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(m);
    const uint32_t index = 3;
    ddpm_likelihood_options o;
    ddpm_chain *c = NULL;
    ddpm_vjp *v = NULL;
    ddpm_likelihood *l = NULL;
    double *x0 = calloc(input[0].in, sizeof *x0);

    ddpm_likelihood_defaults(&o, a);
    o.steps = 2;
    o.vjp = ddpm_vjp_run;
    int code = ddpm_vjp_create(&v, m, &(ddpm_net_options){ .threads = THREADS }, err);
    o.vjp_user = v;
    if (!code)
        code = ddpm_chain_respace(&c, a, "all", NULL, err);
    if (!code)
        code = ddpm_likelihood_create(&l, c, &o, input[0].in, 1, err);
    if (!code)
        code = ddpm_likelihood_start(l, x0, &index, NULL, 1, err);
    while (!code && ddpm_likelihood_left(l) > 0)
        code = ddpm_likelihood_step(l, err);
    if (!code)
        keep(r, ddpm_likelihood_read(l, 0), sizeof(ddpm_likelihood_image));

    ddpm_likelihood_free(l), ddpm_chain_free(c), ddpm_vjp_free(v), free(x0);
    return code;
}

/* Runs all of it, with the model taken through a file and opened by the text of its own settings. */
static int everything(struct results *r, ddpm_error *err)
{
    double beta[T], alpha_bar[T];
    char json[4096];
    const char *path = check_path(check_folder(), "m.ddpm");
    ddpm_model *made = NULL, *m = NULL;

    r->size = 0;
    small_net_json(json, sizeof json, "wide");

    int code = ddpm_betas(beta, alpha_bar, T, "linear:1e-4,0.02", err);
    keep(r, alpha_bar, sizeof alpha_bar);
    if (!code)
        code = ddpm_model_create(&made, json, err);
    if (!code) {
        ddpm_model_init(made, 1);
        make_faint(made);
        code = ddpm_model_save(made, path, 0, err);
    }
    if (!code)
        code = ddpm_model_open(&m, path, err);
    if (!code) {
        keep_model(r, m);
        keep(r, ddpm_model_about(m)->json, strlen(ddpm_model_about(m)->json));
        code = run_network(r, m, err);
    }
    if (!code)
        code = sample(r, m, err);
    if (!code)
        code = train(r, m, err);
    if (!code)
        code = likelihood(r, m, err);

    ddpm_model_close(made), ddpm_model_close(m);
    return code;
}

/* Modes that a program may have set: the rounding, and the bits of the machine's control word that flush
   denormal numbers. */
struct mode {
    int rounding;
    bool flush;
};

static void set_mode(const struct mode *mode)
{
    fenv_t e;
    fesetenv(FE_DFL_ENV);
    fesetround(mode->rounding);
    fegetenv(&e);
#if defined(__x86_64__) && defined(__GLIBC__)
    if (mode->flush)
        e.__mxcsr |= 0x8040; /* the bits FTZ and DAZ */
#elif defined(__aarch64__) && defined(__GLIBC__)
    if (mode->flush)
        e.__fpcr |= 1u << 24; /* the bit FZ */
#endif
    fesetenv(&e);
}

static bool has_mode(const struct mode *mode)
{
    volatile float faint = 1e-38f, less = faint / 16;
    bool flushes = less == 0;
    return fegetround() == mode->rounding && flushes == mode->flush;
}

/* Returns how many threads are in this mode. */
static int in_mode(const struct mode *mode)
{
    int count = 0, has[THREADS] = { 0 };
    PRAGMA(omp parallel num_threads(THREADS))
    has[omp_get_thread_num()] = has_mode(mode);
    for (int i = 0; i < THREADS; i++)
        count += has[i];
    return count;
}

/* libgomp leaves each thread its mode. With libomp all threads of a team take their caller's mode, and
   the caller has its own again behind the team. */
static void same_under(const struct mode *mode, bool others_only, const struct results *wanted,
                       struct results *r)
{
    static const struct mode plain = { FE_TONEAREST, false };
    ddpm_error err = { 0, "" };

    PRAGMA(omp parallel num_threads(THREADS))
    set_mode(mode);
    set_mode(others_only ? &plain : mode);

    /* Everything runs between two counts of the threads that are in this mode. */
    int before = in_mode(mode), code = everything(r, &err), after = in_mode(mode);
    bool own = has_mode(others_only ? &plain : mode);

    PRAGMA(omp parallel num_threads(THREADS))
    set_mode(&plain);
    set_mode(&plain);

    if (code)
        check_fail(__FILE__, __LINE__, "rounding %d, flush %d: %s", mode->rounding, mode->flush, err.text);
    else if (r->size != wanted->size || memcmp(r->byte, wanted->byte, r->size))
        check_fail(__FILE__, __LINE__, "rounding %d, flush %d%s: other bits", mode->rounding, mode->flush,
                   others_only ? " of other threads" : "");

    if (!own || after != before || (before == 0 && !others_only))
        check_fail(__FILE__, __LINE__, "rounding %d, flush %d: %d of %d threads have their mode back",
                   mode->rounding, mode->flush, after, before);
}

TEST(outside, floating_point_modes)
{
    static const struct mode modes[] = {
        { FE_UPWARD, false },
        { FE_DOWNWARD, false },
        { FE_TOWARDZERO, false },
#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__GLIBC__)
        { FE_TONEAREST, true },
        { FE_UPWARD, true },
#endif
    };
    struct results *wanted = malloc(sizeof *wanted), *r = malloc(sizeof *r);
    ddpm_error err = { 0, "" };

    inputs_create();
    if (everything(wanted, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        same_under(&modes[i], i % 2, wanted, r);
    for (size_t i = 0; i < sizeof modes / sizeof *modes && modes[i].flush; i++)
        same_under(&modes[i], false, wanted, r);

    free(wanted), free(r);
    inputs_free();
}

/* Sets a locale with German numbers, one of the system's or one made here. */
static bool comma_locale(void)
{
    char command[4400];
    const char *folder = check_folder();
    if (setlocale(LC_ALL, "de_DE.UTF-8"))
        return true;
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", folder);
    if (system(command))
        return false;
    host_environment("LOCPATH", folder);
    return setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
}

TEST(outside, comma_locale)
{
    struct results *wanted = malloc(sizeof *wanted), *r = malloc(sizeof *r);
    ddpm_error err = { 0, "" };
    char text[16] = "";

    inputs_create();
    if (everything(wanted, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);

    bool german = comma_locale();
    int code = german ? everything(r, &err) : 0;
    snprintf(text, sizeof text, "%g", 0.5);
    setlocale(LC_ALL, "C");
    host_environment("LOCPATH", NULL);

    if (german) {
        CHECK_TEXT(text, "0,5");
        if (code)
            check_fail(__FILE__, __LINE__, "%s", err.text);
        CHECK(r->size == wanted->size && !memcmp(r->byte, wanted->byte, r->size));
    }

    free(wanted), free(r);
    inputs_free();
    if (!german)
        SKIP("there is no de_DE.UTF-8, and localedef cannot make it");
}
