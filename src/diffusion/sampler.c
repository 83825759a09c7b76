/* sampler.c: what all samplers share: the list of samplers, options, the batch and its live images,
   prediction and noise. */
#include "diffusion/sampler.h"
#include "base/names.h"
#include "base/rng.h"
#include "diffusion/condition.h"
#include "diffusion/inpaint.h"
#include "diffusion/langevin.h"
#include "diffusion/marginal.h"
#include "diffusion/noise.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLERS(X)                          \
    X("ddpm", dd_ancestral)                  \
    X("ddim", dd_ddim)                       \
    X("ddim-diffusers", dd_ddim_diffusers)   \
    X("dpmpp", dd_dpmpp)                     \
    X("dpmpp-diffusers", dd_dpmpp_diffusers) \
    X("unipc", dd_unipc)                     \
    X("ipndm", dd_ipndm)                     \
    X("sde", dd_sde)                         \
    X("ode", dd_ode)                         \
    X("tuned", dd_tuned)                     \
    X("langevin", dd_langevin)

#define DECLARE(name, kind) extern const struct dd_sampler_kind kind;
#define NAME(name, kind) name,
#define KIND(name, kind) &kind,
SAMPLERS(DECLARE)
static const char *const names[] = { SAMPLERS(NAME) NULL };
static const struct dd_sampler_kind *const kinds[] = { SAMPLERS(KIND) };

const char *const *dd_sampler_names(void)
{
    return names;
}

const ddpm_sampler_traits *dd_sampler_traits(const char *name)
{
    int i = dd_names_find(names, name);
    return i < 0 ? NULL : &kinds[i]->traits;
}

const char *dd_sampler_having(char list[128], size_t offset)
{
    const char *last = NULL;
    size_t used = 0;
    *list = 0;

    for (int i = 0; names[i]; i++) {
        if (!*(const int *)(const void *)((const char *)&kinds[i]->traits + offset))
            continue;
        if (last)
            used += (size_t)snprintf(list + used, 128 - used, "%s%s", used ? ", " : "", last);
        last = names[i];
    }
    if (last)
        snprintf(list + used, 128 - used, "%s%s", used ? " or " : "", last);
    return list;
}

static int find_kind(const struct dd_sampler_kind **kind, const char *name, ddpm_error *err)
{
    int i, code = dd_names_choose(&i, "sampler", name, names, err);
    if (!code)
        *kind = kinds[i];
    return code;
}

int dd_sampler_no_zero(const ddpm_sampler *s, ddpm_error *err)
{
    const ddpm_tables *t = s->tables;
    if (t->alpha_bar[t->K - 1] == 0)
        return dd_error(
            err, DDPM_EUSAGE,
            "the list of steps begins at t = %g, where alpha_bar is 0, which sampler %s cannot leave; leave "
            "that step out",
            t->t[t->K - 1], s->options.sampler);
    return DDPM_OK;
}

static int allocate(ddpm_sampler *s, ddpm_error *err)
{
    /* The memory holds the state, its copy from before the step and, with correctors, its copy from after
       them. */
    size_t batch = (size_t)s->batch, copies = s->options.corrector ? 3 : 2;
    size_t gradients = s->options.classifier ? batch : 0;
    size_t rows =
        batch * (copies * (size_t)s->kind->buffers + 1 + (size_t)s->options.outputs) + 2 + gradients;

    s->image = dd_arena(&s->arena, batch, sizeof *s->image);
    s->row = dd_arena(&s->arena, batch, sizeof *s->row);
    s->classes = dd_arena(&s->arena, batch, sizeof *s->classes);
    s->state = dd_memory(s->d, rows * sizeof *s->state);
    if (!s->image || !s->row || !s->classes || !s->state)
        return dd_error(
            err, DDPM_ENOMEM,
            "out of memory for the state of %d images of %zu elements; a smaller batch needs less", s->batch,
            s->d);

    /* Without correctors `begun` is `before`. */
    s->before = s->state + (size_t)s->kind->buffers * batch * s->d;
    s->begun = s->state + (copies - 1) * (size_t)s->kind->buffers * batch * s->d;
    s->input = s->begun + (size_t)s->kind->buffers * batch * s->d;
    s->output = s->input + batch * s->d;
    s->x0 = s->output + batch * (size_t)s->options.outputs * s->d;
    s->z = s->x0 + s->d;
    s->gradient = gradients ? s->z + s->d : NULL;
    return DDPM_OK;
}

