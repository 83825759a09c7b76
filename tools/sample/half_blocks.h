/* A picture in the terminal. */
#ifndef DDPM_HALF_BLOCKS_H
#define DDPM_HALF_BLOCKS_H
#include "image/picture.h"

/* Draws p on f, shrunk to the width of the terminal (or COLUMNS, or 80): two pixels to a character.  It
   has colours where f is a terminal that shows them and NO_COLOR is not set; anywhere else letters, of
   more dots the brighter. */
void half_blocks_draw(FILE *f, const struct picture *p);
#endif
