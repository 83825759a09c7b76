/* Trainers: refusals, what a step that is not finite leaves behind, what checkpoints must hold, and
   every allocation failing once. */
#include "base/safetensors.h"
#include "base/system.h"
#include "tests/check.h"
#include "tests/small_nets.h"
#include "tests/unit/alloc.h"

static ddpm_trainer_options options_of(const ddpm_model *m)
{
    ddpm_trainer_options o;
    ddpm_trainer_defaults(&o);
    o.batch = 2, o.threads = 2;
    o.loss = ddpm_model_about(m)->variance == DDPM_LEARNED_RANGE ? DDPM_HYBRID : DDPM_SIMPLE;
    return o;
}

static ddpm_trainer *begin(const ddpm_model *m, const ddpm_trainer_options *o)
{
    ddpm_error err = { 0, "" };
    ddpm_trainer *t;
    if (ddpm_trainer_create(&t, m, o, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    return t;
}

/* ---- options ---- */

static void refused(const ddpm_model *m, ddpm_trainer_options o, const char *says)
{
    ddpm_error err = { 0, "" };
    ddpm_trainer *t;
    if (ddpm_trainer_create(&t, m, &o, &err) != DDPM_EUSAGE || t || !strstr(err.text, says))
        check_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, says);
}

TEST(trainer, options_that_are_refused)
{
    ddpm_model *plain = small_net_create("plain"), *turns = small_net_create("turns");
    const ddpm_trainer_options good = options_of(plain);
    ddpm_trainer_options o;
#define WRONG(model, change, says) \
    o = good;                      \
    change;                        \
    refused(model, o, says)

    WRONG(plain, o.batch = 0, "batch is 0, expected 1 to 4096");
    WRONG(plain, o.accumulate = 0, "accumulate is 0");
    WRONG(plain, o.rate = 0, "the rate is 0");
    WRONG(plain, o.rate = NAN, "the rate is nan");
    WRONG(plain, o.beta2 = 1, "beta1 and beta2 are 0.9 and 1");
    WRONG(plain, o.epsilon = 0, "epsilon is 0");
    WRONG(plain, o.decay = -1, "decay is -1");
    WRONG(plain, o.clip = -1, "clip is -1");
    WRONG(plain, o.steps = 10; o.warmup = 10, "warmup is 10 of 10 steps");
    WRONG(plain, o.warmup = -1, "warmup is -1");
    WRONG(plain, o.ema = 1, "ema is 1");
    WRONG(plain, o.dropout = 1, "dropout is 1");
    WRONG(plain, o.class_dropout = 1, "class_dropout is 1");
    WRONG(plain, o.class_dropout = 0.1, "the model has no null class");
    WRONG(plain, o.min_snr = -2, "min_snr is -2");
    WRONG(plain, o.loss = 5, "loss is 5, expected 0 to 4");
    WRONG(plain, o.loss = DDPM_SCORE; o.min_snr = 5, "the loss score has no L_simple");
    WRONG(plain, o.loss = DDPM_HYBRID, "the loss hybrid is asked for, but the model learns no variance");
    WRONG(plain, o.cpu = "cray", "instruction set \"cray\": no such instruction set; it is one of ref, avx2");
    WRONG(plain, o.threads = -1, "threads is -1");

    WRONG(turns, o.loss = DDPM_SIMPLE, "would leave the learned variance of the model untrained");
    WRONG(turns, o.loss = DDPM_SCORE,
          "would leave the learned variance of the model untrained: choose from "
          "vlb, hybrid");
    WRONG(turns, o.loss = DDPM_WEIGHTED, "the loss weighted would leave the learned variance");
    WRONG(turns, o.loss = DDPM_VLB; o.min_snr = 5, "the loss vlb has no L_simple");

#undef WRONG
    ddpm_model_close(plain);
    ddpm_model_close(turns);
}

/* ---- what is not finite ---- */

static char *state_of(const ddpm_trainer *t, size_t *size)
{
    ddpm_model *m;
    const ddpm_tensor *list;
    FILE *f = dd_system_scratch();

    if (f && !ddpm_trainer_model(t, &m, 1, NULL, NULL)) {
        size_t n = ddpm_model_tensors(m, &list);
        for (size_t i = 0; i < n; i++) {
            size_t count = list[i].dtype == DDPM_F64 ? 8 : 4;
            for (int r = 0; r < list[i].rank; r++)
                count *= (size_t)list[i].dim[r];
            fwrite(list[i].data, 1, count, f);
        }
        fputs(ddpm_model_about(m)->json, f);
        ddpm_model_close(m);
    }

    return f ? check_written(f, size) : NULL;
}

static void not_taken(ddpm_trainer *t, const float *x0, const int32_t *classes, int code, const char *says,
                      const char *also)
{
    ddpm_error err = { 0, "" };
    ddpm_trainer_report r;
    size_t before, after;
    char *was = state_of(t, &before);
    if (ddpm_trainer_step(t, x0, classes, &r, &err) != code || !strstr(err.text, says) ||
        !strstr(err.text, also))
        check_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\" and \"%s\"", err.text, says, also);
    char *is = state_of(t, &after);
    CHECK(before && before == after && !memcmp(was, is, before));
    free(was);
    free(is);
}

