/* Looks up keys and texts in the tree of a pickle, and prepares its texts for messages (pickle.h). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/names.h"
#include "checkpoint/pickle.h"

const char *pickle_show(char *out, size_t room, const char *text, size_t length)
{
    size_t n = length < room - 1 ? length : room - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
    out[n] = 0;

    if (n < length && n >= 3)
        memcpy(out + n - 3, "...", 3);
    return out;
}

void pickle_note_foreign(struct pickle *p, const char *name)
{
    size_t used = strlen(p->foreign), n = strlen(name);

    /* A match counts only as a whole name, because a name may be a part of another. */
    for (const char *at = p->foreign; (at = strstr(at, name)) != NULL; at += n)
        if ((at == p->foreign || at[-1] == ' ') && (at[n] == '\0' || at[n] == ','))
            return;

    /* Eight bytes are reserved for " ...", which says that there are more names. */
    if (used + n + 8 < sizeof p->foreign)
        dd_names_join(p->foreign, sizeof p->foreign, name);
    else if (used + 5 < sizeof p->foreign && strcmp(p->foreign + used - 3, "..."))
        strcpy(p->foreign + used, " ...");
}

int pickle_is(const struct pickle_node *text, const char *value)
{
    return text->kind == PICKLE_TEXT && text->count == strlen(value) &&
           !memcmp(text->text, value, text->count);
}

struct pickle_node *pickle_get(const struct pickle_node *dict, const char *key)
{
    /* The search begins at the end: the last value set under a key counts, as in Python. */
    for (size_t i = dict->kind == PICKLE_DICT ? dict->count : 0; i >= 2; i -= 2)
        if (pickle_is(dict->item[i - 2], key))
            return dict->item[i - 1];
    return NULL;
}

const char *pickle_text(struct pickle_node *text, struct dd_arena *arena)
{
    /* The text is a piece of the pickle until a copy replaces it; then room is 1. */
    char *copy = text->room ? NULL : dd_arena(arena, (size_t)text->count + 1, 1);
    if (copy) {
        memcpy(copy, text->text, text->count);
        text->text = copy;
        text->room = 1;
    }
    return text->room ? text->text : NULL;
}
