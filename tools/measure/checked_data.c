/* Opens the images that a command measures, and reads each image once before the first is measured, so that a
   bad image is found at the beginning. */
#include "measure/checked_data.h"

static void tell_bad(void *user, const ddpm_error *why)
{
    struct checked_data *c = user;

    c->skipped++;
    remark(c->command, c->common, "%s: skipped", why->text);
}

static void tell_note(void *user, const char *line)
{
    const struct checked_data *c = user;

    remark(c->command, c->common, "%s", line);
}

int checked_data_open(struct checked_data *c, const char *path, const ddpm_about *about,
                      const struct checked_data_options *o, ddpm_error *err)
{
    struct view_how how;
    int code = view_how_read(&how, o->fit, o->gray, o->color, err);
    if (!code)
        code = dataset_open(&c->set, path, about, &how, o->images, err);

    if (!code)
        code = dataset_check(&c->set, o->skip_bad ? tell_bad : NULL, NULL, c, err);
    if (!code)
        code = dataset_check_classes(&c->set, o->class, "choose one with --class", err);
    return code;
}

void checked_data_tell(const struct checked_data *c)
{
    dataset_notes(&c->set, tell_note, (void *)c);
}

void checked_data_close(struct checked_data *c)
{
    dataset_close(&c->set);
}
