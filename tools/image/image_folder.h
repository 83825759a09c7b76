/* The pictures below a folder, whose sub-folders are classes. */
#ifndef DDPM_IMAGE_FOLDER_H
#define DDPM_IMAGE_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

struct image_folder_ending {
    char text[12];
    size_t count;
}; /* ".tif" */

struct image_folder {
    char **file;
    int *class_of; /* of each file; -1: in no sub-folder */
    size_t files;  /* names below the folder */
    char **class_name;
    size_t *held; /* how many pictures lie below each sub-folder */
    int classes;  /* sub-folders */
    struct image_folder_ending *left_out;
    size_t endings; /* files that are no pictures by their names */
};

/* Takes pictures by their endings at any depth: in order of names, those of a folder before those of its
   sub-folders.  The sub-folders of the first level are the classes 0, 1, ... in order of names, or of numbers
   where they are named so, with pictures or without.  Names that begin with a dot are passed over. */
int image_folder_open(struct image_folder *f, const char *path, ddpm_error *err);
/* "2 .gif, 1 .tif"; empty when nothing was left out. */
void image_folder_left_out(char *text, size_t size, const struct image_folder *f);
/* The name of a class as text: what is no character of UTF-8, or controls terminals, is "?". */
void image_folder_class(char *text, size_t size, const struct image_folder *f, int class);
void image_folder_close(struct image_folder *f);
#endif
