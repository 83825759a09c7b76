/* Fuzzes resume.safetensors, a batch that was stopped mid-chain. Either it is refused with a sentence
   that names it, or it is a state that the sampler can take up. Cut down to some of its images and
   saved, the state is read back as it was. */
#include <stdlib.h>
#include <string.h>
#include "tests/fuzz/scratch.h"
#include "base/safetensors.h"
#include "tools/outdir/saved_batch.h"

static const char
    header[] = "R",
    metadata[] = "{\"version\":1,\"net\":{\"arch\":\"ddpm\",\"height\":2,\"width\":2,\"channels\":1,"
                 "\"outputs\":1,\"classes\":0,\"init\":4,"
                 "\"widths\":[4],\"blocks\":1,\"mid\":false,\"act\":\"silu\",\"heads\":{\"down\":[0],\"mid\":"
                 "0,\"up\":[0],\"dim\":0},"
                 "\"norm\":{\"groups\":4,\"eps\":1e-6,\"mid_attention\":0},\"time\":{\"dim\":4,\"hidden\":8,"
                 "\"order\":\"sin,cos\"},\"scale_shift\":false,"
                 "\"pad\":\"both\",\"down\":[],\"up\":[],\"mid_scale\":1,\"center\":false,\"dropout\":0},"
                 "\"diffusion\":{\"steps\":10,\"name\":\"linear:1e-2,0.2\",\"prediction\":\"eps\","
                 "\"variance\":\"beta\",\"clip\":1,\"t_scale\":1},"
                 "\"source\":{\"family\":\"ddpm\",\"file\":\"none\",\"sha256\":\"\",\"weights\":\"ema\","
                 "\"program\":\"test\"}}";

/* Returns a generator whose sampler keeps several buffers and states to show. */
static const struct generator *generator(void)
{
    static struct generator s;
    static ddpm_model *m;
    static const struct common common = { .threads = 1, .quiet = true };
    struct recipe r = { .sampler = "dpmpp",
                        .variance = "auto",
                        .spacing = "iddpm",
                        .steps = "5",
                        .clip = 1,
                        .order = 3,
                        .class = CLASS_NONE,
                        .guidance = 1,
                        .keep_steps = 2 };
    struct generator_options o = { .command = &command_sample, .common = &common, .batch = 2, .last = 9 };
    ddpm_error err;

    if (!m) {
        require(!ddpm_model_create(&m, metadata, &err));
        o.model = m;
        require(!generator_open(&s, &r, &o, &err));
    }

    return &s;
}

static void keep_and_save(struct saved_batch *f, const struct generator *s, ddpm_error *err)
{
    static const uint32_t wanted[] = { 0, 2, 3, 7 };
    struct saved_batch again;
    saved_batch_keep(f, wanted, 4);
    if (!f->n)
        return;
    require(!saved_batch_save(f, scratch_path(""), "", header, err) &&
            !saved_batch_load(&again, s, scratch_path(""), "", header, err));
    require(again.n == f->n && again.taken == f->taken &&
            !memcmp(again.index, f->index, (size_t)f->n * sizeof *f->index));
    require(!memcmp(again.state, f->state, (size_t)f->n * f->buffers * f->d * sizeof *f->state));
    require(!memcmp(again.frame, f->frame, (size_t)f->n * f->frames * f->d * sizeof *f->frame));
    saved_batch_free(&again);
}

/* Writes the same tensors and metadata with the hash of their file, since without it a reader stops
   there. Returns false when the data is no container. */
static int hash_it(const uint8_t *data, size_t size)
{
    enum { METAS = 20 };
    struct dd_safetensors c;
    const char *meta[2 * METAS + 1];
    size_t n = 0;

    if (dd_safetensors_read(&c, data, size, "input", NULL))
        return 0;

    /* The old hash is left out; the writer adds the right one. */
    for (size_t i = 0; i < c.metas && i < METAS; i++)
        if (strcmp(c.meta[i].key, "sha256")) {
            meta[n++] = c.meta[i].key;
            meta[n++] = c.meta[i].value;
        }

    meta[n] = NULL;

    FILE *f = fopen(scratch_path("resume.safetensors"), "wb");
    require(f && !dd_safetensors_write_hashed(f, c.entry, c.entries, meta, NULL) && !fclose(f));

    dd_safetensors_free(&c);
    return 1;
}

static void load(const struct generator *s, size_t size)
{
    struct saved_batch f;
    ddpm_error err = { 0, "" };
    int code = saved_batch_load(&f, s, scratch_path(""), "", header, &err);
    require(!code || (code == DDPM_EDATA && strstr(err.text, "resume.safetensors") &&
                      !strchr(err.text, '\n') && !f.n));
    if (!code) {
        require(size ? f.n > 0 && f.taken > 0 && f.taken < 5 : !f.n);
        keep_and_save(&f, s, &err);
    }
    saved_batch_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct generator *s = generator();
    scratch_write("resume.safetensors", data, size);
    load(s, size);
    if (hash_it(data, size))
        load(s, size);
    return 0;
}
