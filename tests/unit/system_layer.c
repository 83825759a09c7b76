/* What the layer below promises about files, names, locks, time and threads, on every system. */
#include <errno.h>
#include <stdatomic.h>
#include <time.h>
#include "base/system.h"
#include "tests/check.h"

static int make(const char *path, const char *text, unsigned how)
{
    int fd = dd_system_open(path, how);
    if (fd >= 0 && !dd_system_write(fd, text, strlen(text)))
        check_fail(__FILE__, __LINE__, "%s cannot be written", path);
    return fd;
}

TEST(system, files)
{
    const char *path = check_path(check_folder(), "a \xc3\xa9 \xe7\x94\xbb.txt");
    struct dd_system_file f, g;
    char text[16] = "";

    CHECK(!dd_system_exists(path) && errno == ENOENT);
    CHECK(dd_system_open(path, 0) < 0 && errno == ENOENT);

    int fd = make(path, "first\n", DD_SYSTEM_WRITE | DD_SYSTEM_NEW);
    REQUIRE(fd >= 0);
    CHECK(dd_system_flush(fd) && dd_system_examine_open(&f, fd) && f.size == 6 && f.kind == DD_SYSTEM_FILE);
    dd_system_close(fd);
    CHECK(dd_system_open(path, DD_SYSTEM_WRITE | DD_SYSTEM_NEW) < 0 && errno == EEXIST);

    /* An append goes to the end, wherever the file is cut. */
    fd = make(path, "second\r\n", DD_SYSTEM_APPEND | DD_SYSTEM_NO_LINK);
    REQUIRE(fd >= 0);
    CHECK(dd_system_cut(fd, 8) && dd_system_write(fd, "!", 1) && dd_system_flush_data(fd));
    dd_system_close(fd);
    CHECK(dd_system_examine(&g, path) && g.size == 9 && g.device == f.device && g.number == f.number);

    FILE *s = dd_system_stream(path, "r");
    REQUIRE(s);
    CHECK(fread(text, 1, sizeof text, s) == 9 && !memcmp(text, "first\nse!", 9));
    fclose(s);
}

TEST(system, mapping)
{
    enum { SIZE = 1 << 20 };

    static char text[SIZE];
    const char *path = check_path(check_folder(), "mapped");
    memset(text, 'x', sizeof text - 1);
    int fd = make(path, text, DD_SYSTEM_WRITE | DD_SYSTEM_NEW);
    dd_system_close(fd);

    fd = dd_system_open(path, 0);
    REQUIRE(fd >= 0);
    const char *data = dd_system_map(fd, SIZE - 1);
    dd_system_close(fd);
    REQUIRE(data);
    CHECK(!memcmp(data, text, SIZE - 1));
    dd_system_forget(data, SIZE - 1);
    CHECK(!memcmp(data, text, SIZE - 1));
    dd_system_unmap(data, SIZE - 1);
}

/* A rename never replaces, and a replacement always does. */
TEST(system, names)
{
    const char *folder = check_folder(), *a = check_path(folder, "a"), *b = check_path(folder, "b");
    struct dd_system_file f, g;

    dd_system_close(make(a, "a", DD_SYSTEM_WRITE | DD_SYSTEM_NEW));
    dd_system_close(make(b, "bb", DD_SYSTEM_WRITE | DD_SYSTEM_NEW));
    CHECK(dd_system_examine(&f, a));
    CHECK(!dd_system_rename(a, b) && errno == EEXIST);
    CHECK(dd_system_replace(a, b) && !dd_system_exists(a));
    CHECK(dd_system_examine(&g, b) && g.size == 1 && g.number == f.number);
    CHECK(dd_system_rename(b, a) && dd_system_is_file(a) && !dd_system_is_folder(a));
    CHECK(dd_system_flush_folder(folder));

    CHECK_TEXT(dd_system_name(a), "a");
    CHECK_TEXT(dd_system_name("a"), "a");
    CHECK_TEXT(dd_system_name("a/"), "");
    CHECK(dd_system_remove(a) && !dd_system_exists(a) && !dd_system_remove(a) && errno == ENOENT);
}

