/* Films: an animated WebP without loss, with the settings of its images. */
#ifndef DDPM_FILM_H
#define DDPM_FILM_H
#include <stdbool.h>
#include "image/picture.h"

enum { FILM_SIDE_MOST = 16383, FILM_RATE_MOST = 60, FILM_LOOP_MOST = 65535 };

struct film {
    int width, height; /* of a frame; the first frame sets them */
    double rate;       /* frames a second */
    int frames;        /* that were added */
    void *mux;         /* the file so far, libwebp's */
};

/* Begins a film of `rate` frames a second that is shown loop times; 0: without end. */
int film_begin(struct film *m, double rate, int loop, ddpm_error *err);
/* Adds a frame of one byte a value.  DDPM_ENOMEM is the only error for frames of one size up to
   FILM_SIDE_MOST. */
int film_add(struct film *m, const struct picture *frame, ddpm_error *err);
/* Writes the film, with `text` in a chunk `ddpm`. */
int film_write(const struct film *m, FILE *f, const char *text, ddpm_error *err);
void film_end(struct film *m);

/* Returns whether a film of so many frames, decoded as RGBA, has at most PICTURE_MOST bytes.  A larger one is
   not read, so it must not be written. */
bool film_fits(double width, double height, double frames);
/* Returns whether a file is a WebP, which may be a film. */
bool film_is(const unsigned char *data, size_t size);
/* Reads the frames of a film into one picture of RGBA, one below another; p->frames is their number.  The
   caller frees text.  DDPM_EDATA: the file is damaged, holds no such text, or
   has frames that are not whole pictures. */
int film_read_memory(struct picture *p, char **text, const unsigned char *data, size_t size, const char *path,
                     ddpm_error *err);
/* Gives a film that was read this number of channels, 1 to 4; false: it has colours or transparency beyond
   them, and stays as it is. */
bool film_channels(struct picture *p, int channels);
#endif
