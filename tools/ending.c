/* Finds the ending of a file's name; "eta0.5" and "image.%d" have none. */
#include "ending.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

const char *ending_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *dot = strrchr(base, '.');
    bool letter = false;
    if (!dot || dot == base)
        return "";
    for (const char *c = dot + 1; *c; c++) {
        if (!isalnum((unsigned char)*c))
            return "";
        letter = letter || isalpha((unsigned char)*c);
    }
    return letter ? dot + 1 : "";
}
