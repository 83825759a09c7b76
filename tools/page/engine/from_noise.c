/* What the generator (sample/generator.c) needs of pictures to start from, of masks and of signals, for a
   program that has none of them: it starts from noise, and nobody interrupts a step.  generator_open calls
   the functions below only where its options name a picture. */
#include "base/error.h"
#include "cli/interrupt.h"
#include "sample/mask.h"
#include "sample/start_image.h"

volatile sig_atomic_t interrupted;

int start_image_open(struct start_image *s, const char *path, const ddpm_about *a, enum view_fit fit,
                     ddpm_error *err)
{
    (void)s;
    (void)a;
    (void)fit;
    return dd_error(err, DDPM_EUNSUPPORTED, "%s: this build starts from noise alone", path);
}

int start_image_read(struct start_image *s, const double **x, uint32_t index, ddpm_error *err)
{
    (void)s;
    (void)index;
    *x = NULL;
    return dd_error(err, DDPM_EUNSUPPORTED, "this build starts from noise alone");
}

void start_image_close(struct start_image *s)
{
    (void)s;
}

int mask_open(struct mask *m, const char *path, const ddpm_about *a, enum view_fit fit, ddpm_error *err)
{
    (void)m;
    (void)a;
    (void)fit;
    return dd_error(err, DDPM_EUNSUPPORTED, "%s: this build starts from noise alone", path);
}

void mask_known(const struct mask *m, double *known, const double *x)
{
    (void)m;
    (void)known;
    (void)x;
}

void mask_close(struct mask *m)
{
    (void)m;
}