static int create_posterior(ddpm_sampler *s, char *warning, ddpm_error *err)
{
    const ddpm_sampler_options *o = &s->options;
    struct dd_variance variance = {
        .name = o->variance,
        .own = o->own_variance,
        .T = o->T,
        .gamma = o->gamma,
    };
    return dd_posterior_create(&s->posterior, s->tables, &variance, warning, err);
}

/* Completes a sampler whose kind, options, d and batch are set. */
static int set_up(ddpm_sampler *s, const ddpm_chain *c, char *warning, ddpm_error *err)
{
    const ddpm_sampler_options *o = &s->options;
    if ((!s->kind && !o->sampler) || !o->variance || !o->eps || s->d < 1 || s->batch < 1)
        return dd_error(
            err, DDPM_EUSAGE,
            "the options are not complete: begin with ddpm_sampler_defaults, set eps, and give d and "
            "batch of at least 1");

    int code = s->kind ? DDPM_OK : find_kind(&s->kind, o->sampler, err);
    if (!code)
        code = dd_chain_copy(&s->chain, c, err);
    if (code)
        return code;

    s->tables = &s->chain->tables;
    s->told = s->tables->t;

    /* An order of 0 asks for the kind's own; some kinds take corrector steps by themselves. */
    code = dd_sampler_check(s, err);
    if (!o->order)
        s->options.order = s->kind->traits.order;
    if (o->corrector < s->kind->traits.corrector)
        s->options.corrector = s->kind->traits.corrector;

    if (!code)
        code = create_posterior(s, warning, err);
    if (!code && s->kind->begin)
        code = s->kind->begin(s, err);
    if (code)
        return code;

    if (s->kind->warn && !*warning)
        s->kind->warn(s, warning);
    if (s->purpose == DD_RNG_SAMPLE)
        dd_posterior_for_images(&s->posterior);
    return allocate(s, err);
}

int dd_sampler_create(ddpm_sampler **s, const struct dd_sampler_plan *plan, char *warning, ddpm_error *err)
{
    char unread[256];
    ddpm_sampler *made = dd_memory(1, sizeof *made);
    if (!made)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a sampler");

    made->kind = plan->kind;
    made->purpose = plan->purpose;
    made->options = *plan->options;
    made->d = plan->d;
    made->batch = plan->batch;
    made->i = -1;
    if (!warning)
        warning = unread;
    warning[0] = 0;

    int code = set_up(made, plan->chain, warning, err);

    if (code)
        dd_sampler_free(made);
    else
        *s = made;
    return code;
}

void dd_sampler_free(ddpm_sampler *s)
{
    if (!s)
        return;
    dd_memory_free(s->chain);
    dd_memory_free(s->state);
    dd_posterior_free(&s->posterior);
    dd_arena_free(&s->arena);
    dd_memory_free(s);
}

double *dd_sampler_row(ddpm_sampler *s, int buffer, int k)
{
    return s->state + ((size_t)buffer * (size_t)s->batch + (size_t)s->row[k]) * s->d;
}

const double *dd_sampler_begun(const ddpm_sampler *s, int buffer, int k)
{
    return s->begun + ((size_t)buffer * (size_t)s->batch + (size_t)s->row[k]) * s->d;
}

