/* A pattern is taken apart by hand, so that printf never gets it as a format. */
#include "outdir/image_name.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/scan.h"
#include "cli/folder.h"

enum { PATTERN_MOST = 200 };

/* Returns DDPM_EUSAGE unless a string of JSON can hold the pattern and a line of text can show it. */
static int check_text(const char *pattern, ddpm_error *err)
{
    char quoted[IMAGE_NAME_MOST];
    struct dd_scan s;
    struct dd_scan_text t;
    bool plain = true;

    for (const char *p = pattern; *p; p++)
        plain = plain && (unsigned char)*p >= ' ' && *p != 127;

    /* The scanner of JSON strings checks the UTF-8.  A quote or a backslash would be escaped in JSON, so both
       are replaced here. */
    snprintf(quoted, sizeof quoted, "\"%s\"", pattern);
    for (char *p = quoted + 1; *p && p[1]; p++)
        if (*p == '"' || *p == '\\')
            *p = '_';
    dd_scan_begin(&s, quoted, strlen(quoted));
    if (plain && !dd_scan_string(&s, &t) && !dd_scan_end(&s))
        return DDPM_OK;
    return dd_error(err, DDPM_EUSAGE,
                    "--name: the pattern is no valid UTF-8, or has control characters: expected one such as "
                    "image-%%06d.png");
}

int image_name_check(const char *pattern, ddpm_error *err)
{
    const char *p = strchr(pattern, '%');
    if (p && p[1] == '0' && isdigit((unsigned char)p[2]) && p[2] != '0')
        p += 2;

    if (!p || p[1] != 'd' || strchr(p + 1, '%') || strchr(pattern, '/') || strlen(pattern) > PATTERN_MOST)
        return dd_error(err, DDPM_EUSAGE,
                        "--name %.80s: expected a file name with one %%d or %%06d for the number, such as "
                        "image-%%06d.png",
                        pattern);
    if (folder_own_name(pattern))
        return dd_error(err, DDPM_EUSAGE,
                        "--name %.80s: the program's own files are called so: choose a name such as "
                        "image-%%06d.png",
                        pattern);
    return check_text(pattern, err);
}

void image_name_put(char name[IMAGE_NAME_MOST], const char *pattern, uint32_t index)
{
    const char *p = strchr(pattern, '%'), *rest = strchr(p, 'd') + 1;
    int width = p[1] == '0' ? p[2] - '0' : 0;
    snprintf(name, IMAGE_NAME_MOST, "%.*s%0*u%s", (int)(p - pattern), pattern, width, index, rest);
}
