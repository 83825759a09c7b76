/* Fuzzes safetensors files with any bytes. Either they are refused with a sentence, or there is a table
   in which every tensor lies inside the file and names differ. Written and read again, the table is the
   same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/safetensors.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const struct dd_safetensors *s, const uint8_t *data, size_t size)
{
    size_t total = 0, header = 0;
    for (int i = 8; i--;)
        header = header << 8 | data[i];
    for (size_t i = 0; i < s->entries; i++) {
        const struct dd_entry *e = &s->entry[i];
        require(e->data >= data && e->size <= size && e->data <= data + size - e->size);
        require(e->rank >= 0 && e->rank <= DD_RANK_MAX && e->count * dd_dtype_bits(e->dtype) == e->size * 8);
        require(i == 0 || strcmp(s->entry[i - 1].name, e->name) < 0);
        require(dd_safetensors_find(s, e->name) == e);
        total += e->size;
    }
    for (size_t i = 0; i < s->metas; i++)
        require(dd_safetensors_meta(s, s->meta[i].key) == s->meta[i].value);
    require(total == size - 8 - header); /* bytes of two tensors would count twice */
}

static void check_again(const struct dd_safetensors *s, size_t size)
{
    struct dd_safetensors again;
    size_t written = 0;
    char *file = NULL;
    FILE *f = open_memstream(&file, &written);

    require(f && dd_safetensors_write(f, s->entry, s->entries, NULL, NULL) == DDPM_OK && fclose(f) == 0);
    require(written <= 8 * size + 16); /* escaping makes control characters in names longer */

    require(dd_safetensors_read(&again, (unsigned char *)file, written, "again", NULL) == DDPM_OK &&
            again.entries == s->entries);

    for (size_t i = 0; i < s->entries; i++) {
        const struct dd_entry *x = &s->entry[i], *y = &again.entry[i];
        require(!strcmp(x->name, y->name) && x->dtype == y->dtype && x->rank == y->rank &&
                x->size == y->size);
        require(!memcmp(x->dim, y->dim, sizeof x->dim) && !memcmp(x->data, y->data, x->size));
    }

    dd_safetensors_free(&again);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dd_safetensors s;
    ddpm_error err = { 0 };
    int code = dd_safetensors_read(&s, data, size, "input", &err);
    if (code) {
        require(code == DDPM_EDATA && err.code == code && !strncmp(err.text, "input: ", 7) &&
                !strchr(err.text, '\n'));
        return 0;
    }
    check_table(&s, data, size);
    check_again(&s, size);
    dd_safetensors_free(&s);
    return 0;
}