TEST(trainer, a_step_that_is_not_finite)
{
    ddpm_model *m = small_net_create("plain");
    ddpm_trainer_options o = options_of(m);
    ddpm_trainer *t = begin(m, &o), *same = begin(m, &o);
    struct small_batch b = small_batch_create(m, 2);
    ddpm_trainer_report r, s;
    float keep = b.x[100], *whole = malloc(b.in * sizeof *whole);

    REQUIRE(whole);
    memcpy(whole, b.x, b.in * sizeof *whole);
    CHECK(!ddpm_trainer_step(t, b.x, NULL, &r, NULL));

    /* Such a step leaves nothing behind: both trainers go on alike. */
    for (size_t i = 0; i < b.in; i++)
        b.x[i] = 3e38f; /* finite, but its square in the first norm is not */
    not_taken(t, b.x, NULL, DDPM_ENAN, "step 2 was not taken: NaN or infinity, first after", "norm1 (norm)");
    memcpy(b.x, whole, b.in * sizeof *whole);
    free(whole);
    b.x[100] = NAN;
    not_taken(t, b.x, NULL, DDPM_EUSAGE, "image 0 holds a number that is not finite", "");
    b.x[100] = keep;
    not_taken(t, b.x, (int32_t[]){ 0, 0 }, DDPM_EUSAGE, "classes are given to a model that has none", "");

    CHECK(!ddpm_trainer_step(same, b.x, NULL, &s, NULL) && !memcmp(&r, &s, sizeof r));
    CHECK(!ddpm_trainer_step(t, b.x, NULL, &r, NULL) && !ddpm_trainer_step(same, b.x, NULL, &s, NULL) &&
          !memcmp(&r, &s, sizeof r));

    small_batch_free(&b);
    ddpm_trainer_free(t);
    ddpm_trainer_free(same);
    ddpm_model_close(m);
}

/* Numbers end in the middle of the network, forward; the model itself is finite. */
TEST(trainer, the_layer_where_numbers_end_is_named)
{
    ddpm_model *m = small_net_create("plain");
    ddpm_trainer_options o = options_of(m);
    struct small_batch b = small_batch_create(m, 2);
    const ddpm_tensor *list;
    size_t n = ddpm_model_tensors(m, &list);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].name, "mid_block.resnets.0.conv2.weight"))
            for (int k = 0; k < 8 * 8 * 9; k++)
                ((float *)list[i].data)[k] = 3e38f;
    ddpm_trainer *t = begin(m, &o);
    not_taken(t, b.x, NULL, DDPM_ENAN, "step 1 was not taken: NaN or infinity, first after",
              "mid_block.resnets.0.conv2 (conv)");
    small_batch_free(&b);
    ddpm_trainer_free(t);
    ddpm_model_close(m);
}

TEST(trainer, classes_out_of_range)
{
    ddpm_model *m = small_net_create("turns");
    ddpm_trainer_options o = options_of(m);
    ddpm_trainer *t = begin(m, &o);
    struct small_batch b = small_batch_create(m, 2);
    double loss;
    ddpm_error err = { 0, "" };
    not_taken(t, b.x, NULL, DDPM_EUSAGE, "the model has classes: one is needed for every image", "");
    not_taken(t, b.x, (int32_t[]){ 1, 5 }, DDPM_EUSAGE, "the class of image 1 is 5, expected 0 to 4", "");
    CHECK(ddpm_trainer_loss(t, b.x, (int32_t[]){ -1 }, 1, 0, &loss, &err) == DDPM_EUSAGE &&
          strstr(err.text, "is -1"));
    CHECK(ddpm_trainer_loss(t, b.x, NULL, 0, 0, &loss, &err) == DDPM_EUSAGE && strstr(err.text, "0 images"));
    small_batch_free(&b);
    ddpm_trainer_free(t);
    ddpm_model_close(m);
}

