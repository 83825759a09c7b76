/* The last line of a run that wrote images, as in "wrote d: 2 of 5 images, shard 1/2, 1 of them made now,
   in 3 s". */
#ifndef DDPM_WRITTEN_H
#define DDPM_WRITTEN_H
#include "cli/options.h"
#include "outdir/shard.h"

struct written {
    const char *where;
    int images; /* there now */
    int lost;   /* to NaN */
    bool folder;
    int made;                  /* of the images in a folder, by this run; -1: it makes none */
    const struct shard *shard; /* NULL: no shards */
    int all;                   /* images that all shards make */
    double seconds;            /* that making them took; 0: nothing was made */
};

/* Prints the line for people to stderr, or with --json an object to standard output. */
void written_tell(const struct written *w, const struct command *command, const struct common *common);
#endif
