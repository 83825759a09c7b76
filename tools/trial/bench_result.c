/* Turns trials into JSON, and prints it as lines or as a table.  A number is rounded to six digits when it
   becomes JSON; a number that is not known becomes null. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/error.h"
#include "base/scan.h"
#include "cli/options.h"
#include "measure/set_features.h"
#include "trial/bench_report.h"

/* Adds a number, rounded to six digits; null if it is not finite. */
static void add(cJSON *o, const char *name, double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    cJSON_AddItemToObject(o, name, isfinite(v) ? cJSON_CreateNumber(strtod(text, NULL)) : cJSON_CreateNull());
}

const char *bench_number(char text[32], const cJSON *row, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, name);
    *text = 0;
    if (cJSON_IsNumber(v))
        snprintf(text, 32, "%.6g", v->valuedouble);
    return text;
}

const char *bench_short(char text[32], const cJSON *row, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, name);
    *text = 0;
    if (cJSON_IsNumber(v))
        snprintf(text, 32, fabs(v->valuedouble) >= 100 ? "%.0f" : "%.3g", v->valuedouble);
    return text;
}

/* Adds the program, the command and the machine. */
static void add_machine(cJSON *o)
{
    char text[1024];
    time_t now = time(NULL);

    cJSON_AddStringToObject(o, "program", "ddpm " DDPM_VERSION);
    machine_command_line(text, sizeof text);
    cJSON_AddStringToObject(o, "command", text);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    cJSON_AddStringToObject(o, "date", text);
    dd_system_processor(text, sizeof text, "");
    cJSON_AddStringToObject(o, "processor", text);
}

static void add_model(cJSON *o, const struct trials *t)
{
    cJSON_AddStringToObject(o, "file", t->file);
    cJSON_AddStringToObject(o, "model", t->about->id);
    cJSON_AddNumberToObject(o, "height", t->about->height);
    cJSON_AddNumberToObject(o, "width", t->about->width);
    cJSON_AddNumberToObject(o, "channels", t->about->channels);
}

/* Adds how the trials were run. */
static void add_run(cJSON *o, const struct trials *t)
{
    char seed[24];

    cJSON_AddNumberToObject(o, "images", t->n);
    cJSON_AddNumberToObject(o, "rounds", t->rounds);
    cJSON_AddNumberToObject(o, "batch", t->batch);
    cJSON_AddNumberToObject(o, "threads", t->threads);
    cJSON_AddStringToObject(o, "cpu", t->cpu);
    cJSON_AddStringToObject(o, "engine_class", t->engine_class);
    cJSON_AddStringToObject(o, "spacing", t->spacing);
    cJSON_AddStringToObject(o, "variance", t->variance);
    cJSON_AddNumberToObject(o, "guidance", t->guidance);
    if (t->classifier)
        cJSON_AddStringToObject(o, "classifier", ddpm_model_about(t->classifier)->id);

    /* A JSON number does not hold 64 bits. */
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->seed);
    cJSON_AddStringToObject(o, "seed", seed);
}

/* Adds the set that the trials are compared with. */
static void add_reference(cJSON *o, const struct trials *t)
{
    char reference[96];

    snprintf(reference, sizeof reference, "%d other images, %s, %d steps", t->n, t->reference.sampler,
             t->reference.K);
    cJSON_AddStringToObject(o, "data", t->data ? t->data->path : "");
    cJSON_AddStringToObject(o, "reference", t->data ? "the data" : reference);
    cJSON_AddNumberToObject(o, "reference_images", t->data ? (double)t->data->count : t->n);
    cJSON_AddNumberToObject(o, "activations", t->features);
    add(o, "activations_t", set_features_t(t->about));
    cJSON_AddNumberToObject(o, "left_out", t->left_out);
}

/* Returns the settings and facts of the run as an object. */
static cJSON *settings_of(const struct trials *t)
{
    cJSON *o = cJSON_CreateObject();
    add_machine(o);
    add_model(o, t);
    add_run(o, t);
    add_reference(o, t);
    return o;
}

