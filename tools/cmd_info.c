/* ddpm info: shows what is in a model file, and what it takes to run it.  Without a file it shows this
   CPU, this build and the embedded model. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include "base/cpu.h"
#include "base/error.h"
#include "config.h"
#include "cli/command_model.h"
#include "outdir/info_images.h"
#include "cli/json_line.h"
#include "cli/model_report.h"
#include "cli/options.h"

struct settings {
    struct common common;
    bool nodes, check;
};
static const struct settings defaults = { .nodes = false };

/* ---- without a file ---- */

static void print_machine(void)
{
    static const char *const parts[] = { BUILT_WITH NULL };
    printf("program       ddpm %s, built with", DDPM_VERSION);
    for (int i = 0; parts[i]; i++)
        printf(" %s", parts[i]);
    printf("\nCPU           %s, %d threads\n\nembedded model\n", dd_cpu_name(dd_cpu_detect()),
           dd_cpu_threads(""));
}

static void print_machine_json(void)
{
    static const char *const parts[] = { BUILT_WITH NULL };
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "build");
    cJSON_AddStringToObject(o, "version", DDPM_VERSION);
    cJSON_AddStringToObject(o, "cpu", dd_cpu_name(dd_cpu_detect()));
    cJSON_AddNumberToObject(o, "threads", dd_cpu_threads(""));
    for (int i = 0; parts[i]; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(parts[i]));
    json_line(o);
}

/* ---- a model ---- */

static void print_nodes(const ddpm_net *net)
{
    const ddpm_node *node;
    size_t nodes = ddpm_net_nodes(net, &node);
    printf("\n%-44s %-10s %-20s %5s %5s %6s %10s\n", "node", "op", "engine", "h", "w", "c", "MFLOP");

    for (size_t i = 0; i < nodes; i++)
        printf("%-44s %-10s %-20s %5d %5d %6d %10.3f\n", node[i].name, node[i].op,
               *node[i].engine ? node[i].engine : "-", node[i].height, node[i].width, node[i].channels,
               1e-6 * node[i].flops);
}

static void print_nodes_json(const ddpm_net *net)
{
    const ddpm_node *node;
    size_t nodes = ddpm_net_nodes(net, &node);

    for (size_t i = 0; i < nodes; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "node", node[i].name);
        cJSON_AddStringToObject(o, "op", node[i].op);
        cJSON_AddStringToObject(o, "engine", node[i].engine);
        cJSON_AddNumberToObject(o, "height", node[i].height);
        cJSON_AddNumberToObject(o, "width", node[i].width);
        cJSON_AddNumberToObject(o, "channels", node[i].channels);
        cJSON_AddNumberToObject(o, "flops", node[i].flops);
        json_line(o);
    }
}

/* ---- the command ---- */

static int open_all(ddpm_model **m, ddpm_net **net, const struct settings *s, const char *path,
                    ddpm_error *err)
{
    int code = model_open_any(m, path, err);
    if (!code && s->check)
        code = model_check(*m, path, err);
    return code ? code : model_net(net, *m, &s->common, 1, err);
}

/* Shows how a picture or a folder of images was made. */
static int run_images(const struct settings *s, const char *path)
{
    ddpm_error err;
    if (s->nodes || s->check) {
        dd_error(&err, DDPM_EUSAGE, "%s is no model: leave out --%s", path, s->nodes ? "nodes" : "check");
        return complain(&command_info, &err);
    }
    int code = (info_is_picture(path) ? info_picture : info_images)(path, s->common.json, &err);
    return code ? complain(&command_info, &err) : 0;
}

static int run_model(const struct settings *s, const char *path)
{
    ddpm_model *m = NULL;
    ddpm_net *net = NULL;
    ddpm_error err;
    int code = open_all(&m, &net, s, path, &err);

    if (!code) {
        (s->common.json ? model_report_json : model_report)(ddpm_model_about(m), net);
        if (s->nodes)
            (s->common.json ? print_nodes_json : print_nodes)(net);
        if (s->check)
            remark(&command_info, &s->common, "the tensors are what the id says");
    }

    ddpm_net_free(net);
    ddpm_model_close(m);
    return code ? complain(&command_info, &err) : 0;
}

static int run(void *settings, char **argument, int arguments)
{
    const struct settings *s = settings;
    const char *path = arguments ? argument[0] : NULL;
    if (path && (info_is_picture(path) || info_is_images(path)))
        return run_images(s, path);
    if (!path)
        (s->common.json ? print_machine_json : print_machine)();
    return run_model(s, path);
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "nodes", 0, OPTION_FLAG, NULL, "a row per operation of the network, with its engine", NULL,
      FIELD(nodes), 0, 0 },
    { "check", 0, OPTION_FLAG, NULL, "recompute the model's id from its tensors, exit 65 when it differs",
      NULL, FIELD(check), 0, 0 },
};
const struct command command_info = {
    .name = "info",
    .arguments = "[MODEL|PICTURE|FOLDER]",
    .least = 0,
    .most = 1,
    .run = run,
    .does = "Shows model, schedule, provenance, parameter and FLOP count, memory plan and engines; without "
            "MODEL: CPU, build, embedded model.\n"
            "For a picture, or a folder of ddpm sample --outdir, it shows the settings it was made with, and "
            "how much of it is there.",
    .examples = "  ddpm info\n  ddpm info model.ddpm --nodes\n  ddpm info model.ddpm --check --json\n"
                "  ddpm info sample.png\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
