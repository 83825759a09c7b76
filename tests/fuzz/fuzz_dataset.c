/* Fuzzes files of data sets: IDX, its .gz, CIFAR-10's batches, .npy, .npz, and the same bytes as the
   picture and as the batch of a folder. When a data set opens, every image is read, and all of them are
   checked as a training does it. */
#include <stdlib.h>
#include "tests/fuzz/scratch.h"
#include "tools/image/dataset.h"

static void leave_out(void *user, const ddpm_error *why)
{
    (void)user, (void)why;
}

static void read_all(const char *path, enum view_fit fit, int channels)
{
    enum { SIDE = 6, MOST = 64 };

    const struct view_how how = { .fit = fit, .color = channels == 1 ? VIEW_GRAY : VIEW_STORED };
    const ddpm_about about = { .height = SIDE, .width = SIDE, .channels = channels };
    struct dataset d;
    double x[SIDE * SIDE * 3];
    ddpm_error err;
    int shape[3];
    if (dataset_open(&d, path, &about, &how, 0, &err))
        return;
    if (!dataset_shape(&d, shape, &err) && d.count <= MOST && !dataset_keep(&d, 4096, &err) &&
        !dataset_check(&d, leave_out, NULL, NULL, &err))
        dataset_check_classes(&d, -1, "", &err);
    for (size_t k = 0; k < d.count && k < MOST; k++)
        if (!dataset_read(&d, x, k, &err))
            for (int e = 0; e < SIDE * SIDE * channels; e++)
                if (!(x[e] >= -1 && x[e] <= 1) || dataset_class(&d, k) < -1)
                    abort();
    dataset_close(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scratch_write("data", data, size);
    read_all(scratch_path("data"), VIEW_PAD, 1);
    read_all(scratch_path("data"), VIEW_CROP, 3);
    scratch_folder("pictures");
    scratch_write("pictures/a.png", data, size);
    read_all(scratch_path("pictures"), VIEW_RESIZE, 1);
    scratch_folder("batches");
    scratch_write("batches/a.bin", data, size);
    read_all(scratch_path("batches"), VIEW_CROP, 3);
    return 0;
}
