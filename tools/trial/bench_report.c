/* report.html is complete in itself: it has plots as SVG and images as data URIs, no script, and loads no
   other file.  Every number in its tables is a number of the JSON, as text. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "cli/folder.h"
#include "trial/bench_report.h"

enum { SHEET_ROWS = 8, LAYERS_SHOWN = 25 };

struct column {
    const char *name, *head;
    bool counts; /* a count of failures, which is not shown if all rows have 0 */
};
static const struct column columns[] = {
    { "steps", "steps", false },
    { "seconds", "seconds per image", false },
    { "spread", "spread, %", false },
    { "images_per_second", "images per second", false },
    { "network", "network, %", false },
    { "memory", "memory, MiB", false },
    { "bits", "bits/dim", false },
    { "distance", "distance", false },
    { "low", "low", false },
    { "high", "high", false },
    { "farther", "farther than the nearest", false },
    { "farther_low", "low", false },
    { "farther_high", "high", false },
    { "images", "images", false },
    { "rmse", "RMSE", false },
    { "psnr", "PSNR, dB", false },
    { "ssim", "SSIM", false },
    { "discarded", "discarded", true },
    { "lost", "lost", true },
};

enum { COLUMNS = sizeof columns / sizeof *columns };

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>ddpm bench</title>\n<style>\n"
    ":root { color-scheme: light dark; --ground: #fff; --ink: #1a1a1a; --line: #ccc; --mark: #eef4fb }\n"
    "@media (prefers-color-scheme: dark) { :root { --ground: #15171a; --ink: #e6e6e6; --line: #444; --mark: "
    "#20303f } }\n"
    "body { background: var(--ground); color: var(--ink); font: 15px/1.5 sans-serif;\n"
    "  max-width: 64em; margin: 1em auto; padding: 0 1em }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums } .wide { overflow-x: auto }\n"
    "th, td { padding: .2em .5em; text-align: right; border-bottom: 1px solid var(--line);\n"
    "  white-space: nowrap }\n"
    "th { font-weight: 600; white-space: normal; vertical-align: bottom }\n"
    "th:first-child, td:first-child { text-align: left; position: sticky; left: 0;\n"
    "  background: var(--ground) }\n"
    "#rows { font-size: .85em } tr.front td { background: var(--mark) }\n"
    "#settings, #machine, #facts, #suggestion, #profile { width: 100%; max-width: 48em }\n"
    "#settings td, #machine td, #facts td, #suggestion td, #profile td { white-space: normal;\n"
    "  overflow-wrap: anywhere; vertical-align: top }\n"
    "#settings td, #machine td, #facts td, #suggestion td { text-align: left }\n"
    "#facts td:first-child { width: 7em }\n"
    "svg { max-width: 640px; width: 100%; height: auto; display: block } svg g { color: inherit }\n"
    "svg use[color=white] { color: var(--ground) }\n"
    ".sheet img { width: 64px; image-rendering: pixelated; display: block }\n"
    ".sheet td { padding: 2px; border: 0 } .sheet th { text-align: center }\n"
    "</style>\n<h1>Steps against time and quality</h1>\n";

/* Writes a text, such as a file name, as HTML. */
static void put_text(FILE *f, const char *text)
{
    for (; *text; text++)
        if (strchr("<>&\"", *text))
            fprintf(f, "&#%d;", *text);
        else
            fputc(*text, f);
}

static const char *text_of(const cJSON *o, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
    return text ? text : "";
}

static bool is(const cJSON *row, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(row, name));
}

static bool is_shown(const struct bench_result *r, const struct column *c)
{
    const cJSON *row;
    bool any = false;
    cJSON_ArrayForEach(row, r->rows)
        any = any || cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(row, c->name)) != 0;
    return bench_result_has(r, c->name) && (any || !c->counts);
}

static const char *rank_of(const cJSON *row)
{
    if (is(row, "knee"))
        return "knee";
    return is(row, "front") ? "front" : "";
}

