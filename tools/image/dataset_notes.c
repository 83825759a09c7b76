/* Tells users, once, what they should know about a data set (dataset.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "image/dataset.h"

enum { LINE = 1200, CLASSES_NAMED = 20 };

/* Images whose values all lie below this part of white are dark, perhaps by mistake: numbers of 14 bits in
   16 reach 0.25, numbers of 12 bits 0.0625. */
static const double dark = 0.26;

struct teller {
    const struct dataset *d;
    dataset_tell_fn *tell;
    void *user;
    char line[LINE];
};

static void say(struct teller *t)
{
    t->tell(t->user, t->line);
}

/* Tells about test batches, and about files that are no pictures. */
static void say_left_out(struct teller *t)
{
    const struct dataset *d = t->d;
    char text[200];
    image_folder_left_out(text, sizeof text, &d->folder);
    if (d->tests == 1)
        snprintf(t->line, LINE, "%s/%s is left out: to use it, name the file itself", d->path, d->test);
    else if (d->tests)
        snprintf(t->line, LINE,
                 "%s/%s and %zu more test batches are left out: to use one, name the file itself", d->path,
                 d->test, d->tests - 1);
    if (d->tests)
        say(t);

    if (*text && d->folder.files) {
        snprintf(t->line, LINE, "%s: left out %s; " IMAGE_FILE_KINDS " are read", d->path, text);
        say(t);
    }
}

static void say_arrays(struct teller *t)
{
    for (size_t i = 0; i < t->d->arrays; i++)
        if (*t->d->array[i].note) {
            snprintf(t->line, LINE, "%s: %s", t->d->path, t->d->array[i].note);
            say(t);
        }
}

/* Adds "0 NAME, 1 NAME, ..." to the line.  When there are many classes, it names the first ones and the
   last. */
static void list_classes(struct teller *t, const struct image_folder *f)
{
    char name[40];
    int n = (int)strlen(t->line);
    for (int i = 0; i < f->classes; i++) {
        if (i >= CLASSES_NAMED && i < f->classes - 1)
            continue;

        /* Dots stand for the classes that are left out. */
        const char *before = i ? "," : "";
        if (i > CLASSES_NAMED)
            before = " ...";
        image_folder_class(name, sizeof name, f, i);
        n += snprintf(t->line + n, (size_t)(LINE - n), "%s %d %s", before, i, name);
    }
}

/* Tells which class has which number, or that the sub-folders are no classes. */
static void say_classes(struct teller *t)
{
    const struct image_folder *f = &t->d->folder;
    int classes = t->d->about->classes;
    if (!f->classes || !f->files)
        return;

    if (!classes) {
        snprintf(t->line, LINE,
                 "%s: %zu pictures, those of its %d sub-folder%s among them, are one set: the model has no "
                 "classes",
                 t->d->path, f->files, f->classes, f->classes == 1 ? "" : "s");
        say(t);
        return;
    }

    snprintf(t->line, LINE, "classes:");
    list_classes(t, f);
    say(t);

    if (f->classes < classes) {
        snprintf(t->line, LINE, "the model has %d classes, %s has %d: the others get no picture", classes,
                 t->d->path, f->classes);
        say(t);
    }
}

static void say_count(struct teller *t, size_t n, const char *one, const char *many, const char *what)
{
    if (!n)
        return;
    snprintf(t->line, LINE, "%s: %zu %s %s", t->d->path, n, n == 1 ? one : many, what);
    say(t);
}

void dataset_notes(const struct dataset *d, dataset_tell_fn *tell, void *user)
{
    struct teller t = { .d = d, .tell = tell, .user = user };
    const struct dataset_seen *s = &d->seen;
    double white = (s->largest + 1) / 2;

    say_left_out(&t);
    say_arrays(&t);
    say_classes(&t);

    say_count(&t, s->repeated, "gray picture is", "gray pictures are", "taken as red, green and blue alike");
    say_count(&t, s->grayed, "picture in colour is", "pictures in colour are", "taken as gray");
    say_count(&t, s->opaque, "picture has", "pictures have", "no transparency: opaque everywhere");

    if (white <= dark) {
        snprintf(
            t.line, LINE,
            "%s: no value is above %.2g of white%s: the images are dark; if that is not meant, scale the "
            "values",
            d->path, white, s->wide ? " (65535 of 16 bits)" : "");
        say(&t);
    }
}
