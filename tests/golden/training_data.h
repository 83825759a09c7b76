/* Reads what make_training.py and make_preset_run.py computed, and holds the formulas of the inputs that
   the first script and the tests share. */
#ifndef TRAINING_DATA_H
#define TRAINING_DATA_H
#include "base/safetensors.h"
#include "golden/reference.h"
#include "check.h"

struct training_data {
    const char *name;
    struct dd_file file;
    struct dd_safetensors s;
};

/* Opens tests/golden/data/NAME.safetensors. */
int training_data_open(struct training_data *g, const char *name);
void training_data_close(struct training_data *g);
/* Returns the tensor whose name is two texts put into format; fails the test when there is none. */
const struct dd_entry *training_data_find(const struct training_data *g, const char *format, const char *name,
                                          const char *key);
/* counter returns z(seed, i) of the script, the counter formula of the reference tables at step 0; below
   it, a value of an image. */
double counter(uint64_t seed, int i);
double image_value(uint64_t seed, int i);
/* Fills the model with the initial weights of the scripts: z over the root of the fan-in, gains around 1. */
void training_weights(ddpm_model *m);
#endif
