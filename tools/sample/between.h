/* A way between two images: x_T goes along the great circle from that of one to that of the other, and each
   of its frames is an image. */
#ifndef DDPM_BETWEEN_H
#define DDPM_BETWEEN_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

enum { FRAMES_MOST = 100000, BETWEEN_TEXT = 32 };

struct between {
    int frames;        /* frame 0 is the first end, the last frame the second; 0: there is no way */
    bool picture[2];   /* an end is a picture, which the ODE encodes; otherwise an image of the seed */
    uint32_t index[2]; /* the index of that image */
    double *x;         /* [2, d] x_T of both ends, owned; NULL: they are not made yet */
};

/* Reads "A,B" as --between takes it: a number is the index of an image, anything else the path of a picture.
   *pictures, unless NULL, gets the list of the paths, allocated, or NULL if there is none.  DDPM_EUSAGE: text
   is something else; DDPM_EMISSING: a picture is not there. */
int between_read(struct between *b, char **pictures, const char *text, ddpm_error *err);
/* Returns how many ends are pictures. */
int between_pictures(const struct between *b);
/* Writes the ends as a recipe holds them, "3,picture", and reads them back; false: text is something else. */
const char *between_text(char text[BETWEEN_TEXT], const struct between *b);
bool between_parse(struct between *b, const char *text);
/* Fills x [d] with x_T of a frame. */
void between_frame(const struct between *b, double *x, uint32_t frame, size_t d);
void between_close(struct between *b);
#endif