int dd_sampler_history(const double *m1, const double *m2)
{
    if (isnan(m1[0]))
        return 0;
    return isnan(m2[0]) ? 1 : 2;
}

const double *dd_sampler_noise(ddpm_sampler *s, int k, int i, int draw)
{
    const ddpm_sampler_options *o = &s->options;
    double t = i < s->tables->K ? s->tables->t[i] : INFINITY;

    /* Each time that inpainting goes through a step has draws of its own. */
    draw |= s->known && i < s->tables->K ? s->jumps.round << 16 : 0;
    if (o->noise)
        o->noise(o->noise_user, s->z, s->d, s->image[s->row[k]].index, t, draw);
    else
        dd_noise(s->z, s->d, (struct dd_draw){ o->seed, s->image[s->row[k]].index, t, s->purpose, draw });
    return s->z;
}

const double *dd_sampler_x0(ddpm_sampler *s, const double *x, int k, int i)
{
    const ddpm_sampler_options *o = &s->options;
    dd_marginal_x0(s->x0, x, s->output + (size_t)k * (size_t)o->outputs * s->d, o->prediction, o->clip,
                   s->tables->alpha_bar[i], s->d);
    return s->x0;
}

void dd_sampler_eps(const ddpm_sampler *s, double *eps, const double *x, int k, int i)
{
    const ddpm_sampler_options *o = &s->options;
    dd_marginal_net_eps(eps, x, s->output + (size_t)k * (size_t)o->outputs * s->d, o->prediction,
                        s->tables->alpha_bar[i], s->d);
}

const double *dd_sampler_clipped_eps(ddpm_sampler *s, const double *x, int k, int i)
{
    dd_marginal_eps(s->x0, x, dd_sampler_x0(s, x, k, i), s->tables->alpha_bar[i], s->d);
    return s->x0;
}

const double *dd_sampler_score(ddpm_sampler *s, const double *x, int k, int i)
{
    double sigma = sqrt(1 - s->tables->alpha_bar[i]);
    dd_sampler_clipped_eps(s, x, k, i);
    for (size_t e = 0; e < s->d; e++)
        s->x0[e] /= -sigma;
    return s->x0;
}

const double *dd_sampler_v(const ddpm_sampler *s, int k)
{
    return s->output + ((size_t)k * (size_t)s->options.outputs + (size_t)(s->options.outputs - 1)) * s->d;
}

static int all_finite(const double *v, size_t n)
{
    for (size_t e = 0; e < n; e++)
        if (!isfinite(v[e]))
            return 0;
    return 1;
}

/* Says whether the prediction for the k-th live image, or the classifier's gradient, is not finite. */
static int is_lost(const ddpm_sampler *s, int k)
{
    size_t size = (size_t)s->options.outputs * s->d;
    return !all_finite(s->output + (size_t)k * size, size) ||
           (s->gradient && !all_finite(s->gradient + (size_t)k * s->d, s->d));
}

/* Marks live images whose prediction is not finite as lost and moves the others up.  Returns how many are
   lost; *first is the row of the first one. */
static int drop_lost(ddpm_sampler *s, int *first, int i)
{
    size_t size = (size_t)s->options.outputs * s->d;
    int kept = 0, live = s->live;
    for (int k = 0; k < live; k++) {
        if (is_lost(s, k)) {
            if (k == kept)
                *first = s->row[k];
            s->image[s->row[k]].lost = 1 + i;
            continue;
        }

        if (kept < k)
            memcpy(s->output + (size_t)kept * size, s->output + (size_t)k * size, size * sizeof *s->output);
        if (kept < k && s->gradient)
            memcpy(s->gradient + (size_t)kept * s->d, s->gradient + (size_t)k * s->d,
                   s->d * sizeof *s->gradient);
        s->row[kept++] = s->row[k];
    }
    s->live = kept;
    return live - kept;
}

/* Calls the network, and then the classifier if there is one, for s->input and s->classes.  Returns the code
   of the first that failed. */
