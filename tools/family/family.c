/* Lists the families, and finds the family of a checkpoint (family.h). */
#include "family/family.h"
#include <stdio.h>
#include <string.h>
#include "base/names.h"

static const struct family *const families[] = { &family_diffusers, &family_openai, &family_ho,
                                                 &family_lucidrains };

enum { FAMILIES = sizeof families / sizeof *families };

const char *const *family_names(void)
{
    static const char *names[FAMILIES + 2] = { "auto" };
    for (int i = 0; i < FAMILIES; i++)
        names[i + 1] = families[i]->name;
    return names;
}

static bool has_signature(const struct family *f, const struct checkpoint *c)
{
    for (const char *const *s = f->signature; *s; s++)
        if (checkpoint_find(c, *s) == NULL)
            return false;
    return true;
}

/* Fills in the error that no family is known, with a typical tensor of each. */
static int unknown_family(const struct checkpoint *c, ddpm_error *err)
{
    char list[300] = "";
    for (int i = 0; i < FAMILIES; i++) {
        char one[80];
        snprintf(one, sizeof one, "%s (%s)", families[i]->signature[0], families[i]->name);
        dd_names_join(list, sizeof list, one);
    }
    return dd_error(
        err, DDPM_EDATA,
        "%s: a U-Net of no known family: expected one of the tensors %s; found %zu others such as %s",
        c->file, list, c->tensors, c->tensors > 0 ? c->tensor[0].name : "none");
}

int family_find(const struct family **f, const char *name, const struct checkpoint *c, ddpm_error *err)
{
    /* Our own model files have these two tables. */
    if (checkpoint_find(c, "schedule.alpha_bar") != NULL && checkpoint_find(c, "time.freq") != NULL)
        return dd_error(err, DDPM_EDATA,
                        "%s: is a model file of this program already; ddpm export makes other files of it",
                        c->file);

    for (int i = 0; i < FAMILIES; i++) {
        *f = families[i];
        bool named = !strcmp(name, (*f)->name);
        if (named && !has_signature(*f, c))
            return dd_error(err, DDPM_EDATA, "%s: not a U-Net of %s: there is no tensor %s, or no %s",
                            c->file, (*f)->origin, (*f)->signature[0], (*f)->signature[1]);
        if ((named || !strcmp(name, "auto")) && has_signature(*f, c))
            return DDPM_OK;
    }
    return unknown_family(c, err);
}

int family_read(struct conversion *v, const struct family *f)
{
    char unused[200];
    int code = f->read(v);
    v->class_names = settings_text(v->say, "class_names", NULL);

    /* settings_end reports missing and wrong settings.  Then the code of f->read has no message of its
       own. */
    if (code && !v->say->code && v->say->missing[0] == '\0')
        return code;
    code = settings_end(v->say, v->in->file, f->spare, unused, sizeof unused);
    if (!code && *unused != '\0')
        conversion_note(v, "not used: %s", unused);
    return code;
}

bool family_is_weight(const char *name)
{
    static const char *const others[] = { "time.", "schedule.", "stats.",  "tuned.",
                                          "raw.",  "adam.",     "average." };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strncmp(name, others[i], strlen(others[i])))
            return false;
    return true;
}

void family_map(struct foreign *from, const struct family *f, const struct conversion *v,
                const ddpm_tensor *ours)
{
    *from = (struct foreign){ .parts = 1 };
    snprintf(from->name, sizeof from->name, "%s", ours->name);
    if (f->map)
        f->map(from, v, ours);
}
