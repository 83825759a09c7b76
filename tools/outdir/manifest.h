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

/* sha256 "" of a lost image, which was lost at this step; seed "" of another. */
struct manifest_line {
    uint32_t index;
    bool ok;
    char *file, sha256[65], seed[24];
    int step;
    double seconds;
    size_t place;
};

struct manifest {
    char *path, *header; /* header NULL: there is no manifest yet */
    char *asked;         /* the last line of that kind, or NULL */
    struct manifest_line *line;
    size_t lines; /* by index; of several lines about one image the last */
    /* images that are not lost, by their files' names: after manifest_join */
    struct manifest_line **named;
    size_t files;
    size_t size, torn; /* bytes of whole lines; bytes behind them, which a crash cut off */
    int fd;            /* open for more lines, or -1 */
    bool part;
};

/* manifest.jsonl, or the one of a part, "-0-of-4" or "".  A last line that is not whole is left out;
   DDPM_EDATA for anything else that is wrong. */
int manifest_read(struct manifest *l, const char *folder, const char *part, ddpm_error *err);
/* Its path, allocated; NULL: out of memory. */
char *manifest_path(const char *folder, const char *part);
/* The lines of from, which loses them.  Of two about one image, that of an image which is not lost stays.
   DDPM_EDATA: two images share a file. */
int manifest_join(struct manifest *l, struct manifest *from, size_t count, ddpm_error *err);
const struct manifest_line *manifest_find(const struct manifest *l, uint32_t index); /* NULL: not listed */
/* The image that has this file, or NULL. */
const struct manifest_line *manifest_named(const struct manifest *l, const char *file);
/* Makes what was read ready for more lines: mended, or begun with header where there was none or it is to
   be replaced. */
int manifest_open(struct manifest *l, const char *header, bool replace, ddpm_error *err);
/* A line, on the disk when this returns. */
int manifest_add(struct manifest *l, const struct manifest_line *line, ddpm_error *err);
int manifest_ask(struct manifest *l, const char *list, ddpm_error *err);
/* All that l holds as one manifest, in place of the one at its path. */
int manifest_write(const struct manifest *l, ddpm_error *err);
/* The SHA-256 of a file, as a line holds it. */
int manifest_hash(char hex[65], const char *path, ddpm_error *err);
void manifest_forget(struct manifest *l); /* as if there were no manifest */
void manifest_free(struct manifest *l);
#endif
