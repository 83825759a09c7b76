/* Shows images for ddpm info: a picture by the settings in it, a folder by its manifest. */
#ifndef DDPM_INFO_IMAGES_H
#define DDPM_INFO_IMAGES_H
#include <stdbool.h>
#include "ddpm.h"

/* Returns whether the path is a PNG file, or a folder with a manifest. */
bool info_is_picture(const char *path);
bool info_is_images(const char *path);
/* Prints the settings and the number of images, as one JSON object or as lines.  DDPM_EDATA: the picture was
   not made by ddpm, or the manifest is damaged. */
int info_picture(const char *path, bool json, ddpm_error *err);
int info_images(const char *path, bool json, ddpm_error *err);
#endif
