/* Gives a model another size of images.  No weight depends on the size: the network is built anew from the
   same configuration, with attention at the levels where it was trained, over more or fewer pixels.  A side
   has to be a multiple of 2^(levels - 1), as every level but the last halves it. */
#include "net/model_resize.h"
#include <stdio.h>
#include <string.h>
#include "base/error.h"

/* Writes "32x40", width first, as `--size` takes it. */
static const char *size_text(char text[32], int width, int height)
{
    snprintf(text, 32, "%dx%d", width, height);
    return text;
}

/* Returns the multiple of `step` that is next to `side`: with up the least one from side on, otherwise the
   largest one up to side, but not 0. */
static int nearest(int side, int step, bool up)
{
    int below = side / step * step;
    if (up)
        return below == side ? side : below + step;
    return below > step ? below : step;
}

/* Refuses sides that the network cannot halve, and names the nearest sizes that it can. */
static int check_size(const struct dd_config *c, int height, int width, ddpm_error *err)
{
    int step = 1 << (c->levels - 1), most = DD_SIDE / step * step;
    char asked[32], below[32], above[32];
    if (height < 1 || width < 1 || height > DD_SIDE || width > DD_SIDE)
        return dd_error(err, DDPM_EUSAGE, "images of %s (width x height): a side has 1 to %d pixels",
                        size_text(asked, width, height), DD_SIDE);
    if (height % step == 0 && width % step == 0)
        return DDPM_OK;

    int wider = nearest(width, step, true), higher = nearest(height, step, true);
    size_text(asked, width, height);
    size_text(below, nearest(width, step, false), nearest(height, step, false));
    size_text(above, wider < most ? wider : most, higher < most ? higher : most);
    return dd_error(
        err, DDPM_EUSAGE,
        "images of %s (width x height): the %d levels of this network need sides that are multiples "
        "of %d; the nearest are %s%s%s",
        asked, c->levels, step, below, strcmp(below, above) ? " and " : "",
        strcmp(below, above) ? above : "");
}

/* Prints the metadata with the sides in "net"; NULL: out of memory.  The numbers change in place, because
   the schedule's name points into m->root. */
static char *print_metadata(ddpm_model *m, int height, int width)
{
    cJSON *net = cJSON_GetObjectItemCaseSensitive(m->root, "net");
    cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(net, "height"), height);
    cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(net, "width"), width);

    char *text = cJSON_PrintUnformatted(m->root);
    char *kept = text ? dd_arena_text(&m->arena, "%s", text) : NULL;
    cJSON_free(text);
    return kept;
}

/* Gives m the program of its new size; the parameters come in the same order as before. */
static void take_program(ddpm_model *m, struct dd_program *p)
{
    for (size_t i = 0; i < m->tensors; i++)
        if (m->param[i] >= 0)
            m->tensor[i].name = p->param[m->param[i]].name;
    dd_program_free(&m->program);
    m->program = *p;
}

int dd_model_resize(ddpm_model *m, int height, int width, ddpm_error *err)
{
    struct dd_config config = m->config;
    struct dd_program p;
    int code = check_size(&config, height, width, err);
    if (code || (height == config.height && width == config.width))
        return code;
    if (config.arch == DD_ARCH_ENCODER)
        return dd_error(
            err, DDPM_EUSAGE,
            "a classifier knows images of one size, %dx%d (width x height): its attention pooling "
            "has a vector for each pixel",
            config.width, config.height);

    config.height = height;
    config.width = width;
    code = dd_program_create(&p, &config, DD_NO_DERIVATIVES, err);
    if (code)
        return code;

    char *json = print_metadata(m, height, width);
    if (!json) {
        print_metadata(m, m->config.height, m->config.width);
        dd_program_free(&p);
        return dd_error(err, DDPM_ENOMEM, "out of memory for the metadata of a model");
    }

    take_program(m, &p);
    m->config = config;
    m->json = json;
    dd_model_about(m);
    return DDPM_OK;
}
