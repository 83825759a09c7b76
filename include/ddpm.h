/* ddpm.h: U-Nets of "Denoising Diffusion Probabilistic Models" (Ho, Jain, Abbeel 2020) on ordinary CPUs.

   Shapes.  An image is [h, w, c] in NHWC order, d = h*w*c, values x in [-1, 1]; a batch is [n, d].  t is a step of the model's
   own chain, 0..T-1, 0 the least noisy; alpha_bar(-1) = 1.  State, noise and tables are double, the network alone is float.

   Errors.  A function that can fail returns DDPM_OK or another code below and then fills *err (which may be NULL) with one
   sentence: what, where, expected, found, what to do.  Nothing prints and nothing exits.

   Memory and threads.  create/open allocate, free/close release (NULL is allowed); nothing can fail for memory after a create.
   A model is immutable once opened and may be shared between threads; every other handle belongs to one thread at a time.
   A caller's rounding mode, flush-to-zero and locale change no bit: they are set aside while a function works, on all its threads, for
   the functions that it calls back too, and are there again when it returns.

   Example.  One image of a model file as PGM or PPM on standard output; cc image.c $(pkg-config --cflags --libs ddpm) -lm

       #include <math.h>
       #include <stdio.h>
       #include <ddpm.h>

       int main(int argc, char **argv)
       {
           ddpm_error err;
           ddpm_model *model;
           ddpm_net *net;
           ddpm_chain *chain;
           ddpm_sampler *sampler;
           ddpm_sampler_options o;
           uint32_t index = 0;                                     // the first image of the seed
           if (ddpm_model_open(&model, argc > 1 ? argv[1] : "model.ddpm", &err) || ddpm_net_create(&net, model, NULL, &err))
               return fprintf(stderr, "%s\n", err.text), 1;
           const ddpm_about *a = ddpm_model_about(model);
           size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
           ddpm_sampler_defaults(&o, a);
           o.eps = ddpm_net_eps, o.eps_user = net, o.seed = 7;
           if (ddpm_chain_respace(&chain, a, "50", NULL, &err) || ddpm_sampler_create(&sampler, chain, &o, d, 1, NULL, &err) ||
               ddpm_sampler_start(sampler, &index, NULL, 1, NULL, 0, &err))
               return fprintf(stderr, "%s\n", err.text), 1;
           while (ddpm_sampler_left(sampler) > 0)
               if (ddpm_sampler_step(sampler, &err))
                   return fprintf(stderr, "%s\n", err.text), 1;
           const double *x = ddpm_sampler_state(sampler, NULL);    // [1, d]
           printf("P%d %d %d 255\n", a->channels == 3 ? 6 : 5, a->width, a->height);
           for (size_t k = 0; k < d; k++)
               putchar((int)rint(127.5 * (1 + fmin(fmax(x[k], -1), 1))));
           ddpm_sampler_free(sampler), ddpm_chain_free(chain), ddpm_net_free(net), ddpm_model_close(model);
           return 0;
       }
*/
#ifndef DDPM_H
#define DDPM_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define DDPM_VERSION "0.1.0"
#if defined(__GNUC__)
#define DDPM_API __attribute__((visibility("default")))
#else
#define DDPM_API
#endif

enum {
    DDPM_OK,
    DDPM_EUSAGE,       /* an argument is out of range: the caller's mistake */
    DDPM_EDATA,        /* a file or text holds something wrong */
    DDPM_EMISSING,     /* an input does not exist */
    DDPM_EIO,          /* reading or writing failed */
    DDPM_ECREATE,      /* an output cannot be created */
    DDPM_EPERM,        /* no permission */
    DDPM_ENOMEM,       /* out of memory, or no thread could be started */
    DDPM_EUNSUPPORTED, /* this CPU or build cannot */
    DDPM_ENAN,         /* the network produced NaN or infinity */
    DDPM_ECALLBACK     /* a caller's function returned non-zero */
};

typedef struct ddpm_error {
    int code;
    char text[508];
} ddpm_error;

/* ---- models: a configuration, a schedule and weights ---- */

typedef struct ddpm_model ddpm_model;

enum { DDPM_F32, DDPM_F16, DDPM_F64 }; /* ddpm_tensor.dtype */

typedef struct ddpm_tensor {
    const char *name;
    int dtype, rank;
    int64_t dim[4];
    void *data;
} ddpm_tensor;

