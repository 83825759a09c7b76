/* Opens the images that a command measures: every image is read once, and the classes are compared with those
   of the model. */
#ifndef DDPM_CHECKED_DATA_H
#define DDPM_CHECKED_DATA_H
#include "cli/options.h"
#include "image/dataset.h"

struct checked_data_options {
    const char *fit;  /* text of --fit, see view_how_read */
    bool gray, color; /* --gray and --color */
    size_t images;    /* how many images to take, from the first on; 0: all */
    int class;        /* one class for all images; negative: each has its class in the data */
    bool skip_bad;    /* leave out images that cannot be used */
};

struct checked_data {
    struct dataset set;
    size_t skipped; /* images that were left out */
    const struct command *command;
    const struct common *common;
};

/* Opens the data set at path for a model.  The caller has set command and common, by which skipped images are
   named.  Errors are those of dataset_open, dataset_check and dataset_check_classes; checked_data_close is
   allowed after an error too. */
int checked_data_open(struct checked_data *c, const char *path, const ddpm_about *about,
                      const struct checked_data_options *o, ddpm_error *err);
/* Says once on stderr what was converted in the data, and which class has which number. */
void checked_data_tell(const struct checked_data *c);
void checked_data_close(struct checked_data *c);
#endif
