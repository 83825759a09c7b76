/* Reads a pickle, the format in which torch.save writes the names and shapes of tensors (PEP 307
   and 3154), and executes nothing: it builds the tree of values that the pickle describes, with an
   inert node in the place of every global, call and persistent id.

   It knows the opcodes and globals that files of torch.save need (checkpoint-families.md 7.3) and
   refuses every other by name.  Memory is proportional to the bytes read, and no function recurses. */
#ifndef DDPM_PICKLE_H
#define DDPM_PICKLE_H
#include "base/memory.h"
#include "base/safetensors.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_LONG, /* an integer that an int64_t cannot hold; text: its bytes */
    PICKLE_FLOAT,
    PICKLE_TEXT,
    PICKLE_BYTES,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_GLOBAL,     /* text: "module.name"; global, dtype */
    PICKLE_CALL,       /* item [2]: a global that makes tensors, and its arguments (a tuple) */
    PICKLE_PERSISTENT, /* item [1]: the id */
    PICKLE_OPAQUE      /* a value that no tensor needs; global: its class, where it has one */
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

/* A value.  Several nodes may refer to one value, and a container may contain itself. */
struct pickle_node {
    unsigned char kind, global, dtype; /* dtype: for PICKLE_STORAGE and PICKLE_DTYPE */
    unsigned char visited;             /* set by torch_states.c in its walk through the tree */
    uint32_t count, room; /* how many bytes a text has, items a list, keys and values in turn a dict */

    union {
        int64_t integer;
        double number;
        const char *text; /* not a C string; pickle_text makes one */
        struct pickle_node **item;
    };
};

struct pickle {
    struct pickle_node *root;
    struct pickle_node **persistent; /* every persistent id, in the order of the pickle */
    size_t persistents;
    char foreign[160]; /* the names of the PICKLE_FOREIGN globals, each once: "a.B, c.D" */
};

/* A longer pickle is refused.  The pickles of real files stay below a megabyte. */
enum { PICKLE_BYTES_MAX = 1 << 23 };

/* Reads one pickle from data [size], which outlives the nodes.  Sets *used to its length, with
   the STOP at its end.  The nodes live in the arena.  DDPM_EDATA: the error names the byte. */
int pickle_read(struct pickle *p, struct dd_arena *arena, const unsigned char *data, size_t size,
                size_t *used, ddpm_error *err);

/* A piece of the pickle that is a text. */
struct pickle_span {
    const char *text;
    size_t length;
};

/* Fills a PICKLE_GLOBAL, or refuses it by name. */
int pickle_global(struct pickle_node *n, struct dd_arena *arena, struct pickle_span module,
                  struct pickle_span name, ddpm_error *err);

/* Adds a name to p->foreign, if there is room and the name is not there yet. */
void pickle_note_foreign(struct pickle *p, const char *name);

/* Returns the value under a key in a dict; NULL when the key is missing or `dict` is not a dict. */
struct pickle_node *pickle_get(const struct pickle_node *dict, const char *key);
/* Returns whether a node is this text. */
int pickle_is(const struct pickle_node *text, const char *value);
/* Returns a text as a C string, which is copied once however often the pickle refers to it;
   NULL: out of memory. */
const char *pickle_text(struct pickle_node *text, struct dd_arena *arena);
/* Writes text [length] for a message into out [room]: shortened with "...", and with '?' for every
   byte that does not print.  Returns out. */
const char *pickle_show(char *out, size_t room, const char *text, size_t length);
#endif
