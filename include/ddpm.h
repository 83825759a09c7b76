/* ddpm.h: U-Nets of "Denoising Diffusion Probabilistic Models" (Ho, Jain, Abbeel 2020) on ordinary CPUs.

   The parts.  A model is a file: a configuration, a noise schedule and weights.  A network is a model made
   ready to run on this machine.  A chain is the list of steps that are taken.  A sampler leads a batch of
   images down a chain, from noise to images, by calling the network.  Guidance makes a network show more of a
   class.  A bound measures what an image costs in bits, and so does a likelihood, by an ODE.  A trainer makes
   the weights of a model better.  Each section below has one of these, in this order; ddpm_guidance.h,
   ddpm_theory.h, ddpm_likelihood.h and ddpm_training.h, which this file includes, have the last ones.

   Shapes.  An image is [h, w, c] in NHWC order with values x in [-1, 1] and d = h*w*c elements; a batch is
   [n, d].  t is a step of the model's own chain, 0..T-1, where 0 is the least noisy; alpha_bar(-1) = 1.
   State, noise and tables are double; the network alone is float.

   Errors.  A function that can fail returns DDPM_OK or another code below, and then fills *err (which may be
   NULL) with one sentence: what, where, expected, found, what to do.  Nothing prints and nothing exits.

   Memory.  A create or open allocates, the free or close of the same kind releases (NULL is allowed).
   Tables, names and lists that a function returns belong to the handle and live as long as it.  After a
   create no function can run out of memory.  A handle keeps copies of the options that it was given.  If it
   keeps a caller's pointer, the comment says so.

   Threads.  A model is immutable once opened, but for ddpm_model_resize, and may be shared between threads;
   every other handle belongs to one thread at a time.  A network starts its threads when it is created;
   between runs they sleep, and they take no signals.  After fork() a child process may go on with its
   parent's handles, which compute with one thread there, or create its own.  A caller's rounding mode,
   flush-to-zero and locale change no bit: every function works under the defaults, on all its threads and in
   the functions that it calls back, and restores the caller's settings when it returns.

   Example.  One image of a model file as PGM or PPM on standard output; cc image.c $(pkg-config --cflags
   --libs ddpm) -lm

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
           ddpm_sampler_options options;
           uint32_t index = 0; // the first image of the seed
           if (ddpm_model_open(&model, argc > 1 ? argv[1] : "model.ddpm", &err) ||
               ddpm_net_create(&net, model, NULL, &err))
               return fprintf(stderr, "%s\n", err.text) > 0;
           const ddpm_about *about = ddpm_model_about(model);
           size_t d = (size_t)about->height * (size_t)about->width * (size_t)about->channels;
           ddpm_sampler_defaults(&options, about);
           options.eps = ddpm_net_eps;
           options.eps_user = net;
           options.seed = 7;
           if (ddpm_chain_respace(&chain, about, "50", NULL, &err) ||
               ddpm_sampler_create(&sampler, chain, &options, d, 1, NULL, &err) ||
               ddpm_sampler_start(sampler, &index, NULL, 1, NULL, 0, &err))
               return fprintf(stderr, "%s\n", err.text) > 0;
           while (ddpm_sampler_left(sampler) > 0)
               if (ddpm_sampler_step(sampler, &err))
                   return fprintf(stderr, "%s\n", err.text) > 0;
           const double *x = ddpm_sampler_state(sampler, NULL);
           printf("P%d %d %d 255\n", about->channels == 3 ? 6 : 5, about->width, about->height);
           for (size_t k = 0; k < d; k++)
               putchar((int)rint(127.5 * (1 + fmin(fmax(x[k], -1), 1))));
           ddpm_sampler_free(sampler);
           ddpm_chain_free(chain);
           ddpm_net_free(net);
           ddpm_model_close(model);
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

/* ---- errors ---- */