enum { DDPM_EPS, DDPM_X0, DDPM_V }; /* what the network predicts */

enum { DDPM_BETA, DDPM_BETA_TILDE, DDPM_LEARNED, DDPM_LEARNED_RANGE }; /* the model's own variance */

/* The rows of a tuned solver's table, each [K] in the order of a chain: position 0 is left last. */
enum {
    /* Steps, rising within 0 to T - 1; between whole ones ln(alpha_bar / (1 - alpha_bar)) is linear in t. */
    DDPM_TUNED_T,
    /* What the network is told instead, within 0 to T - 1. */
    DDPM_TUNED_FED,
    /* Corrections of DPM-Solver++(2M), 0 for none: a and b of the factors 1 + a of x and 1 + b of the predictions, and the
       weights of the two predictions before, less the present one. */
    DDPM_TUNED_OF_X,
    DDPM_TUNED_OF_M,
    DDPM_TUNED_BEFORE1,
    DDPM_TUNED_BEFORE2,
    DDPM_TUNED_ROWS
};

/* A solver of K steps that was learned for one model, and what is known of it. */
typedef struct ddpm_tuned {
    int K;
    const double *table; /* [DDPM_TUNED_ROWS, K] */
    const char *teacher; /* the solver whose images it was to make, such as "dpmpp, 60 steps" */
    int images;          /* on so many other noises these were measured: */
    double error;        /* mean |x0 - the teacher's| per element */
    double untuned;      /* the same of the best untuned solver of K steps */
    int equals;          /* the least number of untuned steps that come as near, 0: none that was tried */
} ddpm_tuned;

typedef struct ddpm_about { /* a caller with an own network fills one by hand */
    int height, width, channels, outputs, classes, steps, prediction, variance;
    double clip, t_scale; /* x0 is clipped to +-clip, 0: not; the network is fed t * t_scale */
    const double *beta, *alpha_bar, *gamma, *mse; /* [steps]; gamma, mse NULL when not stored */
    const char *json, *id;                        /* metadata text; SHA-256 of the tensors, "" until saved */
    const ddpm_tuned *tuned;                      /* [tuned_count] in order of K */
    int tuned_count;
} ddpm_about;

/* A new model from the metadata of a model file ("version", "net", "diffusion" and "source" as there; "id" is not read).
   Weights are zero; time.freq and the schedule.* tensors are filled where "name" is a known schedule. */
DDPM_API int ddpm_model_create(ddpm_model **m, const char *json, ddpm_error *err);
/* Draws weights as torch does at construction in law, not in numbers: U(-b, b), b = 1/sqrt(fan_in); norms 1 and 0. */
DDPM_API void ddpm_model_init(ddpm_model *m, uint64_t seed);
DDPM_API int ddpm_model_open(ddpm_model **m, const char *path, ddpm_error *err);
DDPM_API int ddpm_model_open_memory(ddpm_model **m, const void *data, size_t size,
                                    ddpm_error *err); /* data outlives m */

enum { DDPM_SAVE_F16 = 1, DDPM_SAVE_REPLACE = 2 };

DDPM_API int ddpm_model_save(const ddpm_model *m, const char *path, unsigned flags,
                             ddpm_error *err); /* temporary, fsync, rename */
DDPM_API int ddpm_model_check(const ddpm_model *m,
                              ddpm_error *err); /* recomputes the id: DDPM_EDATA when it differs */
/* A copy of m with statistics of so many images in place of what it had, gamma, mse [steps] as in ddpm_about, to be saved; bits: what these
   images cost under the full chain, in bits per dimension, NAN: not known. */
DDPM_API int ddpm_model_add_statistics(ddpm_model **with, const ddpm_model *m, const double *gamma,
                                       const double *mse, int images, double bits, ddpm_error *err);
/* A copy of m with a tuned solver, in place of the one of as many steps if it has one, to be saved. */
DDPM_API int ddpm_model_add_tuned(ddpm_model **with, const ddpm_model *m, const ddpm_tuned *solver,
                                  ddpm_error *err);
DDPM_API void ddpm_model_close(ddpm_model *m);
/* The tensors in order of names; data of a created model may be written (this is how a converter fills one). */
DDPM_API size_t ddpm_model_tensors(const ddpm_model *m, const ddpm_tensor **list);
DDPM_API const ddpm_about *ddpm_model_about(const ddpm_model *m);

