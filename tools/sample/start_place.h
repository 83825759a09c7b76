/* Checks that images made from pictures do not go over these pictures, nor among them. */
#ifndef DDPM_START_PLACE_H
#define DDPM_START_PLACE_H
#include "sample/sample_settings.h"

/* Counts the pictures at `from`, which may be a list or a folder, and checks that the run leaves them as
   they are: it neither replaces one of them or the mask, nor puts images into a folder of which every picture
   is taken at the next start.  output is the file that is written without --outdir.  DDPM_EMISSING: there is
   no such picture; DDPM_EUSAGE: the images would go among the pictures. */
int start_place_check(int *pictures, const struct sample_settings *s, const char *from, const char *output,
                      ddpm_error *err);
/* Returns whether a file, which may not exist yet, lies in a folder or below it. */
bool start_place_below(const char *file, const char *folder);
#endif
