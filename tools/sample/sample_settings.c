/* Checks the options of ddpm sample.  Options that contradict each other are refused by a sentence that says
   which one to leave out. */
#include "sample/sample_settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"
#include "cli/ending.h"
#include "image/view.h"
#include "sample/between.h"

static const char STEPS_DEFAULT[] = "50";

/* The steps of --fast for a model without a tuned solver that is near enough to its teacher. */
enum { UNTUNED_STEPS = 10 };

/* The steps of --sampler tuned for a model without tuned solvers, which the refusal names. */
enum { TUNED_STEPS = 6 };

/* Lugmayr et al. 2022 go through each part of 10 steps 10 times. */
enum { RESAMPLE = 10, JUMP = 10 };

/* A film shows 12 frames a second, and a way between two images takes two seconds. */
enum { FRAMES_A_SECOND = 12, FRAMES = 24 };

/* The sampler of a way between two images: it draws no noise, and encodes pictures. */
static const char BETWEEN_SAMPLER[] = "ddim";

/* Song et al. 2021 take 0.16 for Langevin steps as a corrector. */
static const double SNR_DEFAULT = 0.16;

static const char *name_of(const struct sample_settings *s)
{
    const char *name = s->outdir ? s->name : s->output;
    return name ? name : "";
}

static const char *sampler_of(const struct sample_settings *s)
{
    if (s->sampler)
        return s->sampler;
    return s->between ? BETWEEN_SAMPLER : ddpm_sampler_names()[0];
}

static const ddpm_sampler_traits *traits_of(const struct sample_settings *s)
{
    return ddpm_sampler_traits_of(sampler_of(s));
}

const struct image_format *sample_settings_format(const struct sample_settings *s)
{
    const struct image_format *named = image_format_ending(ending_of(name_of(s)));
    if (s->format)
        return image_format_named(s->format);
    return named ? named : image_format_named(image_format_names()[0]);
}

bool sample_settings_timed(const struct sample_settings *s)
{
    return s->max_time > 0 || s->deadline;
}

bool sample_settings_auto_steps(const struct sample_settings *s)
{
    return s->steps && !strcmp(s->steps, "auto");
}

/* Checks that the ending of the file's name fits its format: a PNG called .npy would mislead its readers. */
static int check_ending(const struct sample_settings *s, ddpm_error *err)
{
    const char *ending = ending_of(name_of(s)), *format = sample_settings_format(s)->name;
    const struct image_format *named = image_format_ending(ending);
    if (sample_settings_format(s)->archive && (s->outdir || s->keep_steps > 1))
        return dd_error(err, DDPM_EUSAGE, "--format npz is one file of finished images: leave out %s",
                        s->outdir ? "--outdir" : "--keep-steps");
    if (named && strcmp(named->ending, sample_settings_format(s)->ending))
        return dd_error(err, DDPM_EUSAGE,
                        "%.200s: --format %s writes no .%s: leave it out, or choose another name", name_of(s),
                        format, ending);
    if (*ending && !named && !s->format)
        return dd_error(
            err, DDPM_EUSAGE,
            "%.200s: images are written as .png, .npy or .npz, films as .webp: name it so, or add --format",
            name_of(s));
    return DDPM_OK;
}

/* Checks that --show has one picture to draw and standard output to itself. */
static int check_show(const struct sample_settings *s, ddpm_error *err)
{
    if (s->show && (s->outdir || !sample_settings_format(s)->picture || sample_settings_format(s)->film))
        return dd_error(err, DDPM_EUSAGE, "--show draws the one picture that is written: leave out %s%s",
                        s->outdir ? "--outdir" : "the format ",
                        s->outdir ? "" : sample_settings_format(s)->name);
    if (s->show && s->common.json)
        return dd_error(err, DDPM_EUSAGE, "--show and --json both write to standard output: leave one out");
    return DDPM_OK;
}

static int check_scale(const struct sample_settings *s, ddpm_error *err)
{
    if (s->scale && (s->outdir || !sample_settings_format(s)->picture))
        return dd_error(err, DDPM_EUSAGE, "--scale is for one picture: leave it out, or leave out %s%s",
                        s->outdir ? "--outdir" : "the format ",
                        s->outdir ? "" : sample_settings_format(s)->name);
    return DDPM_OK;
}

