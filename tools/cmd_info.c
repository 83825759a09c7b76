/* ddpm info: what is in a model file and what running it takes; without a file, what this CPU and build offer and the embedded model. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include "base/cpu.h"
#include "base/error.h"
#include "config.h"
#include "cli/engines.h"
#include "cli/command_model.h"
#include "outdir/info_images.h"
#include "cli/json_line.h"
#include "cli/options.h"

struct settings {
    struct common common;
    bool nodes, check;
};
static const struct settings defaults = { .nodes = false };

static const char *prediction_name(int p)
{
    return p == DDPM_EPS ? "eps" : p == DDPM_X0 ? "x0" : "v";
}

static const char *variance_name(int v)
{
    return v == DDPM_BETA         ? "beta"
           : v == DDPM_BETA_TILDE ? "beta-tilde"
           : v == DDPM_LEARNED    ? "learned"
                                  : "learned-range";
}

static void print_machine(bool json)
{
    static const char *const parts[] = { BUILT_WITH NULL };
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "build");
    cJSON_AddStringToObject(o, "version", DDPM_VERSION);
    cJSON_AddStringToObject(o, "cpu", dd_cpu_name(dd_cpu_detect()));
    cJSON_AddNumberToObject(o, "threads", dd_cpu_threads(""));
    if (!json)
        printf("program       ddpm %s, built with", DDPM_VERSION);
    for (int i = 0; parts[i]; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(parts[i]));
        if (!json)
            printf(" %s", parts[i]);
    }
    if (json) {
        json_line(o);
        return;
    }
    cJSON_Delete(o);
    printf("\nCPU           %s, %d threads\n\nembedded model\n", dd_cpu_name(dd_cpu_detect()),
           dd_cpu_threads(""));
}

static void print_model_json(const ddpm_about *a, const ddpm_net_about *n, const struct engines *e)
{
    cJSON *o = cJSON_CreateObject(), *memory, *engines;
    cJSON_AddStringToObject(o, "id", a->id);
    cJSON_AddItemToObject(o, "model", cJSON_Parse(a->json));
    cJSON_AddNumberToObject(o, "parameters", (double)n->parameters);
    cJSON_AddNumberToObject(o, "flops", n->flops);
    memory = cJSON_AddObjectToObject(o, "memory");
    cJSON_AddNumberToObject(memory, "weights", (double)n->weights);
    cJSON_AddNumberToObject(memory, "packed", (double)n->packed);
    cJSON_AddNumberToObject(memory, "activations", (double)n->activations);
    cJSON_AddNumberToObject(memory, "scratch", (double)n->scratch);
    engines = cJSON_AddObjectToObject(o, "engines");
    for (int k = 0; k < e->kinds; k++)
        cJSON_AddNumberToObject(engines, e->name[k], e->count[k]);
    cJSON_AddStringToObject(o, "cpu", n->cpu);
    cJSON_AddNumberToObject(o, "threads", n->threads);
    cJSON_AddStringToObject(o, "engine_class", n->engine_class);
    json_line(o);
}

static void print_classes(const cJSON *classes)
{
    int k = 0;
    for (const cJSON *c = classes ? classes->child : NULL; c; c = c->next, k++)
        print_plain("%s %d %s%s", k ? "" : "classes      ", k, cJSON_IsString(c) ? c->valuestring : "?",
                    c->next ? "," : "\n");
}

/* What ddpm train wrote into its checkpoints. */
static void print_training(const cJSON *train)
{
    const cJSON *trainer = cJSON_GetObjectItemCaseSensitive(train, "trainer"),
                *run = cJSON_GetObjectItemCaseSensitive(train, "run");
    const cJSON *loss = cJSON_GetObjectItemCaseSensitive(run, "loss"),
                *best = cJSON_GetObjectItemCaseSensitive(run, "best");
    if (!train)
        return;
    printf("training      step %.0f, %.0f images",
           cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(trainer, "step")),
           cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(trainer, "images")));
    if (loss)
        printf(", loss %.4g", cJSON_GetNumberValue(loss));
    if (best)
        printf(", best of held-out images %.4g",
               cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(best, "loss")));
    printf("\n             ");
    for (const cJSON *s = run && run->child ? run->child->child : NULL; s; s = s->next) {
        char *value = cJSON_PrintUnformatted(s);
        print_plain(" %s %s%s", s->string, value ? value : "?", s->next ? "," : "\n");
        cJSON_free(value);
    }
    print_classes(cJSON_GetObjectItemCaseSensitive(run, "classes"));
}

