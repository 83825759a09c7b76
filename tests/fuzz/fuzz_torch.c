/* Fuzzes a whole checkpoint from memory, of whatever kind its first bytes say. Either it opens, and
   every value of every tensor is read, or it is refused with a line that names the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "tools/checkpoint/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct checkpoint c;
    ddpm_error err = { 0, "" };

    int code = checkpoint_open_memory(&c, data, size, "input", NULL, &err);
    if (code) {
        if (code != DDPM_EDATA || !strstr(err.text, "input") || strchr(err.text, '\n'))
            __builtin_trap();
        return 0;
    }

    for (size_t i = 0; i < c.tensors; i++) {
        uint64_t n = 1;
        for (int k = 0; k < c.tensor[i].rank; k++)
            n *= (uint64_t)c.tensor[i].dim[k];

        if (n > 2 * size) /* four bits are the smallest element */
            __builtin_trap();

        float *v = malloc(n * sizeof *v + 1);
        checkpoint_floats(&c, &c.tensor[i], v, &err);
        free(v);
    }

    checkpoint_close(&c);
    return 0;
}
