/* A scanner over JSON text (RFC 8259) that takes values off its front, in constant memory and linear time.  Stricter than cJSON:
   valid UTF-8, no control characters in strings, surrogates in pairs, no NUL (which would end a C string early), numbers by the
   grammar, at most 64 deep.  The first fault sticks: every later call fails. */
#ifndef DD_SCAN_H
#define DD_SCAN_H
#include <stdbool.h>
#include <stddef.h>

struct dd_scan {
    const unsigned char *start, *at, *end;
    const char *fault;
}; /* fault: what is wrong at byte at - start */

struct dd_scan_text {
    const unsigned char *data;
    size_t size;
}; /* between the quotes, escapes as they stand */

void dd_scan_begin(struct dd_scan *s, const void *text, size_t size);
int dd_scan_fail(struct dd_scan *s, const char *fault); /* keeps the first; returns -1 */
int dd_scan_peek(struct dd_scan *s);                    /* the next character after white space, or -1 */
bool dd_scan_take(struct dd_scan *s, char c);           /* takes c if it is next */
int dd_scan_expect(struct dd_scan *s, char c, const char *fault); /* takes c or fails */
int dd_scan_string(struct dd_scan *s, struct dd_scan_text *t);
int dd_scan_number(struct dd_scan *s, struct dd_scan_text *t);
int dd_scan_value(struct dd_scan *s); /* checks and passes over any one value */
int dd_scan_end(struct dd_scan *s);   /* only white space is left */
/* out [t.size]: UTF-8 with escapes resolved; returns its length. */
size_t dd_scan_unescape(char *out, struct dd_scan_text t);
/* Returns whether text is UTF-8 to its end. */
bool dd_scan_is_utf8(const char *text);
/* Puts '?' in the place of every byte that makes text no UTF-8: a name of a file may hold any. */
void dd_scan_repair(char *text);
/* The same, and for every control character, which could drive a terminal; returns text. */
char *dd_scan_plain(char *text);
#endif
