/* The choice of the tensors in a training file that are the U-Net (checkpoint-families.md 7.5). Tables
   of names suffice for this: the item of a name, which stands for the tensor, is here the full name
   itself. */
#include "tests/check.h"
#include "tools/checkpoint/unwrap.h"

static struct source source;
static struct dd_arena arena;
static struct choice choice;
static ddpm_error error;

static void begin(const char *file)
{
    dd_arena_free(&source.arena);
    dd_arena_free(&arena);
    source = (struct source){ 0 };
    error = (ddpm_error){ 0 };
    source.name = dd_arena_text(&source.arena, "%s", file);
}

/* Adds a state at path whose names are prefix + each of the words. */
static void state(const char *path, const char *prefix, const char *words)
{
    static struct named list[8][32];
    static int next;
    struct named *at = list[next++ % 8];
    size_t n = 0;
    for (const char *w = words; *w; w += strspn(w, " ")) {
        size_t length = strcspn(w, " ");
        at[n].name = dd_arena_text(&source.arena, "%s%.*s", prefix, (int)length, w);
        at[n].item = at[n].name;
        at[n++].source = &source;
        w += length;
    }
    CHECK(source_add(&source, path, at, n, &error) == DDPM_OK);
}

static int run(const char *want)
{
    return unwrap(&choice, &arena, &source, want, &error);
}

/* Returns whether tensor i has this name and came from the one with that full name. */
static int got(size_t i, const char *name, const char *from)
{
    return i < choice.tensors && !strcmp(choice.tensor[i].name, name) && choice.tensor[i].item &&
           !strcmp(choice.tensor[i].item, from);
}

#define A_NAMES "conv_in.weight down_blocks.0.x"
#define B_NAMES "input_blocks.0.0.weight time_embed.0.weight"
#define D_NAMES "downs.0.x init_conv.weight"

TEST(unwrap, bare)
{
    begin("x.pt");
    state("", "", A_NAMES);
    CHECK(run(NULL) == DDPM_OK && choice.tensors == 2);
    CHECK(got(0, "conv_in.weight", "conv_in.weight") && got(1, "down_blocks.0.x", "down_blocks.0.x"));
    CHECK(!*choice.weights && !choice.has_ema && !choice.has_raw);
    CHECK(run("ema") == DDPM_OK && !*choice.weights); /* a label is not made up */
}

TEST(unwrap, prefixes)
{
    static const char *const prefix[] = { "module.",           "_orig_mod.",
                                          "_forward_module.",  "model.",
                                          "module._orig_mod.", "model.diffusion_model.",
                                          "module.model.unet." };
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        begin("x.pt");
        state("", prefix[i], B_NAMES);
        CHECK(run(NULL) == DDPM_OK && choice.tensors == 2 &&
              !strcmp(choice.tensor[0].name, "input_blocks.0.0.weight") &&
              !strcmp(choice.tensor[1].name, "time_embed.0.weight"));
    }
}

TEST(unwrap, file_names_of_openai)
{
    static const struct {
        const char *file, *weights;
    } names[] = {
        { "a/ema_0.9999_000100.pt", "ema" }, { "model000100.pt", "raw" }, { "model-7.pt", "" },
        { "model000100.pth", "" },           { "ema_best.pt", "" },       { "ema_0.9999/x.pt", "" },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        begin(names[i].file);
        state("", "", B_NAMES);
        CHECK(run(NULL) == DDPM_OK);
        CHECK_TEXT(choice.weights, names[i].weights);
    }

    begin("model000100.pt");
    state("", "", B_NAMES);
    CHECK(run("ema") == DDPM_EDATA && strstr(error.text, "holds raw weights only"));
}

TEST(unwrap, ermongroup)
{
    begin("ckpt.pth");
    state("[0]", "module.", "temb.dense.0.weight down.0.block.0.x");
    state("[4]", "", "temb.dense.0.weight down.0.block.0.x");
    source.optimizer = 1;
    CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "ema") && choice.has_ema && choice.has_raw);
    CHECK(got(0, "down.0.block.0.x", "down.0.block.0.x"));
    CHECK(run("raw") == DDPM_OK && !strcmp(choice.weights, "raw") &&
          got(0, "down.0.block.0.x", "module.down.0.block.0.x"));

    /* This file was trained without an average. */
    begin("ckpt.pth");
    state("[0]", "module.", "temb.dense.0.weight down.0.block.0.x");
    source.optimizer = 1;
    CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "raw"));
    CHECK(run("ema") == DDPM_EDATA && strstr(error.text, "raw weights only"));
}

