/* Prints what is in a model, and what it takes to run it. */
#include "cli/model_report.h"
#include "cli/class_names.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include "cli/engines.h"
#include "cli/json_line.h"
#include "cli/options.h"

static const char *const prediction_names[] = { [DDPM_EPS] = "eps", [DDPM_X0] = "x0", [DDPM_V] = "v" };
static const char *const variance_names[] = { [DDPM_BETA] = "beta",
                                              [DDPM_BETA_TILDE] = "beta-tilde",
                                              [DDPM_LEARNED] = "learned",
                                              [DDPM_LEARNED_RANGE] = "learned-range" };

void model_report_json(const ddpm_about *a, const ddpm_net *net)
{
    const ddpm_net_about *n = ddpm_net_describe(net);
    const struct engines e = engines_of(net);
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
    for (int k = 0; k < e.kinds; k++)
        cJSON_AddNumberToObject(engines, e.name[k], e.count[k]);
    cJSON_AddStringToObject(o, "cpu", n->cpu);
    cJSON_AddNumberToObject(o, "threads", n->threads);
    cJSON_AddStringToObject(o, "engine_class", n->engine_class);
    json_line(o);
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
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
    class_names_print(member(root, "class_names"));
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

void model_report(const ddpm_about *a, const ddpm_net *net)
{
    char engines[400];
    const ddpm_net_about *n = ddpm_net_describe(net);
    const struct engines e = engines_of(net);

    engines_text(engines, sizeof engines, &e);
    printf("id            %s\n", *a->id ? a->id : "none yet");
    print_metadata(a);
    print_solvers(a);

    printf("image         %d x %d pixels (width x height), %d channel%s\n", a->width, a->height, a->channels,
           a->channels == 1 ? "" : "s");
    if (a->classifier)
        printf("classifies    noisy images, %d classes\n", a->classes);
    else
        printf("predicts      %s, variance %s, x0 clipped to %g, %d classes%s\n",
               prediction_names[a->prediction], variance_names[a->variance], a->clip, a->classes,
               a->null_class ? " and no class" : "");
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
