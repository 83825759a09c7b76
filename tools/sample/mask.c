/* Reads a mask as a gray picture of the model's size and cuts it at the middle gray. */
#include "sample/mask.h"
#include <math.h>
#include <stdlib.h>
#include "base/error.h"
#include "base/hash.h"

/* Cuts the gray values [pixels] at 0, which is middle gray, and counts the white pixels. */
static size_t cut(struct mask *m, const double *gray)
{
    size_t white = 0;
    for (size_t i = 0; i < m->pixels; i++) {
        m->anew[i] = gray[i] > 0;
        white += m->anew[i];
    }
    return white;
}

static int read_mask(struct mask *m, double *gray, const char *path, const ddpm_about *a, enum view_fit fit,
                     ddpm_error *err)
{
    struct image_file was;
    struct dd_hash h;
    const struct view_how how = { .fit = fit, .color = VIEW_GRAY };
    ddpm_about plain = *a;
    plain.channels = 1;
    int code = view_picture(gray, &was, path, &plain, &how, err);
    if (code)
        return code;

    size_t white = cut(m, gray);
    if (!white || white == m->pixels)
        return dd_error(err, DDPM_EDATA,
                        "%s: %s pixel is white; the white ones are painted anew, the others kept", path,
                        white ? "every" : "no");

    if (dd_hash_begin(&h))
        return dd_error_memory(err, path);
    dd_hash_add(&h, m->anew, m->pixels * sizeof *m->anew);
    dd_hash_end(&h, m->sha256);
    return DDPM_OK;
}

int mask_open(struct mask *m, const char *path, const ddpm_about *a, enum view_fit fit, ddpm_error *err)
{
    *m = (struct mask){
        .channels = (size_t)a->channels,
        .pixels = (size_t)a->height * (size_t)a->width,
    };
    double *gray = malloc(m->pixels * sizeof *gray);
    m->anew = malloc(m->pixels * sizeof *m->anew);
    int code = gray && m->anew ? read_mask(m, gray, path, a, fit, err) : dd_error_memory(err, path);
    free(gray);
    return code;
}

void mask_close(struct mask *m)
{
    free(m->anew);
    m->anew = NULL;
}

void mask_known(const struct mask *m, double *known, const double *x)
{
    for (size_t e = 0; e < m->pixels * m->channels; e++)
        known[e] = m->anew[e / m->channels] ? NAN : x[e];
}
