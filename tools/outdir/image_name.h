/* The names of the images of a folder: a pattern such as "image-%06d.png" with one number in it. */
#ifndef DDPM_IMAGE_NAME_H
#define DDPM_IMAGE_NAME_H
#include <stdint.h>
#include "ddpm.h"

enum { IMAGE_NAME_MOST = 256 };

/* Checks a pattern.  It has one %d or %0Nd (N from 1 to 9) and no folder, is valid UTF-8 without control
   characters, and is not a name of the program's own files.  DDPM_EUSAGE names what is wrong with it. */
int image_name_check(const char *pattern, ddpm_error *err);
/* Writes the name that a checked pattern gives image `index`. */
void image_name_put(char name[IMAGE_NAME_MOST], const char *pattern, uint32_t index);
#endif
