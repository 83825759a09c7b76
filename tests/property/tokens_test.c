/* The tokens of attention pooling are linear in the image x and in the positions e, so their gradients are
   adjoint: <tokens(x, e), dy> = <x, dx> + <e, de>.

   The tolerance: a token is a sum of at most seven numbers below 1, and so is each gradient.  The two sides
   are thus off by at most 8 u times the sum of |token| |dy|, u = 2^-24, which is 8 u 2 n (1 + P) c at most.
   */
#include "layer/tokens.h"
#include "tests/check.h"
#include "tests/property/maps.h"

enum { IMAGES = 3, HIGH = 2, WIDE = 3, CHANNELS = 5, PIXELS = HIGH * WIDE, TOKENS = 1 + PIXELS, GAP = 2 };

static double inner(const struct dd_map *a, const struct dd_map *b)
{
    double sum = 0;
    for (size_t p = 0; p < (size_t)(a->n * a->h * a->w); p++)
        for (size_t c = 0; c < (size_t)a->c; c++)
            sum += (double)a->data[p * a->stride + c] * b->data[p * b->stride + c];
    return sum;
}

TEST(tokens, are_adjoint)
{
    struct dd_context ctx = { .threads = 1 };
    struct dd_map x = map_create(IMAGES, HIGH, WIDE, CHANNELS, GAP, 1),
                  dx = map_create(IMAGES, HIGH, WIDE, CHANNELS, GAP, 2),
                  y = map_create(IMAGES, 1, TOKENS, CHANNELS, GAP, 3),
                  dy = map_create(IMAGES, 1, TOKENS, CHANNELS, GAP, 4);
    float *e = floats_create(CHANNELS * TOKENS, -1, 1, 5), de[CHANNELS * TOKENS];
    double sum = 0, u = 0x1p-24;

    /* The gradient by the positions is added to what is there. */
    for (int k = 0; k < CHANNELS * TOKENS; k++)
        de[k] = 1;
    dd_tokens_forward(&ctx, &y, &x, e);
    dd_tokens_backward(&ctx, &dx, de, &dy);
    for (int k = 0; k < CHANNELS * TOKENS; k++)
        sum += ((double)de[k] - 1) * e[k];
    CHECK_NEAR(inner(&x, &dx) + sum, inner(&y, &dy), 8 * u * 2 * IMAGES * TOKENS * CHANNELS);
    CHECK(map_whole(&y) && map_whole(&dx));

    dd_memory_free(e);
    map_free(&x);
    map_free(&dx);
    map_free(&y);
    map_free(&dy);
}

TEST(tokens, the_first_goes_on)
{
    struct dd_context ctx = { .threads = 1 };
    struct dd_map x = map_create(IMAGES, 1, TOKENS, CHANNELS, GAP, 1),
                  dx = map_create(IMAGES, 1, TOKENS, CHANNELS, GAP, 2),
                  y = map_create(IMAGES, 1, 1, CHANNELS, GAP, 3);

    dd_tokens_first_forward(&ctx, &y, &x);
    dd_tokens_first_backward(&ctx, &dx, &y);
    for (size_t i = 0; i < IMAGES; i++)
        for (size_t k = 0; k < TOKENS; k++)
            for (size_t c = 0; c < CHANNELS; c++) {
                size_t at = (i * TOKENS + k) * x.stride + c;
                CHECK(dx.data[at] == (k ? 0 : x.data[at]));
            }
    map_free(&x);
    map_free(&dx);
    map_free(&y);
}
