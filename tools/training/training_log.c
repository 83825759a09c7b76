/* Every line is written whole and flushed at once.  If a process was killed in the middle of a line, that
   line is removed when the log is opened again. */
#include "training/training_log.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"

enum { LINE = 256 };

static int wrong(ddpm_error *err)
{
    return dd_error(err, DDPM_EIO, "the log cannot be written: %s", strerror(errno));
}

/* Writes a line to the log, and to the echo if there is one. */
static int write_line(struct training_log *l, const char *line, ddpm_error *err)
{
    if (fputs(line, l->file) < 0 || fflush(l->file))
        return wrong(err);
    if (l->echo && (fputs(line, l->echo) < 0 || fflush(l->echo)))
        return dd_error(err, DDPM_EIO, "standard output cannot be written: %s", strerror(errno));
    return DDPM_OK;
}

static int add_point(struct training_log *l, const cJSON *line, double step, ddpm_error *err)
{
    const cJSON *loss = cJSON_GetObjectItemCaseSensitive(line, "loss"),
                *held = cJSON_GetObjectItemCaseSensitive(line, "held_out");

    if (held)
        return curve_add(&l->held, step, cJSON_GetNumberValue(held), err);
    return curve_add(&l->loss, step, cJSON_GetNumberValue(loss), err);
}

/* Copies the lines up to step `last` to out, and adds their losses to the curves. */
static int copy_lines(struct training_log *l, const struct dd_file *f, FILE *out, int64_t last,
                      ddpm_error *err)
{
    const char *at = (const char *)f->data, *end = at + f->size, *next;
    int code = DDPM_OK;

    for (; !code && at < end && (next = memchr(at, '\n', (size_t)(end - at))); at = next + 1) {
        cJSON *line = cJSON_ParseWithLength(at, (size_t)(next - at));
        double step = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(line, "step"));

        /* A line without a step has NAN here and is not copied. */
        if (step <= (double)last) {
            code = add_point(l, line, step, err);
            fwrite(at, 1, (size_t)(next + 1 - at), out);
        }
        cJSON_Delete(line);
    }
    return code;
}

/* Replaces the log by its lines up to `step`. */
static int rewrite(struct training_log *l, const struct dd_file *f, const char *path, int64_t step,
                   ddpm_error *err)
{
    struct dd_output o;
    int code = dd_output_create(&o, path, 1, err);
    if (!code)
        code = copy_lines(l, f, o.stream, step, err);
    if (!code)
        return dd_output_commit(&o, err);
    dd_output_abandon(&o);
    return code;
}

/* Opens the log for more lines if it is a regular file.  A pipe would wait for its reader, and a link would
   lead out of the folder. */
static int open_end(struct training_log *l, const char *path, ddpm_error *err)
{
    struct dd_system_file f;
    int fd = dd_system_open(path, DD_SYSTEM_APPEND | DD_SYSTEM_CREATE | DD_SYSTEM_NO_LINK);

    if (fd >= 0 && (!dd_system_examine_open(&f, fd) || f.kind != DD_SYSTEM_FILE)) {
        dd_system_close(fd);
        return dd_error(err, DDPM_ECREATE,
                        "%s: is a device or pipe, a regular file is expected: "
                        "move it elsewhere",
                        path);
    }
    l->file = fd >= 0 ? fdopen(fd, "ab") : NULL;
    if (l->file)
        return DDPM_OK;

    int number = errno;
    if (fd >= 0)
        dd_system_close(fd);
    return dd_error(err, dd_file_code(number, DDPM_ECREATE), "%s: cannot be written: %s", path,
                    strerror(number));
}

int training_log_open(struct training_log *l, const char *path, int64_t step, ddpm_error *err)
{
    struct dd_file f;

    *l = (struct training_log){ .file = NULL };
    int code = dd_file_map(&f, path, err);
    if (code == DDPM_EMISSING)
        return open_end(l, path, err);
    if (!code) {
        code = rewrite(l, &f, path, step, err);
        dd_file_unmap(&f);
    }
    return code ? code : open_end(l, path, err);
}

int training_log_step(struct training_log *l, const ddpm_trainer_report *r, struct training_log_cost cost,
                      bool flush, ddpm_error *err)
{
    l->sum += r->loss;
    l->seconds += cost.seconds;
    l->loading += cost.loading;
    l->steps++;
    if (!flush && r->step % TRAINING_LOG_EVERY)
        return DDPM_OK;

    /* 1e-9 avoids a division by 0 if a step takes less than a tick of the clock. */
    double loss = l->sum / (double)l->steps, seconds = l->seconds + 1e-9;
    double rate = (double)(cost.images * l->steps) / seconds, share = l->loading / seconds;
    int code = curve_add(&l->loss, (double)r->step, loss, err);
    l->sum = l->seconds = l->loading = 0;
    l->steps = 0;

    char line[LINE];
    snprintf(line, sizeof line,
             "{\"step\":%lld,\"loss\":%.9g,\"rate\":%.9g,\"norm\":%.9g,\"images_per_second\":%.4g,"
             "\"loading\":%.2g}\n",
             (long long)r->step, loss, r->rate, r->norm, rate, share);
    return code ? code : write_line(l, line, err);
}

int training_log_held(struct training_log *l, int64_t step, double loss, ddpm_error *err)
{
    char line[LINE];
    snprintf(line, sizeof line, "{\"step\":%lld,\"held_out\":%.9g}\n", (long long)step, loss);

    int code = curve_add(&l->held, (double)step, loss, err);
    return code ? code : write_line(l, line, err);
}

void training_log_close(struct training_log *l)
{
    if (l->file)
        fclose(l->file);
    curve_free(&l->loss);
    curve_free(&l->held);
    l->file = NULL;
}
