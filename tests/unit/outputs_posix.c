/* Mapped inputs and outputs on a POSIX system: pipes, permissions, links, limits and what is synchronised. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/check.h"
#include "tests/host.h"
#include "tests/unit/outputs.h"
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

TEST(file, map_of_pipes_and_forbidden_files)
{
    const char *folder = check_folder(), *path = check_path(folder, "a"),
               *pipe_path = check_path(folder, "pipe");
    output_put(path, "some text");
    CHECK(output_map_code("/dev/null") == DDPM_EDATA);

    /* Opening a pipe is refused without waiting for a writer. */
    CHECK(mkfifo(pipe_path, 0600) == 0 && output_map_code(pipe_path) == DDPM_EDATA);

    chmod(path, 0);
    be_somebody();
    CHECK(output_map_code(path) == DDPM_EPERM);
    be_oneself();
}

/* A file that is cut off while it is mapped ends the program with a line that names it, and with its
   exit code. */
TEST(file, cut_off_while_it_is_read)
{
    const char *folder = check_folder(), *path = check_path(folder, "a"), *said = check_path(folder, "said");

    enum { SIZE = 1 << 20 };
    struct dd_file f;
    int status = 0;
    output_put(path, "x");
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

TEST(output, mode_of_the_file)
{
    const char *path = check_path(check_folder(), "a");
    mode_t mask = umask(027);
    CHECK(output_write(path, "one", 0, 0) == DDPM_OK && output_holds(path, "one"));
    umask(mask);
    struct stat st;
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
}

/* The whole file is synchronised before it gets its name, and the name before commit returns. */
TEST(output, synchronised)
{
    synced.wanted = check_path(check_folder(), "a");
    synced.count = 0;
    CHECK(output_write(synced.wanted, "four", 0, 0) == DDPM_OK);
    REQUIRE(synced.count == 2);
    CHECK(!synced.folder[0] && synced.size[0] == 4 && !synced.placed[0]);
    CHECK(synced.folder[1] && synced.placed[1]);
    synced.wanted = NULL;
}

TEST(output, links_and_devices)
{
    const char *folder = check_folder(), *link_path = check_path(folder, "link");
    CHECK(output_write("/dev/null", "x", 1, 0) == DDPM_ECREATE);

    const char *device = check_path(folder, "device"), *way = check_path(folder, "way");
    CHECK(symlink("/dev/null", device) == 0 && symlink("device", way) == 0);
    for (int force = 0; force < 2; force++) {
        CHECK(output_write(device, "x", force, 0) == DDPM_ECREATE &&
              readlink(device, (char[9]){ 0 }, 9) == 9);
        CHECK(output_write(way, "x", force, 0) == DDPM_ECREATE);
    }

    CHECK(unlink(device) == 0 && unlink(way) == 0);
    CHECK(symlink("nowhere", link_path) == 0 && output_write(link_path, "x", 0, 0) == DDPM_ECREATE);
    CHECK(check_entries(folder) == 1);

    chmod(folder, 0500);
    be_somebody();
    CHECK(output_write(check_path(folder, "new"), "x", 0, 0) == DDPM_EPERM);
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

    output_put(path, "old");
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
        CHECK(output_holds(path, "old") && check_entries(folder) == 1);
    }

    signal(SIGXFSZ, handler);
}
