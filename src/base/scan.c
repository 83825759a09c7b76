/* Scans JSON by its grammar: value = object | array | string | number | true | false | null.  Nesting is a
   stack of bits in one word, so there is no recursion that a hostile text could drive deep. */
#include "base/scan.h"
#include <stdint.h>
#include <string.h>

void dd_scan_begin(struct dd_scan *s, const void *text, size_t size)
{
    *s = (struct dd_scan){ text, text, (const unsigned char *)text + size, NULL };
}

int dd_scan_fail(struct dd_scan *s, const char *fault)
{
    if (!s->fault)
        s->fault = fault;
    return -1;
}

int dd_scan_peek(struct dd_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
    return s->at < s->end && !s->fault ? *s->at : -1;
}

bool dd_scan_take(struct dd_scan *s, char c)
{
    if (dd_scan_peek(s) != c)
        return false;
    s->at++;
    return true;
}

int dd_scan_expect(struct dd_scan *s, char c, const char *fault)
{
    return dd_scan_take(s, c) ? 0 : dd_scan_fail(s, fault);
}

/* Returns the length of a UTF-8 sequence by its first byte; 0 when no sequence begins with that byte. */
static size_t utf8_length_by(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2)
        return 0;
    if (first < 0xe0)
        return 2;
    if (first < 0xf0)
        return 3;
    return first < 0xf5 ? 4 : 0;
}

/* Returns the length of the UTF-8 sequence at p (RFC 3629: shortest form, no surrogates, at most U+10FFFF),
   or 0. */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    size_t n = utf8_length_by(p[0]);
    if (n > (size_t)(end - p))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;

    /* The second byte decides about longer forms than needed, surrogates, and what lies beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool dd_scan_is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + strlen(text);
    size_t n = 1;
    for (; *at && n; at += n)
        n = utf8_length(at, end);
    return n != 0;
}

void dd_scan_repair(char *text)
{
    const unsigned char *end = (unsigned char *)text + strlen(text);
    while (*text) {
        size_t n = utf8_length((unsigned char *)text, end);
        if (!n)
            *text = '?';
        text += n ? n : 1;
    }
}

char *dd_scan_plain(char *text)
{
    dd_scan_repair(text);
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c < ' ' || *c == 127)
            *c = '?';
        /* U+0080 to U+009F are C2 80 to C2 9F. */
        if (*c == 0xc2 && c[1] < 0xa0)
            c[0] = c[1] = '?';
    }
    return text;
}

/* Returns the value of the four hexadecimal digits at p, or -1 when other characters are there. */
static long hex4(const unsigned char *p, const unsigned char *end)
{
    long v = 0;
    if (end - p < 4)
        return -1;

    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        int lower = p[i] | ('A' <= p[i] && p[i] <= 'F' ? 32 : 0);
        const char *d = memchr(digits, lower, 16);
        if (!d)
            return -1;
        v = v * 16 + (d - digits);
    }
    return v;
}

/* Returns the code point of the \u escape whose digits are at p, or -1 when the escape is invalid.  *used
   is its length in bytes after the u.  Two escapes that make a pair of surrogates are one code point. */
static long escaped_point(const unsigned char *p, const unsigned char *end, size_t *used)
{
    long v = hex4(p, end);
    *used = 4;
    if (v < 0xd800 || v > 0xdfff)
        return v;

    if (v > 0xdbff || end - p < 10 || p[4] != '\\' || p[5] != 'u')
        return -1;
    long low = hex4(p + 6, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;

    *used = 10;
    return 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
}

/* Returns the length of the escape at the backslash p, or 0 for an invalid one.  \u0000 is refused. */
static size_t escape_length(const unsigned char *p, const unsigned char *end)
{
    size_t used;
    if (end - p < 2)
        return 0;
    if (p[1] == 'u')
        return escaped_point(p + 2, end, &used) > 0 ? used + 2 : 0;
    return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
}

int dd_scan_string(struct dd_scan *s, struct dd_scan_text *t)
{
    if (dd_scan_expect(s, '"', "a string is expected"))
        return -1;

    t->data = s->at;
    while (s->at < s->end && *s->at != '"') {
        bool escape = *s->at == '\\';
        size_t n = escape ? escape_length(s->at, s->end) : utf8_length(s->at, s->end);
        if (*s->at < ' ')
            return dd_scan_fail(s, "a control character in a string");
        if (!n)
            return dd_scan_fail(s, escape ? "an invalid escape in a string" : "invalid UTF-8");
        s->at += n;
    }
    t->size = (size_t)(s->at - t->data);
    return dd_scan_expect(s, '"', "a string does not end");
}

/* Passes over digits.  Returns whether there was at least one. */
static bool digits(struct dd_scan *s)
{
    const unsigned char *first = s->at;
    while (s->at < s->end && '0' <= *s->at && *s->at <= '9')
        s->at++;
    return s->at > first;
}

/* Takes the next character if it is one of `choices`.  The test for 0 is there because strchr finds it in
   every string. */
static bool next_is(struct dd_scan *s, const char *choices)
{
    if (s->at == s->end || !*s->at || !strchr(choices, *s->at))
        return false;
    s->at++;
    return true;
}

int dd_scan_number(struct dd_scan *s, struct dd_scan_text *t)
{
    dd_scan_peek(s);
    t->data = s->at;
    /* A number is a sign or nothing, digits without leading zeros, then a fraction and an exponent if a
       point or an e begins them. */
    next_is(s, "-");
    bool zero = s->at < s->end && *s->at == '0',
         good = digits(s) && !(zero && s->at - t->data > 1 + (*t->data == '-'));
    if (good && next_is(s, "."))
        good = digits(s);
    if (good && next_is(s, "eE")) {
        next_is(s, "+-");
        good = digits(s);
    }

    t->size = (size_t)(s->at - t->data);
    /* cJSON would read the rest of a longer number as another value. */
    if (t->size > 63)
        return dd_scan_fail(s, "a number of more than 63 characters");
    return good && !s->fault ? 0 : dd_scan_fail(s, "a value is expected");
}

static int word(struct dd_scan *s, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n))
        return dd_scan_fail(s, "a value is expected");
    s->at += n;
    return 0;
}

