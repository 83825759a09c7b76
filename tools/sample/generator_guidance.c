/* What leads images to their classes: the checks of --class, --guidance and --classifier, and the opening of
   what they ask for. */
#include "base/error.h"
#include "cli/command_model.h"
#include "sample/generator.h"

/* Checks that the recipe has a class exactly if images have classes, and one of them.  --class none is for
   models that have a null class, or no classes. */
static int check_class(struct recipe *r, const ddpm_about *a, ddpm_error *err)
{
    const char *what = a->classifier ? "classifier" : "model";
    if (!a->classes && r->class == CLASS_UNSAID)
        r->class = CLASS_NONE;
    if (!a->classes && r->class != CLASS_NONE)
        return dd_error(err, DDPM_EUSAGE, "this model has no classes: leave out --class");
    if (a->classes && (r->class == CLASS_UNSAID || (r->class == CLASS_NONE && !a->null_class)))
        return dd_error(err, DDPM_EUSAGE,
                        "this %s has %d classes: choose with --class 0..%d or --class all%s", what,
                        a->classes, a->classes - 1,
                        a->null_class ? ", or none of them with --class none" : "");

    int count = r->class == CLASS_LIST ? r->class_count : 1;
    for (int i = 0; i < count && a->classes; i++) {
        int class = r->class == CLASS_LIST ? r->classes[i] : r->class;
        if (class >= a->classes)
            return dd_error(err, DDPM_EUSAGE, "--class %d: this %s has classes 0 to %d", class, what,
                            a->classes - 1);
    }
    return DDPM_OK;
}

/* Checks that the model can be guided without a classifier, and that there is a class to guide it to. */
static int check_scale(const struct recipe *r, const ddpm_about *a, ddpm_error *err)
{
    if (r->guidance == 1)
        return DDPM_OK;
    if (!a->classes)
        return dd_error(err, DDPM_EUSAGE, "--guidance %g: this model has no classes: leave it out",
                        r->guidance);
    if (!a->null_class)
        return dd_error(err, DDPM_EUSAGE,
                        "--guidance %g: this model has no null class: ddpm train --init with --set "
                        "class_dropout=0.1 teaches it one",
                        r->guidance);
    if (r->class == CLASS_NONE)
        return dd_error(err, DDPM_EUSAGE, "--guidance %g leads to a class: leave it out, or --class none",
                        r->guidance);
    return DDPM_OK;
}

int generator_check_guidance(struct generator *s, struct recipe *r, const struct generator_options *o,
                             ddpm_error *err)
{
    const ddpm_about *known = o->classifier ? ddpm_model_about(o->classifier) : s->about;
    int code = check_class(r, known, err);
    s->class = r->class;
    s->classes_known = known->classes;
    return code || o->classifier ? code : check_scale(r, s->about, err);
}

static int open_classifier(struct generator *s, struct recipe *r, const ddpm_model *m, ddpm_error *err)
{
    const struct common *c = s->common;
    const ddpm_net_options o = {
        .batch = s->batch, .threads = (int)c->threads, .cpu = c->cpu, .conv = c->conv
    };
    int code = ddpm_classifier_create(&s->classifier, m, s->about, &o, err);
    if (code)
        return dd_error_context(err, "--classifier");
    r->classifier = ddpm_model_about(m)->id;
    return DDPM_OK;
}

int generator_open_guidance(struct generator *s, struct recipe *r, const struct generator_options *o,
                            ddpm_error *err)
{
    const ddpm_guidance_options without = {
        .eps = ddpm_net_eps,
        .eps_user = s->net,
        .scale = r->guidance,
        .batch = s->batch,
    };
    if (o->classifier)
        return open_classifier(s, r, o->classifier, err);
    return r->guidance == 1 ? DDPM_OK : ddpm_guidance_create(&s->guidance, s->about, &without, err);
}
