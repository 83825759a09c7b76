/* The test harness; check.h tells how tests are written. A test with a failed check counts as one
   failure, and its first ten failed checks are printed.

   -j N runs the tests in N worker processes. Each worker claims the next test from a counter that
   all share. The output of a test is collected in a file and printed in one piece when the test
   ends, so that outputs of two tests never mix. When a signal ends a worker, the test that it ran
   counts as failed, and the others go on.

   The last line has the numbers of tests. A line `failed: GROUP.NAME` before it stands for each test
   that failed. */
#include "check.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>
#include "base/system.h"
#include "tests/workers.h"

enum { MOST_WORKERS = 64, MOST_TESTS = 4096 };

/* The workers share this: the place of the next test, the results so far, the place of the test that each
   of them is running, or -1, and which tests have failed. */
struct board {
    atomic_int next, passed, failed, skipped;
    int at[MOST_WORKERS];
    bool has_failed[MOST_TESTS];
};

static struct check_test *first;
static int failures, skipped;

void check_register(struct check_test *t)
{
    struct check_test **p = &first;
    while (*p && (strcmp((*p)->group, t->group) < 0 ||
                  (!strcmp((*p)->group, t->group) && strcmp((*p)->name, t->name) < 0)))
        p = &(*p)->next;
    t->next = *p;
    *p = t;
}

void check_fail(const char *file, int line, const char *format, ...)
{
    va_list ap;
    if (++failures > 10)
        return;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void check_skip(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    printf("  skipped: ");
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
    skipped = 1;
}

const char *check_source(void)
{
    const char *s = getenv("DDPM_SOURCE");
    return s ? s : SOURCE_DIR;
}

const char *check_shared(void)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/../shared", check_source());
    return dd_system_exists(path) ? path : NULL;
}

const char *check_path(const char *folder, const char *format, ...)
{
    static char ring[8][4096];
    static int next;
    char *s = ring[next++ % 8];
    va_list ap;
    int n = snprintf(s, sizeof ring[0], "%s/", folder);
    va_start(ap, format);
    vsnprintf(s + n, sizeof ring[0] - (size_t)n, format, ap);
    va_end(ap);
    return s;
}

static char folder[4096];

/* Removes what a folder holds, and the folder. */
static void remove_tree(const char *path);

static bool remove_in(void *user, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", (const char *)user, name);
    if (!dd_system_remove(path))
        remove_tree(path);
    return true;
}

static void remove_tree(const char *path)
{
    char at[4096];
    snprintf(at, sizeof at, "%s", path);
    dd_system_walk(at, remove_in, at);
    if (!dd_system_remove_folder(path))
        fprintf(stderr, "cannot remove %s\n", path);
}

static void remove_folder(void)
{
    remove_tree(folder);
}

/* Makes the folder of all tests of this process. */
static void make_folder(void)
{
    const char *t = getenv("TMPDIR");
    for (int i = 0; i < 1000; i++) {
        snprintf(folder, sizeof folder, "%s/ddpm-check-%ld-%d", t ? t : "/tmp", dd_system_process(), i);
        if (dd_system_make_folder(folder)) {
            atexit(remove_folder);
            return;
        }
    }
    perror(folder);
    exit(1);
}

const char *check_folder(void)
{
    static char path[4096 + 16];
    static int count;
    if (!folder[0])
        make_folder();

    snprintf(path, sizeof path, "%s/%d", folder, count++);
    if (!dd_system_make_folder(path))
        exit(1);
    return path;
}

void check_put(const char *root, const char *path, const char *text)
{
    char full[4096];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        dd_system_make_folder(full);
    }

    FILE *f = dd_system_stream(full, "wb");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        check_fail(__FILE__, __LINE__, "cannot write %s", full);
}

static bool count_entry(void *user, const char *name)
{
    (void)name;
    ++*(int *)user;
    return true;
}

int check_entries(const char *path)
{
    int n = 0;
    dd_system_walk(path, count_entry, &n);
    return n;
}

char *check_written(FILE *f, size_t *size)
{
    long end = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
    char *bytes = malloc(end > 0 ? (size_t)end : 1);
    rewind(f);
    *size = bytes && end > 0 ? fread(bytes, 1, (size_t)end, f) : 0;
    if (end < 0 || *size != (size_t)end)
        check_fail(__FILE__, __LINE__, "what was written cannot be read");
    fclose(f);
    return bytes;
}

void *check_find(const void *data, size_t size, const void *what, size_t length)
{
    for (size_t i = 0; i + length <= size; i++)
        if (!memcmp((const char *)data + i, what, length))
            return (char *)(uintptr_t)data + i;
    return NULL;
}