/* ---- networks: a model made ready to run ---- */

typedef struct ddpm_net ddpm_net;

typedef struct ddpm_net_options {
    int batch;   /* images run at once, 0: 1; ddpm_net_run takes any n, in slices of this */
    int threads; /* 0: OMP_NUM_THREADS, or what affinity, cgroup quota and physical (performance) cores allow */
    const char *cpu;  /* the best instruction set to use, one of ddpm_cpu_names; NULL: the best of this CPU */
    const char *conv; /* one of ddpm_conv_names; NULL: "auto"; "gemm" takes the least memory */
} ddpm_net_options;

/* NULL-terminated; also what this build or this CPU does not have. */
DDPM_API const char *const *ddpm_cpu_names(void);  /* "ref" first */
DDPM_API const char *const *ddpm_conv_names(void); /* "auto" first */

typedef struct ddpm_node { /* one operation of the flat list */
    const char *name, *op,
        *engine; /* "down_blocks.0.resnets.0.conv1", "conv", "dnnl:jit:avx512"; engine "" where there is no choice */
    int height, width, channels; /* of its output */
    double flops, seconds;       /* per image; spent since the handle was made, all images */
} ddpm_node;

typedef struct ddpm_net_about {
    int batch, threads;
    double flops;                                             /* per image and step */
    size_t parameters, weights, packed, activations, scratch; /* count; bytes */
    int features;                   /* channels of the middle block: what ddpm_net_features gives */
    const char *cpu, *engine_class; /* "avx2"; the string of model-file.md "Engine class" */
} ddpm_net_about;

/* Takes from m what it needs; m may be closed then. */
DDPM_API int ddpm_net_create(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err);
/* out [n, h, w, outputs] = network(x [n, h, w, channels], t [n] as fed, classes [n] or NULL).  DDPM_EUSAGE: a class out of range.
   An image whose output is not finite is DDPM_ENAN (err names it and the first layer); the other images are right all the same. */
DDPM_API int ddpm_net_run(ddpm_net *net, float *out, const float *x, const float *t, const int32_t *classes,
                          int n, ddpm_error *err);
/* out [n, features] = the middle block's output (without one, the way down's), its mean over space, at x [n, d], all at step t of the
   model's chain, classes [n] or NULL.  Errors as of ddpm_net_run; nothing of out is to be used then. */
DDPM_API int ddpm_net_features(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes,
                               int n, ddpm_error *err);
DDPM_API size_t ddpm_net_nodes(const ddpm_net *net, const ddpm_node **list);
DDPM_API const ddpm_net_about *ddpm_net_describe(const ddpm_net *net);
DDPM_API void ddpm_net_free(ddpm_net *net);

/* A network as samplers and bounds see it: out [n, m, d], m = 1, or 2 with v behind the prediction; x [n, d], all at step t;
   classes [n] or NULL.  Non-zero ends the run with DDPM_ECALLBACK, except DDPM_ENAN: the rows that are not finite are then dropped
   and the run goes on; *err is passed through.  ddpm_net_eps is this for a ddpm_net (user): it scales t and converts. */
typedef int ddpm_eps_fn(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                        ddpm_error *err);
DDPM_API int ddpm_net_eps(void *net, double *out, const double *x, double t, const int32_t *classes, int n,
                          ddpm_error *err);
/* z [d] ~ N(0, I) for one image; t = INFINITY is x_T; draw counts further draws at the same t. */
typedef void ddpm_noise_fn(void *user, double *z, size_t d, uint32_t index, double t, int draw);
/* The product's noise: Philox4x32-10 keyed by *(const uint64_t *)seed, see model-file.md "Noise".  t counts
   in steps of 2^-16, from 0 to below 65536, or is INFINITY; draw is 0 to 2^24 - 1.  Outside there is no noise
   that is not also another's: z is NaN. */
DDPM_API void ddpm_noise(void *seed, double *z, size_t d, uint32_t index, double t, int draw);

/* ---- chains: the steps that are taken ---- */

typedef struct ddpm_chain ddpm_chain; /* ascending t[i] = C(i), i = 0..K-1 */

typedef struct ddpm_tables { /* each [K]; alpha = 1 - beta */
    int K;
    const double *t, *alpha_bar, *beta, *beta_tilde, *mean_x0, *mean_xt, *log_snr;
    const char *warning; /* one sentence, or NULL */
} ddpm_tables;

