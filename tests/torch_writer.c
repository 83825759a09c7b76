/* Writes pickles by hand, with the opcodes of checkpoint-families.md 7.3, and archives with libzip. */
#include "tests/torch_writer.h"
#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include "tests/check.h"

void put(struct writer *w, const void *data, size_t size)
{
    if (size > sizeof w->data - w->size)
        abort();
    memcpy(w->data + w->size, data, size);
    w->size += size;
}

void put_ops(struct writer *w, const char *ops)
{
    put(w, ops, strlen(ops));
}

static void put_little(struct writer *w, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put(w, &(unsigned char){ (unsigned char)(v >> 8 * i) }, 1);
}

void put_text(struct writer *w, const char *text)
{
    put_ops(w, "X");
    put_little(w, strlen(text), 4);
    put_ops(w, text);
}

void put_int(struct writer *w, int64_t v)
{
    put_ops(w, "\x8a\x08");
    put_little(w, (uint64_t)v, 8);
}

void put_global(struct writer *w, const char *module, const char *name)
{
    put_ops(w, "c");
    put_ops(w, module);
    put_ops(w, "\n");
    put_ops(w, name);
    put_ops(w, "\n");
}

void put_tuple(struct writer *w, const int64_t *v, int n)
{
    put_ops(w, "(");
    for (int i = 0; i < n; i++)
        put_int(w, v[i]);
    put_ops(w, "t");
}

void put_tensor(struct writer *w, const struct tensor *t, int legacy)
{
    put_global(w, "torch._utils", "_rebuild_tensor_v2");
    put_ops(w, "((");
    put_text(w, "storage");
    put_global(w, "torch", t->type);
    put_text(w, t->key);
    put_text(w, "cpu");
    put_int(w, t->count);
    if (legacy && t->view_count) {
        put_text(w, "view");
        put_int(w, t->view_offset);
        put_int(w, t->view_count);
        put_ops(w, "\x87");
    } else if (legacy) {
        put_ops(w, "N");
    }
    put_ops(w, "tQ");
    put_int(w, t->offset);
    put_tuple(w, t->dim, t->rank);
    put_tuple(w, t->stride, t->rank);
    put_ops(w, "\x89");
    put_global(w, "collections", "OrderedDict");
    put_ops(w, ")RtR");
}

void put_state(struct writer *w, const char *const *name, const struct tensor *t, int n, int legacy)
{
    put_ops(w, "\x80\x02}(");
    for (int i = 0; i < n; i++) {
        put_text(w, name[i]);
        put_tensor(w, &t[i], legacy);
    }
    put_ops(w, "u.");
}

unsigned char *write_zip(size_t *size, const struct member *member, int members)
{
    zip_error_t why;
    zip_source_t *to = zip_source_buffer_create(NULL, 0, 0, &why);
    zip_source_keep(to);
    zip_t *z = zip_open_from_source(to, ZIP_TRUNCATE, &why);
    for (int i = 0; i < members; i++) {
        zip_int64_t at =
            zip_file_add(z, member[i].name, zip_source_buffer(z, member[i].data, member[i].size, 0), 0);
        if (at < 0 || zip_set_file_compression(z, (zip_uint64_t)at,
                                               member[i].compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) != 0)
            abort();
    }
    zip_stat_t stat;
    if (zip_close(z) != 0 || zip_source_open(to) != 0 || zip_source_stat(to, &stat) != 0)
        abort();
    *size = (size_t)stat.size;
    unsigned char *out = malloc(*size);
    if (!out || zip_source_read(to, out, *size) != (zip_int64_t)*size)
        abort();
    zip_source_close(to);
    zip_source_free(to);
    return out;
}

void put_legacy_head(struct writer *w, int protocol, int little_endian)
{
    static const unsigned char magic[] = { 0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                           0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e };
    put(w, magic, sizeof magic);
    put_ops(w, "\x80\x02M");
    put_little(w, (uint64_t)protocol, 2);
    put_ops(w, ".\x80\x02}");
    put_text(w, "little_endian");
    put_ops(w, little_endian ? "\x88s." : "\x89s.");
}

void put_keys(struct writer *w, const char *const *key, int n)
{
    put_ops(w, "\x80\x02](");
    for (int i = 0; i < n; i++)
        put_text(w, key[i]);
    put_ops(w, "e.");
}
