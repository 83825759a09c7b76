/* Finds the ending of a file name, and compares it with what is written.  "eta0.5" and "image.%d" have no
   ending. */
#include "cli/ending.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"

const char *ending_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *dot = strrchr(base, '.');
    bool letter = false;

    if (!dot || dot == base)
        return "";

    /* A number such as ".5" is not an ending. */
    for (const char *c = dot + 1; *c; c++) {
        if (!isalnum((unsigned char)*c))
            return "";
        letter = letter || isalpha((unsigned char)*c);
    }
    return letter ? dot + 1 : "";
}

int ending_check(const char *name, ddpm_error *err)
{
    static const char *const others[] = { "pt",  "pth", "ckpt", "bin",  "pkl",  "onnx", "gguf", "h5", "npz",
                                          "npy", "png", "jpg",  "jpeg", "webp", "json", "zip",  "gz", NULL };
    const char *ending = ending_of(name);
    if (!strcmp(name, "-"))
        return dd_error(err, DDPM_EUSAGE,
                        "-o -: only images go to standard output: name a file, such as MODEL.ddpm");

    for (int i = 0; others[i]; i++)
        if (!strcasecmp(ending, others[i]))
            return dd_error(err, DDPM_EUSAGE,
                            "%.200s: what is written is safetensors, no .%s: name it .ddpm or .safetensors",
                            name, others[i]);
    return DDPM_OK;
}
