/* Collects images and classes in memory, and writes them as .npz (image_archive.h).  In front of each array
   there is room for its head, because the number of images is known at the end only. */
#include "sample/image_archive.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "image/array_file.h"
#include "image/npz_file.h"
#include "image/picture.h"

enum { LABEL = 8 };

int image_archive_open(struct image_archive *p, size_t n, const ddpm_about *a, bool classes, ddpm_error *err)
{
    *p = (struct image_archive){
        .shape = { 0, (size_t)a->height, (size_t)a->width, (size_t)a->channels },
    };
    size_t d = p->shape[1] * p->shape[2] * p->shape[3];
    p->image = malloc(ARRAY_HEAD + n * d);
    p->classes = classes ? malloc(ARRAY_HEAD + n * LABEL) : NULL;
    if (p->image && (p->classes || !classes))
        return DDPM_OK;

    image_archive_free(p);
    return dd_error(err, DDPM_ENOMEM, "out of memory for %zu images in one file: use --outdir", n);
}

void image_archive_add(struct image_archive *p, const double *x, int class)
{
    size_t d = p->shape[1] * p->shape[2] * p->shape[3], k = p->shape[0]++;
    unsigned char *to = p->image + ARRAY_HEAD + k * d;
    for (size_t e = 0; e < d; e++)
        to[e] = (unsigned char)picture_level_of(x[e], 255);

    /* A class is a whole number of 8 bytes, the lowest one first. */
    unsigned char *label = p->classes ? p->classes + ARRAY_HEAD + k * LABEL : NULL;
    for (int i = 0; label && i < LABEL; i++)
        label[i] = i < 4 ? (unsigned char)((unsigned)class >> 8 * i) : 0;
}

/* Puts the head in front of values of `size` bytes, for which block has room, and describes the file. */
static struct npz_array array_of(const char *name, unsigned char *block, const char *type, const size_t *dim,
                                 int rank, size_t size)
{
    unsigned char head[ARRAY_HEAD];
    size_t length = array_head_bytes(head, type, dim, rank);
    memcpy(block + ARRAY_HEAD - length, head, length);
    return (struct npz_array){ name, block + ARRAY_HEAD - length, length + size };
}

int image_archive_write(struct image_archive *p, FILE *f, ddpm_error *err)
{
    size_t n = p->shape[0], d = p->shape[1] * p->shape[2] * p->shape[3];
    struct npz_array array[2] = { array_of("arr_0.npy", p->image, "|u1", p->shape, 4, n * d) };
    if (p->classes)
        array[1] = array_of("arr_1.npy", p->classes, "<i8", p->shape, 1, n * LABEL);
    return npz_write(f, array, p->classes ? 2 : 1, err);
}

void image_archive_free(struct image_archive *p)
{
    free(p->image);
    free(p->classes);
    p->image = p->classes = NULL;
}
