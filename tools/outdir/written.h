/* The last line of a run that wrote images, as in "wrote d: 2 of 5 images, shard 1/2, 1 of them made now,
   in 3 s". */
#ifndef DDPM_WRITTEN_H
#define DDPM_WRITTEN_H
#include "cli/options.h"
#include "outdir/shard.h"

struct written {
    const char *where;
    int images;                /* images that are there now */
    int lost;                  /* images lost to NaN */
    bool folder;               /* `where` is a folder, not a file */
    int made;                  /* images of a folder that this run made; -1: the command makes no images */
    const struct shard *shard; /* NULL: no shards */
    int all;                   /* images that all shards make */
    double seconds;            /* what making the images took; 0: nothing was made */
};

/* Prints the line for people to stderr, or with --json an object to standard output. */
void written_tell(const struct written *w, const struct command *command, const struct common *common);
#endif