/* beta, alpha_bar [T] of "linear:1e-4,0.02", "cosine", "scaled_linear:...", ... as double arithmetic gives them. */
DDPM_API int ddpm_betas(double *beta, double *alpha_bar, int T, const char *spec, ddpm_error *err);
/* t rises by at least 2^-16, which tells noise apart, within 0 to 65535.  Here beta is 1 - alpha_bar_i /
   alpha_bar_{i-1}; ddpm_chain_respace takes it from a->beta, unless that is NULL, where a step follows the
   one before it in the model's own chain. */
DDPM_API int ddpm_chain_create(ddpm_chain **c, int K, const double *t, const double *alpha_bar,
                               ddpm_error *err);
/* steps: "50", "all", "0,10,20,999" ("999,": one step), "iddpm:10,15,20"; spacing: one of ddpm_spacing_names, NULL: "iddpm". */
DDPM_API int ddpm_chain_respace(ddpm_chain **c, const ddpm_about *a, const char *steps, const char *spacing,
                                ddpm_error *err);
/* The chain of a->tuned with K steps, for the sampler "tuned".  DDPM_EUSAGE: the model has none, err says which it has. */
DDPM_API int ddpm_chain_tuned(ddpm_chain **c, const ddpm_about *a, int K, ddpm_error *err);
DDPM_API const ddpm_tables *ddpm_chain_tables(const ddpm_chain *c);
DDPM_API void ddpm_chain_free(ddpm_chain *c);
DDPM_API const char *const *ddpm_spacing_names(void); /* NULL-terminated, the default first */

/* ---- samplers ---- */

typedef struct ddpm_sampler ddpm_sampler;

typedef struct ddpm_sampler_options {
    const char *sampler, *variance; /* names; variance "auto beta beta-tilde learned analytic" */
    double eta, clip;               /* of ddim, dpmpp; as in ddpm_about */
    int order;     /* of dpmpp (1 to 3), unipc, ode (1, 2); 0: the default, 2, of dpmpp-diffusers 3 */
    int corrector; /* Langevin steps at each t before the step that leaves it; langevin takes at least 1 */
    double snr;    /* their size: the signal-to-noise ratio of such a step, between 0 and 1 */
    const double
        *rate; /* sde: beta(t) dt of each position [K], read at every step; NULL: what alpha_bar says */
    int prediction, outputs; /* DDPM_EPS...; the m of ddpm_eps_fn */
    int own_variance, T;     /* what "auto" refers to: ddpm_about.variance and steps */
    const double *
        gamma; /* [T] what "analytic" and "auto" refer to: ddpm_about.gamma or NULL; read only by ddpm_sampler_create */
    const ddpm_tuned *tuned; /* [tuned_count] the model's solvers; read only by ddpm_sampler_create */
    int tuned_count;
    uint64_t seed;
    ddpm_eps_fn *eps;
    void *eps_user;
    ddpm_noise_fn *noise;
    void *noise_user; /* NULL: ddpm_noise of the seed */
} ddpm_sampler_options;

/* What a sampler takes of the options and what it does; 1: yes, 0: no. */
typedef struct ddpm_sampler_traits {
    int takes_eta;            /* eta may be above 0 */
    int takes_variance;       /* every name of a variance; otherwise only "auto" */
    int takes_analytic;       /* the variance "analytic" beside "auto" */
    int order, highest_order; /* of a solver: the default of its orders 1 to highest; 0: no choice of order */
    int corrector;            /* the fewest Langevin steps before each of its steps, -1: it takes none */
    int noisy;                /* its steps draw noise even with eta 0 and variance "auto" */
    int encodes;              /* ddpm_sampler_encode works, with eta 0 and variance "auto" */
    int own_steps;            /* its steps were learned for the model: ddpm_chain_tuned makes the chain */
    int trusts_x0;            /* an error of x0 at the first step stays in the image to the end */
} ddpm_sampler_traits;

/* The traits of a sampler by its name, which live as long as the program; NULL: there is no such sampler. */
DDPM_API const ddpm_sampler_traits *ddpm_sampler_traits_of(const char *sampler);
DDPM_API const char *const *ddpm_sampler_names(void);  /* NULL-terminated, the default first */
DDPM_API const char *const *ddpm_variance_names(void); /* likewise: "auto" first */
DDPM_API void ddpm_sampler_defaults(ddpm_sampler_options *o, const ddpm_about *a);
/* warning [256] or NULL: "" or one sentence, such as that beta at few steps is noisy. */
DDPM_API int ddpm_sampler_create(ddpm_sampler **s, const ddpm_chain *c, const ddpm_sampler_options *o,
                                 size_t d, int batch, char *warning, ddpm_error *err);
