/* Models at sizes of images that they were not made for.  A resized model computes what a model computes
   that has this size in its metadata and the same weights: to the bit, as the same layers run. */
#include <cjson/cJSON.h>
#include "tests/check.h"
#include "tests/small_nets.h"

enum { IMAGES = 2 };

/* Makes the model of a small net with the sides in its metadata, and weights drawn from seed 1. */
static ddpm_model *made_at(const char *name, int height, int width)
{
    char json[4096];
    ddpm_error err = { 0, "" };
    ddpm_model *m = NULL;
    small_net_json(json, sizeof json, name);

    cJSON *root = cJSON_Parse(json), *net = cJSON_GetObjectItem(root, "net");
    cJSON_SetNumberValue(cJSON_GetObjectItem(net, "height"), height);
    cJSON_SetNumberValue(cJSON_GetObjectItem(net, "width"), width);
    char *text = cJSON_PrintUnformatted(root);
    if (ddpm_model_create(&m, text, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    else
        ddpm_model_init(m, 1);
    cJSON_free(text);
    cJSON_Delete(root);
    return m;
}

/* Runs a network of the model on the noise of a small batch, which the caller frees. */
static struct small_batch run(const ddpm_model *m)
{
    ddpm_error err = { 0, "" };
    ddpm_net *net = NULL;
    struct small_batch b = small_batch_create(m, IMAGES);
    int code = ddpm_net_create(&net, m, &(ddpm_net_options){ .batch = IMAGES, .threads = 2 }, &err);
    if (!code)
        code = ddpm_net_run(net, b.out, b.x, b.t, b.classes, IMAGES, &err);
    if (code)
        check_fail(__FILE__, __LINE__, "%s", err.text);
    ddpm_net_free(net);
    return b;
}

static void compare(const char *name, ddpm_model *resized, int height, int width)
{
    ddpm_error err;
    ddpm_model *m = made_at(name, height, width);
    REQUIRE(m && !ddpm_model_resize(resized, height, width, &err));
    const ddpm_about *a = ddpm_model_about(resized);
    CHECK(a->height == height && a->width == width);
    CHECK(!strcmp(a->json, ddpm_model_about(m)->json));

    struct small_batch wanted = run(m), got = run(resized);
    CHECK(got.outs == wanted.outs && !memcmp(got.out, wanted.out, IMAGES * got.outs * sizeof *got.out));
    small_batch_free(&wanted);
    small_batch_free(&got);
    ddpm_model_close(m);
}

TEST(model, computes_at_every_size)
{
    for (const struct small_net *s = small_nets; s->name; s++) {
        ddpm_model *m = small_net_create(s->name);
        REQUIRE(m);
        compare(s->name, m, 8, 24);
        compare(s->name, m, 16, 8);
        ddpm_model_close(m);
    }
}

TEST(model, keeps_its_size_and_its_id_in_the_file)
{
    const char *path = check_path(check_folder(), "m.ddpm");
    char id[65];
    ddpm_error err;
    ddpm_model *m = small_net_create("plain"), *opened;
    REQUIRE(m && !ddpm_model_save(m, path, 0, &err) && !ddpm_model_open(&opened, path, &err));
    strcpy(id, ddpm_model_about(opened)->id);

    REQUIRE(!ddpm_model_resize(opened, 12, 6, &err));
    CHECK(!strcmp(ddpm_model_about(opened)->id, id) && !ddpm_model_check(opened, &err));
    CHECK(!ddpm_model_save(opened, path, DDPM_SAVE_REPLACE, &err));
    ddpm_model_close(opened);

    REQUIRE(!ddpm_model_open(&opened, path, &err));
    CHECK(!strcmp(ddpm_model_about(opened)->id, id));
    CHECK(ddpm_model_about(opened)->height == 12 && ddpm_model_about(opened)->width == 6);
    ddpm_model_close(opened);
    ddpm_model_close(m);
}

/* "turns" has three levels, so that sides are multiples of 4. */
TEST(model, names_the_nearest_sizes)
{
    static const struct {
        int height, width;
        const char *said;
    } wrong[] = {
        { 20, 13, "images of 13x20 (width x height): the 3 levels" },
        { 20, 13, "multiples of 4; the nearest are 12x20 and 16x20" },
        { 22, 13, "the nearest are 12x20 and 16x24" },
        { 3, 8, "the nearest are 8x4" },
        { 8191, 8, "the nearest are 8x8188 and 8x8192" },
        { 8193, 8, "a side has 1 to 8192 pixels" },
        { 8, 0, "a side has 1 to 8192 pixels" },
        { -4, 8, "a side has 1 to 8192 pixels" },
    };

    ddpm_error err;
    ddpm_model *m = small_net_create("turns");
    REQUIRE(m);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(ddpm_model_resize(m, wrong[i].height, wrong[i].width, &err) == DDPM_EUSAGE);
        if (!strstr(err.text, wrong[i].said))
            check_fail(__FILE__, __LINE__, "\"%s\" lacks \"%s\"", err.text, wrong[i].said);
    }
    CHECK(ddpm_model_about(m)->height == 20 && ddpm_model_about(m)->width == 12);
    ddpm_model_close(m);
}
