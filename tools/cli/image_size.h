/* A size of images, as --size takes it. */
#ifndef DDPM_IMAGE_SIZE_H
#define DDPM_IMAGE_SIZE_H
#include <stdbool.h>
#include "cli/options.h"

struct image_size {
    int width, height; /* pixels; 0: none was given */
};

enum { IMAGE_SIZE_TEXT = 24 };

/* Reads "48x64" (width x height), or "32" for a square.  Returns whether text is a size. */
bool image_size_parse(struct image_size *s, const char *text);
/* Writes the size as "48x64" and returns text. */
const char *image_size_text(char text[IMAGE_SIZE_TEXT], struct image_size s);

enum { IMAGE_SIZE_MODEL = 96 };

/* Writes the id of a model and, unless its images have its own size, "ID at 48x64".  Returns text. */
const char *image_size_model(char text[IMAGE_SIZE_MODEL], const char *id, struct image_size s);
/* Makes m a model of the size in the option --size; NULL keeps its own size.  A remark says so if it is not
   the size of training.  *other, which may be NULL, gets that size, or 0 if it is m's own.  DDPM_EUSAGE: the
   option is no size, or the network cannot have it; DDPM_ENOMEM. */
int image_size_apply(ddpm_model *m, const char *option, struct image_size *other, const struct command *c,
                     const struct common *common, ddpm_error *err);
#endif
