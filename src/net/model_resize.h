/* Gives a model another size of images, see model_resize.c. */
#ifndef DD_MODEL_RESIZE_H
#define DD_MODEL_RESIZE_H
#include "net/model.h"

/* Makes m a model of images of height x width, see ddpm_model_resize.  An error leaves m as it was. */
int dd_model_resize(ddpm_model *m, int height, int width, ddpm_error *err);
#endif