static int wanted(const struct check_test *t, int argc, char **argv)
{
    char full[256];
    int any = 0;
    snprintf(full, sizeof full, "%s.%s", t->group, t->name);
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "-t")) {
            any = 1;
            if (strstr(full, argv[i + 1]))
                return 1;
        }
    return !any;
}

/* Runs the i-th test, prints its name and its output, and counts its result. */
static void run(struct board *b, struct check_test *const *test, int i)
{
    const struct check_test *t = test[i];
    double start = dd_system_time(DD_TIME_RUNNING);

    printf("%s.%s\n", t->group, t->name);
    failures = skipped = 0;
    t->run();

    if (dd_system_time(DD_TIME_RUNNING) - start > 5)
        printf("  %.1f s\n", dd_system_time(DD_TIME_RUNNING) - start);
    if (failures)
        printf("  FAILED: %d checks\n", failures);
    atomic_int *result = &b->passed;
    b->has_failed[i] = failures;
    if (failures)
        result = &b->failed;
    else if (skipped)
        result = &b->skipped;
    atomic_fetch_add(result, 1);
}

/* Copies to the descriptor `to` what was written to file since the last call, in one write where it
   is short, and empties the file. */
static void publish(int file, int to)
{
    char text[1 << 16];
    ssize_t n;

    fflush(stdout);
    lseek(file, 0, SEEK_SET);
    while ((n = read(file, text, sizeof text)) > 0)
        if (write(to, text, (size_t)n) != n)
            exit(1);
    if (ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0)
        exit(1);
}

/* What a worker needs to know. */
struct task {
    struct board *board;
    struct check_test *const *test;
    int count;
};

/* Claims tests until none is left. Meanwhile standard output and error go to a file. */
static void work(void *user, int place)
{
    const struct task *t = user;
    struct board *b = t->board;
    FILE *file = dd_system_scratch();
    int out = file ? workers_collect(file) : -1, i;

    if (out < 0)
        exit(1);
    while ((i = atomic_fetch_add(&b->next, 1)) < t->count) {
        b->at[place] = i;
        run(b, t->test, i);
        publish(fileno(file), out);
    }
    b->at[place] = -1;
    exit(0);
}

/* Counts the test in which worker `place` died as failed. Returns false when the worker ran none. */
static bool bury(struct task *t, int place, int status)
{
    struct board *b = t->board;
    int i = b->at[place];

    printf("%s.%s\n", i >= 0 ? t->test[i]->group : "check", i >= 0 ? t->test[i]->name : "exit");
    printf("  FAILED: the process ended with status %#x\n", (unsigned)status);
    atomic_fetch_add(&b->failed, 1);
    b->at[place] = -1;
    if (i >= 0)
        b->has_failed[i] = true;
    return i >= 0;
}

/* Starts the workers and waits for all of them. Where one dies, another takes over. */
static void run_in_workers(struct task *t, int workers)
{
    intptr_t process[MOST_WORKERS];
    int alive = workers, status;

    for (int w = 0; w < workers; w++) {
        t->board->at[w] = -1;
        process[w] = workers_start(w, work, t);
    }

    while (alive > 0) {
        int w = workers_wait(process, workers, &status);
        if (w < 0)
            exit(1);
        process[w] = -1;
        if (status != 0 && bury(t, w, status))
            process[w] = workers_start(w, work, t);
        else
            alive--;
    }
}

int main(int argc, char **argv)
{
    int list = argc > 1 && !strcmp(argv[1], "-l"), workers = 1, count = 0;
    struct check_test *test[MOST_TESTS];
    struct board *b = workers_memory(sizeof *b);

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "-j"))
            workers = atoi(argv[i + 1]);
    for (struct check_test *t = first; t; t = t->next)
        if (wanted(t, argc, argv) && count < MOST_TESTS)
            test[count++] = t;

    if (list) {
        for (int i = 0; i < count; i++)
            printf("%s.%s\n", test[i]->group, test[i]->name);
        return 0;
    }

    struct task t = { b, test, count };
    if (!b || workers < 1 || workers > MOST_WORKERS)
        return 64;
    if (workers_place() >= 0)
        work(&t, workers_place());
    if (workers == 1)
        for (int i = 0; i < count; i++)
            run(b, test, i);
    else
        run_in_workers(&t, workers);

    for (int i = 0; i < count; i++)
        if (b->has_failed[i])
            printf("failed: %s.%s\n", test[i]->group, test[i]->name);
    printf("%d passed, %d failed, %d skipped\n", b->passed, b->failed, b->skipped);
    return b->failed > 0;
}
