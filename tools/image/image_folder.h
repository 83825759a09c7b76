/* The pictures below a folder.  Its sub-folders are classes. */
#ifndef DDPM_IMAGE_FOLDER_H
#define DDPM_IMAGE_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* Files that are no pictures by their names. */
struct image_folder_ending {
    char text[12]; /* ".tif" */
    size_t count;
};

struct image_folder {
    char **file;   /* [files] paths below the folder */
    int *class_of; /* [files]; -1: in no sub-folder */
    size_t files;

    char **class_name; /* [classes] sub-folders */
    size_t *held;      /* [classes] pictures below each */
    int classes;

    struct image_folder_ending *left_out;
    size_t endings;
};

/* Lists the pictures at any depth, known by their endings, in order of names: those of a folder
   before those of its sub-folders.  The sub-folders of the first level are the classes 0, 1, ...,
   with pictures or without, in order of names, where numbers stand first in order of their values.
   Names that begin with a dot are passed over.  After an error *f is closed. */
int image_folder_open(struct image_folder *f, const char *path, ddpm_error *err);
/* Writes what was left out, as in "2 .gif, 1 .tif"; empty when nothing was. */
void image_folder_left_out(char *text, size_t size, const struct image_folder *f);
/* Writes the name of a class for a message, with "?" for bytes that are no UTF-8 or that
   control terminals. */
void image_folder_class(char *text, size_t size, const struct image_folder *f, int class);
void image_folder_close(struct image_folder *f);
#endif