TEST(unwrap, lucidrains)
{
    begin("model-7.pt");
    state("model", "", "betas model.init_conv.weight model.downs.0.x");
    state("ema", "",
          "initted step ema_model.betas ema_model.model.init_conv.weight ema_model.model.downs.0.x "
          "online_model.betas "
          "online_model.model.init_conv.weight online_model.model.downs.0.x");
    CHECK(run(NULL) == DDPM_OK && choice.tensors == 3 && !strcmp(choice.weights, "ema"));
    CHECK(got(0, "betas", "ema_model.betas") && got(1, "downs.0.x", "ema_model.model.downs.0.x"));
    CHECK(run("raw") == DDPM_OK && got(0, "betas", "betas") && got(1, "downs.0.x", "model.downs.0.x"));

    begin("ema-only.pt");
    state("ema", "",
          "initted ema_model.model.init_conv.weight ema_model.model.downs.0.x "
          "online_model.model.init_conv.weight "
          "online_model.model.downs.0.x");
    CHECK(run("raw") == DDPM_OK && got(0, "downs.0.x", "online_model.model.downs.0.x"));
}

TEST(unwrap, lightning)
{
    begin("last.ckpt");
    state("state_dict", "",
          "betas logvar model.diffusion_model.input_blocks.0.0.weight "
          "model.diffusion_model.time_embed.0.weight "
          "model_ema.decay model_ema.num_updates model_ema.diffusion_modelinput_blocks00weight "
          "model_ema.diffusion_modeltime_embed0weight");
    CHECK(run(NULL) == DDPM_OK && choice.tensors == 2 && !strcmp(choice.weights, "ema") && choice.has_raw);
    CHECK(got(0, "input_blocks.0.0.weight", "model_ema.diffusion_modelinput_blocks00weight"));
    CHECK(run("raw") == DDPM_OK &&
          got(1, "time_embed.0.weight", "model.diffusion_model.time_embed.0.weight"));

    begin("last.ckpt");
    state("", "",
          "model.input_blocks.0.0.weight model.input_blocks.1.0.weight model.time_embed.0.weight "
          "model_ema.time_embed0weight "
          "model_ema.input_blocks00weight");
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "lack 1 tensors") &&
          strstr(error.text, "input_blocks.1.0.weight"));
}

TEST(unwrap, dictionaries)
{
    static const struct {
        const char *raw, *average;
    } pairs[] = {
        { "model", "ema" },         { "model", "model_ema" },
        { "params", "params_ema" }, { "state_dict", "ema_state_dict" },
        { "net", "net_ema" },       { "state_dict", "ema.params" },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        begin("x.pt");
        state(pairs[i].raw, "module.", A_NAMES);
        state(pairs[i].average, "", A_NAMES);
        CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "ema") &&
              got(0, "conv_in.weight", "conv_in.weight"));
    }

    begin("x.pt");
    state("schema", "", A_NAMES); /* "schema" has "ema" in it */
    CHECK(run(NULL) == DDPM_OK && !*choice.weights);
}

/* The places in which timm, torch's swa_utils, torch_ema, Lightning's callbacks and other trainers keep
   averages. */
TEST(unwrap, averages_by_name)
{
    static const struct {
        const char *path, *prefix;
    } averages[] = {
        { "EMA", "" },
        { "model_avg", "" },
        { "averaged_model", "module." },
        { "state_dict_ema", "module." },
        { "EMAModel", "" },
        { "modelEma", "" },
        { "ema0999", "" },
        { "ema_0.9999", "" },
        { "swa_model", "" },
        { "callbacks.EMACallback.ema_state_dict", "unet." },
        { "average", "" },
        { "trainer.ema.shadow", "" },
        { "ema", "ema_model." },
        { "", "ema_model.model." },
        { "", "model_avg.module." },
    };

    for (size_t i = 0; i < sizeof averages / sizeof *averages; i++) {
        begin("x.pt");
        state("model", "", A_NAMES);
        state(averages[i].path, averages[i].prefix, A_NAMES);
        CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "ema") && choice.has_ema && choice.has_raw);
        CHECK(got(0, "conv_in.weight", check_path("", "%sconv_in.weight", averages[i].prefix) + 1));
        CHECK(run("raw") == DDPM_OK && !strcmp(choice.weights, "raw"));
    }

    /* torch's AveragedModel lies there alone. */
    begin("swa.pt");
    state("", "", "n_averaged module.conv_in.weight module.down_blocks.0.x");
    CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "ema") && choice.tensors == 2);

    /* Lightning's WeightAveraging keeps it here. */
    begin("last.ckpt");
    state("state_dict", "unet.", A_NAMES);
    state("current_model_state", "unet.", A_NAMES);
    CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "ema") && choice.has_raw);

    /* These words only look like an average's. */
    for (int i = 0; i < 4; i++) {
        static const char *const others[] = { "schema", "cinema_model", "exp_avg", "swarm" };
        begin("x.pt");
        state(others[i], "", A_NAMES);
        CHECK(run(NULL) == DDPM_OK && !*choice.weights);
    }
}

