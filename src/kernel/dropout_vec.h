/* Computes dropout by Philox4x32-10 (base/rng.c), VL / 2 blocks at once.  A word of the state is the low
   half of a 64-bit lane.  The contents of the high half never return to the low half, because products are
   of low halves, and only products are shifted. */

typedef uint32_t vf_words __attribute__((vector_size(4 * VL)));

enum { DROPOUT_WORDS = 2 * VL };

/* Fills word [DROPOUT_WORDS] with the blocks counter[0] + first, counter[0] + first + 1, ... */
INLINE void K(philox)(uint32_t *word, uint32_t first, const uint32_t *counter, const uint32_t *key)
{
    vf_lanes x0, x1, x2, x3, pair[2];
    uint64_t even[VL / 2], odd[VL / 2];
    uint32_t k0 = key[0], k1 = key[1];
    for (unsigned i = 0; i < VL / 2; i++)
        even[i] = counter[0] + first + i;

    memcpy(&x0, even, sizeof x0);
    x1 = (x0 ^ x0) + counter[1];
    x2 = (x0 ^ x0) + counter[2];
    x3 = (x0 ^ x0) + counter[3];

    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
        vf_lanes a = vf_low_products(x0, 0xD2511F53), b = vf_low_products(x2, 0xCD9E8D57);
        x0 = (b >> 32) ^ x1 ^ k0;
        x1 = b;
        x2 = (a >> 32) ^ x3 ^ k1;
        x3 = a;
    }

    /* The words of a block, x0 to x3, lie in four vectors; they are put side by side. */
    pair[0] = (x0 & 0xffffffff) | x1 << 32;
    pair[1] = (x2 & 0xffffffff) | x3 << 32;
    memcpy(even, &pair[0], sizeof even);
    memcpy(odd, &pair[1], sizeof odd);
    for (unsigned i = 0; i < VL / 2; i++) {
        uint32_t four[4] = { (uint32_t)even[i], (uint32_t)(even[i] >> 32), (uint32_t)odd[i],
                             (uint32_t)(odd[i] >> 32) };
        memcpy(word + 4 * i, four, sizeof four);
    }
}

static void K(dropout)(float *y, size_t n, const struct dd_dropout_terms *terms)
{
    const uint32_t limit = terms->limit;
    const float scale = terms->scale;
    uint32_t word[DROPOUT_WORDS + VL] = { 0 };
    uint32_t block = 0;
    size_t skip = terms->skip;

    for (size_t done = 0, count; done < n; done += count, block += VL / 2, skip = 0) {
        /* `skip` words of the first block have been used before. */
        count = n - done < DROPOUT_WORDS - skip ? n - done : DROPOUT_WORDS - skip;
        K(philox)(word, block, terms->counter, terms->key);

        EACH_VECTOR(i, count, {
            vf_words w;
            memcpy(&w, word + skip + i, sizeof w);
            vf kept = vf_mul(vf_take(y + done + i, lanes), vf_set(scale));
            vf_put(y + done + i, (vf)((vf_words)kept & (vf_words)(w >= limit)), lanes);
        });
    }
}