static int call(ddpm_sampler *s, int i, ddpm_error *given)
{
    const ddpm_sampler_options *o = &s->options;

    /* A network without classes gets none; the classifier alone does. */
    bool told = s->has_classes && (!o->classifier || o->classes);
    int code = o->eps(o->eps_user, s->output, s->input, s->told[i], told ? s->classes : NULL, s->live, given);
    if (!o->classifier || (code && code != DDPM_ENAN))
        return code;

    int of_classifier = o->classifier(o->classifier_user, s->gradient, s->input, s->tables->t[i], s->classes,
                                      s->live, code ? NULL : given);
    return of_classifier ? of_classifier : code;
}

int dd_sampler_predict_alone(ddpm_sampler *s, int buffer, int i, ddpm_error *err)
{
    ddpm_error given = { 0 };
    double t = s->tables->t[i];
    int first = 0;

    for (int k = 0; k < s->live; k++) {
        memcpy(s->input + (size_t)k * s->d, dd_sampler_row(s, buffer, k), s->d * sizeof *s->input);
        s->classes[k] = s->image[s->row[k]].class;
    }

    int code = s->live ? call(s, i, &given) : DDPM_OK;

    /* The caller's function may have filled the text without a terminating 0. */
    given.text[sizeof given.text - 1] = 0;
    int lost = code && code != DDPM_ENAN ? 0 : drop_lost(s, &first, i);
    if (lost)
        dd_error(err, DDPM_ENAN, "image %u %s lost at step t = %g: %s", s->image[first].index,
                 lost > 1 ? "and others are" : "is", t,
                 given.text[0] ? given.text : "the network's output is not finite");
    else if (code && given.text[0])
        dd_error(err, given.code ? given.code : DDPM_ECALLBACK, "%s", given.text);
    else if (code)
        dd_error(err, DDPM_ECALLBACK, "the eps function returned %d at step t = %g", code, t);
    return code && !lost ? DDPM_ECALLBACK : DDPM_OK;
}

int dd_sampler_predict(ddpm_sampler *s, int buffer, int i, ddpm_error *err)
{
    int code = dd_sampler_predict_alone(s, buffer, i, err);
    if (!code && s->gradient)
        dd_condition_prediction(s, i);
    return code;
}

static size_t state_size(const ddpm_sampler *s)
{
    return (size_t)s->kind->buffers * (size_t)s->batch * s->d;
}

/* Fills x with x_T of every image. */
static void draw_start(ddpm_sampler *s)
{
    for (int k = 0; k < s->n; k++)
        memcpy(dd_sampler_row(s, 0, k), dd_sampler_noise(s, k, s->tables->K, 0), s->d * sizeof *s->state);
}

int dd_sampler_start(ddpm_sampler *s, const uint32_t *index, const int32_t *classes, int n, const double *x,
                     int i, ddpm_error *err)
{
    if (n < 1 || n > s->batch)
        return dd_error(err, DDPM_EUSAGE,
                        "%d images are to be started, but this sampler takes 1 to %d at a time", n, s->batch);
    if (s->options.classifier && !classes)
        return dd_error(err, DDPM_EUSAGE, "with a classifier, a class is needed for every image");
    if (x && (i < 0 || i >= s->tables->K))
        return dd_error(err, DDPM_EUSAGE, "a start at chain position %d is asked for; there are 0 to %d", i,
                        s->tables->K - 1);
    if (x && !all_finite(x, (size_t)n * s->d))
        return dd_error(err, DDPM_EDATA, "the given images hold a value that is not finite");

    s->n = s->live = n;
    s->i = x ? i : s->tables->K - 1;
    s->has_classes = classes != NULL;
    s->known = NULL;

    for (int k = 0; k < n; k++) {
        s->image[k] = (struct dd_image){ index[k], classes ? classes[k] : 0, 0 };
        s->row[k] = k;
    }

    /* NAN says that nothing is known yet. */
    for (size_t e = 0; e < state_size(s); e++)
        s->state[e] = NAN;
    if (x)
        memcpy(s->state, x, (size_t)n * s->d * sizeof *x);
    else
        draw_start(s);
    return DDPM_OK;
}

