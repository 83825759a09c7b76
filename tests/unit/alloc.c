/* The wrapped allocation functions: they count, and from a given call on return NULL. */
#include "tests/unit/alloc.h"
#include "tests/check.h"
#include <cjson/cJSON.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);

static atomic_long count, limit = LONG_MAX;

int alloc_allowed(void)
{
    return atomic_fetch_add(&count, 1) + 1 < atomic_load(&limit);
}

void *__wrap_malloc(size_t size)
{
    return alloc_allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return alloc_allowed() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t size)
{
    return alloc_allowed() ? __real_realloc(p, size) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return alloc_allowed() ? __real_strdup(text) : NULL;
}

__attribute__((constructor)) static void hook_cjson(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){ __wrap_malloc, free });
}

void alloc_fail_at(long n)
{
    atomic_store(&count, 0);
    atomic_store(&limit, n);
}

void alloc_fail_never(void)
{
    alloc_fail_at(LONG_MAX);
}

long alloc_count(void)
{
    return atomic_load(&count);
}

long alloc_survive(int (*run)(void *context, ddpm_error *err), void *context)
{
    for (long n = 1;; n++) {
        ddpm_error err = { 0 };
        alloc_fail_at(n);
        int code = run(context, &err);
        alloc_fail_never();
        if (code == DDPM_OK)
            return n - 1;
        CHECK(code == DDPM_ENOMEM && err.code == code && strstr(err.text, "memory"));
        if (n > 1000) {
            CHECK(!"an end");
            return n;
        }
    }
}