/* The results of a function that can fail. */
enum {
    DDPM_OK,
    DDPM_EUSAGE,       /* an argument is out of range: the caller's mistake */
    DDPM_EDATA,        /* a file or text holds something wrong */
    DDPM_EMISSING,     /* an input does not exist */
    DDPM_EIO,          /* reading or writing failed */
    DDPM_ECREATE,      /* an output cannot be created */
    DDPM_EPERM,        /* no permission */
    DDPM_ENOMEM,       /* out of memory, or no thread could be started */
    DDPM_EUNSUPPORTED, /* this CPU or build cannot do it */
    DDPM_ENAN,         /* the network produced NaN or infinity */
    DDPM_ECALLBACK     /* a caller's function returned non-zero */
};

/* The code, and one printable line that ends with NUL.  It belongs to the caller. */
typedef struct ddpm_error {
    int code;
    char text[508];
} ddpm_error;

/* ---- models: a configuration, a noise schedule and weights ---- */

typedef struct ddpm_model ddpm_model;

/* The network's prediction from x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps: eps (Ho et al. 2020),
   x0, or v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0 (Salimans and Ho 2022). */
enum { DDPM_EPS, DDPM_X0, DDPM_V };

/* The model's own variance in a reverse step: beta or beta_tilde (Ho et al. 2020, section 3.2); its
   logarithm is learned; or it is learned between the logarithms of beta and beta_tilde (Nichol and Dhariwal
   2021, equation 15). */
enum { DDPM_BETA, DDPM_BETA_TILDE, DDPM_LEARNED, DDPM_LEARNED_RANGE };

/* The rows of a tuned solver's table, each [K] in the order of a chain, whose position 0 is left last.  T
   holds steps, rising within 0 to T - 1; between whole steps ln(alpha_bar / (1 - alpha_bar)) is linear in
   t.  FED holds the steps that the network is told instead, within 0 to T - 1.  OF_X to BEFORE2 hold
   corrections of DPM-Solver++(2M); 0 corrects nothing.  They are a and b of the factors 1 + a of x and 1 +
   b of the predictions, and the weights of the differences between the two earlier predictions and the
   present one. */
enum {
    DDPM_TUNED_T,
    DDPM_TUNED_FED,
    DDPM_TUNED_OF_X,
    DDPM_TUNED_OF_M,
    DDPM_TUNED_BEFORE1,
    DDPM_TUNED_BEFORE2,
    DDPM_TUNED_ROWS
};

/* A solver of K steps that was learned for one model, and its measured quality.  error, untuned and equals
   were measured on `images` other noises. */
typedef struct ddpm_tuned {
    int K;
    const double *table; /* [DDPM_TUNED_ROWS, K] */
    const char *teacher; /* the solver whose images it was to imitate, such as "dpmpp, 60 steps" */
    int images;
    double error;   /* the mean of |x0 - x0 of the teacher| per element */
    double untuned; /* the same for the best untuned solver of K steps */
    int equals;     /* the least untuned steps that come as near; 0: no tried number does */
} ddpm_tuned;

/* A model's description.  A caller with a network of his own fills it in by hand. */
typedef struct ddpm_about {
    int height, width, channels, outputs; /* outputs is channels, or 2 channels with a learned variance */

    /* 1: the network tells the class of a noisy image and makes none (ddpm_guidance.h).  outputs is classes;
       prediction, variance and clip mean nothing.  0: it makes images. */
    int classifier;

    int classes, steps; /* classes is 0 without classes; steps is T */
    int null_class;     /* 1: class number `classes` stands for no class, as guidance needs it; else 0 */
    int prediction, variance;       /* DDPM_EPS...; DDPM_BETA... */
    double clip, t_scale;           /* x0 is clipped to +-clip, or not if 0; the network gets t * t_scale */
    const double *beta, *alpha_bar; /* [steps] the schedule */
    const double *gamma, *mse; /* [steps] mean square and mean squared error of the network's eps, or NULL */
    const char *json, *id;     /* metadata as text; SHA-256 of the tensors, "" until saved */
    const ddpm_tuned *tuned;   /* [tuned_count] in order of K */
    int tuned_count;
} ddpm_about;

