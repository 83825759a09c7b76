/* manifest.jsonl of a folder of images: a line with the recipe, then a line per image, written and
   synchronised before the image gets its name.  So a listed image that is not there was never finished, and
   one that is there and not listed is not ours.

   Runs that share a folder (shard.h) write a manifest each, manifest-0-of-4.jsonl, in which {"asked":
   "0-99"} says which images all of them are to make together.  Everybody reads all manifests of a folder. */
#ifndef DDPM_MANIFEST_H
#define DDPM_MANIFEST_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

/* One image, as a line tells of it. */
struct manifest_line {
    uint32_t index;
    bool ok; /* not lost to NaN */
    char *file;
    char sha256[65]; /* of the file; "" of a lost image */
    char *other;     /* the hash that another manifest lists for the image, or NULL; after manifest_join */
    char seed[24];   /* of a lost image, else "" */
    int step;        /* at which it was lost */
    double seconds;  /* that it took */
    size_t place;    /* among the lines as they were read */
};

struct manifest {
    char *path;
    char *header; /* the settings; NULL: there is no manifest yet */
    char *asked;  /* the list of images that all shards are to make, or NULL */
    struct manifest_line *line;
    size_t lines; /* by index; of several lines about one image the last */
    /* The images that are not lost by the names of their files; after manifest_join. */
    struct manifest_line **named;
    size_t files;
    size_t size; /* bytes of whole lines */
    size_t torn; /* bytes behind them, which a crash cut off */
    int fd;      /* open for more lines, or -1 */
    bool part;   /* of a shard */
};

/* Reads manifest.jsonl, or the one of a part, "-0-of-4" or "".  A last line that is not whole is left
   out;  DDPM_EDATA for anything else that is wrong. */
int manifest_read(struct manifest *l, const char *folder, const char *part, ddpm_error *err);
/* Returns its path, allocated; NULL: out of memory. */
char *manifest_path(const char *folder, const char *part);
/* Moves the lines of from [count] into l.  If two are about one image, that of an image which is not lost
   stays, else the later one.  DDPM_EDATA: two images share a file. */
int manifest_join(struct manifest *l, struct manifest *from, size_t count, ddpm_error *err);
/* Returns the line of an image; NULL: it is not listed. */
const struct manifest_line *manifest_find(const struct manifest *l, uint32_t index);
/* Returns the line of the image that has this file, or NULL. */
const struct manifest_line *manifest_named(const struct manifest *l, const char *file);
/* Makes what was read ready for more lines: mended, or begun with header where there was none or it is to be
   replaced. */
int manifest_open(struct manifest *l, const char *header, bool replace, ddpm_error *err);
/* Adds a line, which is on the disk when this returns. */
int manifest_add(struct manifest *l, const struct manifest_line *line, ddpm_error *err);
/* Adds a line that says which images all shards are to make. */
int manifest_ask(struct manifest *l, const char *list, ddpm_error *err);
/* Writes all that l holds as one manifest, in place of the one at its path. */
int manifest_write(const struct manifest *l, ddpm_error *err);
/* Computes the SHA-256 of a file, as a line holds it. */
int manifest_hash(char hex[65], const char *path, ddpm_error *err);
/* Empties l, as if there were no manifest. */
void manifest_forget(struct manifest *l);
void manifest_free(struct manifest *l);
#endif
