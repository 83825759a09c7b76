/* Writes pickles and containers of torch.save opcode by opcode, right ones and wrong ones, for tests
   of their readers. */
#ifndef TORCH_WRITER_H
#define TORCH_WRITER_H
#include <stddef.h>
#include <stdint.h>

struct writer {
    unsigned char data[1 << 16];
    size_t size;
};

void put(struct writer *w, const void *data, size_t size);
void put_ops(struct writer *w, const char *ops);   /* opcodes as a C string */
void put_text(struct writer *w, const char *text); /* opcode BINUNICODE */
void put_int(struct writer *w, int64_t v);         /* opcode LONG1 with 8 bytes */
void put_global(struct writer *w, const char *module, const char *name);
void put_tuple(struct writer *w, const int64_t *v, int n);

struct tensor {
    const char *type, *key;
    int64_t count, offset;
    int rank;
    int64_t dim[9], stride[9];
    int64_t view_offset, view_count;
};

/* Writes a call of _rebuild_tensor_v2 with a storage id. In the legacy format the id has a sixth
   element: a view where view_count > 0, else None. */
void put_tensor(struct writer *w, const struct tensor *t, int legacy);
/* Writes a whole pickle: one dict of n names and tensors. */
void put_state(struct writer *w, const char *const *name, const struct tensor *t, int n, int legacy);

struct member {
    const char *name;
    const void *data;
    size_t size;
    int compressed;
};

/* Returns a zip archive in memory; the caller frees it. */
unsigned char *write_zip(size_t *size, const struct member *member, int members);
/* Writes the magic number, the protocol and the system information that a legacy container begins
   with. */
void put_legacy_head(struct writer *w, int protocol, int little_endian);
/* Writes a list of storage keys as a pickle. */
void put_keys(struct writer *w, const char *const *key, int n);
#endif