/* The provenance that the converter wrote, and whether statistics are stored. */
static void print_source(const ddpm_about *a)
{
    cJSON *root = cJSON_Parse(a->json);
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(root, "source");
    static const char *const keys[] = { "family", "file", "weights", "program", "sha256" };
    printf("source       ");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(source, keys[i]));
        if (text && *text)
            print_plain("%s %s%s", i ? "," : "", strcmp(keys[i], "weights") ? "" : "weights ", text);
    }
    putchar('\n');
    const cJSON *stats = cJSON_GetObjectItemCaseSensitive(root, "stats"),
                *bits = cJSON_GetObjectItemCaseSensitive(stats, "bits");
    const cJSON *images = cJSON_GetObjectItemCaseSensitive(stats, "images");
    if (images)
        printf("statistics    gamma and mse of %.0f images", cJSON_GetNumberValue(images));
    if (images && cJSON_IsNumber(bits))
        printf(", %.4g bits/dim", cJSON_GetNumberValue(bits));
    if (images)
        putchar('\n');
    print_training(cJSON_GetObjectItemCaseSensitive(root, "train"));
    cJSON_Delete(root);
}

static void print_model(const ddpm_about *a, const ddpm_net_about *n, const struct engines *e)
{
    char engines[400];
    engines_text(engines, sizeof engines, e);
    printf("id            %s\n", *a->id ? a->id : "none yet");
    print_source(a);
    printf("image         %d x %d pixels (width x height), %d channel%s\n", a->width, a->height, a->channels,
           a->channels == 1 ? "" : "s");
    printf("predicts      %s, variance %s, x0 clipped to %g, %d classes\n", prediction_name(a->prediction),
           variance_name(a->variance), a->clip, a->classes);
    printf("schedule      T = %d, alpha_bar %.6g to %.6g, network fed t * %g\n", a->steps, a->alpha_bar[0],
           a->alpha_bar[a->steps - 1], a->t_scale);
    printf("network       %.3f million parameters, %.4g GFLOP per image and step\n",
           1e-6 * (double)n->parameters, 1e-9 * n->flops);
    printf("memory        MB at batch %d: weights %.1f, packed %.1f, activations %.1f, scratch %.1f\n",
           n->batch, 1e-6 * (double)n->weights, 1e-6 * (double)n->packed, 1e-6 * (double)n->activations,
           1e-6 * (double)n->scratch);
    printf("convolutions  %s\n", engines);
    printf("engine class  %s\n", n->engine_class);
}

static void print_nodes(const ddpm_net *net, bool json)
{
    const ddpm_node *node;
    size_t nodes = ddpm_net_nodes(net, &node);
    if (!json)
        printf("\n%-44s %-10s %-20s %5s %5s %6s %10s\n", "node", "op", "engine", "h", "w", "c", "MFLOP");
    for (size_t i = 0; i < nodes; i++) {
        if (!json) {
            printf("%-44s %-10s %-20s %5d %5d %6d %10.3f\n", node[i].name, node[i].op,
                   *node[i].engine ? node[i].engine : "-", node[i].height, node[i].width, node[i].channels,
                   1e-6 * node[i].flops);
            continue;
        }
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

static int open_all(ddpm_model **m, ddpm_net **net, const struct settings *s, const char *path,
                    ddpm_error *err)
{
    int code = model_open(m, path, err);
    if (!code && s->check)
        code = model_check(*m, path, err);
    return code ? code : model_net(net, *m, &s->common, 1, err);
}

/* A picture or a folder of images instead of a model. */
static int run_images(const struct settings *s, const char *path)
{
    ddpm_error err;
    int code;
    if (s->nodes || s->check)
        code =
            dd_error(&err, DDPM_EUSAGE, "%s is no model: leave out --%s", path, s->nodes ? "nodes" : "check");
    else
        code = (info_is_picture(path) ? info_picture : info_images)(path, s->common.json, &err);
    return code ? complain(&command_info, &err) : 0;
}

static int run(void *settings, char **argument, int arguments)
{
    const struct settings *s = settings;
    ddpm_error err;
    if (arguments && (info_is_picture(argument[0]) || info_is_images(argument[0])))
        return run_images(s, argument[0]);
    ddpm_model *m = NULL;
    ddpm_net *net = NULL;
    int status = 0;
    if (!arguments)
        print_machine(s->common.json);
    if (open_all(&m, &net, s, arguments ? argument[0] : NULL, &err)) {
        status = complain(&command_info, &err);
    } else {
        struct engines e = engines_of(net);
        (s->common.json ? print_model_json : print_model)(ddpm_model_about(m), ddpm_net_describe(net), &e);
        if (s->nodes)
            print_nodes(net, s->common.json);
        if (s->check)
            remark(&command_info, &s->common, "the tensors are what the id says");
    }
    ddpm_net_free(net);
    ddpm_model_close(m);
    return status;
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
            "Of a picture, or a folder of ddpm sample --outdir, it shows the settings it was made with, and "
            "how much of it is there.",
    .examples = "  ddpm info\n  ddpm info model.ddpm --nodes\n  ddpm info model.ddpm --check --json\n"
                "  ddpm info sample.png\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