/* Begins n <= batch images, index [n], classes [n] or NULL; x [n, d] at chain position i, or NULL: x_T from noise, i = K-1. */
DDPM_API int ddpm_sampler_start(ddpm_sampler *s, const uint32_t *index, const int32_t *classes, int n,
                                const double *x, int i, ddpm_error *err);
DDPM_API int ddpm_sampler_step(
    ddpm_sampler *s, ddpm_error *err); /* one step; DDPM_ENAN names images, which stay out from then on */
/* One step the other way, from position i to i + 1 (ode, and ddim with eta 0): an image started at position 0 becomes noise at K-1. */
DDPM_API int ddpm_sampler_encode(ddpm_sampler *s, ddpm_error *err);
DDPM_API int ddpm_sampler_left(const ddpm_sampler *s); /* steps still to take */
DDPM_API const char *ddpm_sampler_variance(
    const ddpm_sampler *s); /* what the name came to: beta, beta-tilde, learned, analytic */
DDPM_API int ddpm_sampler_noisy(
    const ddpm_sampler *s); /* whether steps draw noise: if not, x_T alone makes the image */
DDPM_API int ddpm_sampler_lost(const ddpm_sampler *s,
                               int row); /* 0, or 1 + the chain position at which this image was lost */
DDPM_API double *ddpm_sampler_state(
    ddpm_sampler *s, size_t *buffers); /* [buffers, batch, d], buffer 0 is x; saved and restored whole */
DDPM_API void ddpm_sampler_free(ddpm_sampler *s);

/* ---- bounds: how many bits an image costs under a chain ---- */

typedef struct ddpm_bound ddpm_bound;

/* Of one image, in bits per dimension: total = prior (L_T) + the sum of term [K], of which term[0] is L_0.  Beside each term the mean
   squared errors of eps and x0 as clipped, and of the network's own eps: its mean square (gamma) and its error (mse), each [K]. */
typedef struct ddpm_bound_image {
    int lost; /* 0, or 1 + the chain position at which it was */
    double total, prior;
    const double *term, *mse_eps, *mse_x0, *gamma, *mse;
} ddpm_bound_image;

/* As ddpm_sampler_create; the options' sampler, eta, order and corrector are not read.  noise NULL: that of
   the seed, but other numbers than sampling's. */
DDPM_API int ddpm_bound_create(ddpm_bound **b, const ddpm_chain *c, const ddpm_sampler_options *o, size_t d,
                               int batch, char *warning, ddpm_error *err);
/* Begins n <= batch images x0 [n, d], index [n], classes [n] or NULL. */
DDPM_API int ddpm_bound_start(ddpm_bound *b, const double *x0, const uint32_t *index, const int32_t *classes,
                              int n, ddpm_error *err);
DDPM_API int ddpm_bound_step(ddpm_bound *b,
                             ddpm_error *err);     /* one term of each; DDPM_ENAN as in ddpm_sampler_step */
DDPM_API int ddpm_bound_left(const ddpm_bound *b); /* terms still to take */
DDPM_API const char *ddpm_bound_variance(const ddpm_bound *b);
DDPM_API const ddpm_bound_image *ddpm_bound_read(
    ddpm_bound *b, int row); /* whole when no term is left; until the next start */
DDPM_API void ddpm_bound_free(ddpm_bound *b);

/* ---- formulas, x [d]; outputs may be inputs ---- */

/* x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) z: the jump from x0; with alpha_t for alpha_bar, one step from x_{t-1}. */
DDPM_API void ddpm_diffuse(double *xt, const double *x0, const double *z, double alpha_bar, size_t d);
/* x0 from the prediction p (DDPM_EPS...), clipped to +-clip unless that is 0, NaN where p is; eps that
   leads from x0 to xt. */
DDPM_API void ddpm_x0(double *x0, const double *xt, const double *p, int prediction, double clip,
                      double alpha_bar, size_t d);
