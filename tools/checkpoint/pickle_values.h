/* The values that opcodes of a pickle make: numbers, texts, containers, globals and calls.  Each
   function pops from the stack what its value is made of and pushes the value; nothing is called
   or executed. */
#ifndef DDPM_PICKLE_VALUES_H
#define DDPM_PICKLE_VALUES_H
#include "checkpoint/pickle_stack.h"

/* ---- values that follow their opcode ---- */

void pickle_push_int(struct pickle_machine *m, int64_t v);
/* Pushes a little-endian integer of any length, in two's complement.  An integer that does not
   fit into int64_t stays a string of bytes. */
void pickle_push_long(struct pickle_machine *m, uint64_t bytes);
/* Pushes a number written in decimal digits; "00" and "01" are False and True. */
void pickle_push_decimal(struct pickle_machine *m);
/* Pushes a double, the only big-endian number of a pickle. */
void pickle_push_float(struct pickle_machine *m);
/* Pushes a text or bytes.  The node points into the pickle and has no copy. */
void pickle_push_text(struct pickle_machine *m, enum pickle_kind kind, uint64_t length);
/* Returns a node for a value that no tensor needs: a set, or an object of this class. */
struct pickle_node *pickle_opaque(struct pickle_machine *m, unsigned char global);

/* ---- containers ---- */

/* Pushes a tuple of the n values on top of the stack, 3 at most, or of those above the last mark. */
void pickle_push_tuple(struct pickle_machine *m, size_t n);
void pickle_push_marked_tuple(struct pickle_machine *m);
/* Adds the n values on top of the stack, 2 at most, or those above the last mark, to the list or
   dict below them. */
void pickle_add_popped(struct pickle_machine *m, enum pickle_kind kind, size_t n);
void pickle_add_marked(struct pickle_machine *m, enum pickle_kind kind);

/* ---- globals and calls ---- */

/* Pushes the node of a global, if a pickle may name it.  Two lines, or two texts on the stack,
   are module and name. */
void pickle_push_line_global(struct pickle_machine *m);
void pickle_push_stack_global(struct pickle_machine *m);
/* Pushes the result of a call, without calling anything.  A dict or a size is built here, a
   function that makes a tensor stays as a node with its arguments, and every other call becomes
   an opaque node. */
void pickle_call(struct pickle_machine *m);
/* Pushes a node for a value outside of the pickle, and lists it.  torch refers in this way to
   the numbers of tensors. */
void pickle_push_persistent(struct pickle_machine *m);
#endif