/* ---- checkpoints ---- */

/* A training checkpoint. Its metadata and tensors may be spoilt, then it is written again and opened. */
struct spoilt {
    struct dd_file file;
    struct dd_safetensors s;
    char json[8192];
};

static int spoil_begin(struct spoilt *p)
{
    const char *path = check_path(check_folder(), "checkpoint");
    ddpm_model *m = small_net_create("plain"), *whole = NULL;
    ddpm_trainer_options o = options_of(m);
    ddpm_trainer *t = begin(m, &o);
    int bad = !t || ddpm_trainer_model(t, &whole, 1, "{\"a\": [1]}", NULL) ||
              ddpm_model_save(whole, path, 0, NULL) || dd_file_map(&p->file, path, NULL) ||
              dd_safetensors_read(&p->s, p->file.data, p->file.size, path, NULL);
    if (!bad)
        snprintf(p->json, sizeof p->json, "%s", dd_safetensors_meta(&p->s, "ddpm"));
    ddpm_model_close(m);
    ddpm_model_close(whole);
    ddpm_trainer_free(t);
    return bad;
}

static int spoilt_open(const struct spoilt *p, const char *json, const struct dd_entry *entry, size_t entries,
                       ddpm_model **m, char **bytes, ddpm_error *err)
{
    const char *meta[] = { "ddpm", json, "format", "ddpm", NULL };
    size_t size;
    FILE *f = dd_system_scratch();
    CHECK(f && dd_safetensors_write_hashed(f, entry ? entry : p->s.entry, entries ? entries : p->s.entries,
                                           meta, NULL) == DDPM_OK);
    *bytes = check_written(f, &size);
    return ddpm_model_open_memory(m, *bytes, size, err);
}

static void metadata_refused(const struct spoilt *p, const char *from, const char *to, const char *says)
{
    char json[8400], *bytes, *at;
    ddpm_error err = { 0, "" };
    ddpm_model *m;
    REQUIRE((at = strstr(p->json, from)));
    snprintf(json, sizeof json, "%.*s%s%s", (int)(at - p->json), p->json, to, at + strlen(from));
    if (spoilt_open(p, json, NULL, 0, &m, &bytes, &err) != DDPM_EDATA || m || !strstr(err.text, says))
        check_fail(__FILE__, __LINE__, "%s: \"%s\" does not say \"%s\"", to, err.text, says);
    free(bytes);
}

TEST(trainer, checkpoints_with_wrong_metadata)
{
    struct spoilt p;
    REQUIRE(!spoil_begin(&p));

    metadata_refused(&p, "\"step\":0", "\"step\":-1", "train.trainer.step");
    metadata_refused(&p, "\"step\":0", "\"step\":0.5", "train.trainer: step is 0.5");
    metadata_refused(&p, "\"step\":0", "\"step\":1e300", "train.trainer.step");
    metadata_refused(&p, "\"step\":0", "\"step\":null", "train.trainer.step");
    metadata_refused(&p, "\"step\":0,", "", "train.trainer.step: missing");
    metadata_refused(&p, "\"images\":0", "\"images\":0,\"more\":1", "train.trainer.more: unknown key");

    metadata_refused(&p, "\"NAME + average.low.NAME\"", "\"NAME\"", "train.trainer.average: \"NAME\" found");
    metadata_refused(&p, ",\"average\":\"NAME + average.low.NAME\"", "",
                     "average.low.conv_in.bias is not expected");

    metadata_refused(&p, "\"run\":{\"a\":[1]}", "\"run\":[1]", "train.run");
    metadata_refused(&p, ",\"run\":{\"a\":[1]}", "", "train.run: missing");
    metadata_refused(&p, "\"run\":{\"a\":[1]}", "\"run\":{},\"walk\":{}", "train.walk: unknown key");
    metadata_refused(&p, "\"trainer\":{", "\"trainer\":3,\"x\":{", "train");

    char *train = strstr(p.json, ",\"train\":{"), *end = train ? strstr(train, "]}}") : NULL;
    REQUIRE(end);
    memmove(train, end + 3, strlen(end + 3) + 1); /* the tensors are still there */
    metadata_refused(&p, "\"version\"", "\"version\"", "adam.m.conv_in.bias is not expected");

    dd_safetensors_free(&p.s);
    dd_file_unmap(&p.file);
}