/* Checks that a film has something to show, and that what belongs to films has one. */
static int check_film(const struct sample_settings *s, ddpm_error *err)
{
    bool film = sample_settings_format(s)->film, states = s->keep_steps > 1;
    if (!film && (s->fps > 0 || s->loop >= 0))
        return dd_error(err, DDPM_EUSAGE, "%s belongs to a film: -o FILE.webp",
                        s->fps > 0 ? "--fps" : "--loop");
    if (film && s->outdir)
        return dd_error(err, DDPM_EUSAGE,
                        "--outdir writes a file for each image, and a film is one: -o FILE.webp");
    if (film && states == (s->between != NULL))
        return dd_error(err, DDPM_EUSAGE,
                        "a film shows either the states of --keep-steps K or the way of --between A,B: %s",
                        states ? "leave one out" : "add one");
    return DDPM_OK;
}

/* Checks the options that say where the images go. */
static int check_places(const struct sample_settings *s, ddpm_error *err)
{
    if (s->output && s->outdir)
        return dd_error(err, DDPM_EUSAGE, "-o and --outdir both say where images go: leave one out");
    if (!s->outdir && (s->name || s->wait > 0 || s->check_existing || s->retry_nan))
        return dd_error(err, DDPM_EUSAGE,
                        "--name, --wait, --check-existing and --retry-nan are for the files of --outdir");
    if (!s->outdir && s->shard)
        return dd_error(err, DDPM_EUSAGE, "--shard is for images in one folder: add --outdir DIR");
    if (s->force && (s->check_existing || s->retry_nan))
        return dd_error(err, DDPM_EUSAGE,
                        "--force makes all images again: leave out --check-existing and --retry-nan");

    int code = check_show(s, err);
    if (!code)
        code = check_scale(s, err);
    if (!code)
        code = check_film(s, err);
    return code ? code : check_ending(s, err);
}

/* Returns the option that says what sampling starts from instead of noise of the seed, or NULL. */
static const char *start_of(const struct sample_settings *s)
{
    if (s->between)
        return "--between";
    if (s->noise)
        return "--noise";
    return s->from ? "--from" : NULL;
}

/* Checks --max-time, --deadline and --steps auto. */
static int check_time(const struct sample_settings *s, ddpm_error *err)
{
    bool timed = sample_settings_timed(s), picks = sample_settings_auto_steps(s);
    if (picks && !timed)
        return dd_error(
            err, DDPM_EUSAGE,
            "--steps auto takes as many as there is time for: add --max-time 20m or --deadline 06:00");
    if (picks && traits_of(s)->own_steps)
        return dd_error(
            err, DDPM_EUSAGE,
            "--steps auto: sampler %s has numbers of steps of its own: leave --steps out, or give "
            "one of those that ddpm info lists",
            s->sampler);
    if (picks && start_of(s))
        return dd_error(err, DDPM_EUSAGE,
                        "--steps auto does not know how many steps are taken with %s: give their number",
                        start_of(s));
    if (timed && !s->outdir && !picks)
        return dd_error(err, DDPM_EUSAGE,
                        "--max-time and --deadline stop what the next start goes on with: add --outdir; or "
                        "--steps auto for one file");
    return DDPM_OK;
}

/* Checks --mask and the options that belong to it. */
static int check_mask(const struct sample_settings *s, ddpm_error *err)
{
    if (s->mask && !s->from)
        return dd_error(err, DDPM_EUSAGE,
                        "--mask belongs to --from IMAGE, the picture that is kept elsewhere");
    if (!s->mask && (s->resample || s->jump))
        return dd_error(err, DDPM_EUSAGE, "%s belongs to --mask", s->resample ? "--resample" : "--jump");
    if (s->mask && (s->encode || s->noise))
        return dd_error(err, DDPM_EUSAGE, "--mask takes noise of its own: leave out %s",
                        s->encode ? "--encode" : "--noise");
    return DDPM_OK;
}

/* Returns an option that was given and belongs to --from, or NULL. */
static const char *option_of_start(const struct sample_settings *s)
{
    if (s->noise_to >= 0)
        return "--noise-to";
    if (s->strength >= 0)
        return "--strength";
    if (s->fit)
        return "--fit";
    if (s->gray || s->color)
        return s->gray ? "--gray" : "--color";
    return s->encode ? "--encode" : NULL;
}

