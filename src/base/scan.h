/* A scanner over JSON text (RFC 8259) that takes values off its front, in constant memory and linear time.
   It is stricter than cJSON: valid UTF-8, no control characters in strings, surrogates in pairs, no NUL
   (which would end a C string early), numbers by the grammar, at most 64 deep.  The first fault sticks: every
   later call fails. */
#ifndef DD_SCAN_H
#define DD_SCAN_H
#include <stdbool.h>
#include <stddef.h>

/* A text being scanned.  fault says what is wrong at byte at - start; NULL: there is no fault so far. */
struct dd_scan {
    const unsigned char *start, *at, *end;
    const char *fault;
};

/* A part of the text: a string between its quotes, with its escapes as they stand, or a number. */
struct dd_scan_text {
    const unsigned char *data;
    size_t size;
};

void dd_scan_begin(struct dd_scan *s, const void *text, size_t size);

/* Sets the fault, unless there is one already.  Returns -1. */
int dd_scan_fail(struct dd_scan *s, const char *fault);

/* Passes over white space.  Returns the next character, or -1 at the end or after a fault. */
int dd_scan_peek(struct dd_scan *s);

/* Takes c and returns true if it is next. */
bool dd_scan_take(struct dd_scan *s, char c);

/* Each returns 0, or -1 after a fault.  In this order they take the character c, take a string, take a
   number, pass over any value, and check that only white space is left. */
int dd_scan_expect(struct dd_scan *s, char c, const char *fault);
int dd_scan_string(struct dd_scan *s, struct dd_scan_text *t);
int dd_scan_number(struct dd_scan *s, struct dd_scan_text *t);
int dd_scan_value(struct dd_scan *s);
int dd_scan_end(struct dd_scan *s);

/* Fills out [t.size] with the string in UTF-8, its escapes resolved.  Returns its length. */
size_t dd_scan_unescape(char *out, struct dd_scan_text t);

/* Returns whether text is UTF-8 to its end. */
bool dd_scan_is_utf8(const char *text);

/* Replaces every byte that is not UTF-8 by '?'.  A file's name may hold any bytes. */
void dd_scan_repair(char *text);
/* Does the same, and also replaces every control character, which could drive a terminal.  Returns text. */
char *dd_scan_plain(char *text);
#endif
