/* Chooses a convolution engine by name, and writes the engine class of model-file.md: everything besides
   model, seed, index and settings that decides bits. */
#include "net/engine_class.h"
#include <stdio.h>
#include <string.h>
#include "layer/conv.h"
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

/* The names of all engines, whether or not this build has them. */
#define NAME(name, built) #name,
static const char *const names[] = { "auto", DD_CONV_ENGINES(NAME) NULL };

const char *const *dd_engine_class_names(void)
{
    return names;
}

static const char *find(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (!strcmp(*list, name))
            return *list;
    return NULL;
}

/* Writes the names as a sentence lists them: "auto, dnnl, winograd, gemm or ref". */
static const char *choices(char text[96], const char *const *list)
{
    snprintf(text, 96, "auto");
    for (; *list; list++)
        snprintf(text + strlen(text), 96 - strlen(text), "%s%s", list[1] ? ", " : " or ", *list);
    return text;
}

int dd_engine_class_choose(const char **engine, const char *name, ddpm_error *err)
{
    char text[96];
    *engine = NULL;

    if (!name || !strcmp(name, "auto"))
        return DDPM_OK;
    if (!find(names, name))
        return dd_error(err, DDPM_EUSAGE, "unknown convolution engine \"%.40s\": choose %s", name,
                        choices(text, names + 1));

    *engine = find(dd_conv_engines(), name);
    if (!*engine)
        return dd_error(err, DDPM_EUNSUPPORTED, "this build has no convolution engine %s: choose %s", name,
                        choices(text, dd_conv_engines()));
    return DDPM_OK;
}

static const char *c_library(void)
{
#ifdef __GLIBC__
    return gnu_get_libc_version();
#else
    return "other";
#endif
}

const char *dd_engine_class_text(struct dd_arena *a, const char *cpu, const char *engine)
{
    char list[64] = "", library[32];
    dd_conv_library(library);

    for (const char *const *e = dd_conv_engines(); *e; e++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? " " : "", *e);
    return dd_arena_text(a, "ddpm " DDPM_VERSION ", %s, conv %s of %s, %s, libc %s", cpu,
                         engine ? engine : "auto", list, library, c_library());
}
