/* The state of the pickle machine: the bytes that it reads, its stack, marks and memo, and the
   nodes that it makes.  pickle.c drives it.

   An opcode takes at least one byte and adds at most one node, or one reference per byte read, so
   the memory of all of these is proportional to the length of the pickle. */
#ifndef DDPM_PICKLE_STACK_H
#define DDPM_PICKLE_STACK_H
#include "checkpoint/pickle.h"

struct pickle_machine {
    struct pickle *p;
    struct dd_arena *arena; /* holds the nodes */

    const unsigned char *data; /* the bytes [size]; at: the next one to read */
    size_t size, at;
    size_t start;      /* where the current opcode begins; errors name it */
    size_t operations; /* how many opcodes were executed */

    struct pickle_node **stack;
    size_t top;
    size_t *mark; /* height of the stack at each MARK that is still open */
    size_t marks;
    struct pickle_node **memo; /* stored values by their number; NULL: nothing is stored there */
    size_t memo_size;
    size_t memos; /* how many values were stored */

    struct pickle_node *none, *truth[2]; /* the only nodes for None, False and True */
    struct pickle_node nothing;          /* stands for a value after an error */
    ddpm_error *err;
    int code; /* the first error; nothing is added after it */
};

/* Records an error with the byte at which the opcode begins; later ones are ignored. */
void pickle_fail(struct pickle_machine *m, int code, const char *format, ...) DD_PRINTF(3, 4);
/* Records an error with DDPM_EDATA. */
void pickle_bad(struct pickle_machine *m, const char *what);

/* Returns the next n bytes and moves past them; NULL, and an error, when fewer are left. */
const unsigned char *pickle_take(struct pickle_machine *m, uint64_t n);
/* Reads an unsigned little-endian number of 1 to 8 bytes; 0 after an error. */
uint64_t pickle_take_uint(struct pickle_machine *m, unsigned bytes);
/* Reads the line that begins here, without its newline; "" after an error. */
struct pickle_span pickle_take_line(struct pickle_machine *m);

/* Appends n to the nodes of *list. */
void pickle_list_add(struct pickle_machine *m, struct pickle_node ***list, size_t *count,
                     struct pickle_node *n);

void pickle_push(struct pickle_machine *m, struct pickle_node *n);
/* Pops the value on top of the stack.  It never reaches below the last mark; after an error it
   returns m->nothing. */
struct pickle_node *pickle_pop(struct pickle_machine *m);
/* Returns the value on top of the stack, which stays there. */
struct pickle_node *pickle_peek(struct pickle_machine *m);
void pickle_set_mark(struct pickle_machine *m);
/* Pops the last mark and the n values above it.  The values are valid until the next push; NULL
   when n is 0. */
struct pickle_node **pickle_pop_to_mark(struct pickle_machine *m, size_t *n);

/* Stores the value on top of the stack under index. */
void pickle_memo_put(struct pickle_machine *m, uint64_t index);
/* Pushes the value that was stored under index. */
void pickle_memo_get(struct pickle_machine *m, uint64_t index);

/* Returns a new node without contents; m->nothing when out of memory. */
struct pickle_node *pickle_make(struct pickle_machine *m, enum pickle_kind kind);
/* Adds n items to a tuple, list or dict. */
void pickle_append(struct pickle_machine *m, struct pickle_node *to, struct pickle_node *const *item,
                   size_t n);
#endif
