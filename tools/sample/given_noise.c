/* The file has two tensors: x_T [n, c, h, w], the noise at the start, and z [K, n, c, h, w], the noise of the
   steps.  x_T and z are read and checked against model and chain when the file is opened, and kept as double
   with channels last, so that drawing is a copy.  Chain position i is executed step j = K - 1 - i. */
#include "sample/given_noise.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/hash.h"
#include "base/safetensors.h"

/* An open file, and the shape [c, h, w] of the images in it. */
struct noise_file {
    const char *path;
    struct dd_safetensors tensors;
    size_t shape[3];
};

/* Reads a tensor of `rows` images as double and turns each from [c, h, w] to [h, w, c].  *out is allocated,
   also after an error. */
static int read_noise(double **out, const struct noise_file *f, const char *name, size_t rows,
                      ddpm_error *err)
{
    const struct dd_entry *e = dd_safetensors_find(&f->tensors, name);
    size_t c = f->shape[0], pixels = f->shape[1] * f->shape[2], d = c * pixels;
    if (!e)
        return dd_error(err, DDPM_EDATA, "%s: there is no tensor %s", f->path, name);

    double *plain = malloc(rows * d * sizeof *plain);
    *out = malloc(rows * d * sizeof **out);
    int code = DDPM_OK;
    if (!plain || !*out)
        code = dd_error(err, DDPM_ENOMEM, "out of memory for %s of %s", name, f->path);
    else if (dd_dtype_to_double(plain, e->data, e->dtype, rows * d))
        code = dd_error(err, DDPM_EDATA, "%s: %s has type %s, expected floating point", f->path, name,
                        dd_dtype_name(e->dtype));

    /* Every image goes from [c, pixels] to [pixels, c]. */
    for (size_t i = 0; !code && i < rows * d; i++)
        (*out)[i / d * d + i % pixels * c + i % d / pixels] = plain[i];
    free(plain);
    return code;
}

/* Checks that a tensor has the shape [lead..., c, h, w]; lead [leads] gets the leading sizes (n, or K and
   n). */
static int lead_of(uint64_t lead[2], const struct noise_file *f, const char *name, int leads, ddpm_error *err)
{
    const struct dd_entry *e = dd_safetensors_find(&f->tensors, name);
    const size_t *shape = f->shape;
    if (!e)
        return dd_error(err, DDPM_EDATA, "%s: there is no tensor %s", f->path, name);

    bool right = e->rank == leads + 3;
    for (int k = 0; right && k < 3; k++)
        right = e->dim[leads + k] == shape[k];
    if (!right || !e->count)
        return dd_error(err, DDPM_EDATA, "%s: %s must be [%sn, %zu, %zu, %zu] for this model", f->path, name,
                        leads > 1 ? "K, " : "", shape[0], shape[1], shape[2]);
    memcpy(lead, e->dim, (size_t)leads * sizeof *lead);
    return DDPM_OK;
}

static int hash_file(char hex[65], const struct dd_file *f, ddpm_error *err)
{
    struct dd_hash h;
    if (dd_hash_begin(&h))
        return dd_error(err, DDPM_ENOMEM, "out of memory for a hash");
    dd_hash_add(&h, f->data, f->size);
    dd_hash_end(&h, hex);
    return DDPM_OK;
}

/* Checks the shapes of the tensors that will be drawn from, and that they have image `last`. */
static int check_noise(struct given_noise *g, const struct noise_file *f, uint32_t last, ddpm_error *err)
{
    uint64_t n[2] = { 0 }, z[2] = { 0 };
    int code = lead_of(n, f, "x_T", 1, err);
    if (!code && g->draws && !dd_safetensors_find(&f->tensors, "z"))
        return dd_error(err, DDPM_EDATA,
                        "%s: there is no tensor z, from which the steps of this sampler take their noise",
                        f->path);
    if (!code && g->draws)
        code = lead_of(z, f, "z", 2, err);
    if (code)
        return code;

    g->n = (uint32_t)n[0];
    if (n[0] <= last)
        return dd_error(err, DDPM_EDATA, "%s: x_T has %llu images, expected at least %u", f->path,
                        (unsigned long long)n[0], last + 1);
    if (g->draws && (z[0] < (uint64_t)g->K || z[1] != n[0]))
        return dd_error(err, DDPM_EDATA,
                        "%s: z has %llu steps of %llu images, expected at least %d steps of %llu", f->path,
                        (unsigned long long)z[0], (unsigned long long)z[1], g->K, (unsigned long long)n[0]);
    return DDPM_OK;
}

/* Reads the tensors that the run needs from an open file. */
static int read_tensors(struct given_noise *g, const struct noise_file *f,
                        const struct given_noise_needs *needs, ddpm_error *err)
{
    int code = check_noise(g, f, needs->last, err);
    if (!code)
        code = read_noise(&g->x_T, f, "x_T", g->n, err);
    if (!code && needs->draws)
        code = read_noise(&g->z, f, "z", (size_t)g->K * g->n, err);
    return code;
}

int given_noise_open(struct given_noise *g, const char *path, const struct given_noise_needs *needs,
                     ddpm_error *err)
{
    const ddpm_about *a = needs->about;
    struct dd_file f = { .data = NULL };
    struct noise_file noise = {
        .path = path,
        .shape = { (size_t)a->channels, (size_t)a->height, (size_t)a->width },
    };

    *g = (struct given_noise){
        .chain = ddpm_chain_tables(needs->chain),
        .d = (size_t)a->channels * (size_t)a->height * (size_t)a->width,
        .draws = needs->draws,
    };
    g->K = g->chain->K;

    int code = dd_file_map(&f, path, err);
    if (!code)
        code = dd_safetensors_read(&noise.tensors, f.data, f.size, path, err);
    if (!code)
        code = hash_file(g->sha256, &f, err);
    if (!code)
        code = read_tensors(g, &noise, needs, err);
    if (!code)
        code = dd_file_unchanged(&f, path, err);

    if (code)
        given_noise_close(g);

    dd_safetensors_free(&noise.tensors);
    dd_file_unmap(&f);
    return code;
}

void given_noise_close(struct given_noise *g)
{
    free(g->x_T);
    free(g->z);
    g->x_T = g->z = NULL;
}

void given_noise_draw(void *user, double *z, size_t d, uint32_t index, double t, int draw)
{
    const struct given_noise *g = user;
    const double *from = g->x_T;
    (void)draw;

    /* An infinite t asks for x_T.  Otherwise the search finds the first chain position whose step is not
       below t; the last one stands for all above it. */
    if (isfinite(t)) {
        int i = 0;
        while (i + 1 < g->K && g->chain->t[i] < t)
            i++;
        from = g->z + (size_t)(g->K - 1 - i) * g->n * d;
    }
    memcpy(z, from + index * d, d * sizeof *z);
}
