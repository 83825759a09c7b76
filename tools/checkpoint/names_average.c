/* Words in the names of tensors, keys and folders, and those that speak of an average of weights. */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "checkpoint/source.h"

/* Does a word end at text[end], which stands inside of length?  In "EMACallback" it does. */
static int ends_word(const char *text, size_t length, size_t end)
{
    if (end == length || !isalpha((unsigned char)text[end]))
        return 1;
    int next_low = end + 1 < length && islower((unsigned char)text[end + 1]);
    return isupper((unsigned char)text[end]) && (islower((unsigned char)text[end - 1]) || next_low);
}

/* Does a word begin at text[i]?  In "modelEma" it does. */
static int begins_word(const char *text, size_t i)
{
    if (!i || !isalnum((unsigned char)text[i - 1]))
        return 1;
    return islower((unsigned char)text[i - 1]) && isupper((unsigned char)text[i]);
}

int names_word(const char *text, size_t length, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= length; i++)
        if (!strncasecmp(text + i, word, n) && ends_word(text, length, i + n) && begins_word(text, i))
            return 1;
    return 0;
}

int names_average(const char *text, size_t length)
{
    static const char *const words[] = { "ema", "avg", "average", "averaged", "swa", "shadow", "polyak" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (names_word(text, length, words[i]))
            return !names_word(text, length, "exp_avg");
    return 0;
}
