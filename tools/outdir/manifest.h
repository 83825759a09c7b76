/* manifest.jsonl lists the images of a folder: one line with the recipe, then one line for each
   image, written and synchronised before the image gets its name.  So a listed image that is not
   there was never finished, and a file that is there and not listed was not made by ddpm.

   Runs that share a folder (shard.h) write a manifest each, manifest-0-of-4.jsonl, in which
   {"asked": "0-99"} says which images all of them are to make together.  Every run reads all
   manifests of a folder. */
#ifndef DDPM_MANIFEST_H
#define DDPM_MANIFEST_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

/* A line about one image. */
struct manifest_line {
    uint32_t index;
    bool ok;         /* the image was made; false: it was lost to NaN */
    char *file;      /* name in the folder, owned */
    char sha256[65]; /* hash of the file; "" for a lost image */
    char *other;     /* a different hash that another manifest lists, owned, or NULL; set by manifest_join */
    char seed[24];   /* seed of a lost image, else "" */
    int step;        /* the step t at which the image was lost */
    double seconds;  /* what making the image took */
    size_t place;    /* position among the lines in the order in which they were read */
};

struct manifest {
    char *path;
    char *header;               /* the settings; NULL: there is no manifest yet */
    char *asked;                /* the list of images that all shards are to make, or NULL */
    struct manifest_line *line; /* [lines], by index, one for each image */
    size_t lines;
    /* [files], the images that are not lost, by file name; set by manifest_join. */
    struct manifest_line **named;
    size_t files;
    size_t size; /* bytes of all whole lines */
    size_t torn; /* bytes of a last line that a crash has torn */
    int fd;      /* open for more lines, or -1 */
    bool part;   /* the manifest of a shard */
};

/* Reads the manifest of a folder: part "" is manifest.jsonl, "-0-of-4" is manifest-0-of-4.jsonl.
   A torn last line is left out.  DDPM_EDATA: anything else is wrong. */
int manifest_read(struct manifest *l, const char *folder, const char *part, ddpm_error *err);
/* Adds the lines of text [size], all of a manifest, to l, and counts the bytes of a torn last line. */
int manifest_lines(struct manifest *l, const char *text, size_t size, ddpm_error *err);
/* Returns the path of that manifest, allocated; NULL: out of memory. */
char *manifest_path(const char *folder, const char *part);
/* Moves the lines of from [count] into l, then sorts all lines and indexes them by file name;
   count 0 only sorts and indexes.  If several lines are about one image, the last one that is
   not lost stays, or else the last one.  DDPM_EDATA: two images share a file. */
int manifest_join(struct manifest *l, struct manifest *from, size_t count, ddpm_error *err);
/* Returns the line of an image; NULL: it is not listed. */
const struct manifest_line *manifest_find(const struct manifest *l, uint32_t index);
/* Returns the line of the image that has this file, or NULL. */
const struct manifest_line *manifest_named(const struct manifest *l, const char *file);
/* Opens what was read for more lines: cuts off a torn line, or begins the file with header if
   there was none or with replace. */
int manifest_open(struct manifest *l, const char *header, bool replace, ddpm_error *err);
/* Adds a line, which is on the disk when this returns. */
int manifest_add(struct manifest *l, const struct manifest_line *line, ddpm_error *err);
/* Adds a line that says which images all shards are to make. */
int manifest_ask(struct manifest *l, const char *list, ddpm_error *err);
/* Writes l as one manifest, in place of the one at its path. */
int manifest_write(const struct manifest *l, ddpm_error *err);
/* Computes the SHA-256 of a file in hexadecimal digits. */
int manifest_hash(char hex[65], const char *path, ddpm_error *err);
/* Empties l, as if there were no manifest. */
void manifest_forget(struct manifest *l);
void manifest_free(struct manifest *l);
#endif