/* Opens a model file, whose format is in model-file.md.  The file is mapped, so it must not change;
   replacing it by rename is allowed.  DDPM_EMISSING, DDPM_EPERM, DDPM_EIO, DDPM_ENOMEM; DDPM_EDATA: it is
   not a model, or it is a training checkpoint whose hash is wrong. */
DDPM_API int ddpm_model_open(ddpm_model **m, const char *path, ddpm_error *err);

/* Opens a model in data [size] in memory, which must outlive the model. */
DDPM_API int ddpm_model_open_memory(ddpm_model **m, const void *data, size_t size, ddpm_error *err);
DDPM_API void ddpm_model_close(ddpm_model *m);

/* Returns the model's description, which lives as long as the model. */
DDPM_API const ddpm_about *ddpm_model_about(const ddpm_model *m);

/* Recomputes the SHA-256 of the tensors.  DDPM_EDATA: it differs from the id. */
DDPM_API int ddpm_model_check(const ddpm_model *m, ddpm_error *err);

/* Makes a new model from the metadata of a model file: "version", "net", "diffusion" and "source" as in
   model-file.md; "id" is not read.  Weights are zero.  time.freq is filled, and so are the schedule.*
   tensors if "name" is a known schedule.  DDPM_EDATA, DDPM_ENOMEM. */
DDPM_API int ddpm_model_create(ddpm_model **m, const char *json, ddpm_error *err);

/* Draws the weights of a created model.  Their distribution is that of torch's new layers, U(-b, b) with b
   = 1/sqrt(fan_in), but their numbers differ.  Norms get 1 and 0. */
DDPM_API void ddpm_model_init(ddpm_model *m, uint64_t seed);

/* The types of ddpm_tensor.dtype. */
enum { DDPM_F32, DDPM_F16, DDPM_F64 };

/* A tensor: data [dim[0], ..., dim[rank-1]] of type dtype. */
typedef struct ddpm_tensor {
    const char *name;
    int dtype, rank;
    int64_t dim[4];
    void *data;
} ddpm_tensor;

/* Returns how many tensors the model has, and their list in the order of names, which lives as long as the
   model.  The data of a created model may be written; a converter fills a model in this way. */
DDPM_API size_t ddpm_model_tensors(const ddpm_model *m, const ddpm_tensor **list);

enum { DDPM_SAVE_F16 = 1, DDPM_SAVE_REPLACE = 2 };

/* Writes a model file beside path, synchronises it and renames it to path.  flags: DDPM_SAVE_F16 rounds
   weights of two and more dimensions to half precision; without DDPM_SAVE_REPLACE an existing path is
   DDPM_ECREATE.  A failure leaves nothing behind. */
DDPM_API int ddpm_model_save(const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err);

/* Makes a copy of m with new statistics, to be saved.  gamma and mse [steps] are as in ddpm_about.  images
   says how many images they come from, at least 1.  bits is the cost of these images under the full chain,
   in bits per dimension, or NAN if it is not known. */
DDPM_API int ddpm_model_add_statistics(ddpm_model **with, const ddpm_model *m, const double *gamma,
                                       const double *mse, int images, double bits, ddpm_error *err);

/* Makes a copy of m with a tuned solver, to be saved.  It replaces a solver of as many steps. */
DDPM_API int ddpm_model_add_tuned(ddpm_model **with, const ddpm_model *m, const ddpm_tuned *solver,
                                  ddpm_error *err);

/* Makes m a model of images of another size, of which networks are then created.  Its weights and its id
   stay, and so does attention at the levels where it was trained; the sides that ddpm_model_about and a
   saved file give are the new ones.  Every level of the network but the last halves the sides, so they are
   multiples of 2^(levels - 1).  What ddpm_model_about and ddpm_model_tensors gave before ends its life, so
   no other thread may use m meanwhile.  Networks of m keep their size: to have networks of several sizes,
   create one after each call.  DDPM_EUSAGE: the network cannot halve a side; err names the nearest sizes
   that it can.  DDPM_ENOMEM.  An error leaves m as it was. */
DDPM_API int ddpm_model_resize(ddpm_model *m, int height, int width, ddpm_error *err);

