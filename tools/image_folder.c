/* Names are compared byte by byte, so that the order is the same everywhere. */
#include "image_folder.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "base/error.h"
#include "base/file.h"

bool image_folder_ends(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && *name != '.' && !strcasecmp(name + n - m, ending);
}

static bool is_picture(const char *folder, const char *name)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg", ".jfif", ".webp" };
    (void)folder;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (image_folder_ends(name, endings[i]))
            return true;
    return false;
}

static bool is_folder(const char *folder, const char *name)
{
    struct stat s;
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = *name == '.' ? NULL : malloc(n);
    if (!path)
        return false;
    snprintf(path, n, "%s/%s", folder, name);
    bool is = !stat(path, &s) && S_ISDIR(s.st_mode);
    free(path);
    return is;
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

/* "CLASS/NAME" for every picture of one sub-folder. */
static int add_class(struct image_folder *f, const char *path, const char *class, ddpm_error *err)
{
    char **name = NULL, *below = malloc(strlen(path) + strlen(class) + 2);
    size_t n = 0, taken = 0;
    int code = below ? DDPM_OK : DDPM_ENOMEM;
    if (!code) {
        sprintf(below, "%s/%s", path, class);
        code = image_folder_list(&name, &n, below, is_picture, err);
    }
    char **file = code ? NULL : realloc(f->file, (f->files + n + 1) * sizeof *file);
    f->file = file ? file : f->file;
    int *label = !file ? NULL : realloc(f->label, (f->files + n + 1) * sizeof *label);
    f->label = label ? label : f->label;
    for (; label && taken < n; taken++, f->files++) {
        if (!(file[f->files] = malloc(strlen(class) + strlen(name[taken]) + 2)))
            break;
        sprintf(file[f->files], "%s/%s", class, name[taken]);
        label[f->files] = f->classes;
    }
    f->classes += n > 0;
    if (code != DDPM_OK ? code == DDPM_ENOMEM : !label || taken < n)
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for the names of its images", path);
    image_folder_free(name, n);
    free(below);
    return code;
}

int image_folder_open(struct image_folder *f, const char *path, ddpm_error *err)
{
    char **class = NULL;
    size_t classes = 0;
    *f = (struct image_folder){ .classes = 0 };
    int code = image_folder_list(&f->file, &f->files, path, is_picture, err);
    if (!code && !f->files)
        code = image_folder_list(&class, &classes, path, is_folder, err);
    for (size_t i = 0; i < classes && !code; i++)
        code = add_class(f, path, class[i], err);
    image_folder_free(class, classes);
    if (code)
        image_folder_close(f);
    return code;
}

void image_folder_close(struct image_folder *f)
{
    image_folder_free(f->file, f->files);
    free(f->label);
    *f = (struct image_folder){ .classes = 0 };
}