/* Restores the state from before the step for lost images or, with `all`, for every image. */
static void put_back(ddpm_sampler *s, int all)
{
    for (int row = 0, k = 0; row < s->n; row++) {
        bool is_live = k < s->live && s->row[k] == row;
        k += is_live;
        if (is_live && !all)
            continue;

        for (int b = 0; b < s->kind->buffers; b++) {
            size_t at = ((size_t)b * (size_t)s->batch + (size_t)row) * s->d;
            memcpy(s->state + at, s->before + at, s->d * sizeof *s->state);
        }
    }
}

/* Takes the correctors' steps, then one step of the kind, up or down the chain by `move` positions.  An
   image lost in an earlier step keeps its state, because that is restored, too. */
static int take_step(ddpm_sampler *s, int (*step)(ddpm_sampler *, int, ddpm_error *), int correctors,
                     int move, ddpm_error *err)
{
    int before = s->live, code = DDPM_OK;
    memcpy(s->before, s->state, state_size(s) * sizeof *s->state);

    for (int draw = 1; !code && draw <= correctors; draw++)
        code = dd_langevin_correct(s, s->i, draw, err);

    if (s->begun != s->before)
        memcpy(s->begun, s->state, state_size(s) * sizeof *s->state);
    if (!code)
        code = step(s, s->i, err);

    /* After a failure all images get their old state back, otherwise only the lost ones do. */
    if (code || s->live < before)
        put_back(s, code != DDPM_OK);
    if (code)
        return code;
    s->i += move;
    return s->live < before ? DDPM_ENAN : DDPM_OK;
}

int dd_sampler_step(ddpm_sampler *s, ddpm_error *err)
{
    if (s->i < 0 || !s->live)
        return dd_error(err, DDPM_EUSAGE, "no step is left to take");

    struct dd_jump_schedule before = s->jumps;
    if (s->known && dd_jump_schedule_turn(&s->jumps)) {
        dd_inpaint_back(s);
        dd_jump_schedule_move(&s->jumps);
        return DDPM_OK;
    }

    int code = take_step(s, s->kind->step, s->options.corrector, -1, err);
    if (!s->known)
        return code;

    /* A failure leaves the schedule where it was, as it does the images. */
    if (code && code != DDPM_ENAN) {
        s->jumps = before;
        return code;
    }
    dd_jump_schedule_move(&s->jumps);
    dd_inpaint_merge(s);
    return code;
}

bool dd_sampler_noisy(const ddpm_sampler *s)
{
    const ddpm_sampler_options *o = &s->options;
    return s->kind->traits.noisy || o->eta > 0 || o->corrector > 0 || !strcmp(o->variance, "analytic");
}

int dd_sampler_encode(ddpm_sampler *s, ddpm_error *err)
{
    const ddpm_sampler_options *o = &s->options;
    bool encodes = s->kind->traits.encodes;
    char list[128];
    if (!encodes || o->eta > 0 || strcmp(o->variance, "auto"))
        return dd_error(
            err, DDPM_EUSAGE,
            "sampler %s%s cannot lead from an image to noise: it adds noise or keeps a history; take "
            "%s, with eta 0 and variance auto",
            o->sampler, encodes ? " with these options" : "", DD_SAMPLER_HAVING(list, encodes));
    if (s->known || s->i < 0 || s->i + 1 >= s->tables->K || !s->live)
        return dd_error(err, DDPM_EUSAGE, "no step is left towards noise%s",
                        s->known ? ", as known elements are kept" : "");
    return take_step(s, s->kind->encode, 0, 1, err);
}
