/* The test harness; check.h tells how tests are written. A test with a failed check counts as one
   failure, and its first ten failed checks are printed.

   -j N runs the tests in N worker processes. Each worker claims the next test from a counter that
   all share. The output of a test is collected in a file and printed in one piece when the test
   ends, so that outputs of two tests never mix. When a signal ends a worker, the test that it ran
   counts as failed, and the others go on.

   The last line has the numbers of tests. A line `failed: GROUP.NAME` before it stands for each test
   that failed. */
#include "check.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/system.h"

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
    return access(path, R_OK) == 0 ? path : NULL;
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

static void remove_folder(void)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", folder);
}

const char *check_folder(void)
{
    static char path[4096 + 16];
    static int count;
    if (!folder[0]) {
        const char *t = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/ddpm-check-XXXXXX", t ? t : "/tmp");
        if (!mkdtemp(folder)) {
            perror(folder);
            exit(1);
        }
        atexit(remove_folder);
    }

    snprintf(path, sizeof path, "%s/%d", folder, count++);
    char command[4200];
    snprintf(command, sizeof command, "mkdir '%s'", path);
    if (system(command) != 0)
        exit(1);
    return path;
}

void check_put(const char *root, const char *path, const char *text)
{
    char full[4096];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(full, 0777);
    }

    FILE *f = fopen(full, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        check_fail(__FILE__, __LINE__, "cannot write %s", full);
}

int check_entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    if (d)
        closedir(d);
    return n;
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

/* Claims tests of test [count] until none is left. Meanwhile standard output and error go to a file. */
static void work(struct board *b, int worker, struct check_test *const *test, int count)
{
    FILE *file = tmpfile();
    int out = dup(STDOUT_FILENO), i;

    if (!file || out < 0 || dup2(fileno(file), STDOUT_FILENO) < 0 || dup2(fileno(file), STDERR_FILENO) < 0)
        exit(1);
    while ((i = atomic_fetch_add(&b->next, 1)) < count) {
        b->at[worker] = i;
        run(b, test, i);
        publish(fileno(file), out);
    }
    b->at[worker] = -1;
    exit(0);
}

/* Starts the workers and waits for all of them.  A test in which a worker died is counted as failed, and
   another worker takes over. */
static void run_in_workers(struct board *b, int workers, struct check_test *const *test, int count)
{
    pid_t pid[MOST_WORKERS];
    int alive = 0, status;

    fflush(stdout);
    for (int w = 0; w < workers; w++, alive++) {
        b->at[w] = -1;
        if ((pid[w] = fork()) == 0)
            work(b, w, test, count);
    }

    while (alive > 0) {
        pid_t ended = wait(&status);
        int w = 0;
        while (w < workers && pid[w] != ended)
            w++;
        if (ended < 0 || w == workers)
            exit(1);
        if (status == 0) {
            alive--;
            continue;
        }

        int i = b->at[w];
        printf("%s.%s\n", i >= 0 ? test[i]->group : "check", i >= 0 ? test[i]->name : "exit");
        printf("  FAILED: the process ended with status %#x\n", (unsigned)status);
        fflush(stdout);
        atomic_fetch_add(&b->failed, 1);
        b->at[w] = -1;
        if (i < 0) {
            alive--;
            continue;
        }

        b->has_failed[i] = true;
        if ((pid[w] = fork()) == 0)
            work(b, w, test, count);
    }
}

int main(int argc, char **argv)
{
    int list = argc > 1 && !strcmp(argv[1], "-l"), workers = 1, count = 0;
    struct check_test *test[MOST_TESTS];
    struct board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

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

    if (b == MAP_FAILED || workers < 1 || workers > MOST_WORKERS)
        return 64;
    if (workers == 1)
        for (int i = 0; i < count; i++)
            run(b, test, i);
    else
        run_in_workers(b, workers, test, count);

    for (int i = 0; i < count; i++)
        if (b->has_failed[i])
            printf("failed: %s.%s\n", test[i]->group, test[i]->name);
    printf("%d passed, %d failed, %d skipped\n", b->passed, b->failed, b->skipped);
    return b->failed > 0;
}
