/* Prints the last line of a run.  The parts of the line that do not apply are empty texts. */
#include "outdir/written.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include "cli/json_line.h"
#include "cli/progress.h"

static bool is_shared(const struct written *w)
{
    return w->shard && w->shard->of > 1;
}

static void print_object(const struct written *w)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "wrote", w->where);
    cJSON_AddNumberToObject(o, "images", w->images);
    cJSON_AddNumberToObject(o, "lost", w->lost);
    if (is_shared(w))
        cJSON_AddNumberToObject(o, "of", w->all);
    if (w->folder && w->made >= 0)
        cJSON_AddNumberToObject(o, "made", w->made);
    json_line(o);
}

void written_tell(const struct written *w, const struct command *command, const struct common *common)
{
    char of[24] = "", shard[40] = "", before[60] = "", took[PROGRESS_TOOK];
    int asked = w->images + w->lost;
    if (common->json) {
        print_object(w);
        return;
    }

    /* A shard says how many images all shards make. */
    if (is_shared(w)) {
        snprintf(of, sizeof of, " of %d", w->all);
        snprintf(shard, sizeof shard, ", shard %d/%d", w->shard->number, w->shard->of);
        asked = w->all;
    }

    /* A merge made none itself: w->made is -1 there. */
    bool counted = w->folder && w->made >= 0;
    if (counted && w->made < w->images)
        snprintf(before, sizeof before, ", %d of them made now", w->made);
    progress_took(took, w->seconds, counted ? w->made : w->images + w->lost);

    remark(command, common, "wrote %s: %d%s image%s%s%s%s", w->where, w->images, of, asked == 1 ? "" : "s",
           shard, before, took);
    if (w->folder && w->lost)
        remark(command, common, "%s: %d image%s lost to NaN, see its manifest; %s--retry-nan tries again",
               w->where, w->lost, w->lost > 1 ? "s are" : " is", w->made < 0 ? "ddpm sample " : "");
}
