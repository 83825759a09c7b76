/* The options that several commands have, and the walk through all options of a command. */
#include <string.h>
#include "base/cpu.h"
#include "cli/options.h"

static const char *const *memory_names(void)
{
    static const char *const names[] = { "full", "low", NULL };
    return names;
}

#define FIELD(f) offsetof(struct common, f)
static const struct option processor[] = {
    OPTION_GROUP("Processor"),
    { "threads", 0, OPTION_INT, "N",
      "threads (default: OMP_NUM_THREADS, or what affinity, cgroup quota and physical cores allow)", NULL,
      FIELD(threads), 1, DD_THREADS_MOST },
    { "cpu", 0, OPTION_CHOICE, "SET", "highest instruction set to use (default: the best)", ddpm_cpu_names,
      FIELD(cpu), 0, 0 },
    { "conv", 0, OPTION_CHOICE, "ENGINE", "engine of the convolutions (default: auto)", ddpm_conv_names,
      FIELD(conv), 0, 0 },
    { "memory", 0, OPTION_CHOICE, "HOW",
      "low: no second copy of the weights, by --conv gemm; steps take up to twice as long (default: full)",
      memory_names, FIELD(memory), 0, 0 },
};
static const struct option priority[] = {
    OPTION_GROUP("Processor"),
    { "background", 0, OPTION_FLAG, NULL, "lowest priority of processor and disk, beside other work", NULL,
      FIELD(background), 0, 0 },
};
static const struct option details[] = {
    OPTION_GROUP("Messages"),
    { "verbose", 'v', OPTION_FLAG, NULL, "say more", NULL, FIELD(verbose), 0, 0 },
};
static const struct option messages[] = {
    OPTION_GROUP("Messages"),
    { "json", 0, OPTION_FLAG, NULL, "results as one JSON object per line", NULL, FIELD(json), 0, 0 },
    { "quiet", 'q', OPTION_FLAG, NULL, "say nothing but errors", NULL, FIELD(quiet), 0, 0 },
    { "help", 'h', OPTION_FLAG, NULL, "this text", NULL, FIELD(help), 0, 0 },
};

/* The common options.  A command has a list if its bits `common` include the bits `needs`; `otherwise`
   tells why a command lacks it. */
static const struct {
    const struct option *option;
    int count;
    unsigned needs;
    const char *otherwise;
} common_lists[] = {
    { processor, sizeof processor / sizeof *processor, COMMON_NETWORK, "makes no network" },
    { priority, sizeof priority / sizeof *priority, COMMON_LONG, "does not take long" },
    { details, sizeof details / sizeof *details, COMMON_VERBOSE, "has no more to say" },
    { messages, sizeof messages / sizeof *messages, 0, "" },
};

enum { COMMON_LISTS = sizeof common_lists / sizeof *common_lists };

/* Returns list k of a command's options; NULL: the command lacks it.  List 0 is its own, the others are
   common. */
static const struct option *list_at(const struct command *c, int k, int *count)
{
    if (!k) {
        *count = c->count;
        return c->options;
    }

    const unsigned needs = common_lists[k - 1].needs;
    *count = common_lists[k - 1].count;
    return (c->common & needs) == needs ? common_lists[k - 1].option : NULL;
}

const struct option *option_next(struct option_walk *w)
{
    const char *before = w->group;
    if (!before)
        w->group = "Options";

    for (; w->list <= COMMON_LISTS; w->list++) {
        int count;
        const struct option *list = list_at(w->command, w->list, &count);
        while (list && w->row < count) {
            const struct option *o = &list[w->row++];
            /* A heading is no option: it names the group of the options behind it. */
            if (o->kind != OPTION_HEADING) {
                w->begins_group = !before || strcmp(before, w->group);
                return o;
            }
            w->group = o->help;
        }
        w->row = 0;
    }
    return NULL;
}

/* Returns whether a word calls an option: "--name", or letters "-xyz" of which one is the option's. */
static bool is_called(const struct option *o, const char *word)
{
    if (o->kind == OPTION_HEADING)
        return false;
    if (word[1] == '-')
        return !strcmp(o->name, word + 2);
    return o->letter && strchr(word + 1, o->letter);
}

const char *option_lacking(const struct command *c, const char *word)
{
    for (int k = 1, count; k <= COMMON_LISTS; k++) {
        if (list_at(c, k, &count))
            continue;
        for (int i = 0; i < count; i++)
            if (is_called(&common_lists[k - 1].option[i], word))
                return common_lists[k - 1].otherwise;
    }
    return NULL;
}
