/* The test harness, see check.h.  Every test runs in this process, one after the other; a failure is reported and counted once per test. */
#include "check.h"
#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct check_test *first;
static int failures, skipped;

void check_register(struct check_test *t)
{
    struct check_test **p = &first;
    while (*p && (strcmp((*p)->group, t->group) < 0 || (!strcmp((*p)->group, t->group) && strcmp((*p)->name, t->name) < 0)))
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

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0, skips = 0, list = argc > 1 && !strcmp(argv[1], "-l");
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct check_test *t = first; t; t = t->next) {
        if (!wanted(t, argc, argv))
            continue;
        printf("%s.%s\n", t->group, t->name);
        if (list)
            continue;
        double start = now();
        failures = skipped = 0;
        t->run();
        if (now() - start > 5)
            printf("  %.1f s\n", now() - start);
        if (failures) {
            printf("  FAILED: %d checks\n", failures);
            failed++;
        } else if (skipped) {
            skips++;
        } else {
            passed++;
        }
    }
    if (!list)
        printf("%d passed, %d failed, %d skipped\n", passed, failed, skips);
    return failed > 0;
}
