/* The pictures below a folder.  Its sub-folders are classes. */
#ifndef DDPM_IMAGE_FOLDER_H
#define DDPM_IMAGE_FOLDER_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"

/* A file name ending that no picture has, and how many files have it. */
struct image_folder_ending {
    char text[12]; /* ".tif" */
    size_t count;
};

struct image_folder {
    char **file;   /* [files] paths of the pictures, from the folder on */
    int *class_of; /* [files] class of each file; -1: it lies in no sub-folder */
    size_t files;

    char **class_name; /* [classes] names of the sub-folders */
    size_t *held;      /* [classes] how many pictures each class has */
    int classes;

    struct image_folder_ending *left_out;
    size_t endings;
};

/* Lists the pictures at any depth, known by their endings.  They are in order of names, those of a folder
   before those of its sub-folders.  The sub-folders of the first level are the classes 0, 1, ..., with or
   without pictures, in order of names; names that are numbers stand first, in order of their values.
   Names that begin with a dot are skipped.  After an error *f is closed. */
int image_folder_open(struct image_folder *f, const char *path, ddpm_error *err);
/* Writes which files were left out, as in "2 .gif, 1 .tif"; the text is empty when none was. */
void image_folder_left_out(char *text, size_t size, const struct image_folder *f);
/* Writes the name of a class for a message.  "?" stands for bytes that are not UTF-8 or that control
   terminals. */
void image_folder_class(char *text, size_t size, const struct image_folder *f, int class);
void image_folder_close(struct image_folder *f);
#endif
