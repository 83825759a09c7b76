/* The embedded model gives here what it gives in PyTorch. The mean squared error of eps on the first
   1,000 test images of Fashion-MNIST is that of the exported weights in diffusers (make_default.py).

   The tolerance: when the eps of two programs differ by d in the root of the mean square, the error e^2
   differs by at most 2 e d + d^2. d is 1e-5, a tenth of what any element may be off.

   The model predicts v, so eps = sqrt(alpha_bar_t) v + sqrt(1 - alpha_bar_t) x_t (Salimans and Ho 2022).
   x0 is 28 x 28 pixels padded with black to 32 x 32, each v / 127.5 - 1. x_t = sqrt(alpha_bar_t) x0 +
   sqrt(1 - alpha_bar_t) z is computed in double and rounded to float. z of image n and pixel i follows
   the formula of reference/diffusion/README.md, "Noise", with seed = 1000 + t and step = n. */
#include <stdint.h>
#include <time.h>
#include <zlib.h>
#include "base/rng.h"
#include "tests/check.h"
#include "tools/cli/command_model.h"

enum { IMAGES = 1000, SIDE = 28, PAD = 2, SIZE = SIDE + 2 * PAD, D = SIZE * SIZE, BATCH = 20, POINTS = 6 };

static const struct {
    int t;
    double mse;
} expected[POINTS] = {
    { 10, 0.27496213 },  { 50, 0.14357796 },  { 300, 0.02685124 },
    { 700, 0.00154349 }, { 950, 0.00002854 }, { 999, 0.00001088 },
};

static const char images_path[] = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz";
static const double apart = 1e-5;
/* The seconds of CPU time after which the test gives up, as on emulated CPUs or in builds without
   optimisation. Other work of the machine does not count. */
static const double patience = 200;

/* Returns the pixel values [1000, 28, 28], or NULL; the caller frees them. */
static unsigned char *read_images(void)
{
    unsigned char head[16], *pixel = malloc((size_t)IMAGES * SIDE * SIDE);
    gzFile f = gzopen(images_path, "rb");
    int whole = f && pixel && gzread(f, head, sizeof head) == sizeof head &&
                !memcmp(head, "\0\0\x08\x03", 4) && head[11] == SIDE && head[15] == SIDE &&
                gzread(f, pixel, IMAGES * SIDE * SIDE) == IMAGES * SIDE * SIDE;
    if (f)
        gzclose(f);
    if (whole)
        return pixel;
    free(pixel);
    return NULL;
}

static double noise(uint64_t seed, uint64_t step, uint64_t i)
{
    uint64_t x = seed + ((step << 32) + i + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    return dd_rng_quantile(((double)(x >> 12) + 0.5) * 0x1p-52);
}

/* Makes x [D], image n at step t, and z [D], the noise in it. */
static void noised(float *x, double *z, const unsigned char *pixel, int n, int t, double alpha_bar)
{
    for (int i = 0; i < D; i++) {
        int row = i / SIZE - PAD, column = i % SIZE - PAD;
        int inside = row >= 0 && row < SIDE && column >= 0 && column < SIDE;
        double x0 = (inside ? pixel[(n * SIDE + row) * SIDE + column] : 0) / 127.5 - 1;
        z[i] = noise(1000 + (uint64_t)t, (uint64_t)n, (uint64_t)i);
        x[i] = (float)(sqrt(alpha_bar) * x0 + sqrt(1 - alpha_bar) * z[i]);
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Returns the summed squared error of images first .. first + BATCH - 1. */
static double batch_error(ddpm_net *net, const unsigned char *pixel, int first, int t, double alpha_bar)
{
    static float x[BATCH * D], out[BATCH * D], fed[BATCH];
    static double z[BATCH * D];
    double sum = 0;
    ddpm_error err;
    for (int k = 0; k < BATCH; k++) {
        noised(x + k * D, z + k * D, pixel, first + k, t, alpha_bar);
        fed[k] = (float)t;
    }
    if (ddpm_net_run(net, out, x, fed, NULL, BATCH, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    for (int i = 0; i < BATCH * D; i++) {
        double eps = sqrt(alpha_bar) * out[i] + sqrt(1 - alpha_bar) * x[i];
        sum += (eps - z[i]) * (eps - z[i]);
    }
    return sum;
}

static void compare(ddpm_net *net, const ddpm_about *a, const unsigned char *pixel)
{
    double start = cpu_seconds();
    batch_error(net, pixel, 0, 0, a->alpha_bar[0]);
    double whole = (cpu_seconds() - start) * IMAGES / BATCH * POINTS;
    if (whole > patience)
        SKIP("%d images at %d steps would take %.0f s of a CPU in this build", IMAGES, POINTS, whole);
    for (int p = 0; p < POINTS; p++) {
        double sum = 0;
        for (int first = 0; first < IMAGES; first += BATCH)
            sum += batch_error(net, pixel, first, expected[p].t, a->alpha_bar[expected[p].t]);
        double mse = sum / ((double)IMAGES * D);
        printf("  t = %d: MSE of eps %.8f, in diffusers %.8f\n", expected[p].t, mse, expected[p].mse);
        CHECK_NEAR(mse, expected[p].mse, 2 * sqrt(expected[p].mse) * apart + apart * apart);
    }
}

TEST(default_model, as_good_as_in_diffusers)
{
    ddpm_model *m = NULL;
    ddpm_net *net = NULL;
    ddpm_error err;
    ddpm_net_options o = { .batch = BATCH };
    unsigned char *pixel = read_images();
    if (!pixel)
        SKIP("%s is not there: install dataset-fashion-mnist (Debian's name)", images_path);
    if (model_open(&m, NULL, &err) || ddpm_net_create(&net, m, &o, &err))
        check_fail(__FILE__, __LINE__, "%s", err.text);
    else
        compare(net, ddpm_model_about(m), pixel);
    ddpm_net_free(net);
    ddpm_model_close(m);
    free(pixel);
}