TEST(unwrap, parts)
{
    begin("x.pt");
    state("best", "", A_NAMES);
    state("last", "", A_NAMES);
    state("ema.fast", "model.", A_NAMES);
    source.part = "last";
    /* They are raw because an average lies beside them. */
    CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "raw"));
    source.part = "ema.fast";
    CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "ema") &&
          got(0, "conv_in.weight", "model.conv_in.weight"));
    CHECK(run("raw") == DDPM_EDATA);
    source.part = "las";
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "there is best, last, ema.fast.model"));

    begin("x.ckpt");
    state("state_dict", "", "unet.conv_in.weight unet.down_blocks.0.x vae.decoder.x fid.inception.x");
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "vae.decoder.x") &&
          strstr(error.text, "--part state_dict.unet"));
    static const char *const same[] = { "state_dict.unet", "unet", "unet.", "state_dict" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        source.part = same[i];
        CHECK(run(NULL) == DDPM_OK && choice.tensors == 2 && choice.left == 2);
    }

    begin("x.ckpt");
    state("state_dict", "",
          "unet.conv_in.weight unet.down_blocks.0.x fid.inception.fc.weight val_metrics.fid.x lpips.net.x");
    CHECK(run(NULL) == DDPM_OK && choice.tensors == 2 && choice.left == 3);
}

TEST(unwrap, refuses)
{
    begin("x.pt");
    state("model", "", A_NAMES " mid_block.x");
    state("ema", "", A_NAMES);
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "lack 1 tensors, for instance mid_block.x"));
    CHECK(run("raw") == DDPM_OK);

    begin("x.pt");
    state("best", "", A_NAMES);
    state("last", "", A_NAMES);
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "two U-Nets") && strstr(error.text, "best") &&
          strstr(error.text, "last"));

    begin("x.pt");
    state("", "",
          "model.diffusion_model.input_blocks.0.0.weight model.diffusion_model.time_embed.0.weight "
          "first_stage_model.decoder.x");
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "first_stage_model.decoder.x"));

    begin("x.pt");
    state("gen", "", "a.weight");
    state("disc", "", "b.weight");
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "no known U-Net"));

    begin("x.pt");
    state("model", "", A_NAMES);
    source.nameless = "ema.shadow_params";
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "shadow_params"));
    CHECK(run("ema") == DDPM_EDATA && strstr(error.text, "shadow_params"));
    CHECK(run("raw") == DDPM_OK && !strcmp(choice.weights, "raw"));

    /* An average has as many tensors under numbers, or under names without dots. */
    begin("x.pt");
    state("model", "", A_NAMES);
    state("ema_weights", "", "0 1");
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "has other names (ema_weights)"));
    CHECK(run("ema") == DDPM_EDATA && strstr(error.text, "ema_weights"));
    CHECK(run("raw") == DDPM_OK && !strcmp(choice.weights, "raw"));

    begin("x.pt");
    state("", "", "ema_params.0 ema_params.1 model.conv_in.weight model.down_blocks.0.x");
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "has other names (ema_params.1)"));
    CHECK(run("raw") == DDPM_OK && choice.tensors == 2 && !strcmp(choice.weights, "raw"));
}

TEST(unwrap, averages_below_and_beside)
{
    /* The raw weights lie at the top, their average below it. */
    begin("x.pt");
    state("", "", "conv_in.weight down_blocks.0.x ema.conv_in.weight ema.down_blocks.0.x");
    CHECK(run(NULL) == DDPM_OK && !strcmp(choice.weights, "ema") && choice.tensors == 2);
    CHECK(got(0, "conv_in.weight", "ema.conv_in.weight") && got(1, "down_blocks.0.x", "ema.down_blocks.0.x"));
    CHECK(run("raw") == DDPM_OK && got(0, "conv_in.weight", "conv_in.weight") && choice.tensors == 2);

    /* One model has two averages. */
    begin("x.pt");
    state("model", "", A_NAMES);
    state("ema_0.9", "", A_NAMES);
    state("ema_0.99", "", A_NAMES);
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "ema_0.9 and ema_0.99"));
    CHECK(run("raw") == DDPM_OK && !strcmp(choice.weights, "raw"));

    /* A rate and a counter are no average. */
    begin("x.pt");
    state("model", "", A_NAMES " mid_block.x mid_block.y mid_block.z");
    state("ema", "", "decay step");
    CHECK(run(NULL) == DDPM_OK && !*choice.weights);
}

TEST(unwrap, names_unknown_or_doubled)
{
    /* An unknown network is handed on without its wrappers, for the families to refuse. */
    begin("x.pt");
    state("", "", "module.model.a module.model.b");
    CHECK(run(NULL) == DDPM_OK && got(0, "a", "module.model.a"));

    begin("x.pt");
    state("", "", "betas model.betas model.init_conv.weight model.downs.0.x");
    CHECK(run(NULL) == DDPM_EDATA && strstr(error.text, "betas is there twice"));

    begin("");
}
