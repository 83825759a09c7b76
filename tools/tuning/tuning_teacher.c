/* Chooses the solver of the teacher.

   At t = T - 1 the state is noise and says almost nothing about x0.  The right prediction of x0 is the
   mean of the data, which lies within the bound of the pixels.  With alpha_bar near 0 a small error of
   eps makes a large one of x0 = (x - sigma eps) / alpha.  Where the network's |x0| exceeds the bound
   on average, DPM-Solver++, which builds on x0, makes noise of some images.  "ipndm" builds on the
   network's own eps and does not. */
#include <math.h>
#include <stdlib.h>
#include "base/error.h"
#include "tuning/tuning.h"

/* How many noises are tried. */
enum { TRIED = 16 };

/* Adds |x0| of all values that the network predicts from one noise at the last step to *sum.  work [4, d] is
   scratch. */
static int add_x0(double *sum, const struct tuning *t, uint32_t index, double *work, ddpm_error *err)
{
    /* The network has two outputs for each value at most. */
    double *x = work, *x0 = work + t->d, *out = work + 2 * t->d;
    int last = t->about->steps - 1;
    int32_t class = t->about->classes ? (int32_t)index % t->about->classes : 0;
    uint64_t seed = t->seed;
    ddpm_sampler_options o;

    ddpm_noise(&seed, x, t->d, index, INFINITY, 0);
    int code = ddpm_net_eps(t->net, out, x, last, t->about->classes ? &class : NULL, 1, err);
    if (code)
        return code;

    ddpm_sampler_defaults(&o, t->about);
    ddpm_x0(x0, x, out, o.prediction, 0, t->about->alpha_bar[last], t->d);
    for (size_t e = 0; e < t->d; e++)
        *sum += fabs(x0[e]);
    return DDPM_OK;
}

int tuning_choose_teacher(struct tuning *t, ddpm_error *err)
{
    double sum = 0, bound = t->about->clip > 0 ? t->about->clip : 1;
    double *work = calloc(4 * t->d, sizeof *work);
    int code = work ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for an image of the teacher");

    for (uint32_t k = 0; k < TRIED && !code; k++)
        code = add_x0(&sum, t, k, work, err);
    free(work);

    t->teacher_solver = sum / TRIED / (double)t->d > bound ? "ipndm" : "dpmpp";
    return code;
}