/* Adds up the lengths of names, and stops behind `most` of them. */
struct sum {
    int names, most;
    size_t bytes;
};

static bool add(void *user, const char *name)
{
    struct sum *s = user;
    s->names++;
    s->bytes += strlen(name);
    return s->names < s->most;
}

TEST(system, folders)
{
    const char *folder = check_folder(), *below = check_path(folder, "below");
    char *real = dd_system_real_path(folder), *up = dd_system_real_path(check_path(below, ".."));

    CHECK(dd_system_make_folder(below) && dd_system_is_folder(below));
    CHECK(!dd_system_make_folder(below) && errno == EEXIST);
    dd_system_close(make(check_path(below, "one"), "1", DD_SYSTEM_WRITE | DD_SYSTEM_NEW));
    dd_system_close(make(check_path(below, "\xc3\xa9"), "2", DD_SYSTEM_WRITE | DD_SYSTEM_NEW));
    CHECK(!dd_system_remove_folder(below) && dd_system_exists(below));

    struct sum all = { .most = 9 }, first = { .most = 1 };
    CHECK(dd_system_walk(below, add, &all) && all.names == 2 && all.bytes == 5);
    CHECK(dd_system_walk(below, add, &first) && first.names == 1);
    CHECK(!dd_system_walk(check_path(folder, "none"), add, &all) && errno == ENOENT);

    free(up);
    up = dd_system_real_path(check_path(below, ".."));
    CHECK(real && up && dd_system_same(real, folder));
    CHECK_TEXT(up ? up : "", real ? real : "none");
    free(real);
    free(up);

    struct dd_system_room room;
    CHECK(dd_system_room(&room, folder) && room.bytes > 0 && room.files > 0);
    CHECK(dd_system_may_write_into(folder) && dd_system_may_read(check_path(below, "one")));
    CHECK(!dd_system_may_read(check_path(below, "two")));
}

/* A path of more than 260 characters, where older programs of Windows end. */
TEST(system, long_paths)
{
    char path[700];
    size_t n = (size_t)snprintf(path, sizeof path, "%s", check_folder());
    for (int i = 0; i < 4; i++) {
        n += (size_t)snprintf(path + n, sizeof path - n, "/%0100d", i);
        REQUIRE(dd_system_make_folder(path));
    }
    snprintf(path + n, sizeof path - n, "/file");
    dd_system_close(make(path, "deep", DD_SYSTEM_WRITE | DD_SYSTEM_NEW));
    CHECK(dd_system_is_file(path));

    struct sum all = { .most = 9 };
    path[n] = 0;
    CHECK(dd_system_walk(path, add, &all) && all.names == 1 && all.bytes == 4);

    path[n] = '/';
    CHECK(dd_system_remove(path));
    for (int i = 0; i < 4; i++, n -= 101) {
        path[n] = 0;
        CHECK(dd_system_remove_folder(path));
    }
}

/* Two descriptors hold locks like two processes. */
TEST(system, locks)
{
    const char *path = check_path(check_folder(), "locked");
    dd_system_close(make(path, "x", DD_SYSTEM_WRITE | DD_SYSTEM_NEW));
    int a = dd_system_open(path, DD_SYSTEM_WRITE), b = dd_system_open(path, 0);
    REQUIRE(a >= 0 && b >= 0);

    CHECK(dd_system_lock(a, false));
    CHECK(!dd_system_lock(b, false) && errno == EWOULDBLOCK);
    CHECK(!dd_system_lock(b, true) && errno == EWOULDBLOCK);
    CHECK(dd_system_write(a, "yes", 3) && dd_system_may_read(path));
    dd_system_close(a);
    CHECK(dd_system_lock(b, true));

    a = dd_system_open(path, 0);
    CHECK(dd_system_lock(a, true));
    int c = dd_system_open(path, 0);
    CHECK(!dd_system_lock(c, false) && errno == EWOULDBLOCK);
    dd_system_close(a);
    dd_system_close(b);
    CHECK(dd_system_lock(c, false));
    dd_system_close(c);
}