/* Returns the results of a trial as an object. */
static cJSON *row_of(const struct trials *t, const struct trial *one)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "sampler", one->sampler);
    cJSON_AddNumberToObject(o, "steps", one->K);

    add(o, "seconds", one->median);
    add(o, "spread", 100 * one->spread);
    add(o, "images_per_second", 1 / one->median);
    add(o, "network", fmin(100, 100 * one->network / one->whole));
    add(o, "memory", one->memory / 1048576);

    add(o, "bits", one->bits);
    add(o, "distance", one->compared ? one->distance.distance : NAN);
    add(o, "plain", one->compared ? one->distance.plain : NAN);
    add(o, "low", one->compared ? one->distance.low : NAN);
    add(o, "high", one->compared ? one->distance.high : NAN);
    add(o, "farther", one->farther.difference);
    add(o, "farther_low", one->farther.low);
    add(o, "farther_high", one->farther.high);
    cJSON_AddNumberToObject(o, "images", t->n);
    add(o, "rmse", one->rmse);
    add(o, "psnr", one->psnr);
    add(o, "ssim", one->ssim);

    cJSON_AddNumberToObject(o, "discarded", one->discarded);
    cJSON_AddNumberToObject(o, "lost", one->lost);
    cJSON_AddBoolToObject(o, "front", one->front);
    cJSON_AddBoolToObject(o, "knee", one->knee);
    return o;
}

static cJSON *layer_of(const struct trials *t, const struct layer_time *l)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", l->name);
    cJSON_AddStringToObject(o, "op", l->op);
    cJSON_AddStringToObject(o, "engine", l->engine);
    add(o, "microseconds", 1e6 * l->seconds / t->image_steps);
    return o;
}

/* Returns the state of the machine before and after the run as an object. */
static cJSON *machine_of(const struct trials *t, const char *refusal)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "power_before", machine_power_name(t->before.power));
    cJSON_AddStringToObject(o, "power_after", machine_power_name(t->after.power));
    add(o, "mhz_before", t->before.mhz);
    add(o, "mhz_after", t->after.mhz);
    add(o, "celsius_before", t->before.celsius);
    add(o, "celsius_after", t->after.celsius);
    cJSON_AddNumberToObject(o, "discarded", trials_discarded(t));
    add(o, "noise", 100 * trials_noise(t));
    cJSON_AddStringToObject(o, "refusal", refusal ? refusal : "");
    add(o, "images_needed", t->needed > 0 ? t->needed : NAN);
    return o;
}

static cJSON *choice_of(const struct trials *t, int best)
{
    cJSON *o = cJSON_CreateObject();

    add(o, "limit", t->limit);
    if (best >= 0) {
        cJSON_AddStringToObject(o, "sampler", t->trial[best].sampler);
        cJSON_AddNumberToObject(o, "steps", t->trial[best].K);
        add(o, "seconds", t->trial[best].median);
        add(o, "distance", t->trial[best].distance.distance);
    }
    return o;
}

int bench_result_create(struct bench_result *r, const struct trials *t, const char *refusal, int best,
                        ddpm_error *err)
{
    *r = (struct bench_result){ .settings = settings_of(t),
                                .machine = machine_of(t, refusal),
                                .rows = cJSON_CreateArray(),
                                .profile = cJSON_CreateArray(),
                                .choice = t->limit > 0 ? choice_of(t, best) : NULL };
    for (int i = 0; i < t->count; i++)
        cJSON_AddItemToArray(r->rows, row_of(t, &t->trial[i]));
    for (size_t i = 0; i < t->layers; i++)
        cJSON_AddItemToArray(r->profile, layer_of(t, &t->layer[i]));

    /* If cJSON has no memory for an item, it leaves the item out. */
    bool whole = r->settings && r->machine && cJSON_GetArraySize(r->rows) == t->count &&
                 cJSON_GetArraySize(r->profile) == (int)t->layers;
    return whole ? DDPM_OK : dd_error_memory(err, "the results");
}