/* Writes the table of all trials. */
static void put_rows(FILE *f, const struct bench_result *r)
{
    const cJSON *row;
    char text[32];

    fputs("<div class=\"wide\"><table id=\"rows\">\n<tr><th>sampler</th>", f);
    for (int k = 0; k < COLUMNS; k++)
        if (is_shown(r, &columns[k]))
            fprintf(f, "<th>%s</th>", columns[k].head);
    fputs("<th></th></tr>\n", f);
    cJSON_ArrayForEach(row, r->rows) {
        fprintf(f, "<tr%s><td>%s</td>", is(row, "front") ? " class=\"front\"" : "", text_of(row, "sampler"));
        for (int k = 0; k < COLUMNS; k++)
            if (is_shown(r, &columns[k]))
                fprintf(f, "<td>%s</td>", bench_short(text, row, columns[k].name));
        fprintf(f, "<td>%s</td></tr>\n", rank_of(row));
    }
    fputs("</table></div>\n", f);
}

static void put_fact(FILE *f, const char *name, const char *value, const char *more)
{
    fprintf(f, "<tr><td>%s</td><td>", name);
    put_text(f, value);
    fputs(more, f);
    fputs("</td></tr>\n", f);
}

/* Writes the facts about the run: model, processor, threads, version, date, command. */
static void put_facts(FILE *f, const struct bench_result *r)
{
    const cJSON *s = r->settings;
    char threads[32], height[32], width[32], channels[32], size[128], cpu[96];

    snprintf(size, sizeof size, ", %s x %s pixels, channels: %s", bench_short(height, s, "height"),
             bench_short(width, s, "width"), bench_short(channels, s, "channels"));
    snprintf(cpu, sizeof cpu, ", as %s", text_of(s, "cpu"));
    fputs("<table id=\"facts\">\n", f);
    put_fact(f, "model", text_of(s, "file"), size);
    put_fact(f, "processor", text_of(s, "processor"), cpu);
    put_fact(f, "threads", bench_short(threads, s, "threads"), "");
    put_fact(f, "version", text_of(s, "program"), "");
    put_fact(f, "date", text_of(s, "date"), "");
    put_fact(f, "command", text_of(s, "command"), "");
    fputs("</table>\n", f);
}

/* Writes the names and values in an object as a table. */
static void put_object(FILE *f, const char *id, const cJSON *o)
{
    const cJSON *member;
    char text[32];

    fprintf(f, "<table id=\"%s\">\n", id);
    cJSON_ArrayForEach(member, o) {
        fprintf(f, "<tr><td>%s</td><td>", member->string);
        put_text(f, cJSON_IsString(member) ? member->valuestring : bench_short(text, o, member->string));
        fputs("</td></tr>\n", f);
    }
    fputs("</table>\n", f);
}

static double microseconds(const cJSON *layer)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(layer, "microseconds"));
}

static int slower_first(const void *a, const void *b)
{
    double x = microseconds(*(const cJSON *const *)a), y = microseconds(*(const cJSON *const *)b);
    return (x < y) - (x > y);
}

/* Writes a table of the slowest operations of the network. */
static int put_profile(FILE *f, const struct bench_result *r, ddpm_error *err)
{
    const cJSON *layer, **list = malloc(((size_t)cJSON_GetArraySize(r->profile) + 1) * sizeof *list);
    char text[32];
    size_t n = 0;

    if (!list)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the profile");

    cJSON_ArrayForEach(layer, r->profile)
        list[n++] = layer;
    qsort(list, n, sizeof *list, slower_first);
    n = n < LAYERS_SHOWN ? n : LAYERS_SHOWN;
    fprintf(f,
            "<h2>Where the time goes</h2>\n<p>Microseconds per image and step, the slowest %zu of %d "
            "operations of the network.</p>\n"
            "<table "
            "id=\"profile\">\n<tr><th>name</th><th>operation</th><th>engine</th><th>microseconds</th></tr>\n",
            n, cJSON_GetArraySize(r->profile));
    for (size_t i = 0; i < n; i++)
        fprintf(f, "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", text_of(list[i], "name"),
                text_of(list[i], "op"), text_of(list[i], "engine"),
                bench_short(text, list[i], "microseconds"));
    fputs("</table>\n", f);
    free(list);
    return DDPM_OK;
}