/* ---- networks: a model made ready to run ---- */

typedef struct ddpm_net ddpm_net;

/* Options of a network; all zero is a good choice.  batch: images run at once, 0: 1; ddpm_net_run takes any
   n, in slices of this size.  threads: 0 stands for OMP_NUM_THREADS, or for as many as affinity, control
   group quota and physical cores allow.  cpu: the best instruction set to use, one of
   ddpm_cpu_names; NULL: the best of this CPU.  conv: the engine of the convolutions, one of
   ddpm_conv_names; NULL: "auto"; "gemm" takes the least memory. */
typedef struct ddpm_net_options {
    int batch, threads;
    const char *cpu, *conv;
} ddpm_net_options;

/* Return the names of instruction sets and of engines, "ref" and "auto" first, NULL last.  This build or
   CPU may lack some of them. */
DDPM_API const char *const *ddpm_cpu_names(void);
DDPM_API const char *const *ddpm_conv_names(void);

/* Makes a network from the model; o may be NULL.  The network copies what it needs, so m may be closed
   afterwards.  DDPM_EUSAGE, DDPM_ENOMEM; DDPM_EUNSUPPORTED: this machine or build lacks the instruction set
   or engine. */
DDPM_API int ddpm_net_create(ddpm_net **net, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err);
DDPM_API void ddpm_net_free(ddpm_net *net);

/* Fills out [n, h, w, outputs] with network(x [n, h, w, channels], t [n] as fed, classes [n] or NULL).  A
   class is 0 to classes - 1, or `classes` itself where the model has a null class.  A classifier's out is
   [n, classes], its logits, and it takes no classes.
   DDPM_EUSAGE: a class is out of range.  DDPM_ENAN: the output of an image is not finite; err names the
   image and the first layer, and the other images are right. */
DDPM_API int ddpm_net_run(ddpm_net *net, float *out, const float *x, const float *t, const int32_t *classes,
                          int n, ddpm_error *err);

/* Fills out [n, features] with the mean over space of the middle block's output (without that block, of the
   way down), at x [n, d], all at step t of the model's chain, classes [n] or NULL.  The errors are those of
   ddpm_net_run; after an error out means nothing. */
DDPM_API int ddpm_net_features(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes,
                               int n, ddpm_error *err);

/* A network as samplers and bounds call it.  It fills out [n, m, d] from x [n, d], all at step t, and
   classes [n] or NULL.  m is 1, or 2 if v follows the prediction.  It returns 0 when all went well.  After
   DDPM_ENAN, rows that are not finite are dropped and the run goes on.  Any other value ends the run with
   DDPM_ECALLBACK.  *err is passed through. */
typedef int ddpm_eps_fn(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                        ddpm_error *err);

/* The ddpm_eps_fn of a ddpm_net, which is given as user.  It scales t and converts to float and back. */
DDPM_API int ddpm_net_eps(void *net, double *out, const double *x, double t, const int32_t *classes, int n,
                          ddpm_error *err);

/* A classifier of noisy images, as samplers call it: ddpm_classifier_gradient (ddpm_guidance.h), or one of
   your own.  It fills g [n, d] with the gradient of ln p(class | x_t) by x_t, at x [n, d] and classes [n],
   all at step t of the model's chain.  It returns what a ddpm_eps_fn does. */
typedef int ddpm_classifier_fn(void *user, double *g, const double *x, double t, const int32_t *classes,
                               int n, ddpm_error *err);

/* One operation of a network.  name is such as "down_blocks.0.resnets.0.conv1", op "conv", engine
   "dnnl:jit:avx512", or "" where there is no choice.  height, width and channels are those of its output.
   flops counts floating-point operations for one image; seconds is the time for all images since the
   network was made. */
typedef struct ddpm_node {
    const char *name, *op, *engine;
    int height, width, channels;
    double flops, seconds;
} ddpm_node;

/* A network's description.  flops is for one image and step.  parameters is a count; the other sizes are in
   bytes.  features is the number of channels that ddpm_net_features gives.  cpu is such as "avx2";
   engine_class is the text of model-file.md, "Engine class". */
