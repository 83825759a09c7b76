/* Finds segments and words in the names of tensors, keys and folders (tensor_names.h).  A word ends at the
   last letter, or where camel case begins a new word. */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "checkpoint/tensor_names.h"

size_t name_segment(const char *name)
{
    return strcspn(name, ".");
}

int name_begins(const char *name, const char *with)
{
    return !strncmp(name, with, strlen(with));
}

/* Returns whether a word may end before text[end], as "EMA" does before the C of "EMACallback". */
static int ends_word(const char *text, size_t length, size_t end)
{
    if (end == length || !isalpha((unsigned char)text[end]))
        return 1;
    int next_low = end + 1 < length && islower((unsigned char)text[end + 1]);
    return isupper((unsigned char)text[end]) && (islower((unsigned char)text[end - 1]) || next_low);
}

/* Returns whether a word may begin at text[i], as "Ema" does in "modelEma". */
static int begins_word(const char *text, size_t i)
{
    if (!i || !isalnum((unsigned char)text[i - 1]))
        return 1;
    return islower((unsigned char)text[i - 1]) && isupper((unsigned char)text[i]);
}

int name_has_word(const char *text, size_t length, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= length; i++)
        if (!strncasecmp(text + i, word, n) && ends_word(text, length, i + n) && begins_word(text, i))
            return 1;
    return 0;
}

int name_says_average(const char *text, size_t length)
{
    static const char *const words[] = { "ema", "avg", "average", "averaged", "swa", "shadow", "polyak" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        /* "exp_avg" is a moment of Adam. */
        if (name_has_word(text, length, words[i]))
            return !name_has_word(text, length, "exp_avg");
    return 0;
}