DDPM_API void ddpm_eps(double *eps, const double *xt, const double *x0, double alpha_bar, size_t d);
/* The score -eps / sqrt(1 - alpha_bar); its loss, mean (s + z / sqrt(1 - alpha_bar))^2, and L_simple, mean (eps - z)^2, which is
   1 - alpha_bar times that. */
DDPM_API void ddpm_score(double *s, const double *eps, double alpha_bar, size_t d);
DDPM_API double ddpm_score_matching(const double *s, const double *z, double alpha_bar, size_t d);
DDPM_API double ddpm_l_simple(const double *eps, const double *z, size_t d);

/* ---- training: Algorithm 1 of Ho et al. 2020 ---- */

typedef struct ddpm_trainer ddpm_trainer;

/* The loss, a mean over images: L_simple; L_vlb, one term of the bound in bits per dimension times T; L_simple + L_vlb / 1000 (Nichol and
   Dhariwal 2021), where L_vlb trains the variance alone.  A learned variance needs one of the last two, and they need it. */
enum { DDPM_SIMPLE, DDPM_VLB, DDPM_HYBRID };

typedef struct ddpm_trainer_options {
    int batch, accumulate; /* images of one pass; passes that one step of the optimiser sums */
    int threads;           /* as in ddpm_net_options, like the next two */
    const char *cpu, *conv;
    int loss;       /* DDPM_SIMPLE... */
    double min_snr; /* gamma of min(SNR, gamma), which weights L_simple (Hang et al. 2023), 0: off */
    double rate, beta1, beta2, epsilon, decay,
        clip; /* Adam (Kingma and Ba 2015); decay > 0: AdamW; clip: largest norm of the gradient, 0: any */
    int64_t warmup,
        steps; /* the rate rises over warmup steps; then it is constant, or with steps > 0 half a cosine, 0 at that step */
    double ema;     /* decay of the average at the end of its warm-up: min(ema, (1 + step) / (10 + step)) */
    double dropout; /* negative: the model's own */
    uint64_t seed;  /* of timesteps, noise and dropout; see model-file.md "Noise" */
} ddpm_trainer_options;

typedef struct ddpm_trainer_report {
    int64_t step;
    double loss, rate, norm;
} ddpm_trainer_report; /* step: how many are done; norm before clipping */

/* batch 64, one pass, L_simple, Adam of rate 2e-4, clip 1, no warm-up, constant rate, ema 0.9999, the model's dropout, seed 0. */
DDPM_API void ddpm_trainer_defaults(ddpm_trainer_options *o);
/* m may be closed then.  When it is a training checkpoint, the trainer goes on from it, given the same options to the same bits as if it
   had never stopped. */
DDPM_API int ddpm_trainer_create(ddpm_trainer **t, const ddpm_model *m, const ddpm_trainer_options *o,
                                 ddpm_error *err);
/* One step of the optimiser: x0 [accumulate * batch, h, w, c] in [-1, 1], classes [accumulate * batch] or NULL.  Timesteps, noise and dropout of an
   image follow from the seed and how many were trained with before it.  DDPM_ENAN names step and layer, and DDPM_EUSAGE a class out of
   range; the trainer then stays as it was before the step.  r may be NULL. */
DDPM_API int ddpm_trainer_step(ddpm_trainer *t, const float *x0, const int32_t *classes,
                               ddpm_trainer_report *r, ddpm_error *err);
/* Steps of the optimiser behind the weights, those of the checkpoint that was gone on from among them. */
DDPM_API int64_t ddpm_trainer_done(const ddpm_trainer *t);
/* Mean loss of n images x0 [n, h, w, c] with the averaged weights and without dropout; timesteps and noise, others than those trained with,
   belong to (seed, first + k), so the mean over a whole set does not depend on how it is divided.
   loss may be NULL. */
DDPM_API int ddpm_trainer_loss(ddpm_trainer *t, const float *x0, const int32_t *classes, int n,
                               uint32_t first, double *loss, ddpm_error *err);
/* A model with the averaged weights, float32, without the statistics of other weights.  whole: a training checkpoint, which also holds the
   trained weights themselves (raw.NAME), the optimiser's moments (adam.m.NAME, adam.v.NAME), the second
   part of the average (average.low.NAME), and in its metadata "train":
   {"trainer": {"step", "images", "average"}, "run": the caller's object run, as JSON text, NULL: {}}.
   The file of such a checkpoint carries its SHA-256.  ddpm_model_open gives DDPM_EDATA if that is wrong. */