void bench_result_free(struct bench_result *r)
{
    cJSON_Delete(r->settings);
    cJSON_Delete(r->rows);
    cJSON_Delete(r->profile);
    cJSON_Delete(r->machine);
    cJSON_Delete(r->choice);
}

static void print_line(const char *name, const cJSON *o)
{
    char *text = cJSON_PrintUnformatted(o);

    if (text)
        dd_scan_repair(text);
    if (*name)
        printf("{\"%s\":%s}\n", name, text ? text : "null");
    else
        puts(text ? text : "null");
    cJSON_free(text);
}

void bench_result_lines(const struct bench_result *r)
{
    const cJSON *row;

    print_line("settings", r->settings);
    cJSON_ArrayForEach(row, r->rows)
        print_line("", row);
    print_line("profile", r->profile);
    print_line("machine", r->machine);
    if (r->choice)
        print_line("suggestion", r->choice);
}

static double value(const cJSON *row, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, name);
    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

/* The columns of the printed table, which fits in 80 characters.  The JSON and the report also have
   images_per_second, network and rmse. */
static const struct cell {
    const char *name, *head, *format;
    int width;
} cells[] = {
    { "steps", "steps", "%.0f", 5 },      { "seconds", "s/image", "%.3g", 7 },
    { "spread", "spread", "%.0f%%", 6 },  { "memory", "MiB", "%.0f", 4 },
    { "bits", "bits/dim", "%.4g", 8 },    { "distance", "distance", "%.3g", 8 },
    { "farther_low", "+low", "%.2g", 6 }, { "farther_high", "+high", "%.2g", 6 },
    { "psnr", "PSNR", "%.3g", 4 },        { "ssim", "SSIM", "%.2f", 4 },
};

enum { CELLS = sizeof cells / sizeof *cells };

bool bench_result_has(const struct bench_result *r, const char *name)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, r->rows)
        if (!isnan(value(row, name)))
            return true;
    return false;
}

/* Returns whether a column is shown: some row must have a number in it.  If bits per dimension are known, the
   images are compared with data, and PSNR and SSIM are left out, as they compare images with other images. */
static bool is_shown(const struct bench_result *r, const struct cell *c)
{
    bool compares_images = !strcmp(c->name, "psnr") || !strcmp(c->name, "ssim");
    return bench_result_has(r, c->name) && !(compares_images && bench_result_has(r, "bits"));
}

static void print_row(const struct bench_result *r, const cJSON *row)
{
    printf("%-15s", cJSON_GetStringValue(cJSON_GetObjectItem(row, "sampler")));
    for (int k = 0; k < CELLS; k++) {
        double v = value(row, cells[k].name);
        char text[32] = "-";
        if (!isnan(v))
            snprintf(text, sizeof text, cells[k].format, v);
        if (is_shown(r, &cells[k]))
            printf(" %*s", cells[k].width, text);
    }
    if (cJSON_IsTrue(cJSON_GetObjectItem(row, "knee")))
        puts(" knee");
    else
        puts(cJSON_IsTrue(cJSON_GetObjectItem(row, "front")) ? " front" : "");
}

void bench_result_table(const struct bench_result *r)
{
    const cJSON *row, *s = r->settings;
    char text[600];

    printf("%-15s", "sampler");
    for (int k = 0; k < CELLS; k++)
        if (is_shown(r, &cells[k]))
            printf(" %*s", cells[k].width, cells[k].head);
    putchar('\n');
    cJSON_ArrayForEach(row, r->rows)
        print_row(r, row);
    snprintf(
        text, sizeof text,
        "distance: squared sliced Wasserstein distance of %.0f images from %s, by %.0f activations of the "
        "model's middle block at t = %g (no FID); +low to +high: how much farther than the nearest row, "
        "95 %% interval over pairs of images",
        value(s, "images"), cJSON_GetStringValue(cJSON_GetObjectItem(s, "reference")),
        value(s, "activations"), value(s, "activations_t"));
    help_words(text);
    if (bench_result_has(r, "psnr") && !bench_result_has(r, "bits"))
        help_words("PSNR, SSIM: of samplers without noise, to their own most steps");
}
