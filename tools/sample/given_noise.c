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

/* Reads a tensor of `rows` images as double and turns each from [c, h, w] to [h, w, c].  *out is allocated,
   also after an error. */
static int read_noise(double **out, const struct dd_safetensors *s, const char *name, size_t rows,
                      const size_t shape[3], const char *path, ddpm_error *err)
{
    const struct dd_entry *e = dd_safetensors_find(s, name);
    size_t c = shape[0], pixels = shape[1] * shape[2], d = c * pixels;
    if (!e)
        return dd_error(err, DDPM_EDATA, "%s: there is no tensor %s", path, name);

    double *plain = malloc(rows * d * sizeof *plain);
    *out = malloc(rows * d * sizeof **out);
    int code = DDPM_OK;
    if (!plain || !*out)
        code = dd_error(err, DDPM_ENOMEM, "out of memory for %s of %s", name, path);
    else if (dd_dtype_to_double(plain, e->data, e->dtype, rows * d))
        code = dd_error(err, DDPM_EDATA, "%s: %s has type %s, expected floating point", path, name,
                        dd_dtype_name(e->dtype));

    /* Every image goes from [c, pixels] to [pixels, c]. */
    for (size_t i = 0; !code && i < rows * d; i++)
        (*out)[i / d * d + i % pixels * c + i % d / pixels] = plain[i];
    free(plain);
    return code;
}

/* Checks that a tensor has the shape [lead..., c, h, w]; lead [leads] gets the leading sizes (n, or K and
   n). */
static int lead_of(uint64_t lead[2], const struct dd_safetensors *s, const char *name, int leads,
                   const size_t shape[3], const char *path, ddpm_error *err)
{
    const struct dd_entry *e = dd_safetensors_find(s, name);
    if (!e)
        return dd_error(err, DDPM_EDATA, "%s: there is no tensor %s", path, name);

    bool right = e->rank == leads + 3;
    for (int k = 0; right && k < 3; k++)
        right = e->dim[leads + k] == shape[k];
    if (!right || !e->count)
        return dd_error(err, DDPM_EDATA, "%s: %s must be [%sn, %zu, %zu, %zu] for this model", path, name,
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
static int check_noise(struct given_noise *g, const struct dd_safetensors *s, const size_t shape[3],
                       uint32_t last, const char *path, ddpm_error *err)
{
    uint64_t n[2] = { 0 }, z[2] = { 0 };
    int code = lead_of(n, s, "x_T", 1, shape, path, err);
    if (!code && g->draws && !dd_safetensors_find(s, "z"))
        return dd_error(err, DDPM_EDATA,
                        "%s: there is no tensor z, from which the steps of this sampler take their noise",
                        path);
    if (!code && g->draws)
        code = lead_of(z, s, "z", 2, shape, path, err);
    if (code)
        return code;

    g->n = (uint32_t)n[0];
    if (n[0] <= last)
        return dd_error(err, DDPM_EDATA, "%s: x_T has %llu images, expected at least %u", path,
                        (unsigned long long)n[0], last + 1);
    if (g->draws && (z[0] < (uint64_t)g->K || z[1] != n[0]))
        return dd_error(err, DDPM_EDATA,
                        "%s: z has %llu steps of %llu images, expected at least %d steps of %llu", path,
                        (unsigned long long)z[0], (unsigned long long)z[1], g->K, (unsigned long long)n[0]);
    return DDPM_OK;
}

/* Reads the tensors that the run needs from an open file. */
static int read_tensors(struct given_noise *g, const struct dd_safetensors *s, const char *path,
                        const struct given_noise_needs *needs, ddpm_error *err)
{
    const ddpm_about *a = needs->about;
    const size_t shape[3] = { (size_t)a->channels, (size_t)a->height, (size_t)a->width };
    int code = check_noise(g, s, shape, needs->last, path, err);
    if (!code)
        code = read_noise(&g->x_T, s, "x_T", g->n, shape, path, err);
    if (!code && needs->draws)
        code = read_noise(&g->z, s, "z", (size_t)g->K * g->n, shape, path, err);
    return code;
}

int given_noise_open(struct given_noise *g, const char *path, const struct given_noise_needs *needs,
                     ddpm_error *err)
{
    const ddpm_about *a = needs->about;
    struct dd_file f = { .data = NULL };
    struct dd_safetensors s = { .entries = 0 };

    *g = (struct given_noise){
        .chain = ddpm_chain_tables(needs->chain),
        .d = (size_t)a->channels * (size_t)a->height * (size_t)a->width,
        .draws = needs->draws,
    };
    g->K = g->chain->K;

    int code = dd_file_map(&f, path, err);
    if (!code)
        code = dd_safetensors_read(&s, f.data, f.size, path, err);
    if (!code)
        code = hash_file(g->sha256, &f, err);
    if (!code)
        code = read_tensors(g, &s, path, needs, err);
    if (!code)
        code = dd_file_unchanged(&f, path, err);

    if (code)
        given_noise_close(g);

    dd_safetensors_free(&s);
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
