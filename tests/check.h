/* The test harness. A test is a function, registered by one line in its own file:

     TEST(rng, known_answers) { CHECK(x == 3); CHECK_NEAR(a, b, tolerance); if (no_data) SKIP("no data"); }

   Run: ddpm-check [-l] [-j WORKERS] [-t SUBSTRING]...
   The last line of output is `N passed, N failed, N skipped`. */
#ifndef CHECK_H
#define CHECK_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "ddpm.h"

struct check_test {
    const char *group, *name, *file;
    void (*run)(void);
    struct check_test *next;
};

void check_register(struct check_test *t);
void check_fail(const char *file, int line, const char *format, ...);
void check_skip(const char *format, ...);
/* check_shared returns the folder of large reference files, "../shared" beside the source, or NULL
   when there is none; check_source returns the source tree. A test whose reference file is missing
   is skipped with the reason CHECK_NO_REFERENCE, which run.sh sums up in one line. */
#define CHECK_NO_REFERENCE "large reference files, not in this repository"
const char *check_shared(void);
const char *check_source(void);
/* Returns the path of a file below a folder. The result lies in a ring of buffers and is overwritten
   by the eighth call after this one. */
const char *check_path(const char *folder, const char *format, ...);
/* Makes a new private folder for the running test; it is removed at exit. */
const char *check_folder(void);
/* Writes a file below the folder root and makes the folders on the way; path begins with "/". */
void check_put(const char *root, const char *path, const char *text);
/* Returns how many files and folders lie in a folder. */
int check_entries(const char *path);
/* Returns what was written to a stream of dd_system_scratch, allocated, and its size; closes the stream. */
char *check_written(FILE *f, size_t *size);
/* Returns the first place of what [length] in data [size], or NULL. */
void *check_find(const void *data, size_t size, const void *what, size_t length);

#define TEST(group_, name_)                                                                        \
    static void test_##group_##_##name_(void);                                                     \
    __attribute__((constructor)) static void add_##group_##_##name_(void)                          \
    {                                                                                              \
        static struct check_test t = { #group_, #name_, __FILE__, test_##group_##_##name_, NULL }; \
        check_register(&t);                                                                        \
    }                                                                                              \
    static void test_##group_##_##name_(void)
#define CHECK(x)                                      \
    do {                                              \
        if (!(x))                                     \
            check_fail(__FILE__, __LINE__, "%s", #x); \
    } while (0)
#define CHECK_NEAR(a, b, tol)                                                                                \
    do {                                                                                                     \
        double a_ = (a), b_ = (b), t_ = (tol);                                                               \
        if (!(fabs(a_ - b_) <= t_))                                                                          \
            check_fail(__FILE__, __LINE__, "%s = %.17g, expected %.17g, difference %.3g > %.3g", #a, a_, b_, \
                       fabs(a_ - b_), t_);                                                                   \
    } while (0)
#define CHECK_TEXT(a, b)                                                                \
    do {                                                                                \
        const char *a_ = (a), *b_ = (b);                                                \
        if (strcmp(a_, b_))                                                             \
            check_fail(__FILE__, __LINE__, "%s = \"%s\", expected \"%s\"", #a, a_, b_); \
    } while (0)
#define REQUIRE(x)                                    \
    do {                                              \
        if (!(x)) {                                   \
            check_fail(__FILE__, __LINE__, "%s", #x); \
            return;                                   \
        }                                             \
    } while (0)
#define SKIP(...)                \
    do {                         \
        check_skip(__VA_ARGS__); \
        return;                  \
    } while (0)
#endif
