/* Every reference checkpoint, as the readers return it, against a reading by Python's standard library
   alone (checkpoint_digests.py): names, counts and the bits of all values. Where a file holds both ema
   and raw weights, both are read. */
#include <cjson/cJSON.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "tests/check.h"
#include "tools/checkpoint/checkpoint.h"

static const struct {
    const char *path, *want;
    size_t tensors;
    uint64_t values;
    const char *digest;
} expected[] = {
    { "A1_google", "", 144, 702499, "5b66bec244fb41e87512bffd0f4ecf70f35a531ab9d03a2d3cce136cbf212885" },
    { "A2_defaults_gray28", "", 212, 207809,
      "2dde5188122b97d61880636a0460b22a30a5f3cccef8d9abc93b621264f324ab" },
    { "A3_scale_shift_classes", "", 143, 182019,
      "79366a32adc6ed46670217db0b25eb5f4775efd2aaed6c284563d4a6eaafe8ea" },
    { "A4_resnet_samplers_24x32", "", 196, 201507,
      "866efc7b79d59fffac472bb563d9f6ed84bc67445783e18ae8e9481f58d855c3" },
    { "A5_bin", "", 144, 177427, "ab79958e018ee824f675f1b795da7f1019184c13b8017e41cc78483bde02ae4e" },
    { "A6_bare_old_names", "", 174, 46171,
      "6c120bf29b8c2d625b0ab8690d6fd3fb17617514bccf2935d86bd872739e9e8e" },
    { "A7_flat_bin_old_names", "", 182, 195523,
      "bf9d82b302cbd9aec519b3e5144c9a95745a2b6875faa7272b911179eaca6f64" },
    { "A8_sharded", "", 144, 45259, "11eeff6eb0a89b806300ec5658444cdaf919f39be477f44962137a2410ad80d1" },
    { "A9_float16", "", 144, 167923, "fd3972b546b24b65d2292e94a7c5b0758b5140d58d037fde6a3f858828a5f9fc" },
    { "B1_improved_eps/ema_0.9999_000100.pt", "", 128, 702499,
      "c3026a3c8b229b4a5603f77eacee001d76d134b41252201a257b7a84aaf15096" },
    { "B2_improved_sigma/ema_0.9999_000100.pt", "", 144, 332422,
      "d861c257416638140a86fd3eaf6c603bc50ba2f17b298fac80419560b9b85828" },
    { "B3_guided_updown/ema_0.9999_000100.pt", "", 142, 354822,
      "40a8117fddda219a8085381687e03997a5f1aa2a6baa971181866a5c3ede22ef" },
    { "B4_guided_new_order_classes/model000100.pt", "", 145, 459555,
      "41973c2f62ce91dd6d5d85a99755ede15ec88b7e3110cbad6034ca96dcf83067" },
    { "B5_improved_half_legacy/ema_0.9999_000100.pt", "", 128, 703366,
      "be76d3b9e49822152c9f8a0b157e5e4fddc32cf2059823735636c2a771643ed2" },
    { "C1_pesser/model-790000.ckpt", "", 144, 702499,
      "f9733d99c33a17018efa830b0ad9d40ed5f5fa4023fe779e4da636e76ff75d84" },
    { "C2_ermon_ema/ckpt.pth", "ema", 146, 525091,
      "b425c54389d58ca4fccfe03e8d4d85b2d6e73ee11a3d2af59492b7fef8daed86" },
    { "C2_ermon_ema/ckpt.pth", "raw", 146, 525091,
      "ea46deda6659b6854db80ad5df9a017e6887515b1cf5e5c2580dc5631aed3408" },
    { "D1_unet3/unet.pt", "", 193, 130883,
      "5ec4450d010ffcccc266a0483d9799d719c65cbb42de7083cc3b586805c1eadc" },
    { "D2_trainer_pred_v/model-7.pt", "ema", 154, 92787,
      "16d9dfcd01cf59c9514fcb99f6a82db5ec106d8e25ad62ac5d38e9a2a02b9c55" },
    { "D2_trainer_pred_v/model-7.pt", "raw", 154, 92787,
      "bb61c49e872d12388c1cae7386855eba581403c2ded98cdc848c8e18628777ad" },
    { "D3_unet2/unet.pt", "", 141, 149951,
      "ae7294e60ba0556a2c3b8961f7766c70489b2dc57b8454a0f61934a6c44adf28" },
};

static uint64_t count_values(const struct checkpoint_tensor *t)
{
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= (uint64_t)t->dim[i];
    return n;
}

/* Computes SHA-256 over the name, a byte 0 and the values as float32 of one tensor after the other.
   Returns the number of values. *parameters leaves out names without a dot, which are buffers beside the
   network. */
