/* What verify reads: a PNG with our text, and the recipe in it. */
#include <stdlib.h>
#include "tools/picture.h"
#include "tools/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct picture p;
    struct recipe r;
    ddpm_error err;
    cJSON *root;
    uint32_t *index;
    int n;
    char *text;
    if (picture_read_memory(&p, &text, data, size, "input", &err))
        return 0;
    if (!recipe_read(&r, &root, &index, &n, text, "input", &err)) {
        free(recipe_text(&r, index, n));
        cJSON_Delete(root);
        free(index);
    }
    free(text);
    picture_free(&p);
    return 0;
}