/* Checks --from and the options that belong to it. */
static int check_start(const struct sample_settings *s, ddpm_error *err)
{
    bool has_step = s->noise_to >= 0, has_part = s->strength >= 0;
    if (s->from && !s->mask && !has_step && !has_part)
        return dd_error(err, DDPM_EUSAGE,
                        "--from needs --noise-to T, the step up to which the image becomes noise, or "
                        "--strength S, the part of all steps");
    if (has_step && has_part)
        return dd_error(err, DDPM_EUSAGE, "--noise-to and --strength both say how much noise: leave one out");
    if (s->gray && s->color)
        return dd_error(err, DDPM_EUSAGE, "--gray and --color are opposites: leave one out");
    if (!s->from && option_of_start(s) && !(s->between && (s->fit || s->gray || s->color)))
        return dd_error(err, DDPM_EUSAGE, "%s belongs to --from IMAGE", option_of_start(s));
    if (s->encode && (!traits_of(s)->encodes || s->eta > 0))
        return dd_error(err, DDPM_EUSAGE,
                        "--encode takes a sampler that adds no noise: ode, or ddim with --eta 0");
    return DDPM_OK;
}

/* Returns an option that was given and says something else than --between about the images, or NULL. */
static const char *option_against_between(const struct sample_settings *s)
{
    if (s->from)
        return "--from";
    if (s->noise)
        return "--noise";
    if (s->images)
        return "-n, as --frames says how many";
    return s->index ? "--index, as --frames says how many" : NULL;
}

/* Checks --between and --frames.  Only a sampler that draws no noise makes images that change little by
   little, and only one that encodes takes pictures. */
static int check_between(const struct sample_settings *s, ddpm_error *err)
{
    struct between b;
    const ddpm_sampler_traits *traits = traits_of(s);
    bool noisy = traits->noisy || s->eta > 0 || traits->corrector > 0 || s->corrector ||
                 !strcmp(s->variance, "analytic");
    if (!s->between)
        return s->frames ? dd_error(err, DDPM_EUSAGE, "--frames belongs to --between A,B") : DDPM_OK;

    int code = between_read(&b, NULL, s->between, err);
    if (code)
        return code;
    if (option_against_between(s))
        return dd_error(err, DDPM_EUSAGE, "--between: leave out %s", option_against_between(s));
    if (noisy)
        return dd_error(
            err, DDPM_EUSAGE,
            "--between takes a sampler that adds no noise, such as ddim with --eta 0, ode or unipc");
    if (between_pictures(&b) && (s->fast || !traits->encodes))
        return dd_error(err, DDPM_EUSAGE,
                        "--between encodes a picture by the sampler: take ode or ddim, without --fast");
    if (!between_pictures(&b) && (s->fit || s->gray || s->color))
        return dd_error(err, DDPM_EUSAGE, "%s is for pictures: both ends of --between are of the seed",
                        option_of_start(s));
    return DDPM_OK;
}

/* Checks the options that not every sampler takes.  The library itself refuses the others. */
static int check_sampler(const struct sample_settings *s, ddpm_error *err)
{
    const ddpm_sampler_traits *traits = traits_of(s);
    bool langevin = traits->corrector > 0 || s->corrector;
    if (s->fast && (s->sampler || s->steps || s->spacing))
        return dd_error(
            err, DDPM_EUSAGE,
            "--fast chooses the sampler and its steps: leave out --sampler, --steps and --spacing");
    if (traits->own_steps && s->spacing)
        return dd_error(err, DDPM_EUSAGE, "--spacing %s: sampler %s has steps of its own: leave it out",
                        s->spacing, s->sampler);
    if (traits->takes_analytic && !traits->takes_variance && strcmp(s->variance, "auto") &&
        strcmp(s->variance, "analytic"))
        return dd_error(err, DDPM_EUSAGE,
                        "--variance %s belongs to --sampler ddpm; %s takes --eta, or --variance analytic",
                        s->variance, s->sampler);

    if (s->snr != SNR_UNSET && !langevin)
        return dd_error(err, DDPM_EUSAGE, "--snr belongs to --corrector or --sampler langevin");
    if (s->rate && strcmp(sampler_of(s), "sde"))
        return dd_error(err, DDPM_EUSAGE, "--rate belongs to --sampler sde");
    if (s->noise && langevin)
        return dd_error(err, DDPM_EUSAGE,
                        "--noise gives one z a step, which is not enough for Langevin steps: leave it out");
    return DDPM_OK;
}

