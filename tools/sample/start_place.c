/* Compares the places of pictures and images by their files, whatever names and links lead there. */
#include "sample/start_place.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/system.h"
#include "sample/start_image.h"

/* Cuts the last name off a path: "a/b" becomes "a", "a" becomes ".", and "/a" becomes "/". */
static void cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash)
        strcpy(path, ".");
    else if (slash == path)
        path[1] = 0;
    else
        *slash = 0;
}

/* Returns the folder in which path lies, allocated; NULL: out of memory. */
static char *folder_of(const char *path)
{
    size_t size = strlen(path) + 2;
    char *folder = malloc(size);
    if (folder) {
        memcpy(folder, path, size - 1);
        cut_name(folder);
    }
    return folder;
}

/* Returns whether place is the folder or lies below it.  A place that does not exist yet lies where the
   part of its path that exists lies. */
static bool lies_in(const char *place, const char *folder)
{
    char *at = malloc(strlen(place) + 2), *root = dd_system_real_path(folder), *real = NULL;

    if (at)
        strcpy(at, place);
    while (at && !(real = dd_system_real_path(at)) && strcmp(at, ".") && strcmp(at, "/"))
        cut_name(at);

    size_t n = root ? strlen(root) : 0;
    bool in = n && real && !strncmp(real, root, n) && (root[n - 1] == '/' || real[n] == '/' || !real[n]);
    free(at);
    free(root);
    free(real);
    return in;
}

bool start_place_below(const char *file, const char *folder)
{
    char *place = folder_of(file);
    bool below = place && lies_in(place, folder);
    free(place);
    return below;
}

/* Returns whether writing the images would replace the file at path, or may do so in the folder place. */
static bool replaces(const struct sample_settings *s, const char *output, const char *path)
{
    if (!s->outdir)
        return dd_system_same(output, path);

    char *folder = folder_of(path);
    bool same = folder && dd_system_same(folder, s->outdir);
    free(folder);
    return same;
}

/* Checks all pictures and the mask. */
static int check(const struct start_image *pictures, const struct sample_settings *s, const char *output,
                 ddpm_error *err)
{
    const char *option = s->between ? "--between" : "--from";
    char *folder = s->outdir ? NULL : folder_of(output);
    const char *place = s->outdir ? s->outdir : folder;
    bool in = place && pictures->folder.files && lies_in(place, s->from);
    free(folder);

    /* An array is no picture, and standard output has no place. */
    if (!sample_settings_format(s)->picture || (!s->outdir && !strcmp(output, "-")))
        return DDPM_OK;
    if (in)
        return dd_error(err, DDPM_EUSAGE,
                        "%s lies in %s, of which every picture is taken by --from: choose another place",
                        s->outdir ? s->outdir : output, s->from);

    for (int i = 0; i < pictures->count; i++)
        if (replaces(s, output, pictures->path[i]))
            return dd_error(err, DDPM_EUSAGE, "%s of %s might be replaced by the images: choose another %s",
                            pictures->path[i], option, s->outdir ? "folder for --outdir" : "name for -o");

    if (s->mask && replaces(s, output, s->mask))
        return dd_error(err, DDPM_EUSAGE, "%s of --mask might be replaced by the images: choose another %s",
                        s->mask, s->outdir ? "folder for --outdir" : "name for -o");
    return DDPM_OK;
}

int start_place_check(int *pictures, const struct sample_settings *s, const char *from, const char *output,
                      ddpm_error *err)
{
    struct start_image list;
    int code = start_image_list(&list, from, err);
    *pictures = list.count;
    if (!code)
        code = check(&list, s, output, err);
    start_image_close(&list);
    return code;
}
