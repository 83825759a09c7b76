/* Draws images 0 to 15 of seed 0 in 50 steps of the default sampler, or in all steps if the model has fewer.
   The noise is always the same, so the pictures after two steps of a training can be compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "sample/generator.h"
#include "sample/image_output.h"
#include "training/training.h"

enum { IMAGES = 16, STEPS = 50 };

/* The picture of all samples, and the places in it. */
struct grid {
    struct picture picture;
    struct layout layout;
};

static int put_image(void *user, int place, const double *frame, int lost, double seconds, ddpm_error *err)
{
    struct grid *g = user;
    (void)seconds;
    (void)err;
    layout_put(&g->picture, &g->layout, place, lost ? NULL : frame);
    return DDPM_OK;
}

static int write_grid(const struct grid *g, const struct recipe *r, const uint32_t *index, const char *path,
                      ddpm_error *err)
{
    struct dd_output o;
    char *text = recipe_text(r, index, IMAGES);
    if (!text)
        return dd_error_memory(err, "the text of a picture");

    int code = dd_output_create(&o, path, 1, err);

    if (!code)
        code = picture_write(o.stream, &g->picture, text, err);
    if (code)
        dd_output_abandon(&o);
    else
        code = dd_output_commit(&o, err);
    cJSON_free(text);
    return code;
}

/* Makes the images and writes the picture, unless the user interrupts. */
static int make_grid(struct training *t, struct generator *s, struct grid *g, const struct recipe *r,
                     ddpm_error *err)
{
    const char *path =
        training_folder_path(&t->folder, "grid-%09lld.png", (long long)ddpm_trainer_done(t->trainer));
    struct progress bar;
    uint32_t index[IMAGES];

    for (uint32_t i = 0; i < IMAGES; i++)
        index[i] = i;
    progress_begin(&bar, &t->s->common, "image steps", (double)IMAGES * ddpm_chain_tables(s->chain)->K);
    bar.what = "samples";
    s->progress = &bar;

    int code = generator_run(s, index, IMAGES, put_image, g, err);

    /* The user interrupted; the caller checks `interrupted` too. */
    if (code == TRY_LATER)
        return DDPM_OK;
    return code ? code : write_grid(g, r, index, path, err);
}

/* Makes the samples with model m, and draws them in a grid. */
static int draw_grid(struct training *t, const ddpm_model *m, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(m);
    struct common common = t->s->common;
    char steps[16];
    struct recipe r = { .sampler = ddpm_sampler_names()[0],
                        .variance = "auto",
                        .steps = steps,
                        .spacing = ddpm_spacing_names()[0],
                        .clip = a->clip,
                        .class = a->classes ? CLASS_ALL : CLASS_NONE,
                        .guidance = 1,
                        .keep_steps = 1,
                        .format = "png",
                        .snr = 0.16 };
    struct grid g = { .layout = layout_of(a, &r, IMAGES) };
    struct generator s;

    /* The generator must not write anything; make_grid shows the bar. */
    common.quiet = true;
    snprintf(steps, sizeof steps, "%d", a->steps < STEPS ? a->steps : STEPS);
    int code = layout_picture(&g.picture, &g.layout, a, 1, err);
    if (code)
        return code;

    const struct generator_options o = {
        .model = m, .command = t->command, .common = &common, .batch = IMAGES, .last = IMAGES - 1
    };
    code = generator_open(&s, &r, &o, err);
    if (!code) {
        code = make_grid(t, &s, &g, &r, err);
        generator_close(&s);
    }
    picture_free(&g.picture);
    return code;
}

double training_show_seconds(const struct training *t)
{
    int steps = t->about->steps < STEPS ? t->about->steps : STEPS;
    if (t->about->channels > 4)
        return 0;
    return t->showing > 0 ? t->showing : IMAGES * steps * training_call_seconds(t);
}

int training_show_curve(struct training *t, ddpm_error *err)
{
    const ddpm_trainer_options *o = &t->plan.options;
    const char *slash = strrchr(t->s->output, '/'), *path = training_folder_path(&t->folder, "loss.png");
    char title[100], value[100];

    snprintf(title, sizeof title, "%.60s, step %lld", slash ? slash + 1 : t->s->output,
             (long long)ddpm_trainer_done(t->trainer));
    snprintf(value, sizeof value, "%s%s", o->min_snr > 0 ? "weighted " : "",
             ddpm_loss_traits_of(o->loss)->measures);
    struct curve_words w = { title, value, TRAINING_LOG_EVERY };
    return curve_write(path, &w, &t->log.loss, &t->log.held, err);
}

int training_show(struct training *t, ddpm_error *err)
{
    double begun = progress_now();
    ddpm_model *m;
    int code = ddpm_trainer_model(t->trainer, &m, 0, NULL, err);
    if (code)
        return code;

    /* A picture has at most four channels. */
    if (t->about->channels <= 4)
        code = draw_grid(t, m, err);
    ddpm_model_close(m);
    if (!code)
        code = training_show_curve(t, err);
    t->shown = ddpm_trainer_done(t->trainer);
    t->shown_at = progress_now();
    t->showing = t->shown_at - begun;
    return code;
}
