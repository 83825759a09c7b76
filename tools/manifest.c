/* JSON lines, flushed one by one: what an interrupted run leaves behind tells how far it came. */
#include "manifest.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

static int write_line(struct manifest *m, const char *line, ddpm_error *err)
{
    if (fprintf(m->file, "%s\n", line) < 0 || fflush(m->file))
        return dd_error(err, DDPM_EIO, "%s cannot be written: %s", m->path, strerror(errno));
    return DDPM_OK;
}

int manifest_create(struct manifest *m, const char *folder, const char *header, int force, ddpm_error *err)
{
    size_t size = strlen(folder) + sizeof "/manifest.jsonl";
    *m = (struct manifest){ NULL, malloc(size) };
    if (!m->path)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    snprintf(m->path, size, "%s/manifest.jsonl", folder);
    m->file = fopen(m->path, force ? "w" : "wx");
    if (m->file)
        return write_line(m, header, err);
    if (errno == EEXIST)
        return dd_error(err, DDPM_ECREATE, "%s exists already: choose another folder, or --force to replace it", m->path);
    return dd_error(err, errno == EACCES || errno == EPERM ? DDPM_EPERM : errno == ENOSPC ? DDPM_EIO : DDPM_ECREATE,
                    "%s cannot be created: %s", m->path, strerror(errno));
}

int manifest_add(struct manifest *m, uint32_t index, const char *name, const char *sha256, int lost_step, double seconds, ddpm_error *err)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "i", index);
    cJSON_AddStringToObject(o, "file", name);
    if (sha256)
        cJSON_AddStringToObject(o, "sha256", sha256);
    cJSON_AddStringToObject(o, "status", sha256 ? "ok" : "nan");
    if (!sha256)
        cJSON_AddNumberToObject(o, "step", lost_step);
    cJSON_AddNumberToObject(o, "seconds", (double)(long)(1000 * seconds + 0.5) / 1000);
    char *line = cJSON_PrintUnformatted(o);
    int code = line ? write_line(m, line, err) : dd_error(err, DDPM_ENOMEM, "out of memory for a line of %s", m->path);
    cJSON_free(line);
    cJSON_Delete(o);
    return code;
}

int manifest_close(struct manifest *m, ddpm_error *err)
{
    int code = DDPM_OK;
    if (m->file && fclose(m->file))
        code = dd_error(err, DDPM_EIO, "%s cannot be written: %s", m->path, strerror(errno));
    free(m->path);
    *m = (struct manifest){ NULL, NULL };
    return code;
}