TEST(trainer, checkpoints_with_wrong_tensors)
{
    struct spoilt p;
    ddpm_error err = { 0, "" };
    ddpm_model *m;
    ddpm_trainer *t;
    char *bytes;

    REQUIRE(!spoil_begin(&p));
    struct dd_entry *v = (struct dd_entry *)(uintptr_t)dd_safetensors_find(&p.s, "adam.v.conv_in.weight"),
                    keep = *v;

    v->name = "adam.v.conv_in.weighs";
    CHECK(spoilt_open(&p, p.json, NULL, 0, &m, &bytes, &err) == DDPM_EDATA && !m);
    CHECK(strstr(err.text, "adam.v.conv_in.weight is missing, adam.v.conv_in.weighs is not expected"));
    free(bytes);
    *v = keep;

    v->dtype = DD_F16, v->size /= 2;
    CHECK(spoilt_open(&p, p.json, NULL, 0, &m, &bytes, &err) == DDPM_EDATA && !m &&
          strstr(err.text, "is F16 where F32 is expected"));
    free(bytes);
    *v = keep;

    float *second = malloc(v->size);
    for (size_t i = 0; i < v->count; i++)
        second[i] = i == 7 ? -1 : 0;
    v->data = (const unsigned char *)second;

    REQUIRE(!spoilt_open(&p, p.json, NULL, 0, &m, &bytes, &err));
    ddpm_trainer_options o = options_of(m);
    CHECK(ddpm_trainer_create(&t, m, &o, &err) == DDPM_EDATA && !t);
    CHECK(strstr(err.text, "tensor adam.v.conv_in.weight: element 7 is -1"));

    ddpm_model_close(m);
    free(bytes);
    free(second);
    dd_safetensors_free(&p.s);
    dd_file_unmap(&p.file);
}

/* One bit of a checkpoint has changed: in each of the first 400 bytes, and in one of every 997 bytes
   behind. */
TEST(trainer, checkpoints_with_a_changed_bit)
{
    struct spoilt p;
    ddpm_model *m;
    ddpm_error err = { 0, "" };
    size_t size;
    REQUIRE(!spoil_begin(&p));
    unsigned char *copy = malloc(size = p.file.size);
    REQUIRE(copy);
    memcpy(copy, p.file.data, size);

    for (size_t i = 0; i < 8 * size; i += i < 8 * 400 ? 1 : 8 * 997 + 1) {
        copy[i / 8] ^= (unsigned char)(1 << i % 8);
        if (ddpm_model_open_memory(&m, copy, size, &err) != DDPM_EDATA || m)
            check_fail(__FILE__, __LINE__, "bit %zu is changed: \"%s\"", i, err.text);
        copy[i / 8] ^= (unsigned char)(1 << i % 8);
    }

    CHECK(!ddpm_model_open_memory(&m, copy, size, &err));
    ddpm_model_close(m);

    free(copy);
    dd_safetensors_free(&p.s);
    dd_file_unmap(&p.file);
}

/* A checkpoint from before the average had a second part has neither that part nor a hash. Training goes
   on from it. */
TEST(trainer, checkpoints_of_an_average_in_one_part)
{
    static const char now[] = ",\"average\":\"NAME + average.low.NAME\"";
    struct spoilt p;
    char *bytes = NULL, *at;
    size_t entries = 0, size;
    ddpm_model *m = NULL;
    ddpm_trainer *t = NULL;
    REQUIRE(!spoil_begin(&p) && (at = strstr(p.json, now)));
    memmove(at, at + sizeof now - 1, strlen(at + sizeof now - 1) + 1);
    struct dd_entry *entry = malloc(p.s.entries * sizeof *entry);
    REQUIRE(entry);

    for (size_t i = 0; i < p.s.entries; i++)
        if (strncmp(p.s.entry[i].name, "average.low.", 12))
            entry[entries++] = p.s.entry[i];

    const char *meta[] = { "ddpm", p.json, "format", "ddpm", NULL };
    FILE *f = dd_system_scratch();
    CHECK(f && dd_safetensors_write(f, entry, entries, meta, NULL) == DDPM_OK);
    bytes = check_written(f, &size);

    REQUIRE(!ddpm_model_open_memory(&m, bytes, size, NULL));
    ddpm_trainer_options o = options_of(m);
    REQUIRE((t = begin(m, &o)));

    struct small_batch b = small_batch_create(m, 2);
    CHECK(!ddpm_trainer_step(t, b.x, NULL, NULL, NULL) && ddpm_trainer_done(t) == 1);

    small_batch_free(&b);
    ddpm_trainer_free(t);
    ddpm_model_close(m);
    free(bytes);
    free(entry);
    dd_safetensors_free(&p.s);
    dd_file_unmap(&p.file);
}