typedef struct ddpm_net_about {
    int batch, threads;
    double flops;
    size_t parameters, weights, packed, activations, scratch;
    int features;
    const char *cpu, *engine_class;
} ddpm_net_about;

/* Return the number of operations with their list in the order of running, and the network's description.
   Both live as long as the network. */
DDPM_API size_t ddpm_net_nodes(const ddpm_net *net, const ddpm_node **list);
DDPM_API const ddpm_net_about *ddpm_net_describe(const ddpm_net *net);

/* ---- chains: the steps that are taken ---- */

/* Positions i = 0, ..., K-1 with ascending steps t[i] = C(i) of the model's own chain. */
typedef struct ddpm_chain ddpm_chain;

/* Makes the chain that takes `steps` of the model's T: a count "50", "all", a rising list "0,10,20,999"
   ("999," is one step), or counts by section "iddpm:10,15,20" (Nichol and Dhariwal 2021, section 4).
   spacing says where the steps of a count lie: one of ddpm_spacing_names; NULL: "iddpm".  If the model's
   beta is not NULL, it is used for each step that follows the one before it in the model's own chain.
   DDPM_EUSAGE, DDPM_EDATA, DDPM_ENOMEM. */
DDPM_API int ddpm_chain_respace(ddpm_chain **c, const ddpm_about *a, const char *steps, const char *spacing,
                                ddpm_error *err);
DDPM_API void ddpm_chain_free(ddpm_chain *c);

/* Makes the chain of a->tuned with K steps, for the sampler "tuned".  DDPM_EUSAGE: the model has no such
   solver; err lists its solvers. */
DDPM_API int ddpm_chain_tuned(ddpm_chain **c, const ddpm_about *a, int K, ddpm_error *err);

/* Returns the names of the spacings, the default first, NULL last. */
DDPM_API const char *const *ddpm_spacing_names(void);

/* Makes a chain from t [K] and alpha_bar [K].  t rises within 0 to 65535, by at least 2^-16, because the
   noise is counted in such units.  alpha_bar falls strictly from below 1; the last may be 0.  beta is 1 -
   alpha_bar_i / alpha_bar_{i-1}. */
DDPM_API int ddpm_chain_create(ddpm_chain **c, int K, const double *t, const double *alpha_bar,
                               ddpm_error *err);

/* The tables of a chain, [K] each (Ho et al. 2020, equations 4, 6 and 7): alpha = 1 - beta; q(x_{i-1} |
   x_i, x0) = N(mean_x0 x0 + mean_xt x_i, beta_tilde I); log_snr = ln(alpha_bar / (1 - alpha_bar)).  warning
   is NULL or one sentence, such as that the chain does not begin in noise. */
typedef struct ddpm_tables {
    int K;
    const double *t, *alpha_bar, *beta, *beta_tilde, *mean_x0, *mean_xt, *log_snr;
    const char *warning;
} ddpm_tables;

/* Returns the tables, which live as long as the chain. */
DDPM_API const ddpm_tables *ddpm_chain_tables(const ddpm_chain *c);

/* Fills beta [T] and alpha_bar [T] of a noise schedule by its name, such as "linear:1e-4,0.02", "cosine" or
   "scaled_linear:...", as double arithmetic gives them.  DDPM_EUSAGE: there is no such schedule (the text
   lists all), or it does not make a chain. */
DDPM_API int ddpm_betas(double *beta, double *alpha_bar, int T, const char *spec, ddpm_error *err);

/* ---- noise ---- */

/* A noise function.  It fills z [d] with N(0, I) for one image at step t; t = INFINITY stands for x_T.
   draw counts further draws at the same t.  The result must depend on the arguments alone. */
typedef void ddpm_noise_fn(void *user, double *z, size_t d, uint32_t index, double t, int draw);

/* The library's noise: Philox4x32-10 (Salmon et al. 2011) keyed by *(const uint64_t *)seed, see
   model-file.md, "Noise".  t counts in steps of 2^-16, from 0 to below 65536, or is INFINITY; draw is 0 to
   2^24 - 1.  Beyond these ranges numbers would repeat, so z is NaN. */