static uint64_t digest(char hex[65], uint64_t *parameters, const struct checkpoint *c)
{
    struct dd_hash h;
    uint64_t total = 0;
    *parameters = 0;

    if (dd_hash_begin(&h) != 0)
        abort();
    for (size_t i = 0; i < c->tensors; i++) {
        const struct checkpoint_tensor *t = &c->tensor[i];
        ddpm_error err = { 0 };
        uint64_t n = count_values(t);
        float *v = malloc(n * sizeof *v + 1);

        CHECK(checkpoint_floats(c, t, v, &err) == DDPM_OK);
        dd_hash_add(&h, t->name, strlen(t->name) + 1);
        dd_hash_add(&h, v, n * sizeof *v);
        free(v);
        total += n;
        *parameters += strchr(t->name, '.') ? n : 0;
    }

    dd_hash_end(&h, hex);
    return total;
}

static double stated_parameters(const char *path)
{
    struct dd_file file;
    cJSON *root = NULL;
    ddpm_error err = { 0 };
    if (dd_file_map(&file, path, &err) == DDPM_OK) {
        dd_json_parse(&root, (const char *)file.data, file.size, "case.json", &err);
        dd_file_unmap(&file);
    }
    double n = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(root, "parameters"));
    cJSON_Delete(root);
    return n;
}

static void check_case(const char *root, size_t i)
{
    struct checkpoint c;
    ddpm_error err = { 0 };
    char hex[65];
    uint64_t parameters;
    const char *want = expected[i].want;
    int code = checkpoint_open(&c, check_path(root, "%s", expected[i].path), *want ? want : NULL, NULL, &err);

    if (code) {
        check_fail(__FILE__, __LINE__, "%s", err.text);
        return;
    }

    CHECK(digest(hex, &parameters, &c) == expected[i].values && c.tensors == expected[i].tensors);
    CHECK_TEXT(hex, expected[i].digest);

    int length = (int)strcspn(expected[i].path, "/");
    CHECK((double)parameters ==
          stated_parameters(check_path(root, "%.*s/case.json", length, expected[i].path)));
    CHECK(!*want || (!strcmp(c.weights, want) && c.has_ema && c.has_raw));

    checkpoint_close(&c);
}

TEST(checkpoint, values)
{
    if (!check_shared())
        SKIP(CHECK_NO_REFERENCE);
    char root[4096];
    snprintf(root, sizeof root, "%s/reference/checkpoints", check_shared());
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        check_case(root, i);
}

TEST(checkpoint, what_a_file_says)
{
    static const struct {
        const char *path, *want, *weights, *version;
        int config, scheduler;
    } said[] = {
        { "A1_google", NULL, "", NULL, 1, 1 },
        { "A6_bare_old_names", NULL, "", NULL, 1, 0 },
        { "A7_flat_bin_old_names", NULL, "", NULL, 1, 1 },
        { "B1_improved_eps/ema_0.9999_000100.pt", NULL, "ema", NULL, 0, 0 },
        { "B4_guided_new_order_classes/model000100.pt", NULL, "raw", NULL, 0, 0 },
        { "C1_pesser/model-790000.ckpt", NULL, "", NULL, 0, 0 },
        { "C1_pesser/model-790000.ckpt", "raw", "", NULL, 0, 0 },
        { "C2_ermon_ema/ckpt.pth", NULL, "ema", NULL, 0, 0 },
        { "D2_trainer_pred_v/model-7.pt", NULL, "ema", "2.3.4", 0, 0 },
    };

    if (!check_shared())
        SKIP(CHECK_NO_REFERENCE);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct checkpoint c;
        ddpm_error err = { 0 };
        const char *path = check_path(check_shared(), "reference/checkpoints/%s", said[i].path);
        REQUIRE(checkpoint_open(&c, path, said[i].want, NULL, &err) == DDPM_OK);
        CHECK_TEXT(c.weights, said[i].weights);
        CHECK(!c.version == !said[i].version && (!c.version || !strcmp(c.version, said[i].version)));
        CHECK(!c.config == !said[i].config && !c.scheduler == !said[i].scheduler);
        CHECK(strlen(c.sha256) == 64 && !strchr(c.file, '/'));
        checkpoint_close(&c);
    }
    struct checkpoint c;
    ddpm_error err = { 0 };
    const char *average =
        check_path(check_shared(), "reference/checkpoints/B1_improved_eps/ema_0.9999_000100.pt");
    CHECK(checkpoint_open(&c, average, "raw", NULL, &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "holds averaged (ema) weights only"));
    const char *silent = check_path(check_shared(), "reference/checkpoints/C1_pesser/model-790000.ckpt");
    CHECK(checkpoint_open(&c, silent, "ema", NULL, &err) == DDPM_EDATA);
    CHECK(strstr(err.text, "nothing says that its weights are averaged"));
}