/* The final model has the weights that are sampled with and nothing of the training. A checkpoint is
   sampled with the same weights. */
TEST(trainer, models_that_come_out)
{
    const char *folder = check_folder(), *path = check_path(folder, "final");
    ddpm_model *m = small_net_create("plain"), *final = NULL, *whole = NULL, *opened = NULL;
    ddpm_trainer_options o = options_of(m);
    ddpm_trainer *t = begin(m, &o);
    struct small_batch b = small_batch_create(m, 2);
    ddpm_trainer_report r;
    ddpm_error err = { 0, "" };
    const ddpm_tensor *a, *c;

    CHECK(!ddpm_trainer_step(t, b.x, NULL, &r, NULL) && r.step == 1);
    CHECK(!ddpm_trainer_step(t, b.x, NULL, NULL, NULL) && ddpm_trainer_done(t) == 2);
    CHECK(!ddpm_trainer_loss(t, b.x, NULL, 2, 0, NULL, NULL));

    REQUIRE(!ddpm_trainer_model(t, &final, 0, NULL, NULL) && !ddpm_trainer_model(t, &whole, 1, NULL, NULL));
    size_t n = ddpm_model_tensors(final, &a), all = ddpm_model_tensors(whole, &c), k = 0;
    CHECK(n == ddpm_model_tensors(m, &(const ddpm_tensor *){ NULL }));
    CHECK(all == n + 4 * (n - 3)); /* time.freq and schedule.* have no moments */

    for (size_t i = 0; i < n; i++, k++) {
        while (k < all && strcmp(c[k].name, a[i].name))
            k++;
        size_t size = a[i].dtype == DDPM_F64 ? 8 : 4;
        for (int d = 0; d < a[i].rank; d++)
            size *= (size_t)a[i].dim[d];
        REQUIRE(k < all && !memcmp(a[i].data, c[k].data, size));
    }

    CHECK(!strstr(ddpm_model_about(final)->json, "train"));
    CHECK(!ddpm_model_save(final, path, DDPM_SAVE_F16, NULL) && !ddpm_model_open(&opened, path, NULL));
    /* A checkpoint keeps float32, without which a run would not go on to the same bits. */
    CHECK(ddpm_model_save(whole, check_path(folder, "half"), DDPM_SAVE_F16, &err) == DDPM_EUSAGE &&
          strstr(err.text, "float32"));

    ddpm_model *none;
    CHECK(ddpm_trainer_model(t, &none, 1, "[1]", &err) == DDPM_EUSAGE && !none &&
          strstr(err.text, "run: a JSON object is expected"));
    CHECK(ddpm_trainer_model(t, &none, 1, "{", &err) == DDPM_EDATA && !none);

    ddpm_model_close(m), ddpm_model_close(final), ddpm_model_close(whole), ddpm_model_close(opened);
    small_batch_free(&b);
    ddpm_trainer_free(t);
}

/* ---- memory ---- */

struct memory {
    ddpm_model *m;
    ddpm_trainer *t;
    ddpm_trainer_options o;
};

static int create(void *context, ddpm_error *err)
{
    struct memory *c = context;
    ddpm_trainer *t;
    int code = ddpm_trainer_create(&t, c->m, &c->o, err);
    CHECK(!code == !!t);
    ddpm_trainer_free(t);
    return code;
}

static int whole_model(void *context, ddpm_error *err)
{
    struct memory *c = context;
    ddpm_model *m;
    int code = ddpm_trainer_model(c->t, &m, 1, "{\"a\": [1, \"b\"]}", err);
    CHECK(!code == !!m);
    ddpm_model_close(m);
    return code;
}

TEST(no_memory, trainers)
{
    struct memory c = { .m = small_net_create("turns") };
    c.o = options_of(c.m);
    c.t = begin(c.m, &c.o);
    REQUIRE(c.m && c.t);
    CHECK(alloc_survive(create, &c) > 30);
    CHECK(alloc_survive(whole_model, &c) > 50);
    ddpm_model *m = c.m; /* going on from a checkpoint */
    REQUIRE(!ddpm_trainer_model(c.t, &c.m, 1, NULL, NULL));
    CHECK(alloc_survive(create, &c) > 30);
    ddpm_trainer_free(c.t);
    ddpm_model_close(c.m);
    ddpm_model_close(m);
}
