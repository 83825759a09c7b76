/* Draws a picture in the terminal. */
#ifndef DDPM_HALF_BLOCKS_H
#define DDPM_HALF_BLOCKS_H
#include "image/picture.h"

/* Draws p on f, two pixels to a character, shrunk to the width of the terminal (or COLUMNS, or 80).  It has
   colours if f is a terminal that shows them and NO_COLOR is not set.  Otherwise it consists of letters;
   denser letters stand for brighter pixels. */
void half_blocks_draw(FILE *f, const struct picture *p);
#endif
