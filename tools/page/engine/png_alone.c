/* The page's engine reads no pictures but PNG. */
#include "image/image_codec.h"

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
