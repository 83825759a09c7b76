/* Mapped inputs, and outputs that are seen whole or not at all. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "tests/check.h"
#include "tools/cli/command_model.h"
#include "tools/cli/torn_file.h"

/* ddpm-check is linked with --wrap for fsync. This records what was synchronised, and whether `wanted`
   was in place by then. */
int __real_fsync(int fd);
int __wrap_fsync(int fd);

static struct {
    const char *wanted;
    int count, folder[4], placed[4];
    off_t size[4];
} synced;

int __wrap_fsync(int fd)
{
    struct stat st;
    if (synced.wanted && synced.count < 4 && fstat(fd, &st) == 0) {
        synced.folder[synced.count] = S_ISDIR(st.st_mode);
        synced.size[synced.count] = st.st_size;
        synced.placed[synced.count++] = access(synced.wanted, F_OK) == 0;
    }
    return __real_fsync(fd);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        check_fail(__FILE__, __LINE__, "cannot write %s", path);
}

static int holds(const char *path, const char *text)
{
    struct dd_file f;
    int same =
        dd_file_map(&f, path, NULL) == DDPM_OK && f.size == strlen(text) && !memcmp(f.data, text, f.size);
    dd_file_unmap(&f);
    return same;
}

/* Gives up root's rights, which tests in containers have, since permissions do not hold for root. */
static void be_somebody(void)
{
    if (getuid() == 0)
        CHECK(seteuid(65534) == 0);
}

static void be_oneself(void)
{
    CHECK(seteuid(getuid()) == 0);
}

static int map_code(const char *path)
{
    struct dd_file f;
    ddpm_error err = { 0 };
    int code = dd_file_map(&f, path, &err);
    if (!code)
        dd_file_unmap(&f);
    else
        CHECK(strstr(err.text, path) && err.code == code);
    return code;
}

TEST(file, map)
{
    const char *folder = check_folder(), *path = check_path(folder, "a"),
               *pipe_path = check_path(folder, "pipe");

    put(path, "");
    CHECK(holds(path, ""));
    put(path, "some text");
    CHECK(holds(path, "some text"));

    CHECK(map_code(folder) == DDPM_EDATA);
    CHECK(map_code(check_path(folder, "b")) == DDPM_EMISSING);
    CHECK(map_code(check_path(path, "b")) == DDPM_EMISSING);
    CHECK(map_code("/dev/null") == DDPM_EDATA);
    /* Opening a pipe is refused without waiting for a writer. */
    CHECK(mkfifo(pipe_path, 0600) == 0 && map_code(pipe_path) == DDPM_EDATA);

    chmod(path, 0);
    be_somebody();
    CHECK(map_code(path) == DDPM_EPERM);
    be_oneself();
}

