/* Names are compared byte by byte, so that the order is the same everywhere; names that are numbers stand
   first, in order of their values. */
#include "image_folder.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"
#include "base/file.h"

bool image_folder_ends(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && *name != '.' && !strcasecmp(name + n - m, ending);
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void image_folder_free(char **name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(name[i]);
    free(name);
}

int image_folder_list(char ***list, size_t *n, const char *path, bool (*wanted)(const char *, const char *), ddpm_error *err)
{
    DIR *dir = opendir(path);
    size_t room = 0;
    int code = dir ? DDPM_OK : dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be read: %s", path, strerror(errno));
    *list = NULL, *n = 0;
    for (struct dirent *e; !code && (e = readdir(dir));) {
        if (!wanted(path, e->d_name))
            continue;
        if (*n == room) {
            char **more = realloc(*list, (room = 2 * room + 64) * sizeof *more);
            *list = more ? more : *list;
            code = more ? DDPM_OK : DDPM_ENOMEM;
        }
        if (!code && ((*list)[*n] = strdup(e->d_name)))
            ++*n;
        else
            code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for the names of its images", path);
    }
    if (dir)
        closedir(dir);
    if (*n)
        qsort(*list, *n, sizeof **list, compare);
    return code;
}

/* ---- a folder and all below it ---- */

static bool is_picture(const char *name)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp" };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (image_folder_ends(name, endings[i]))
            return true;
    return false;
}

static bool is_number(const char *name) { return *name && !name[strspn(name, "0123456789")]; }

static int compare_numbers(const char *a, const char *b)
{
    const char *x = a + strspn(a, "0"), *y = b + strspn(b, "0");
    size_t n = strlen(x), m = strlen(y);
    int order = n != m ? (n > m) - (n < m) : strcmp(x, y);
    return order ? order : strcmp(a, b);
}

/* Files stand before folders, numbered folders before others. */
static int compare_entries(const FTSENT **one, const FTSENT **two)
{
    const FTSENT *a = *one, *b = *two;
    bool folder_a = a->fts_info == FTS_D, folder_b = b->fts_info == FTS_D;
    if (folder_a != folder_b)
        return folder_a - folder_b;
    bool number_a = folder_a && is_number(a->fts_name), number_b = folder_b && is_number(b->fts_name);
    if (number_a != number_b)
        return number_b - number_a;
    return number_a ? compare_numbers(a->fts_name, b->fts_name) : strcmp(a->fts_name, b->fts_name);
}

/* Makes room for one element more behind n of this size, where n is 0 or a power of two. */
static bool grow(void *array, size_t n, size_t size)
{
    void *old, *more;
    memcpy(&old, array, sizeof old);
    if (n & (n - 1))
        return true;
    more = realloc(old, (n ? 2 * n : 1) * size);
    if (more)
        memcpy(array, &more, sizeof more);
    return more != NULL;
}

static bool add_class(struct image_folder *f, const char *name)
{
    size_t n = (size_t)f->classes;
    if (!grow(&f->class, n, sizeof *f->class) || !grow(&f->held, n, sizeof *f->held) ||
        !(f->class[n] = strdup(name)))
        return false;
    f->held[n] = 0;
    f->classes++;
    return true;
}

/* label: -1 above all sub-folders. */
static bool add_file(struct image_folder *f, const char *below, int label)
{
    if (!grow(&f->file, f->files, sizeof *f->file) || !grow(&f->label, f->files, sizeof *f->label) ||
        !(f->file[f->files] = strdup(below)))
        return false;
    f->label[f->files++] = label;
    if (label >= 0)
        f->held[label]++;
    return true;
}

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

static int take_entry(struct image_folder *f, FTS *tree, FTSENT *e, const char *path, ddpm_error *err)
{
    const char *below = e->fts_path + strlen(path) + (e->fts_level > 0);
    bool done = true;
    if (e->fts_level > 0 && *e->fts_name == '.') {
        fts_set(tree, e, FTS_SKIP);
        return DDPM_OK;
    }
    switch (e->fts_info) {
    case FTS_DC:
        return dd_error(err, DDPM_EDATA, "%s leads back to a folder that it lies in: remove the link",
                        e->fts_path);
    case FTS_DNR: case FTS_ERR: case FTS_NS:
        return dd_error(err, dd_file_code(e->fts_errno, DDPM_EMISSING), "%s: cannot be read: %s", e->fts_path,
                        strerror(e->fts_errno));
    case FTS_D:
        done = e->fts_level != 1 || add_class(f, e->fts_name);
        break;
    case FTS_DP:
        break;
    default:
        if (!strncmp(e->fts_name, "manifest", 8) && image_folder_ends(e->fts_name, ".jsonl"))
            break;                                              /* ddpm sample wrote it */
        done = !is_picture(e->fts_name) ? leave_out(f, e->fts_name)
                                        : add_file(f, below, e->fts_level > 1 ? f->classes - 1 : -1);
    }
    return done ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "%s: out of memory for the names of its images", path);
}

int image_folder_open(struct image_folder *f, const char *path, ddpm_error *err)
{
    *f = (struct image_folder){ .classes = 0 };
    char *root = strdup(path);
    while (root && root[0] && root[1] && root[strlen(root) - 1] == '/')
        root[strlen(root) - 1] = 0;
    FTS *tree =
        root ? fts_open((char *const[]){ root, NULL }, FTS_LOGICAL | FTS_NOCHDIR, compare_entries) : NULL;
    int code =
        tree ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "%s: out of memory for the names of its images", path);
    errno = 0;
    for (FTSENT *e; !code && (e = fts_read(tree)); errno = 0)
        code = take_entry(f, tree, e, root, err);
    if (!code && errno)
        code = dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be read: %s", path,
                        strerror(errno));
    if (tree)
        fts_close(tree);
    free(root);
    if (code)
        image_folder_close(f);
    return code;
}

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

/* Returns how many bytes the character at s has (Unicode 15, table 3-7), or 0 where there is none that can be
   shown. */
static size_t character_at(const unsigned char *s)
{
    size_t n = 2 + (s[0] >= 0xE0) + (s[0] >= 0xF0);
    unsigned char low = s[0] == 0xE0   ? 0xA0
                        : s[0] == 0xF0 ? 0x90
                                       : 0x80,
                  high = s[0] == 0xED   ? 0x9F
                         : s[0] == 0xF4 ? 0x8F
                                        : 0xBF;
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7F;
    if (s[0] < 0xC2 || s[0] > 0xF4 || s[1] < low || s[1] > high || (s[0] == 0xC2 && s[1] < 0xA0))
        return 0;
    for (size_t i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return n;
}

void image_folder_class(char *text, size_t size, const struct image_folder *f, int label)
{
    const unsigned char *s = (const unsigned char *)f->class[label];
    size_t at = 0;
    while (*s) {
        size_t n = character_at(s);
        if (at + (n ? n : 1) >= size)
            break;
        memcpy(text + at, n ? (const char *)s : "?", n ? n : 1);
        at += n ? n : 1;
        s += n ? n : 1;
    }
    text[at] = 0;
}

void image_folder_close(struct image_folder *f)
{
    image_folder_free(f->file, f->files);
    image_folder_free(f->class, (size_t)f->classes);
    free(f->label), free(f->held), free(f->left_out);
    *f = (struct image_folder){ .classes = 0 };
}
