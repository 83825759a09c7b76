/* Reads --fit, --gray and --color, which say how images become the model's (view.h). */
#include <string.h>
#include "base/error.h"
#include "image/view.h"

const struct view_how view_exact = { VIEW_EXACT, VIEW_STORED, false };

const char *const *view_fit_names(void)
{
    static const char *const names[] = { "pad", "crop", "resize", NULL };
    return names;
}

const char *const *view_color_names(void)
{
    static const char *const names[] = { "gray", "color", NULL };
    return names;
}

/* Returns 1 more than the place of a name in the list, which holds it; 0 for NULL. */
static int place_of(const char *name, const char *const *list)
{
    int i = 0;
    while (name && strcmp(list[i], name))
        i++;
    return name ? i + 1 : 0;
}

void view_how_named(struct view_how *how, const char *fit, const char *color)
{
    *how = (struct view_how){
        .fit = (enum view_fit)place_of(fit, view_fit_names()),
        .color = (enum view_color)place_of(color, view_color_names()),
    };
}

int view_how_read(struct view_how *how, const char *fit, bool gray, bool color, ddpm_error *err)
{
    view_how_named(how, fit, NULL);
    if (gray && color)
        return dd_error(err, DDPM_EUSAGE, "--gray and --color are opposites: leave one out");
    if (gray || color)
        how->color = gray ? VIEW_GRAY : VIEW_COLOR;
    return DDPM_OK;
}

int view_how_check(const struct view_how *how, const ddpm_about *a, ddpm_error *err)
{
    bool gray = a->channels <= 2, color = a->channels == 3 || a->channels == 4;
    if (how->color == VIEW_GRAY && !gray)
        return dd_error(err, DDPM_EUSAGE,
                        "--gray makes images gray, and those of the model have %d channels: leave it out%s",
                        a->channels, color ? ", or take --color" : "");
    if (how->color == VIEW_COLOR && !color)
        return dd_error(
            err, DDPM_EUSAGE,
            "--color gives images colours, and those of the model have %d channel%s: leave it out%s",
            a->channels, a->channels == 1 ? "" : "s", gray ? ", or take --gray" : "");
    return DDPM_OK;
}