/* Sets the time at which a file was written to now, whichever clock tick it was made in. */
static void written_now(const char *path)
{
    struct timespec now[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
    CHECK(utimensat(AT_FDCWD, path, now, 0) == 0);
}

static void written_long_ago(const char *path)
{
    struct timespec before[2] = { { 0, UTIME_OMIT }, { 1000000000, 0 } };
    CHECK(utimensat(AT_FDCWD, path, before, 0) == 0);
}

TEST(file, written_to_while_it_is_read)
{
    const char *folder = check_folder(), *path = check_path(folder, "a"), *other = check_path(folder, "b");
    struct dd_file f;
    ddpm_error err = { 0 };
    put(path, "some text");
    written_long_ago(path);
    REQUIRE(dd_file_map(&f, path, &err) == DDPM_OK);
    CHECK(dd_file_unchanged(&f, path, &err) == DDPM_OK);
    written_now(path);
    CHECK(dd_file_unchanged(&f, path, &err) == DDPM_EDATA && strstr(err.text, path));
    CHECK(strstr(err.text, "written to"));
    put(other, "another");
    /* The mapping is that of the old file. */
    CHECK(rename(other, path) == 0 && dd_file_unchanged(&f, path, &err) == DDPM_OK);
    dd_file_unmap(&f);
    CHECK(dd_file_unchanged(&f, path, &err) == DDPM_OK);
}

/* A model whose file is written to after it was opened makes no network, since half of its weights may
   be another's. */
TEST(file, model_written_to_while_it_is_read)
{
    const char *path = check_path(check_folder(), "model");
    ddpm_model *m, *read, *with;
    ddpm_net *net = NULL;
    ddpm_error err = { 0 };

    REQUIRE(ddpm_model_open_memory(&m, embedded_model, embedded_size(), &err) == DDPM_OK);
    REQUIRE(ddpm_model_save(m, path, 0, &err) == DDPM_OK);
    written_long_ago(path);
    REQUIRE(ddpm_model_open(&read, path, &err) == DDPM_OK);
    written_now(path);

    CHECK(ddpm_net_create(&net, read, NULL, &err) == DDPM_EDATA && strstr(err.text, path) && !net);
    CHECK(ddpm_model_check(read, &err) == DDPM_EDATA && strstr(err.text, path));
    CHECK(model_check(read, path, &err) == DDPM_EDATA && !strstr(strstr(err.text, path) + 1, path));
    CHECK(ddpm_model_save(read, check_path(check_folder(), "copy"), 0, &err) == DDPM_EDATA);
    const ddpm_about *a = ddpm_model_about(read);
    CHECK(ddpm_model_add_statistics(&with, read, a->gamma, a->mse, 1, NAN, &err) == DDPM_EDATA);

    ddpm_model_close(read);
    ddpm_model_close(m);
}

/* A file that is cut off while it is mapped ends the program with a line that names it, and with its
   exit code. */
TEST(file, cut_off_while_it_is_read)
{
    const char *folder = check_folder(), *path = check_path(folder, "a"), *said = check_path(folder, "said");

    enum { SIZE = 1 << 20 };
    struct dd_file f;
    int status = 0;
    put(path, "x");
    REQUIRE(truncate(path, SIZE) == 0 && dd_file_map(&f, path, NULL) == DDPM_OK);
    pid_t child = fork();
    if (!child) {
        if (!freopen(said, "w", stderr))
            _exit(1);
        torn_file_catch();
        _exit(truncate(path, 1) != 0 || ((const volatile unsigned char *)f.data)[SIZE - 1]);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 65);
    dd_file_unmap(&f);
    REQUIRE(dd_file_map(&f, said, NULL) == DDPM_OK);
    CHECK(f.size > strlen(path) && memmem(f.data, f.size, path, strlen(path)));
    CHECK(memmem(f.data, f.size, "cut off", 7));
    dd_file_unmap(&f);
}

/* Writes text to path through an output, which is then committed or abandoned. */
static int write_out(const char *path, const char *text, int replace, int abandon)
{
    struct dd_output o;
    ddpm_error err = { 0 };
    int code = dd_output_create(&o, path, replace, &err);
    if (!code) {
        fputs(text, o.stream);
        if (abandon)
            dd_output_abandon(&o);
        else
            code = dd_output_commit(&o, &err);
    }
    CHECK(!o.stream && !o.path && !o.temporary);
    dd_output_abandon(&o); /* does nothing to an ended output */
    if (code)
        CHECK(strstr(err.text, path) && err.code == code);
    return code;
}

TEST(output, commit_and_abandon)
{
    const char *folder = check_folder(), *path = check_path(folder, "a");
    mode_t mask = umask(027);
    CHECK(write_out(path, "one", 0, 0) == DDPM_OK && holds(path, "one"));
    umask(mask);
    struct stat st;
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    CHECK(write_out(path, "two", 0, 0) == DDPM_ECREATE && holds(path, "one"));
    CHECK(write_out(path, "two", 1, 1) == DDPM_OK && holds(path, "one"));
    CHECK(write_out(path, "two", 1, 0) == DDPM_OK && holds(path, "two"));
    CHECK(check_entries(folder) == 1);
}

TEST(output, nothing_is_seen_before_commit)
{
    const char *folder = check_folder(), *path = check_path(folder, "a");
    struct dd_output o, second;
    ddpm_error err;
    REQUIRE(dd_output_create(&o, path, 0, &err) == DDPM_OK);
    CHECK(access(path, F_OK) != 0 && check_entries(folder) == 1);
    REQUIRE(dd_output_create(&second, path, 0, &err) == DDPM_OK); /* each has a temporary file of its own */
    CHECK(check_entries(folder) == 2);
    fputs("first", o.stream);
    CHECK(dd_output_commit(&o, &err) == DDPM_OK);
    CHECK(dd_output_commit(&second, &err) == DDPM_ECREATE && holds(path, "first"));
    CHECK(check_entries(folder) == 1);
}

/* The whole file is synchronised before it gets its name, and the name before commit returns. */
TEST(output, synchronised)
{
    synced.wanted = check_path(check_folder(), "a");
    synced.count = 0;
    CHECK(write_out(synced.wanted, "four", 0, 0) == DDPM_OK);
    REQUIRE(synced.count == 2);
    CHECK(!synced.folder[0] && synced.size[0] == 4 && !synced.placed[0]);
    CHECK(synced.folder[1] && synced.placed[1]);
    synced.wanted = NULL;
}

TEST(output, places_that_cannot_be_written)
{
    const char *folder = check_folder(), *file = check_path(folder, "file"),
               *link_path = check_path(folder, "link");

    put(file, "x");
    CHECK(write_out(check_path(folder, "no/such"), "x", 0, 0) == DDPM_ECREATE);
    CHECK(write_out(check_path(file, "below"), "x", 0, 0) == DDPM_ECREATE);
    CHECK(write_out(folder, "x", 1, 0) == DDPM_ECREATE);
    CHECK(write_out(check_path(folder, ""), "x", 1, 0) == DDPM_ECREATE);
    CHECK(write_out("", "x", 1, 0) == DDPM_ECREATE);
    CHECK(write_out("/dev/null", "x", 1, 0) == DDPM_ECREATE);

    const char *device = check_path(folder, "device"), *way = check_path(folder, "way");
    CHECK(symlink("/dev/null", device) == 0 && symlink("device", way) == 0);
    for (int force = 0; force < 2; force++) {
        CHECK(write_out(device, "x", force, 0) == DDPM_ECREATE && readlink(device, (char[9]){ 0 }, 9) == 9);
        CHECK(write_out(way, "x", force, 0) == DDPM_ECREATE);
    }

    CHECK(unlink(device) == 0 && unlink(way) == 0);
    CHECK(symlink("nowhere", link_path) == 0 && write_out(link_path, "x", 0, 0) == DDPM_ECREATE);
    CHECK(check_entries(folder) == 2);

    chmod(folder, 0500);
    be_somebody();
    CHECK(write_out(check_path(folder, "new"), "x", 0, 0) == DDPM_EPERM);
    be_oneself();
    chmod(folder, 0700);
}

/* A limit on the size of files plays a full disk. */
TEST(output, full_disk)
{
    const char *folder = check_folder(), *path = check_path(folder, "a");
    struct rlimit old, small;
    struct dd_output o;
    ddpm_error err = { 0 };

    put(path, "old");
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = old;
    /* A write beyond the limit raises SIGXFSZ, or fails with EFBIG where that is ignored. */
    small.rlim_cur = 1000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (int flushed = 0; flushed < 2; flushed++) { /* the failure comes at commit, or before it */
        REQUIRE(dd_output_create(&o, path, 1, &err) == DDPM_OK);

        setrlimit(RLIMIT_FSIZE, &small);
        for (int i = 0; i < 2000; i++)
            putc('x', o.stream);
        if (flushed)
            CHECK(fflush(o.stream) != 0);

        CHECK(dd_output_commit(&o, &err) == DDPM_EIO && strstr(err.text, path));
        setrlimit(RLIMIT_FSIZE, &old);
        CHECK(holds(path, "old") && check_entries(folder) == 1);
    }

    signal(SIGXFSZ, handler);
}
