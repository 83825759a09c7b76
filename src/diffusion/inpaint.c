/* inpaint.c: samplers that keep known elements of an image: RePaint (Lugmayr et al. 2022, algorithm 1).

   x0 is known where it is not NAN.  After each step from i to j = i - 1 the known elements become

     x_j = sqrt(a) x0 + sqrt(1 - a) z,   a = alpha_bar_j   (lines 4 and 7; at the end a = 1, x0 itself)

   and the others stay what the step made of them.  z is new noise in each step, as in the paper, if the
   sampler draws noise.  A deterministic sampler takes the image's x_T for z in all steps, so that x_T still
   determines the image: the known elements then lie on the straight way from x_T to x0 that its steps take.

   A step sees the known elements only through the network, so the others do not fit them at once.  Jumps back
   give them time (section 4.2): at every multiple of `jump` below the start the images go that far back,

     x_{i+1} = sqrt(1 - beta_{i+1}) x_i + sqrt(beta_{i+1}) z   (line 9)

   and down again, until each part was gone through `resample` times.  The times are those of the authors'
   get_schedule_jump. */
#include "diffusion/inpaint.h"
#include "diffusion/sampler.h"
#include <math.h>

/* Noise of one kind and round has draws of its own.  Draws of a step, 0 and those of up to 10000 Langevin
   steps, come first. */
enum { DRAW_KNOWN = 1 << 14, DRAW_BACK = 2 << 14 };

static int check_known(const ddpm_sampler *s, const double *known, ddpm_error *err)
{
    for (size_t e = 0; e < (size_t)s->n * s->d; e++)
        if (isinf(known[e]))
            return dd_error(err, DDPM_EDATA, "a known element is infinite; unknown ones are NAN");
    return DDPM_OK;
}

int dd_inpaint_keep(ddpm_sampler *s, const ddpm_keep *keep, ddpm_error *err)
{
    if (!s->n || s->i < 0)
        return dd_error(err, DDPM_EUSAGE, "known elements are set after ddpm_sampler_start, before a step");
    if (keep->resample < 1 || keep->resample > DD_RESAMPLE_MOST || keep->jump < 1)
        return dd_error(err, DDPM_EUSAGE, "resample is %d, expected 1 to %d; jump is %d, expected 1 or more",
                        keep->resample, DD_RESAMPLE_MOST, keep->jump);
    if (keep->resample > 1 && (!dd_sampler_noisy(s) || s->kind->buffers > 1))
        return dd_error(
            err, DDPM_EUSAGE,
            "sampler %s cannot go back by noise (resample %d): that takes one whose steps draw noise "
            "and that keeps no history, such as ddpm, or ddim with eta 1",
            s->options.sampler, keep->resample);

    struct dd_jump_schedule jumps = dd_jump_schedule_begin(s->i, keep->resample, keep->jump);
    if (keep->done < 0 || keep->done >= dd_jump_schedule_left(&jumps))
        return dd_error(err, DDPM_EUSAGE, "%d steps are done of %d", keep->done,
                        dd_jump_schedule_left(&jumps));
    int code = check_known(s, keep->known, err);
    if (code)
        return code;

    for (int k = 0; k < keep->done; k++) {
        dd_jump_schedule_turn(&jumps);
        dd_jump_schedule_move(&jumps);
    }
    s->known = keep->known;
    s->jumps = jumps;
    s->i = jumps.i;
    return DDPM_OK;
}

/* Returns z [d] for the known elements of the k-th live image, which has just come to position j. */
static const double *known_noise(ddpm_sampler *s, int k, int j)
{
    return dd_sampler_noisy(s) ? dd_sampler_noise(s, k, j, DRAW_KNOWN)
                               : dd_sampler_noise(s, k, s->tables->K, 0);
}

void dd_inpaint_merge(ddpm_sampler *s)
{
    int j = s->i;
    double a = j < 0 ? 1 : s->tables->alpha_bar[j];

    for (int k = 0; k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        const double *x0 = s->known + (size_t)s->row[k] * s->d, *z = j < 0 ? x0 : known_noise(s, k, j);
        for (size_t e = 0; e < s->d; e++)
            if (!isnan(x0[e]))
                x[e] = j < 0 ? x0[e] : sqrt(a) * x0[e] + sqrt(1 - a) * z[e];
    }
}

void dd_inpaint_back(ddpm_sampler *s)
{
    double beta = s->tables->beta[s->i + 1];

    for (int k = 0; k < s->live; k++) {
        double *x = dd_sampler_row(s, 0, k);
        const double *z = dd_sampler_noise(s, k, s->i, DRAW_BACK);
        for (size_t e = 0; e < s->d; e++)
            x[e] = sqrt(1 - beta) * x[e] + sqrt(beta) * z[e];
    }
    s->i++;
}
