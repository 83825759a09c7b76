/* Reads the Unet of lucidrains' classifier_free_guidance, which is given classes (checkpoint-families.md 4).
   It has linear attention at all levels, and attention proper in the middle; both lie two modules deeper than
   in his other Unet.  The row of no class is a tensor of its own. */
#include <stdio.h>
#include <string.h>
#include "family/lucidrains_guided.h"

/* The attention of classifier_free_guidance.  No tensor shows how its channels are divided into heads. */
enum { GUIDED_HEADS = 4, GUIDED_HEAD_DIM = 32 };

bool lucidrains_guided(const struct conversion *v)
{
    return conversion_has(v, "classes_emb.weight");
}

/* Reads how many classes there are; the row of no class is a tensor of its own. */
int lucidrains_guided_classes(struct conversion *v, struct lucidrains *u)
{
    int64_t dim[4];
    int code = lucidrains_guided(v) ? conversion_shape(v, dim, 2, "classes_emb.weight") : DDPM_OK;
    if (!code && lucidrains_guided(v))
        u->classes = (int)dim[0];
    return code;
}

/* Checks the attention at `place` of a network with classes.  It is linear everywhere but in the middle. */
int lucidrains_guided_attention(struct conversion *v, struct lucidrains *u, const char *place)
{
    int64_t dim[4];
    int code = conversion_shape(v, dim, 4, "%s.fn.fn.to_qkv.weight", place);
    if (code)
        return code;

    u->heads = GUIDED_HEADS;
    u->head_dim = GUIDED_HEAD_DIM;
    if (dim[0] != 3 * GUIDED_HEADS * GUIDED_HEAD_DIM)
        return conversion_error(
            v,
            "%s.fn.fn.to_qkv.weight has %lld rows, expected %d for %d heads of %d channels, "
            "which its linear attention always has: this program has one kind per network",
            place, (long long)dim[0], 3 * GUIDED_HEADS * GUIDED_HEAD_DIM, GUIDED_HEADS, GUIDED_HEAD_DIM);
    return DDPM_OK;
}

/* Reads the width of level i of a network with classes, and its two attentions. */
int lucidrains_guided_level(struct conversion *v, struct lucidrains *u, int i)
{
    int64_t dim[4];
    char place[24];
    int code = conversion_shape(v, dim, 4, "downs.%d.3.weight", i);
    if (code)
        return code;
    u->widths[i] = (int)dim[0];

    snprintf(place, sizeof place, "downs.%d.2", i);
    code = lucidrains_guided_attention(v, u, place);
    snprintf(place, sizeof place, "ups.%d.2", u->levels - 1 - i);
    return code ? code : lucidrains_guided_attention(v, u, place);
}

/* Checks what only a network with classes has.  The number of its heads in the middle is assumed to be the
   default unless it is said. */
void lucidrains_guided_check(struct conversion *v, const struct lucidrains *u)
{
    if (settings_int(v->say, "Unet.attn_heads", 1, 1 << 12, u->heads) != u->heads)
        settings_wrong(v->say, "Unet.attn_heads",
                       "expected %d, as its linear attention has: this program has one kind per network",
                       u->heads);
    if (!settings_given(v->say, "Unet.attn_heads"))
        conversion_note(v, "attn_heads %d in the middle is assumed, the default: no tensor shows it",
                        u->heads);

    conversion_check_int(v, "Unet.num_classes", u->classes);
    conversion_refuse_if(v, "GaussianDiffusion.use_cfg_plus_plus",
                         settings_bool(v->say, "GaussianDiffusion.use_cfg_plus_plus", false));
}

/* Returns how many characters the place of an attention takes at the beginning of a name, such as
   "downs.0.2." or "mid_attn."; 0: the name begins differently. */
static int place_of(const char *name)
{
    static const char *const places[] = { "downs.%*d.2.%n", "ups.%*d.2.%n", "mid_attn.%n" };
    int size = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places && !size; i++)
        sscanf(name, places[i], &size);
    return size;
}

/* "downs.0.2.norm.g" is "downs.0.2.fn.norm.g" here, and the rest of an attention is in "downs.0.2.fn.fn". */
void lucidrains_guided_map(struct foreign *from, const struct conversion *v, const ddpm_tensor *ours)
{
    const char *name = ours->name;
    if (!lucidrains_guided(v))
        return;

    int place = place_of(name);
    if (place)
        snprintf(from->name, sizeof from->name, "%.*s%s%s", place, name,
                 strcmp(name + place, "norm.g") ? "fn.fn." : "fn.", name + place);
    if (!strcmp(name, "classes_emb.weight"))
        snprintf(from->last, sizeof from->last, "null_classes_emb");
}
