/* Whatever allocation fails first, making, opening and saving a model and preparing it to run or to
   train end with DDPM_ENOMEM and leave nothing behind. */
#include "net/gradient.h"
#include "tests/check.h"
#include "tests/small_nets.h"
#include "tests/unit/alloc.h"

struct subject {
    const char *json, *path;
    ddpm_model *model;
};

static int create(void *context, ddpm_error *err)
{
    const struct subject *s = context;
    ddpm_model *m;
    int code = ddpm_model_create(&m, s->json, err);
    CHECK(!code == !!m);
    ddpm_model_close(m);
    return code;
}

static int save(void *context, ddpm_error *err)
{
    const struct subject *s = context;
    int code = ddpm_model_save(s->model, s->path, DDPM_SAVE_F16, err);
    FILE *f = fopen(s->path, "rb");
    CHECK(!code == !!f);
    if (f)
        fclose(f);
    return code;
}

static int open_file(void *context, ddpm_error *err)
{
    const struct subject *s = context;
    ddpm_model *m;
    int code = ddpm_model_open(&m, s->path, err);
    CHECK(!code == !!m);
    ddpm_model_close(m);
    return code;
}

static int check_id(void *context, ddpm_error *err)
{
    const struct subject *s = context;
    return ddpm_model_check(s->model, err);
}

/* Gives the model twice its height.  A failure leaves the height. */
static int resize(void *context, ddpm_error *err)
{
    const struct subject *s = context;
    int height = ddpm_model_about(s->model)->height, width = ddpm_model_about(s->model)->width;
    int code = ddpm_model_resize(s->model, 2 * height, width, err);
    CHECK(ddpm_model_about(s->model)->height == (code ? height : 2 * height));
    return code;
}

static int prepare(void *context, ddpm_error *err)
{
    const struct subject *s = context;
    ddpm_net *net;
    int code = ddpm_net_create(&net, s->model, &(ddpm_net_options){ .batch = 2, .threads = 2 }, err);
    CHECK(!code == !!net);
    ddpm_net_free(net);
    return code;
}

static int train(void *context, ddpm_error *err)
{
    const struct subject *s = context;
    struct dd_gradient *g;
    int code = dd_gradient_create(&g, s->model, &(ddpm_net_options){ .batch = 2, .threads = 2 }, 0.5, err);
    CHECK(!code == !!g);
    dd_gradient_free(g);
    return code;
}

static int differentiate(void *context, ddpm_error *err)
{
    const struct subject *s = context;
    ddpm_vjp *v;
    int code = ddpm_vjp_create(&v, s->model, &(ddpm_net_options){ .batch = 2, .threads = 2 }, err);
    CHECK(!code == !!v);
    ddpm_vjp_free(v);
    return code;
}

TEST(no_memory, models_and_networks)
{
    char json[4096];
    for (const struct small_net *n = small_nets; n->name; n++) {
        if (!strcmp(n->name, "wide")) /* it is only slower */
            continue;
        struct subject s = { json, check_path(check_folder(), "model"), small_net_create(n->name) };

        small_net_json(json, sizeof json, n->name);
        REQUIRE(s.model);

        CHECK(alloc_survive(create, &s) > 50); /* every value of the JSON is one */
        CHECK(alloc_survive(save, &s) > 50);
        CHECK(alloc_survive(open_file, &s) > 50);

        ddpm_model_close(s.model);
        ddpm_error err;
        REQUIRE(ddpm_model_open(&s.model, s.path, &err) == DDPM_OK);

        CHECK(alloc_survive(check_id, &s) >= 0); /* libcrypto allocates for itself */
        CHECK(alloc_survive(prepare, &s) > 30);
        CHECK(alloc_survive(train, &s) > 60);
        CHECK(alloc_survive(differentiate, &s) > 60);
        CHECK(alloc_survive(resize, &s) > 5);
        ddpm_model_close(s.model);
    }
}