DDPM_API void ddpm_noise(void *seed, double *z, size_t d, uint32_t index, double t, int draw);

/* ---- samplers: from noise to images ---- */

typedef struct ddpm_sampler ddpm_sampler;

/* Options of a sampler.  Begin with ddpm_sampler_defaults, then set eps.  rate stays the caller's; NULL:
   alpha_bar gives the length of the steps.  gamma and tuned are read by ddpm_sampler_create only.

   A classifier's gradient g moves a step as in Dhariwal and Nichol 2021: with the sampler "ddpm" the mean of
   the step by classifier_scale sigma^2 g (algorithm 1); with all others eps by -classifier_scale sqrt(1 -
   alpha_bar) g (algorithm 2), and x0 and v by what that means for them. */
typedef struct ddpm_sampler_options {
    const char *sampler, *variance; /* names of ddpm_sampler_names and ddpm_variance_names */
    double eta, clip;               /* the noise of ddim and dpmpp, 0 to 1; clip as in ddpm_about */
    int order;          /* the order of dpmpp (1 to 3), ipndm (1 to 4), unipc, ode (1, 2); 0: the default */
    int corrector;      /* how many Langevin steps come before the step that leaves a t */
    double snr;         /* the signal-to-noise ratio of a Langevin step, between 0 and 1 */
    const double *rate; /* for sde: beta(t) dt by position [K], read at every step; or NULL */
    int prediction, outputs; /* DDPM_EPS...; the m of ddpm_eps_fn */
    int own_variance, T;     /* for the variance "auto": ddpm_about.variance and steps */
    const double *gamma;     /* [T] for "analytic" and "auto": ddpm_about.gamma, or NULL */
    const ddpm_tuned *tuned; /* [tuned_count] the model's solvers */
    int tuned_count;
    uint64_t seed;    /* the seed of the noise */
    ddpm_eps_fn *eps; /* the network: ddpm_net_eps, with a ddpm_net as eps_user */
    void *eps_user;
    ddpm_classifier_fn *classifier; /* leads to the classes of the images; NULL: nothing does */
    void *classifier_user;
    double classifier_scale; /* 0 or more */
    int classes;             /* beside a classifier: ddpm_about.classes; 0: eps gets no classes */
    ddpm_noise_fn *noise;    /* NULL: ddpm_noise with this seed */
    void *noise_user;
} ddpm_sampler_options;

/* A sampler's traits: the options that it takes and how it works; 1: yes, 0: no. */
typedef struct ddpm_sampler_traits {
    int takes_eta;            /* eta may be above 0 */
    int takes_variance;       /* every name of a variance; otherwise only "auto" */
    int takes_analytic;       /* besides "auto" it takes the variance "analytic" */
    int order, highest_order; /* the default order, and the highest order; 0: there is no choice */
    int corrector;            /* the fewest Langevin steps before each step; -1: it takes no Langevin steps */
    int noisy;                /* its steps draw noise even with eta 0 and variance "auto" */
    int encodes;              /* ddpm_sampler_encode works, with eta 0 and variance "auto" */
    int own_steps;            /* its steps were learned for the model: ddpm_chain_tuned makes the chain */
    int trusts_x0;            /* an error of x0 at the first step stays in the image to the end */
} ddpm_sampler_traits;

/* Return the names of samplers, the default first, and of variances, "auto" first; NULL last. */
DDPM_API const char *const *ddpm_sampler_names(void);
DDPM_API const char *const *ddpm_variance_names(void);

/* Returns the traits of a sampler by its name, which live as long as the program, or NULL if there is no
   such sampler. */
DDPM_API const ddpm_sampler_traits *ddpm_sampler_traits_of(const char *sampler);

/* Fills *o with the sampler "ddpm" (Ho et al. 2020, algorithm 2), variance "auto", eta 0, snr 0.16, seed 0,
   the library's noise, no classifier with scale 1, and the model's settings.  eps is still to be set. */
