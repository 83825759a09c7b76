/* ddpm merge: makes one manifest for a folder that several shards have filled, if no image is missing.  No
   settings are needed: the manifests in the folder say which images the shards were asked for. */
#include <stdlib.h>
#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "outdir/merge.h"
#include "outdir/written.h"
#include "sample/index_list.h"

struct settings {
    struct common common;
    const char *outdir, *index;
    int64_t images;
    double wait;
    bool check_existing;
};
static const struct settings defaults = { .wait = 0 };

/* Reads which images must be there; without -n and --index m->index is NULL: those that the shards were asked
   for. */
static int read_settings(struct merge *m, uint32_t **index, const struct settings *s, ddpm_error *err)
{
    if (!s->outdir)
        return dd_error(err, DDPM_EUSAGE, "which folder? add --outdir DIR");
    if (s->images && s->index)
        return dd_error(err, DDPM_EUSAGE, "-n and --index both say how many images: leave one out");
    *m = (struct merge){ .folder = s->outdir, .check = s->check_existing, .wait = s->wait };
    int code = s->images || s->index ? index_list(index, &m->n, s->index, (int)s->images, err) : DDPM_OK;
    m->index = *index;
    return code;
}

static int run(void *settings, char **argument, int arguments)
{
    const struct settings *s = settings;
    struct merge m;
    uint32_t *index = NULL;
    ddpm_error err;
    (void)argument;
    (void)arguments;

    interrupt_catch();
    int code = read_settings(&m, &index, s, &err);
    if (!code)
        code = merge_folder(&m, &err);
    free(index);
    if (code)
        return complain(&command_merge, &err);

    const struct written w = {
        .where = m.folder, .images = m.images, .lost = m.lost, .folder = true, .made = -1
    };
    written_tell(&w, &command_merge, &s->common);
    return m.lost ? exit_code(DDPM_ENAN) : 0;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "outdir", 0, OPTION_TEXT, "DIR", "the folder", NULL, FIELD(outdir), 0, 0 },
    { "images", 'n', OPTION_INT, "N",
      "how many images it is to hold (default: what the shards were asked for)", NULL, FIELD(images), 1,
      INDEX_LIST_MAX },
    { "index", 0, OPTION_TEXT, "LIST", "which images it is to hold, such as 0,5,7-9", NULL, FIELD(index), 0,
      0 },
    { "check-existing", 0, OPTION_FLAG, NULL, "read the images and compare them with the manifests", NULL,
      FIELD(check_existing), 0, 0 },
    { "wait", 0, OPTION_TIME, "TIME",
      "wait for a ddpm sample to leave the folder: 30s, 10m (default: do not)", NULL, FIELD(wait), 0, 0 },
};
const struct command command_merge = {
    .name = "merge",
    .arguments = "",
    .run = run,
    .does =
        "Makes one manifest of those that the shards of ddpm sample --shard left in a folder, if no image is "
        "missing.\n"
        "Otherwise it names the images that are missing, exits with 66 and changes nothing.",
    .examples =
        "  ddpm sample -n 1000 --outdir images --shard 0/2\n  ddpm sample -n 1000 --outdir images --shard "
        "1/2\n  ddpm merge --outdir images\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
