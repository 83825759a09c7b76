/* Writes new files under a private name in the same folder, and renames them when they are complete.  So a
   reader sees the old file or the new one, and a crash leaves neither half a file nor a lost one.  Devices,
   pipes and standard output are written to as they are. */
#include "base/file.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"
#include "base/target.h"

/* Returns the length of the folder part of path, up to and with its last slash. */
static size_t folder_length(const char *path)
{
    return (size_t)(dd_system_name(path) - path);
}

/* Refuses targets that a rename must not replace: it would put a file in the place of /dev/null. */
static int check_target(const char *path, int replace, ddpm_error *err)
{
    if (!path[folder_length(path)])
        return dd_error(err, DDPM_ECREATE, "\"%s\" is not the name of a file", path);

    switch (dd_target_kind(path)) {
    case DD_TARGET_NEW: return DDPM_OK;
    case DD_TARGET_FILE:
        if (replace)
            return DDPM_OK;
        return dd_error(err, DDPM_ECREATE,
                        "%s: exists already: choose another name, or allow it to be replaced (--force)",
                        path);
    case DD_TARGET_STREAM:
        return dd_error(err, DDPM_ECREATE,
                        "%s: is a device, a pipe or an open file, which is never replaced: choose the name "
                        "of a file",
                        path);
    case DD_TARGET_INVALID:
        return dd_error(err, DDPM_ECREATE, "%s: no file of this system can have this name: choose another",
                        path);
    default:
        return dd_error(err, DDPM_ECREATE, "%s: exists and is not a regular file: choose another name", path);
    }
}

/* Makes the temporary "FOLDER/.ddpm-PID-N.tmp" with the mode 0666 less the umask.  It stays locked while it
   is written, so that those who clean up see that the writer is alive.  Returns its descriptor, or -1. */
static int create_temporary(struct dd_output *o)
{
    int n = (int)folder_length(o->path), fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        snprintf(o->temporary, (size_t)n + 40, "%.*s.ddpm-%ld-%d.tmp", n, o->path, dd_system_process(), i);
        fd = dd_system_open(o->temporary, DD_SYSTEM_WRITE | DD_SYSTEM_NEW);
        if (fd < 0 && errno != EEXIST)
            break;
    }

    if (fd >= 0)
        dd_system_lock(fd, false);
    return fd;
}

/* Frees the names; the output has then ended. */
static void release(struct dd_output *o)
{
    free(o->path);
    free(o->temporary);
    *o = (struct dd_output){ .stream = NULL };
}

int dd_output_create(struct dd_output *o, const char *path, int replace, ddpm_error *err)
{
    *o = (struct dd_output){ .stream = NULL };
    int code = check_target(path, replace, err), fd;
    if (code)
        return code;

    *o = (struct dd_output){
        .path = strdup(path),
        .temporary = malloc(folder_length(path) + 40),
        .replace = replace,
    };
    if (!o->path || !o->temporary) {
        release(o);
        return dd_error_memory(err, path);
    }

    fd = create_temporary(o);
    if (fd < 0) {
        code = dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be created: %s", path,
                        errno == ENOENT ? "its folder does not exist" : strerror(errno));
        release(o);
        return code;
    }

    o->stream = fdopen(fd, "wb");
    if (!o->stream) {
        dd_system_close(fd);
        dd_system_remove(o->temporary);
        release(o);
        return dd_error_memory(err, path);
    }
    return DDPM_OK;
}

int dd_output_create_any(struct dd_output *o, const char *path, int replace, ddpm_error *err)
{
    bool standard;
    if (strcmp(path, "-") && dd_target_kind(path) != DD_TARGET_STREAM)
        return dd_output_create(o, path, replace, err);

    *o = (struct dd_output){ .stream = NULL };
    int fd, code = dd_target_open(&fd, &standard, path, err);
    if (code)
        return code;

    *o = (struct dd_output){
        .stream = fdopen(fd, "wb"),
        .path = strdup(standard ? "standard output" : path),
        .standard = standard,
    };
    if (o->stream && o->path)
        return DDPM_OK;

    if (o->stream)
        fclose(o->stream);
    else
        dd_system_close(fd);
    release(o);
    return dd_error_memory(err, path);
}

/* Synchronises the folder, so that the new name survives a crash.  Overwrites the temporary's name, which
   begins with the folder. */
static bool sync_folder(struct dd_output *o)
{
    o->temporary[folder_length(o->temporary)] = 0;
    return dd_system_flush_folder(*o->temporary ? o->temporary : ".");
}

/* Synchronises a file.  A pipe and most devices have nothing to synchronise, and report one of these
   errors. */
static int synchronise(int fd, bool device)
{
    if (dd_system_flush(fd))
        return 0;
    return device && (errno == EINVAL || errno == ENOTSUP || errno == EROFS) ? 0 : -1;
}

/* Writes everything to the disk and closes the stream.  Returns 0, or the errno of the first failure.  The
   flush comes first: after an earlier failed write it fails for the same reason, which ferror does not
   tell. */
static int finish_stream(FILE *stream, bool device)
{
    errno = 0;
    int failed = fflush(stream) != 0 || ferror(stream) || synchronise(fileno(stream), device) != 0;
    int number = errno;

    if (fclose(stream) != 0 && !failed) {
        failed = 1;
        number = errno;
    }

    return failed && !number ? EIO : number * failed;
}

/* Renames the temporary into its place.  A file at that place is examined again, because it may be new. */
static int put_in_place(const struct dd_output *o, ddpm_error *err)
{
    if (o->replace) {
        int code = check_target(o->path, o->replace, err);
        if (code)
            return code;
    }
    if (o->replace ? dd_system_replace(o->temporary, o->path) : dd_system_rename(o->temporary, o->path))
        return DDPM_OK;

    if (errno == EEXIST)
        return dd_error(err, DDPM_ECREATE,
                        "%s: exists already: something made it while this was being written", o->path);
    return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be put in place: %s", o->path,
                    errno == EBUSY ? "another program has it open: close it there" : strerror(errno));
}

int dd_output_commit(struct dd_output *o, ddpm_error *err)
{
    int number = finish_stream(o->stream, !o->temporary);
    int code = DDPM_OK;
    if (number)
        code = dd_error(err, DDPM_EIO, "%s: cannot be written: %s", o->path, strerror(number));

    /* A device or pipe has its bytes already. */
    if (!o->temporary) {
        release(o);
        return code;
    }

    if (!code)
        code = put_in_place(o, err);
    if (code)
        dd_system_remove(o->temporary);
    else if (!sync_folder(o))
        code = dd_error(err, DDPM_EIO, "%s: its folder cannot be synchronised: %s", o->path, strerror(EIO));

    release(o);
    return code;
}

void dd_output_abandon(struct dd_output *o)
{
    if (!o->path)
        return;
    fclose(o->stream);
    if (o->temporary)
        dd_system_remove(o->temporary);
    release(o);
}

int dd_output_check(const char *path, int replace, ddpm_error *err)
{
    struct dd_output o;
    int code = dd_output_create(&o, path, replace, err);
    if (!code)
        dd_output_abandon(&o);
    return code;
}
