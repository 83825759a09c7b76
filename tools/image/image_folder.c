/* Lists the pictures below a folder (image_folder.h).  Names are compared byte by byte, so that the
   order is the same everywhere.  Names that are numbers stand first, in order of their values. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "config.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/system.h"
#include "image/image_folder.h"

/* ---- the order of names ---- */

static bool is_picture(const char *name)
{
    static const char *const endings[] = {
        ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff"
    };
    for (size_t i = 0; i < sizeof endings / sizeof *endings - (HAVE_TIFF ? 0 : 2); i++)
        if (dd_names_end(name, endings[i]))
            return true;
    return false;
}

static bool is_number(const char *name)
{
    return *name && !name[strspn(name, "0123456789")];
}

/* Compares numbers of any length by their values, and equal ones ("1", "01") as texts. */
static int compare_numbers(const char *a, const char *b)
{
    const char *x = a + strspn(a, "0"), *y = b + strspn(b, "0");
    size_t n = strlen(x), m = strlen(y);
    int order = n != m ? (n > m) - (n < m) : strcmp(x, y);
    return order ? order : strcmp(a, b);
}

/* Compares the names of folders, for qsort. */
static int compare_folders(const void *one, const void *two)
{
    const char *a = *(char *const *)one, *b = *(char *const *)two;
    bool number_a = is_number(a), number_b = is_number(b);
    if (number_a != number_b)
        return number_b - number_a;
    return number_a ? compare_numbers(a, b) : strcmp(a, b);
}

/* Compares paths folder by folder, for qsort.  The files of a folder stand before those
   of its sub-folders. */
static int compare_paths(const void *one, const void *two)
{
    char *a = *(char *const *)one, *b = *(char *const *)two;
    for (;;) {
        char *end_a = strchr(a, '/'), *end_b = strchr(b, '/');
        if (!end_a && !end_b)
            return strcmp(a, b);
        if (!end_a || !end_b)
            return end_a ? 1 : -1;

        /* Both paths are cut where their folder ends, for the comparison only. */
        *end_a = *end_b = 0;
        int order = compare_folders(&a, &b);
        *end_a = *end_b = '/';
        if (order)
            return order;
        a = end_a + 1;
        b = end_b + 1;
    }
}

/* ---- the lists ---- */

/* Makes room for one more element in a list of n elements.  `list` points to the pointer of the list,
   whose type may be any: memcpy reads and writes it. */
static bool grow(void *list, size_t n, size_t size)
{
    void *old;
    memcpy(&old, list, sizeof old);
    void *more = dd_memory_more(old, n, size);
    if (more)
        memcpy(list, &more, sizeof more);
    return more != NULL;
}

static bool add_class(struct image_folder *f, const char *name)
{
    size_t n = (size_t)f->classes;
    if (!grow(&f->class_name, n, sizeof *f->class_name) || !grow(&f->held, n, sizeof *f->held))
        return false;
    f->class_name[n] = strdup(name);
    if (!f->class_name[n])
        return false;
    f->held[n] = 0;
    f->classes++;
    return true;
}

static bool add_file(struct image_folder *f, const char *below)
{
    if (!grow(&f->file, f->files, sizeof *f->file))
        return false;
    f->file[f->files] = strdup(below);
    if (!f->file[f->files])
        return false;
    f->files++;
    return true;
}

/* Sorts files and classes, and gives every file its class. */
static bool number_classes(struct image_folder *f)
{
    int number = 0;
    f->class_of = malloc((f->files + 1) * sizeof *f->class_of);
    if (!f->class_of)
        return false;
    if (f->classes)
        qsort(f->class_name, (size_t)f->classes, sizeof *f->class_name, compare_folders);
    if (f->files)
        qsort(f->file, f->files, sizeof *f->file, compare_paths);

    /* Files and classes are in the same order, so the class of a file is that of the file before it, or a
       later one. */
    for (size_t i = 0; i < f->files; i++) {
        const char *name = f->file[i], *end = strchr(name, '/');
        size_t n = end ? (size_t)(end - name) : 0;
        while (n && (strncmp(f->class_name[number], name, n) || f->class_name[number][n]))
            number++;
        f->class_of[i] = n ? number : -1;
        if (n)
            f->held[number]++;
    }
    return true;
}

/* Counts a file that is no picture under its ending. */
static bool leave_out(struct image_folder *f, const char *name)
{
    const char *dot = strrchr(name, '.');
    struct image_folder_ending e = { .count = 1 };
    for (size_t i = 0; dot && i + 1 < sizeof e.text && dot[i]; i++)
        e.text[i] = (char)(isprint((unsigned char)dot[i]) ? tolower((unsigned char)dot[i]) : '?');

    for (size_t i = 0; i < f->endings; i++)
        if (!strcmp(f->left_out[i].text, e.text)) {
            f->left_out[i].count++;
            return true;
        }

    if (!grow(&f->left_out, f->endings, sizeof e))
        return false;
    f->left_out[f->endings++] = e;
    return true;
}

/* ---- the walk ---- */

/* A folder on the path from the root to a file.  A link that leads back to one of these folders is found
   by device and number. */
