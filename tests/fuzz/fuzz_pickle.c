/* Fuzzes the pickle machine with any bytes. It ends and leaks nothing, and either its tree can be walked
   once or one line says what is wrong. */
#include <stdint.h>
#include <string.h>
#include "tools/checkpoint/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dd_arena arena = { 0 };
    struct pickle p;
    ddpm_error err = { 0, "" };
    size_t used;
    if (pickle_read(&p, &arena, data, size, &used, &err) == DDPM_OK) {
        pickle_get(p.root, "state_dict");
        if (used > size)
            __builtin_trap();
    } else if (err.code != DDPM_EDATA || !err.text[0] || strchr(err.text, '\n')) {
        __builtin_trap();
    }
    dd_arena_free(&arena);
    return 0;
}