/* Passes over a string, true, false, null or a number. */
static int scalar(struct dd_scan *s)
{
    struct dd_scan_text t;
    switch (dd_scan_peek(s)) {
    case '"': return dd_scan_string(s, &t);
    case 't': return word(s, "true");
    case 'f': return word(s, "false");
    case 'n': return word(s, "null");
    default: return dd_scan_number(s, &t);
    }
}

/* Passes over a key and its colon. */
static int key(struct dd_scan *s)
{
    struct dd_scan_text t;
    return dd_scan_string(s, &t) || dd_scan_expect(s, ':', "a colon is expected after a key");
}

int dd_scan_value(struct dd_scan *s)
{
    /* Bit i of objects is 1 if the container i levels further out is an object, 0 if it is an array. */
    uint64_t objects = 0;
    int depth = 0;

    do {
        bool object = dd_scan_take(s, '{');
        if (object || dd_scan_take(s, '[')) {
            if (++depth > 64)
                return dd_scan_fail(s, "nested more than 64 deep");
            objects = objects << 1 | object;
            if (dd_scan_peek(s) != (object ? '}' : ']')) {
                if (object && key(s))
                    return -1;
                continue;
            }
        } else if (scalar(s)) {
            return -1;
        }

        /* A value has ended.  It may end the containers around it, too. */
        while (depth && dd_scan_take(s, objects & 1 ? '}' : ']')) {
            objects >>= 1;
            depth--;
        }
        if (depth &&
            (dd_scan_expect(s, ',', "a comma or the closing bracket is expected") || (objects & 1 && key(s))))
            return -1;
    } while (depth);
    return s->fault ? -1 : 0;
}

int dd_scan_end(struct dd_scan *s)
{
    if (dd_scan_peek(s) >= 0)
        return dd_scan_fail(s, "something follows the end of the value");
    return s->fault ? -1 : 0;
}

/* Writes the code point v in UTF-8.  Returns the place behind it. */
static char *put_utf8(char *out, long v)
{
    if (v < 0x80) {
        *out++ = (char)v;
    } else if (v < 0x800) {
        *out++ = (char)(0xc0 | v >> 6);
    } else if (v < 0x10000) {
        *out++ = (char)(0xe0 | v >> 12);
        *out++ = (char)(0x80 | (v >> 6 & 0x3f));
    } else {
        *out++ = (char)(0xf0 | v >> 18);
        *out++ = (char)(0x80 | (v >> 12 & 0x3f));
        *out++ = (char)(0x80 | (v >> 6 & 0x3f));
    }

    if (v >= 0x80)
        *out++ = (char)(0x80 | (v & 0x3f));
    return out;
}

size_t dd_scan_unescape(char *out, struct dd_scan_text t)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const unsigned char *p = t.data, *end = t.data + t.size;
    char *first = out;

    while (p < end) {
        size_t used = 0;
        if (*p != '\\') {
            *out++ = (char)*p++;
        } else if (p[1] == 'u') {
            out = put_utf8(out, escaped_point(p + 2, end, &used));
            p += 2 + used;
        } else {
            *out++ = to[strchr(from, p[1]) - from];
            p += 2;
        }
    }

    return (size_t)(out - first);
}