int sample_settings_check(const struct sample_settings *s, ddpm_error *err)
{
    if (s->images && s->index)
        return dd_error(err, DDPM_EUSAGE, "-n and --index both say how many images: leave one out");
    int code = check_places(s, err);
    if (!code)
        code = check_time(s, err);
    if (!code)
        code = check_between(s, err);
    if (!code)
        code = check_start(s, err);
    if (!code)
        code = check_mask(s, err);
    return code ? code : check_sampler(s, err);
}

/* Returns the tuned solver of the fewest steps whose images are within FAST_DISTANCE; NULL: there is none. */
static const ddpm_tuned *near_solver(const ddpm_about *a)
{
    /* The tuned solvers are listed by rising steps. */
    for (int i = 0; i < a->tuned_count; i++)
        if (a->tuned[i].error <= FAST_DISTANCE)
            return &a->tuned[i];
    return NULL;
}

/* Sets the steps of r to K.  Returns their text, allocated; NULL: out of memory. */
static char *set_steps(struct recipe *r, int K)
{
    char *steps = malloc(12);
    if (steps)
        snprintf(steps, 12, "%d", K);
    r->steps = steps;
    return steps;
}

char *sample_settings_fast(struct recipe *r, const ddpm_about *a)
{
    const ddpm_tuned *solver = near_solver(a);
    int untuned = UNTUNED_STEPS < a->steps ? UNTUNED_STEPS : a->steps;
    r->sampler = solver ? "tuned" : "unipc";
    return set_steps(r, solver ? solver->K : untuned);
}

char *sample_settings_tuned(struct recipe *r, const ddpm_about *a)
{
    const ddpm_tuned *solver = near_solver(a);
    if (!solver && a->tuned_count)
        solver = &a->tuned[a->tuned_count - 1];
    return set_steps(r, solver ? solver->K : TUNED_STEPS);
}

int sample_settings_frames(const struct sample_settings *s)
{
    return s->frames ? (int)s->frames : FRAMES;
}

int sample_settings_resample(const struct sample_settings *s, const char *sampler)
{
    int usual = strcmp(sampler, ddpm_sampler_names()[0]) ? 1 : RESAMPLE;
    return s->resample ? (int)s->resample : usual;
}

/* Returns the name of the conversion that was asked for, or NULL. */
static const char *colors_of(const struct sample_settings *s)
{
    return s->gray || s->color ? view_color_names()[s->color] : NULL;
}

/* Returns the frames a second of a film. */
static double rate_of(const struct sample_settings *s)
{
    return s->fps > 0 ? s->fps : FRAMES_A_SECOND;
}

void sample_settings_recipe(struct recipe *r, const struct sample_settings *s)
{
    *r = (struct recipe){
        .seed = s->seed,
        .sampler = sampler_of(s),
        .variance = s->variance,
        .steps = s->steps ? s->steps : STEPS_DEFAULT,
        .spacing = s->spacing ? s->spacing : ddpm_spacing_names()[0],
        .eta = s->eta,
        .keep_steps = (int)s->keep_steps,
        .format = sample_settings_format(s)->name,
        .order = (int)s->order,
        .corrector = (int)s->corrector,
        .snr = s->snr != SNR_UNSET ? s->snr : SNR_DEFAULT,
        .rate = s->rate,
        .noise_to = s->noise_to >= 0 ? s->noise_to : 0,
        .fit = s->fit,
        .colors = colors_of(s),
        .resample = sample_settings_resample(s, sampler_of(s)),
        .jump = s->jump ? (int)s->jump : JUMP,
        .encode = s->encode,
        .guidance = s->guidance,
        .fps = sample_settings_format(s)->film ? rate_of(s) : 0,
        .loop = s->loop > 0 ? (int)s->loop : 0,
    };
}
