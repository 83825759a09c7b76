/* The ends of a way between two images.  The x_T of an image of the seed is its noise.  The x_T of a picture
   is where the ODE carries it: the picture stands for the state at the first listed step, and the sampler's
   own steps lead from there up to the last (Song, Meng, Ermon 2021, section 4.3). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/interrupt.h"
#include "sample/generator.h"

/* Takes one step up.  TRY_LATER: the run is to stop. */
static int step_up(struct generator *s, const char *path, ddpm_error *err)
{
    ddpm_error why;
    int code = generator_stopped(s, err);
    if (code)
        return code;

    code = ddpm_sampler_encode(s->sampler, &why);
    if (code == DDPM_ECALLBACK && generator_stopped(s, err))
        return TRY_LATER;
    return code ? dd_error(err, code, "%.200s cannot be encoded: %.200s", path, why.text) : DDPM_OK;
}

/* Fills x [d] with the x_T of the picture at place k of the list. */
static int encode(struct generator *s, double *x, int k, struct progress *p, ddpm_error *err)
{
    const uint32_t index = 0;
    const int32_t class = generator_class(s, index);
    const double *from;
    int code = start_image_read(&s->from, &from, (uint32_t)k, err);
    if (!code)
        code = ddpm_sampler_start(s->sampler, &index, s->classes_known ? &class : NULL, 1, from, 0, err);

    for (int i = 0; i < s->top && !code; i++) {
        progress_at(p, (double)k * s->top + i);
        code = step_up(s, s->from.path[k], err);
    }
    if (!code)
        memcpy(x, ddpm_sampler_state(s->sampler, NULL), s->d * sizeof *x);
    return code;
}

int generator_between(struct generator *s, ddpm_error *err)
{
    struct between *b = &s->between;
    struct progress p;
    int code = DDPM_OK, pictures = 0;
    if (!b->frames || b->x)
        return DDPM_OK;

    double *x = malloc(2 * s->d * sizeof *x);
    if (!x)
        return dd_error_memory(err, "the ends of --between");

    progress_begin(&p, s->common, "steps of encoding", (double)between_pictures(b) * s->top);
    for (int k = 0; k < 2 && !code; k++)
        if (b->picture[k])
            code = encode(s, x + (size_t)k * s->d, pictures++, &p, err);
        else
            ddpm_noise(&s->seed, x + (size_t)k * s->d, s->d, b->index[k], INFINITY, 0);
    progress_clear(&p);

    if (code)
        free(x);
    else
        b->x = x;
    return code;
}
