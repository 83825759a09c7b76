/* Fuzzes what `ddpm train --resume` finds: its log, a line "%%", and the newest checkpoint. Either it is
   refused with a sentence, or a trainer goes on, and its next step gives a loss or says that something
   is not finite. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tests/fuzz/scratch.h"
#include "tools/training/training.h"

/* Writes two images of 4 x 4, as numpy does. */
static void write_images(void)
{
    static const char head[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4, 4, 1), }";
    uint8_t file[128 + 32];
    memset(file, ' ', sizeof file);
    memcpy(file, "\x93NUMPY\1\0\x76\0", 10);
    memcpy(file + 10, head, sizeof head - 1);
    file[127] = '\n';
    for (int i = 0; i < 32; i++)
        file[128 + i] = (uint8_t)(8 * i);
    scratch_write("images.npy", file, sizeof file);
}

/* The engine is the plain reference on every machine, since a checkpoint of another engine is refused
   before it is read to its end. */
static struct train_settings settings(void)
{
    static char output[256];
    snprintf(output, sizeof output, "%s", scratch_path("m.ddpm"));
    return (struct train_settings){
        .common = { .threads = 1, .cpu = "ref", .conv = "ref", .quiet = true },
        .output = output,
        .preset = "tiny",
        .fit = "resize",
        .steps = 9,
        .held_out = 1,
        .keep = 1,
        .resume = true,
        .set = { { "net.widths=2", "net.norm.groups=2", "net.mid=false", "net.time.hidden=4",
                   "diffusion.steps=8", "batch=1" },
                 6 },
    };
}

static void go_on(struct training *t)
{
    ddpm_trainer_report r;
    ddpm_error err = { 0, "" };
    for (size_t i = 0; i < 16 * t->images; i++)
        t->x0[i] = 0.5f;
    int code = ddpm_trainer_step(t->trainer, t->x0, NULL, &r, &err);
    require(code ? err.text[0] && !strchr(err.text, '\n') : isfinite(r.loss) && r.step > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    struct train_settings s = settings();
    struct training t = { .s = &s, .command = &command_train };
    const uint8_t *log;
    ddpm_error err = { 0, "" };

    /* The data set and the folder stay the same for all inputs. */
    if (!begun++) {
        write_images();
        scratch_folder("m.ddpm.train");
    }

    size_t n = scratch_part(&log, &data, &size);
    scratch_write("m.ddpm.train/log.jsonl", log, n);
    scratch_write("m.ddpm.train/step-000000002.ddpm", data, size);

    int code = training_open(&t, scratch_path("images.npy"), &err);
    require(!code || ((code == DDPM_EDATA || code == DDPM_EUSAGE) && err.text[0] && !strchr(err.text, '\n')));

    if (!code)
        go_on(&t);

    training_close(&t);
    return 0;
}
