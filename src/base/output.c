/* New files, written under a private name in the same folder and renamed when they are complete, so that a reader sees the old file or
   the new one, and a crash leaves neither half a file nor a lost one. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder part of path, up to and with its last slash. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Only a regular file is ever replaced: a rename onto /dev/null would put a file there. */
static int check_target(const char *path, int replace, ddpm_error *err)
{
    struct stat st;
    if (!path[folder_length(path)])
        return dd_error(err, DDPM_ECREATE, "\"%s\" is not the name of a file", path);
    if (lstat(path, &st) != 0)
        return DDPM_OK;
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return dd_error(err, DDPM_ECREATE, "%s: exists and is not a regular file: choose another name", path);
    if (!replace)
        return dd_error(err, DDPM_ECREATE, "%s: exists already: choose another name, or allow it to be replaced (--force)", path);
    return DDPM_OK;
}

/* Makes the temporary "FOLDER/.ddpm-PID-N.tmp"; the mode is what the umask leaves of 0666.  It is locked as long as it is written, so
   that whoever cleans up can tell it from one whose writer was killed. */
static int create_temporary(struct dd_output *o)
{
    int n = (int)folder_length(o->path), fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        snprintf(o->temporary, (size_t)n + 40, "%.*s.ddpm-%ld-%d.tmp", n, o->path, (long)getpid(), i);
        fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd >= 0)
        flock(fd, LOCK_EX | LOCK_NB);
    return fd;
}

static void release(struct dd_output *o)
{
    free(o->path);
    free(o->temporary);
    *o = (struct dd_output){ NULL, NULL, NULL, 0 };
}

int dd_output_create(struct dd_output *o, const char *path, int replace, ddpm_error *err)
{
    *o = (struct dd_output){ NULL, NULL, NULL, 0 };
    int code = check_target(path, replace, err), fd;
    if (code)
        return code;
    *o = (struct dd_output){ NULL, strdup(path), malloc(folder_length(path) + 40), replace };
    if (!o->path || !o->temporary) {
        release(o);
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory", path);
    }
    if ((fd = create_temporary(o)) < 0) {
        code = dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be created: %s", path, strerror(errno));
        release(o);
        return code;
    }
    if (!(o->stream = fdopen(fd, "wb"))) {
        close(fd);
        unlink(o->temporary);
        release(o);
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory", path);
    }
    return DDPM_OK;
}

/* rename that fails with EEXIST: by flag, else by link, else (file systems without either) by looking first. */
static int rename_new(const char *from, const char *to)
{
    struct stat st;
#ifdef RENAME_NOREPLACE
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST)
        return -1;
#endif
    if (link(from, to) == 0) {
        unlink(from);
        return 0;
    }
    if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS && errno != EMLINK)
        return -1;
    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

/* So that the new name survives a crash.  A folder that cannot be opened or synchronised (no read permission, some network file
   systems) is no error: the file itself is safe.  Uses up the temporary's name, which begins with the folder. */
static int sync_folder(struct dd_output *o)
{
    o->temporary[folder_length(o->temporary)] = 0;
    int fd = open(*o->temporary ? o->temporary : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd >= 0 && fsync(fd) != 0 && errno == EIO;
    if (fd >= 0)
        close(fd);
    return failed ? -1 : 0;
}

/* Everything to the disk and the stream closed; 0, or the errno of the first failure.  The flush comes first because after an
   earlier failed write it fails for the same reason, which ferror would not tell. */
static int finish_stream(FILE *stream)
{
    errno = 0;
    int failed = fflush(stream) != 0 || ferror(stream) || fsync(fileno(stream)) != 0, number = errno;
    if (fclose(stream) != 0 && !failed) {
        failed = 1;
        number = errno;
    }
    return failed && !number ? EIO : number * failed;
}

static int put_in_place(const struct dd_output *o, ddpm_error *err)
{
    if ((o->replace ? rename(o->temporary, o->path) : rename_new(o->temporary, o->path)) == 0)
        return DDPM_OK;
    if (errno == EEXIST)
        return dd_error(err, DDPM_ECREATE, "%s: exists already: something made it while this was being written", o->path);
    return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be put in place: %s", o->path, strerror(errno));
}

int dd_output_commit(struct dd_output *o, ddpm_error *err)
{
    int number = finish_stream(o->stream);
    int code = number ? dd_error(err, DDPM_EIO, "%s: cannot be written: %s", o->path, strerror(number)) : put_in_place(o, err);
    if (code)
        unlink(o->temporary);
    else if (sync_folder(o) != 0)
        code = dd_error(err, DDPM_EIO, "%s: its folder cannot be synchronised: %s", o->path, strerror(EIO));
    release(o);
    return code;
}

void dd_output_abandon(struct dd_output *o)
{
    if (!o->path)
        return;
    fclose(o->stream);
    unlink(o->temporary);
    release(o);
}
