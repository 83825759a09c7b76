/* What a data set's file may hold: IDX, its .gz, CIFAR-10's batches, .npy.  Every image of what opens is read. */
#include <stdlib.h>
#include "tests/fuzz/scratch.h"
#include "tools/dataset.h"

static void read_all(const char *path, enum view_fit fit, int channels)
{
    enum { SIDE = 6, MOST = 64 };
    const ddpm_about about = { .height = SIDE, .width = SIDE, .channels = channels };
    struct dataset d;
    double x[SIDE * SIDE * 3];
    ddpm_error err;
    if (dataset_open(&d, path, &about, fit, 0, &err))
        return;
    for (size_t k = 0; k < d.count && k < MOST; k++)
        if (!dataset_read(&d, x, k, &err))
            for (int e = 0; e < SIDE * SIDE * channels; e++)
                if (!(x[e] >= -1 && x[e] <= 1) || dataset_label(&d, k) > 9)
                    abort();
    dataset_close(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scratch_write("data", data, size);
    read_all(scratch_path("data"), VIEW_PAD, 1);
    read_all(scratch_path("data"), VIEW_CROP, 3);
    return 0;
}