DDPM_API int ddpm_trainer_model(const ddpm_trainer *t, ddpm_model **m, int whole, const char *run,
                                ddpm_error *err);
DDPM_API void ddpm_trainer_free(ddpm_trainer *t);

/* ---- tuning: a solver of few steps, learned for one model ---- */

typedef struct ddpm_tuner ddpm_tuner;

typedef struct ddpm_tuner_options {
    int K;           /* steps of the solver */
    const double *t; /* [K] the steps to begin with, rising to T - 1; read only by ddpm_tuner_create */
    int batch;       /* images of a step of tuning */
    int64_t steps;   /* the rates fall by half a cosine until then */
    int threads;     /* as in ddpm_net_options, like the next two */
    const char *cpu, *conv;
} ddpm_tuner_options;

/* Fills in 16 images and 400 steps; K and t are the caller's. */
DDPM_API void ddpm_tuner_defaults(ddpm_tuner_options *o);
/* Makes a tuner, whose solver at first is DPM-Solver++(2M) at o->t.  m may be closed then. */
DDPM_API int ddpm_tuner_create(ddpm_tuner **t, const ddpm_model *m, const ddpm_tuner_options *o,
                               ddpm_error *err);
/* Takes one step of Adam towards the teacher's images x0 [batch, d] of the noises x [batch, d]; classes [batch] or
   NULL.  *loss is the mean distance |x0' - x0| before the step.  DDPM_ENAN: nothing was changed. */
DDPM_API int ddpm_tuner_step(ddpm_tuner *t, const double *x, const double *x0, const int32_t *classes,
                             double *loss, ddpm_error *err);
/* Returns the present solver, [6, K] as in ddpm_tuned; it is overwritten by the next call. */
DDPM_API const double *ddpm_tuner_table(ddpm_tuner *t);
/* Returns all that changes, [count], the last number being how many steps are done: saved and restored whole, it lets
   a tuner with the same options go on to the same bits. */
DDPM_API double *ddpm_tuner_state(ddpm_tuner *t, size_t *count);
DDPM_API void ddpm_tuner_free(ddpm_tuner *t);

/* ---- stochastic differential equations and Langevin dynamics, of any process: x [d], all in double ---- */

typedef struct ddpm_sde { /* dx = f(x, t) dt + g(t) dW; each is given user */
    void (*drift)(void *user, double *f, const double *x, double t, size_t d); /* f [d] */
    double (*diffusion)(void *user, double t);                                 /* g */
    int (*score)(void *user, double *s, const double *x, double t, size_t d,
                 ddpm_error *err); /* s [d] = grad ln p_t; NULL: onward only */
    void *user;
} ddpm_sde;

/* One Euler-Maruyama step of length h from t; h < 0 is the reverse process, DDPM_EUSAGE without a score.  z
   [d] ~ N(0, I), NULL: the mean; work [2, d]. */
DDPM_API int ddpm_sde_step(const ddpm_sde *p, double *x, const double *z, double t, double h, double *work,
                           size_t d, ddpm_error *err);
/* One step of the probability-flow ODE, h of either sign, DDPM_EUSAGE without a score; order 1 is Euler, 2
   Heun; work [3, d]. */
DDPM_API int ddpm_ode_step(const ddpm_sde *p, double *x, double t, double h, int order, double *work,
                           size_t d, ddpm_error *err);

typedef struct ddpm_langevin { /* x <- x + delta/2 gradient + sqrt(delta) z, delta = a (b + step)^-gamma */
    int (*gradient)(void *user, double *g, const double *x, int64_t step, size_t d,
                    ddpm_error *err); /* of ln p, or its minibatch estimate */
    void *user;
    double a, b, gamma; /* gamma 0: constant; else 1/2 < gamma <= 1 */
    uint64_t seed;
    uint32_t index; /* of the noise */
    ddpm_noise_fn *noise;
    void *noise_user; /* NULL: ddpm_noise; of step modulo 2^16, draw = step / 2^16 */
} ddpm_langevin;

/* Steps first .. first + steps - 1 of x [d]; work [2, d].  Non-zero from gradient ends the run with DDPM_ECALLBACK. */
DDPM_API int ddpm_langevin_run(const ddpm_langevin *l, double *x, double *work, size_t d, int64_t first,
                               int64_t steps, ddpm_error *err);

#ifdef __cplusplus
}
#endif
#endif