DDPM_API void ddpm_sampler_defaults(ddpm_sampler_options *o, const ddpm_about *a);

/* Makes a sampler for up to `batch` images of d elements.  It keeps a copy of the chain.  warning [256],
   unless NULL, gets "" or one sentence, such as that beta at few steps is noisy.  DDPM_EUSAGE: options do
   not fit; DDPM_EDATA, DDPM_ENOMEM. */
DDPM_API int ddpm_sampler_create(ddpm_sampler **s, const ddpm_chain *c, const ddpm_sampler_options *o,
                                 size_t d, int batch, char *warning, ddpm_error *err);
DDPM_API void ddpm_sampler_free(ddpm_sampler *s);

/* Begins n <= batch images with index [n], classes [n] or NULL, and x [n, d] at chain position i.  If x is
   NULL, they begin with noise x_T at i = K-1.  An image depends on its index, never on the others of its
   batch. */
DDPM_API int ddpm_sampler_start(ddpm_sampler *s, const uint32_t *index, const int32_t *classes, int n,
                                const double *x, int i, ddpm_error *err);

/* The parts that images keep (inpainting).  known [n, d] holds x0 where it is known and NAN elsewhere; it
   stays the caller's and lives until the last step.  The sampler goes resample times, 1 to 256, through each
   part of the chain of jump positions, 1 or more: it jumps back at chain positions that are multiples of
   jump.  done is 0, or how many steps the images have behind them if their state is restored. */
typedef struct ddpm_keep {
    const double *known;
    int resample, jump, done;
} ddpm_keep;

/* Makes the started images keep what is known of them, to the bit, and make the rest fit (RePaint, Lugmayr
   et al. 2022, algorithm 1, section 4.2).  Steps are taken as ever, until ddpm_sampler_left is 0; those that
   go back add noise and do not call the network.  A sampler without noise keeps the known elements by
   replacement, with x_T as their noise.  The next start keeps nothing.  DDPM_EUSAGE: no images were started,
   a number is out of range, or resample is above 1 for a sampler that draws no noise or keeps a history;
   DDPM_EDATA: an infinite element. */
DDPM_API int ddpm_sampler_keep(ddpm_sampler *s, const ddpm_keep *keep, ddpm_error *err);

/* Returns how many steps such images take from chain position i. */
DDPM_API int ddpm_keep_steps(int i, int resample, int jump);

/* Takes one step with all images.  DDPM_ENAN: err names an image whose prediction was not finite; such
   images leave the run in their state before the step, and the others have taken it.  DDPM_ECALLBACK: the
   network failed; all images are as they were before the step. */
DDPM_API int ddpm_sampler_step(ddpm_sampler *s, ddpm_error *err);

/* Takes one step the other way, from position i to i + 1, if the sampler's traits say that it encodes: an
   image that starts at position 0 becomes noise at K-1 (Song, Meng, Ermon 2021, section 4.3). */
DDPM_API int ddpm_sampler_encode(ddpm_sampler *s, ddpm_error *err);

/* Returns how many steps are still to take. */
DDPM_API int ddpm_sampler_left(const ddpm_sampler *s);

/* Returns the state [buffers, batch, d], which belongs to the sampler: buffer 0 is x.  It may be saved and
   restored as a whole.  buffers may be NULL. */
DDPM_API double *ddpm_sampler_state(ddpm_sampler *s, size_t *buffers);

/* Return the variance that the name stands for (beta, beta-tilde, learned, analytic), and whether steps
   draw noise.  If they do not, x_T alone determines the image. */
DDPM_API const char *ddpm_sampler_variance(const ddpm_sampler *s);
DDPM_API int ddpm_sampler_noisy(const ddpm_sampler *s);

/* Returns 0, or 1 + the chain position at which the image of this row was lost. */
DDPM_API int ddpm_sampler_lost(const ddpm_sampler *s, int row);

#ifdef __cplusplus
}
#endif

#include "ddpm_guidance.h"
#include "ddpm_theory.h"
#include "ddpm_likelihood.h"
#include "ddpm_training.h"
#endif