/* Writes image i of a trial into the page as a PNG. */
static int put_image(FILE *f, const struct trial *one, int i, int height, ddpm_error *err)
{
    const struct picture *all = &one->images;
    struct picture p = *all;
    p.height = height;
    p.pixel += (size_t)i * (size_t)height * (size_t)all->width * (size_t)all->channels;

    FILE *scratch = dd_system_scratch();
    if (!scratch)
        return dd_error(err, DDPM_EIO, "no temporary file for a picture: %s", strerror(errno));

    int code = picture_write(scratch, &p, "", err);
    size_t size = code ? 0 : (size_t)ftell(scratch);
    unsigned char *png = malloc(size + 1);
    rewind(scratch);
    if (!code && (!png || fread(png, 1, size, scratch) != size))
        code = dd_error(err, DDPM_EIO, "a picture cannot be read back: %s", strerror(errno));
    fclose(scratch);

    /* Base64 has four characters for every three bytes, the last of which may be incomplete, and a zero. */
    unsigned char *text = code ? NULL : malloc(4 * (size / 3) + 8);
    if (!code && !text)
        code = dd_error(err, DDPM_ENOMEM, "out of memory for a picture");
    if (!code) {
        EVP_EncodeBlock(text, png, (int)size);
        fprintf(f, "<td><img alt=\"%s, %d steps, image %d\" src=\"data:image/png;base64,%s\"></td>",
                one->sampler, one->K, i, (const char *)text);
    }
    free(text);
    free(png);
    return code;
}

/* Writes the images of one sampler, trials first to last - 1.  There is a row for each image and a column for
   each number of steps. */
static int put_sheet(FILE *f, const struct trials *t, int first, int last, ddpm_error *err)
{
    int code = DDPM_OK;

    fprintf(
        f, "<h3>%s</h3>\n<p>%s</p>\n<div class=\"wide\"><table class=\"sheet\">\n<tr>",
        t->trial[first].sampler,
        t->trial[first].fixed
            ? "A row is the same noise under more and more steps."
            : "Its steps draw noise of their own: a row is the same number of an image, and the pictures do "
              "not correspond.");
    for (int i = first; i < last; i++)
        fprintf(f, "<th>%d</th>", t->trial[i].K);
    fputs("</tr>\n", f);
    for (int image = 0; image < t->n && image < SHEET_ROWS && !code; image++) {
        fputs("<tr>", f);
        for (int i = first; i < last && !code; i++)
            code = put_image(f, &t->trial[i], image, t->about->height, err);
        fputs("</tr>\n", f);
    }
    fputs("</table></div>\n", f);
    return code;
}

/* Writes the images of all samplers. */
static int put_sheets(FILE *f, const struct trials *t, ddpm_error *err)
{
    int code = DDPM_OK;

    fputs("<h2>Images under more and more steps</h2>\n", f);
    if (t->about->channels > 4) {
        fputs("<p>A picture has at most 4 channels.</p>\n", f);
        return DDPM_OK;
    }

    for (int first = 0, last; first < t->count && !code; first = last) {
        for (last = first; last < t->count && t->trial[last].sampler == t->trial[first].sampler; last++)
            continue;
        code = put_sheet(f, t, first, last, err);
    }
    return code;
}

