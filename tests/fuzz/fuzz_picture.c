/* Fuzzes what verify reads: a PNG with our text, and the recipe in it. Any other input is taken for such
   a text itself, since a checksum would keep most changed texts from being read. */
#include <stdlib.h>
#include <string.h>
#include "tools/image/picture.h"
#include "tools/sample/recipe.h"

static void read_recipe(const char *text)
{
    struct stored_recipe r;
    ddpm_error err;
    if (!recipe_read(&r, text, "input", &err))
        free(recipe_text(&r.recipe, r.index, r.n));
    recipe_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct picture p;
    ddpm_error err;
    char *text;
    if (picture_read_memory(&p, &text, data, size, "input", &err) &&
        !(text = strndup((const char *)data, size)))
        abort();
    read_recipe(text);
    free(text);
    picture_free(&p);
    return 0;
}
