/* Finds the name that was probably meant by a mistyped text. */
#include <string.h>
#include "cli/options.h"

enum { LONGEST = 31 };

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

/* Returns how many edits turn a into b: inserting, deleting or changing a letter, or exchanging two
   neighbours (the distance of optimal string alignment).  Texts longer than LONGEST count as far from
   everything. */
static int distance(const char *a, const char *b)
{
    int d[LONGEST + 1][LONGEST + 1], n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST)
        return 2 * LONGEST;

    /* d[i][j] is the distance of the first i letters of a and the first j of b. */
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= m; j++) {
            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }

            d[i][j] = least_of(d[i - 1][j], d[i][j - 1]) + 1;
            d[i][j] = least_of(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

/* Returns the only name that begins with text, or NULL. */
static const char *completed(const char *text, const char *const *names)
{
    const char *found = NULL;
    size_t n = strlen(text);
    for (; n && *names; names++)
        if (!strncmp(*names, text, n)) {
            if (found)
                return NULL;
            found = *names;
        }
    return found;
}

/* A name is suggested when at most a third of the letters are wrong, or when only that name begins with
   the text. */
const char *nearest_name(const char *text, const char *const *names)
{
    const char *best = NULL;
    int least = (int)strlen(text) / 3 + 1;
    for (const char *const *name = names; *name; name++) {
        int d = distance(text, *name);
        if (d < least) {
            least = d;
            best = *name;
        }
    }
    return best ? best : completed(text, names);
}
