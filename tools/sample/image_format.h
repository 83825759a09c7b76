/* The formats in which images are written, as --format names them. */
#ifndef DDPM_IMAGE_FORMAT_H
#define DDPM_IMAGE_FORMAT_H
#include <stdbool.h>

struct image_format {
    const char *name;   /* of --format, and in settings */
    const char *ending; /* of the files' names, without its dot */
    bool picture;       /* a PNG or a film, with its settings; otherwise an array */
    bool film;          /* an animated WebP (film.h) */
    bool archive;       /* an array in an archive, with the classes beside it */
    int bytes;          /* of a value in the file */
};

/* Returns the names of all formats, NULL-terminated. */
const char *const *image_format_names(void);
/* Returns the format of this name; NULL: there is none. */
const struct image_format *image_format_named(const char *name);
/* Returns the first format whose files have this ending, in any case; NULL: there is none. */
const struct image_format *image_format_ending(const char *ending);
#endif