struct level {
    struct dd_system_file folder;
    const struct level *above;
};

static char *join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (path)
        snprintf(path, n, "%s%s%s", folder, *folder ? "/" : "", name);
    return path;
}

static bool is_visible(const char *folder, const char *name)
{
    (void)folder;
    return *name != '.';
}

static bool take_file(struct image_folder *f, const char *below, const char *name)
{
    /* ddpm sample writes a manifest beside its images. */
    if (!strncmp(name, "manifest", 8) && dd_names_end(name, ".jsonl"))
        return true;
    return is_picture(name) ? add_file(f, below) : leave_out(f, name);
}

static int no_names(const char *path, ddpm_error *err)
{
    return dd_error(err, DDPM_ENOMEM, "%s: out of memory for the names of its images", path);
}

static int walk(struct image_folder *f, const char *root, const char *below, const struct level *above,
                ddpm_error *err);

/* Takes a file, or a folder and what lies in it.  below: its path from the root; name: the last part of
   below. */
static int take_name(struct image_folder *f, const char *root, const char *below, const char *name,
                     const struct level *above, ddpm_error *err)
{
    char *path = join(root, below);
    int code = path ? DDPM_OK : no_names(root, err);
    struct level here = { .above = above };
    bool is_folder = path && dd_system_examine(&here.folder, path) && here.folder.kind == DD_SYSTEM_FOLDER;

    for (const struct level *l = above; is_folder && l && !code; l = l->above)
        if (l->folder.device == here.folder.device && l->folder.number == here.folder.number)
            code =
                dd_error(err, DDPM_EDATA, "%s leads back to a folder that it lies in: remove the link", path);

    /* The sub-folders of the first level are the classes. */
    if (!code && is_folder && !above->above && !add_class(f, name))
        code = no_names(root, err);
    if (!code && is_folder)
        code = walk(f, root, below, &here, err);
    else if (!code && !take_file(f, below, name))
        code = no_names(root, err);

    free(path);
    return code;
}

static int walk(struct image_folder *f, const char *root, const char *below, const struct level *above,
                ddpm_error *err)
{
    /* below is empty for the root itself. */
    char **name = NULL, *path = *below ? join(root, below) : strdup(root);
    size_t n = 0;
    int code = path ? dd_names_list(&name, &n, path, is_visible, err) : no_names(root, err);

    for (size_t i = 0; i < n && !code; i++) {
        char *next = join(below, name[i]);
        code = next ? take_name(f, root, next, name[i], above, err) : no_names(root, err);
        free(next);
    }
    dd_names_free(name, n);
    free(path);
    return code;
}

int image_folder_open(struct image_folder *f, const char *path, ddpm_error *err)
{
    struct level top = { .above = NULL };
    *f = (struct image_folder){ .classes = 0 };
    if (!dd_system_examine(&top.folder, path))
        return dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be read: %s", path,
                        strerror(errno));

    int code = walk(f, path, "", &top, err);
    if (!code && !number_classes(f))
        code = no_names(path, err);
    if (code)
        image_folder_close(f);
    return code;
}

/* ---- texts ---- */

void image_folder_left_out(char *text, size_t size, const struct image_folder *f)
{
    enum { NAMED = 6 };

    size_t n = 0;
    *text = 0;
    for (size_t i = 0; i < f->endings && i < NAMED && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%zu %s", i ? ", " : "", f->left_out[i].count,
                              *f->left_out[i].text ? f->left_out[i].text : "without an ending");
    if (f->endings > NAMED && n < size)
        snprintf(text + n, size - n, " and others");
}

/* Returns how many bytes the UTF-8 character at s has (Unicode 15, table 3-7); 0: s begins with no
   character that can be shown. */
static size_t character_at(const unsigned char *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7F;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;

    /* The second byte of some characters is limited, which excludes overlong forms, surrogates and values
       beyond U+10FFFF. */
    unsigned char low = 0x80, high = 0xBF;
    switch (s[0]) {
    case 0xC2: low = 0xA0; break; /* U+0080 to U+009F control terminals */
    case 0xE0: low = 0xA0; break;
    case 0xED: high = 0x9F; break;
    case 0xF0: low = 0x90; break;
    case 0xF4: high = 0x8F; break;
    }
    if (s[1] < low || s[1] > high)
        return 0;

    size_t n = 2 + (s[0] >= 0xE0) + (s[0] >= 0xF0);
    for (size_t i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return n;
}

void image_folder_class(char *text, size_t size, const struct image_folder *f, int class)
{
    const unsigned char *s = (const unsigned char *)f->class_name[class];
    size_t at = 0;
    while (*s) {
        size_t shown = character_at(s), n = shown ? shown : 1;
        if (at + n >= size)
            break;
        memcpy(text + at, shown ? (const char *)s : "?", n);
        at += n;
        s += n;
    }
    text[at] = 0;
}

void image_folder_close(struct image_folder *f)
{
    dd_names_free(f->file, f->files);
    dd_names_free(f->class_name, (size_t)f->classes);
    free(f->class_of);
    free(f->held);
    free(f->left_out);
    *f = (struct image_folder){ .classes = 0 };
}
