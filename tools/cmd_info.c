/* ddpm info: shows what is in a model file, and what it takes to run it.  Without a file it shows this
   CPU, this build and the embedded model. */
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

static const char *const prediction_names[] = { [DDPM_EPS] = "eps", [DDPM_X0] = "x0", [DDPM_V] = "v" };
static const char *const variance_names[] = { [DDPM_BETA] = "beta",
                                              [DDPM_BETA_TILDE] = "beta-tilde",
                                              [DDPM_LEARNED] = "learned",
                                              [DDPM_LEARNED_RANGE] = "learned-range" };

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

static void print_model_json(const ddpm_about *a, const ddpm_net_about *n, const struct engines *e)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "id", a->id);
    cJSON_AddItemToObject(o, "model", cJSON_Parse(a->json));
    cJSON_AddNumberToObject(o, "parameters", (double)n->parameters);
    cJSON_AddNumberToObject(o, "flops", n->flops);

    cJSON *memory = cJSON_AddObjectToObject(o, "memory");
    cJSON_AddNumberToObject(memory, "weights", (double)n->weights);
    cJSON_AddNumberToObject(memory, "packed", (double)n->packed);
    cJSON_AddNumberToObject(memory, "activations", (double)n->activations);
    cJSON_AddNumberToObject(memory, "scratch", (double)n->scratch);

    cJSON *engines = cJSON_AddObjectToObject(o, "engines");
    for (int k = 0; k < e->kinds; k++)
        cJSON_AddNumberToObject(engines, e->name[k], e->count[k]);
    cJSON_AddStringToObject(o, "cpu", n->cpu);
    cJSON_AddNumberToObject(o, "threads", n->threads);
    cJSON_AddStringToObject(o, "engine_class", n->engine_class);
    json_line(o);
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void print_classes(const cJSON *classes)
{
    int k = 0;
    for (const cJSON *c = classes ? classes->child : NULL; c; c = c->next, k++)
        print_plain("%s %d %s%s", k ? "" : "classes      ", k, cJSON_IsString(c) ? c->valuestring : "?",
                    c->next ? "," : "\n");
}

/* Prints what ddpm train wrote into its checkpoints: progress and settings. */
static void print_training(const cJSON *train)
{
    const cJSON *trainer = member(train, "trainer"), *run = member(train, "run");
    const cJSON *loss = member(run, "loss"), *best = member(run, "best");
    if (!train)
        return;

    printf("training      step %.0f, %.0f images", cJSON_GetNumberValue(member(trainer, "step")),
           cJSON_GetNumberValue(member(trainer, "images")));
    if (loss)
        printf(", loss %.4g", cJSON_GetNumberValue(loss));
    if (best)
        printf(", best of held-out images %.4g", cJSON_GetNumberValue(member(best, "loss")));

    /* The first member of "run" is the object of the settings. */
    printf("\n             ");
    for (const cJSON *s = run && run->child ? run->child->child : NULL; s; s = s->next) {
        char *value = cJSON_PrintUnformatted(s);
        print_plain(" %s %s%s", s->string, value ? value : "?", s->next ? "," : "\n");
        cJSON_free(value);
    }
    print_classes(member(run, "classes"));
}

/* Prints the provenance of a model, which ddpm convert or ddpm train wrote. */
static void print_source(const cJSON *source)
{
    static const char *const keys[] = { "family", "file", "weights", "program", "sha256" };
    printf("source       ");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = cJSON_GetStringValue(member(source, keys[i]));
        if (text && *text)
            print_plain("%s %s%s", i ? "," : "", strcmp(keys[i], "weights") ? "" : "weights ", text);
    }
    putchar('\n');
}

/* Prints from how many images the stored statistics were computed. */
static void print_statistics(const cJSON *stats)
{
    const cJSON *images = member(stats, "images"), *bits = member(stats, "bits");
    if (!images)
        return;
    printf("statistics    gamma and mse of %.0f images", cJSON_GetNumberValue(images));
    if (cJSON_IsNumber(bits))
        printf(", %.4g bits/dim", cJSON_GetNumberValue(bits));
    putchar('\n');
}

static void print_metadata(const ddpm_about *a)
{
    cJSON *root = cJSON_Parse(a->json);
    print_source(member(root, "source"));
    print_statistics(member(root, "stats"));
    print_training(member(root, "train"));
    cJSON_Delete(root);
}

/* Lists the tuned solvers with their distances to the teacher. */
static void print_solvers(const ddpm_about *a)
{
    for (int i = 0; i < a->tuned_count; i++) {
        const ddpm_tuned *s = &a->tuned[i];
        printf("tuned         %d steps, distance to %s: %.4f\n", s->K, s->teacher, s->error);
        printf("              untuned %.4f", s->untuned);
        if (s->equals)
            printf("; as near as %d steps untuned", s->equals);
        putchar('\n');
    }
}

static void print_model(const ddpm_about *a, const ddpm_net_about *n, const struct engines *e)
{
    char engines[400];
    engines_text(engines, sizeof engines, e);
    printf("id            %s\n", *a->id ? a->id : "none yet");
    print_metadata(a);
    print_solvers(a);

    printf("image         %d x %d pixels (width x height), %d channel%s\n", a->width, a->height, a->channels,
           a->channels == 1 ? "" : "s");
    printf("predicts      %s, variance %s, x0 clipped to %g, %d classes%s\n", prediction_names[a->prediction],
           variance_names[a->variance], a->clip, a->classes, a->null_class ? " and no class" : "");
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
    int code = model_open(m, path, err);
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
        struct engines e = engines_of(net);
        (s->common.json ? print_model_json : print_model)(ddpm_model_about(m), ddpm_net_describe(net), &e);
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