/* The lock of a folder hinders neither its renaming nor its removal, and goes with the folder. */
TEST(system, locks_of_folders)
{
    const char *folder = check_folder(), *before = check_path(folder, "before"),
               *after = check_path(folder, "after"), *other = check_path(folder, "other");
    struct dd_system_file f, g;

    REQUIRE(dd_system_make_folder(before) && dd_system_make_folder(other));
    int a = dd_system_open_folder(before, &f), b = dd_system_open_folder(other, &g);
    CHECK(f.kind == DD_SYSTEM_FOLDER && f.number != g.number);
    CHECK(dd_system_lock(a, false) && dd_system_lock(b, false));

    CHECK(dd_system_replace(before, after));
    int c = dd_system_open_folder(after, &g);
    CHECK(f.device == g.device && f.number == g.number);
    CHECK(!dd_system_lock(c, true) && errno == EWOULDBLOCK);
    CHECK(dd_system_remove_folder(after));

    dd_system_close(a);
    dd_system_close(b);
    dd_system_close(c);
    CHECK(dd_system_open_folder(after, &f) < 0 && errno == ENOENT);
    CHECK(!dd_system_replace(other, check_path(folder, "none/other")));
}

TEST(system, scratch)
{
    char text[4] = "";
    FILE *f = dd_system_scratch();
    REQUIRE(f);
    CHECK(fputs("a\nb", f) >= 0 && ftell(f) == 3);
    rewind(f);
    CHECK(fread(text, 1, 3, f) == 3 && !memcmp(text, "a\nb", 3));
    fclose(f);
}

TEST(system, times)
{
    double running = dd_system_time(DD_TIME_RUNNING), day = dd_system_time(DD_TIME_OF_DAY);
    dd_system_pause(0.02);
    CHECK(dd_system_time(DD_TIME_RUNNING) - running > 0.015);
    CHECK(day > 1.7e9 && day < 1e11 && fabs(day - (double)time(NULL)) < 60);
    CHECK(dd_system_time(DD_TIME_ELAPSED) > 0);
}

/* A thread that sleeps until `go`, and adds 1 to `done`. */
struct sleepers {
    struct dd_system_sleepers asleep;
    atomic_int go, done;
};

static bool must_sleep(const void *user)
{
    const struct sleepers *s = user;
    return !s->go;
}

static void work(void *user)
{
    struct sleepers *s = user;
    dd_system_sleep(&s->asleep, must_sleep, s);
    s->done++;
}

TEST(system, threads)
{
    struct sleepers s = { .go = 0 };
    struct dd_system_thread t[3];

    dd_system_sleepers_begin(&s.asleep);
    for (int i = 0; i < 3; i++) {
        t[i] = (struct dd_system_thread){ .work = work, .user = &s };
        REQUIRE(dd_system_thread_start(&t[i], 1 << 20));
    }
    dd_system_pause(0.02);
    CHECK(s.done == 0);
    s.go = 1;
    dd_system_wake(&s.asleep);
    for (int i = 0; i < 3; i++)
        dd_system_thread_join(&t[i]);
    CHECK(s.done == 3);
    dd_system_sleepers_end(&s.asleep);
    CHECK(dd_system_process() > 0 && dd_system_cores("") >= 1);
}

TEST(system, blocks)
{
    for (size_t align = 64; align <= 2 << 20; align <<= 5) {
        char *p = dd_system_block(align, 100);
        REQUIRE(p);
        CHECK((uintptr_t)p % align == 0);
        memset(p, 1, 100);
        dd_system_block_free(p);
    }
    dd_system_block_free(NULL);
}

TEST(system, other_programs)
{
    static const char *const words[] = { "no program has this name", NULL };
    FILE *in = dd_system_scratch(), *out = dd_system_scratch();
    REQUIRE(in && out);
    CHECK(dd_system_run(words, in, out) == 127);
    CHECK(dd_system_terminal(out) == DD_SYSTEM_NO_TERMINAL && dd_system_columns(out) == 0);
    fclose(in);
    fclose(out);
}
