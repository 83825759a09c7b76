/* A pickle machine that executes nothing: it builds the tree of values that a pickle describes, and stands an
   inert node in the place of every global, call and persistent id.  It knows the opcodes and globals that
   torch.save's files need (checkpoint-families.md 7.3) and refuses every other by name.  Memory is
   proportional to the bytes read; nothing recurses. */
#ifndef DDPM_PICKLE_H
#define DDPM_PICKLE_H
#include "base/memory.h"
#include "base/safetensors.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_LONG,
    PICKLE_FLOAT,
    PICKLE_TEXT,
    PICKLE_BYTES,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_GLOBAL,     /* text: "module.name"; global, dtype */
    PICKLE_CALL,       /* item [2]: a global that tensors need, its arguments (a tuple) */
    PICKLE_PERSISTENT, /* item [1]: the id */
    /* something tolerated that no tensor needs; global: of the class that it is of, if any */
    PICKLE_OPAQUE
};

enum pickle_global {
    PICKLE_OTHER,
    PICKLE_ORDERED_DICT,
    PICKLE_TENSOR_V1,
    PICKLE_TENSOR_V2,
    PICKLE_TENSOR_V3,
    PICKLE_TENSOR_TYPED,
    PICKLE_PARAMETER,
    PICKLE_STORAGE,
    PICKLE_UNTYPED,
    PICKLE_SIZE,
    PICKLE_DTYPE,
    PICKLE_FOREIGN /* a class of another program, which no tensor needs */
};

struct pickle_node {
    unsigned char kind, global, dtype; /* dtype of PICKLE_STORAGE and PICKLE_DTYPE */
    unsigned char visited;             /* for walkers: nodes may be shared and may contain themselves */
    uint32_t count, room;              /* bytes of text; items; keys and values of a dict, in turn */

    union {
        int64_t integer;
        double number;
        const char *text;
        struct pickle_node **item;
    };
};

struct pickle {
    struct pickle_node *root;
    struct pickle_node **persistent;
    size_t persistents; /* every persistent id met, in order */
    char foreign[160];  /* the PICKLE_FOREIGN ones, each once: "a.B, c.D" */
};

enum { PICKLE_BYTES_MAX = 1 << 23 }; /* a longer pickle is refused: real ones stay below a megabyte */

/* Reads one pickle from data [size], which outlives the nodes; *used: up to and with its STOP.  The error names the byte. */
int pickle_read(struct pickle *p, struct dd_arena *arena, const unsigned char *data, size_t size,
                size_t *used, ddpm_error *err);
/* Fills a PICKLE_GLOBAL, or refuses it by name. */
int pickle_global(struct pickle_node *n, struct dd_arena *arena, const char *module, size_t module_length,
                  const char *name, size_t name_length, ddpm_error *err);

/* Adds a name to p->foreign, where there is room and it is not yet there. */
void pickle_note_foreign(struct pickle *p, const char *name);

/* The value under key of a dict, or NULL. */
struct pickle_node *pickle_get(const struct pickle_node *dict, const char *key);
int pickle_is(const struct pickle_node *text, const char *value);
/* A text as a C string, copied once however often the pickle refers to it; NULL: out of memory. */
const char *pickle_text(struct pickle_node *text, struct dd_arena *arena);
/* text [length] for a message: at most room - 1 bytes, what does not print as '?'.  Returns out. */
const char *pickle_show(char *out, size_t room, const char *text, size_t length);
#endif
