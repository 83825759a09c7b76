/* A picture in the terminal. */
#ifndef DDPM_HALF_BLOCKS_H
#define DDPM_HALF_BLOCKS_H
#include "image/picture.h"

/* Draws p on f, shrunk to the terminal's width (or COLUMNS, or 80): two pixels to a character, in colours
   where f is a terminal that has them and NO_COLOR is not set; anywhere else in letters, the darker the
   fewer dots. */
void half_blocks_draw(FILE *f, const struct picture *p);
#endif
