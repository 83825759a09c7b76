/* A contact sheet: pictures of any size side by side, each in a tile, with room for a caption below it. */
#ifndef DDPM_SHEET_H
#define DDPM_SHEET_H
#include "image/image_file.h"
#include "image/picture.h"

struct sheet {
    int columns, scale;
    int width, height; /* pixels of a tile at scale 1 */
    int caption;       /* rows of pixels below a tile for its caption, at every scale */
    struct picture picture;
};

/* Makes a black sheet of n tiles, gray or RGB; the caller has set the fields before picture.  DDPM_EUSAGE: it
   would be too large. */
int sheet_create(struct sheet *s, int n, int channels, ddpm_error *err);
/* Puts a picture in the middle of tile i, at the sheet's scale, without its transparency.  It is no larger
   than the tile. */
void sheet_put(struct sheet *s, int i, const struct image_file *p);
/* Puts a caption below tile i: RGB, as wide as the tile at the sheet's scale, and `caption` pixels high. */
void sheet_caption(struct sheet *s, int i, const struct picture *p);
void sheet_free(struct sheet *s);
#endif
