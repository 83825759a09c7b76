/* The public functions over src/train.  ddpm.h says what they promise.  They set the default floating-point
   modes and call inward. */
#include "base/outside.h"
#include "train/objective.h"
#include "train/snapshot.h"
#include "train/tuner.h"

const char *const *ddpm_loss_names(void)
{
    return dd_objective_names();
}

const ddpm_loss_traits *ddpm_loss_traits_of(int loss)
{
    return dd_objective_traits(loss);
}

void ddpm_trainer_defaults(ddpm_trainer_options *o)
{
    dd_trainer_defaults(o);
}

int ddpm_trainer_create(ddpm_trainer **t, const ddpm_model *m, const ddpm_trainer_options *o, ddpm_error *err)
{
    DD_ENTRY(int, dd_trainer_create(t, m, o, err));
}

int ddpm_trainer_step(ddpm_trainer *t, const float *x0, const int32_t *classes, ddpm_trainer_report *r,
                      ddpm_error *err)
{
    DD_ENTRY(int, dd_trainer_step(t, x0, classes, r, err));
}

int64_t ddpm_trainer_done(const ddpm_trainer *t)
{
    return t->done;
}

int ddpm_trainer_loss(ddpm_trainer *t, const float *x0, const int32_t *classes, int n, uint32_t first,
                      double *loss, ddpm_error *err)
{
    DD_ENTRY(int, dd_trainer_loss(t, x0, classes, n, first, loss, err));
}

int ddpm_trainer_model(const ddpm_trainer *t, ddpm_model **m, int whole, const char *run, ddpm_error *err)
{
    DD_ENTRY(int, dd_snapshot_model(t, m, whole, run, err));
}

void ddpm_trainer_free(ddpm_trainer *t)
{
    dd_trainer_free(t);
}

void ddpm_tuner_defaults(ddpm_tuner_options *o)
{
    dd_tuner_defaults(o);
}

int ddpm_tuner_create(ddpm_tuner **t, const ddpm_model *m, const ddpm_tuner_options *o, ddpm_error *err)
{
    DD_ENTRY(int, dd_tuner_create(t, m, o, err));
}

int ddpm_tuner_step(ddpm_tuner *t, const double *x, const double *x0, const int32_t *classes, double *loss,
                    ddpm_error *err)
{
    DD_ENTRY(int, dd_tuner_step(t, x, x0, classes, loss, err));
}

const double *ddpm_tuner_table(ddpm_tuner *t)
{
    return dd_tuner_table(t);
}

double *ddpm_tuner_state(ddpm_tuner *t, size_t *count)
{
    return dd_tuner_state(t, count);
}

void ddpm_tuner_free(ddpm_tuner *t)
{
    dd_tuner_free(t);
}
