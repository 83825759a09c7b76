/* The page's engine reads and writes no pictures but PNG. */
#include "base/error.h"
#include "image/image_codec.h"
#include "image/npz_file.h"

int image_jpeg(struct image_file *p, int *orientation, const struct image_source *s, bool pixels,
               ddpm_error *err)
{
    (void)p;
    (void)orientation;
    (void)pixels;
    return image_codec_refuse(s, "this build reads no JPEG", err);
}

int image_webp(struct image_file *p, int *orientation, const struct image_source *s, bool pixels,
               ddpm_error *err)
{
    (void)p;
    (void)orientation;
    (void)pixels;
    return image_codec_refuse(s, "this build reads no WebP", err);
}

int npz_write(FILE *f, const struct npz_array *array, int arrays, ddpm_error *err)
{
    (void)f;
    (void)array;
    (void)arrays;
    return dd_error(err, DDPM_EUNSUPPORTED, "this build writes no .npz");
}