static void put_explanation(FILE *f, const struct bench_result *r)
{
    fputs(
        "<p>Every row was run from noise to images; nothing is extrapolated. Seconds per image are the "
        "median over rounds, the spread is slowest less "
        "fastest as a share of it; network is the share of the time spent in the network; memory the peak "
        "of the process. The distance is the squared sliced Wasserstein distance of activations of the "
        "model's "
        "own middle block, not Inception's: it is no FID, and means nothing across models. It is corrected "
        "for the number of images; low and high are its 95 % interval. How much farther a row is than the "
        "nearest has an interval of its own, over pairs of images that begin with the same noise: by it rows "
        "are ranked. RMSE (of 255), PSNR and SSIM compare with "
        "the same sampler's most steps.</p>\n<p>Compared with: ",
        f);
    put_text(f, text_of(r->settings, "reference"));
    fputs(".</p>\n", f);
    if (*text_of(r->machine, "refusal")) {
        fputs("<p><strong>Nothing is ranked:</strong> ", f);
        put_text(f, text_of(r->machine, "refusal"));
        fputs(".</p>\n", f);
    }
}

/* Writes report.html. */
static int write_html(FILE *f, const struct bench_result *r, const struct trials *t, ddpm_error *err)
{
    fputs(head, f);
    put_facts(f, r);
    put_explanation(f, r);
    put_rows(f, r);
    if (r->choice) {
        fputs("<h2>Suggestion</h2>\n", f);
        put_object(f, "suggestion", r->choice);
    }

    fputs("<h2>Time against steps</h2>\n", f);

    /* After an error the file is abandoned, so the headings may go on. */
    int code = bench_plot_time(f, r, err);
    fputs("<h2>Quality against time</h2>\n<p>Numbers beside points are steps, bars the 95 % "
          "intervals. Values below the axis are drawn at its lower end.</p>\n",
          f);
    if (!code)
        code = bench_plot_quality(f, r, err);
    if (!code)
        code = put_sheets(f, t, err);
    if (!code)
        code = put_profile(f, r, err);
    if (code)
        return code;

    fputs("<h2>Settings</h2>\n", f);
    put_object(f, "settings", r->settings);
    fputs("<h2>Machine</h2>\n", f);
    put_object(f, "machine", r->machine);
    fputs("</html>\n", f);
    return DDPM_OK;
}

/* Writes report.csv. */
static int write_csv(FILE *f, const struct bench_result *r, const struct trials *t, ddpm_error *err)
{
    const cJSON *row;
    char text[32];

    (void)t;
    (void)err;
    fputs("sampler", f);
    for (int k = 0; k < COLUMNS; k++)
        fprintf(f, ",%s", columns[k].name);
    fputs(",front,knee\n", f);
    cJSON_ArrayForEach(row, r->rows) {
        fputs(text_of(row, "sampler"), f);
        for (int k = 0; k < COLUMNS; k++)
            fprintf(f, ",%s", bench_number(text, row, columns[k].name));
        fprintf(f, ",%d,%d\n", is(row, "front"), is(row, "knee"));
    }
    return DDPM_OK;
}

static const struct {
    const char *name;
    int (*write)(FILE *, const struct bench_result *, const struct trials *, ddpm_error *);
} files[] = {
    { "report.csv", write_csv },
    { "report.html", write_html },
};

enum { FILES = sizeof files / sizeof *files };

int bench_report_check(const char *folder, bool force, ddpm_error *err)
{
    char path[4096];
    int code = folder_make(folder, err);

    for (int i = 0; i < FILES && !code; i++) {
        struct dd_output o;
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        code = dd_output_create(&o, path, force, err);
        if (!code)
            dd_output_abandon(&o);
    }
    return code;
}

int bench_report_write(const char *folder, bool force, const struct bench_result *r, const struct trials *t,
                       ddpm_error *err)
{
    char path[4096];
    int code = DDPM_OK;

    for (int i = 0; i < FILES && !code; i++) {
        struct dd_output o;
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        code = dd_output_create(&o, path, force, err);
        if (code)
            return code;
        code = files[i].write(o.stream, r, t, err);
        if (code)
            dd_output_abandon(&o);
        else
            code = dd_output_commit(&o, err);
    }
    return code;
}
