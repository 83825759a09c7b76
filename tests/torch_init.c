/* torch's generator is MT19937 (Matsumoto and Nishimura 1998), seeded by its own multiplicative
   recurrence. torch draws convolutions and linear layers in order of construction, weight before
   bias, from U(-b, b) with b = 1 / sqrt(fan_in). Norms begin with weight 1 and bias 0. */
#include "tests/torch_init.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void torch_seed(struct torch_random *r, uint64_t seed)
{
    r->state[0] = (uint32_t)seed;
    for (uint32_t j = 1; j < 624; j++)
        r->state[j] = 1812433253u * (r->state[j - 1] ^ (r->state[j - 1] >> 30)) + j;
    r->next = 624;
}

static void twist(uint32_t *s)
{
    for (int i = 0; i < 624; i++) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % 624] & 0x7fffffffu);
        s[i] = s[(i + 397) % 624] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
}

uint32_t torch_word(struct torch_random *r)
{
    if (r->next == 624) {
        twist(r->state);
        r->next = 0;
    }
    uint32_t y = r->state[r->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static float uniform(struct torch_random *r, float low, float high)
{
    return (float)(torch_word(r) & 0xffffff) * 0x1p-24f * (high - low) + low;
}

/* Turns 16 uniform numbers into normal ones by the method of Box and Muller: the first 8 become
   radii, the last 8 angles. */
static void normal16(float *d)
{
    for (int j = 0; j < 8; j++) {
        float radius = sqrtf(-2 * logf(1 - d[j])), angle = 2 * 3.14159265358979323846f * d[j + 8];
        d[j] = radius * cosf(angle);
        d[j + 8] = radius * sinf(angle);
    }
}

void torch_randn(struct torch_random *r, float *z, size_t n)
{
    for (size_t i = 0; i < n; i++)
        z[i] = uniform(r, 0, 1);
    for (size_t i = 0; i + 16 <= n; i += 16)
        normal16(z + i);
    if (n % 16 == 0)
        return;
    for (size_t i = n - 16; i < n; i++)
        z[i] = uniform(r, 0, 1);
    normal16(z + n - 16);
}

struct init {
    const ddpm_tensor *tensor;
    size_t tensors;
    struct torch_random random;
};

static const ddpm_tensor *find(const struct init *s, const char *prefix, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    for (size_t i = 0; i < s->tensors; i++)
        if (!strcmp(s->tensor[i].name, full))
            return &s->tensor[i];
    return NULL;
}

static int64_t count(const ddpm_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i];
    return n;
}

static void fill(struct init *s, const ddpm_tensor *t, double bound)
{
    float *w = t->data, b = (float)bound;
    for (int64_t i = 0, n = count(t); i < n; i++)
        w[i] = uniform(&s->random, -b, b);
}

/* Draws a convolution or linear layer, if the model has one of this name. */
static void layer(struct init *s, const char *prefix, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    const ddpm_tensor *w = find(s, path, ".weight"), *b = find(s, path, ".bias");
    if (!w)
        return;
    double fan_in = (double)(count(w) / w->dim[0]);
    fill(s, w, sqrt(3) * (sqrt(1.0 / 3) / sqrt(fan_in)));
    fill(s, b, 1 / sqrt(fan_in));
}

static void layers(struct init *s, const char *prefix, const char *const *names)
{
    for (; *names; names++)
        layer(s, prefix, *names);
}

static void resnet(struct init *s, const char *prefix)
{
    layers(s, prefix, (const char *const[]){ ".conv1", ".time_emb_proj", ".conv2", ".conv_shortcut", NULL });
}

static void attention(struct init *s, const char *prefix)
{
    layers(s, prefix, (const char *const[]){ ".to_q", ".to_k", ".to_v", ".to_out.0", NULL });
}

/* Draws the resnets and attentions of a block in turn, then its sampler. Returns the number of
   resnets; 0: there is no such block. */
static int block(struct init *s, const char *name, const char *sampler)
{
    char prefix[96];
    int j = 0;
    for (;; j++) {
        snprintf(prefix, sizeof prefix, "%s.resnets.%d", name, j);
        if (!find(s, prefix, ".conv1.weight"))
            break;
        resnet(s, prefix);
        snprintf(prefix, sizeof prefix, "%s.attentions.%d", name, j);
        attention(s, prefix);
    }
    snprintf(prefix, sizeof prefix, "%s.%s.0", name, sampler);
    layer(s, prefix, ".conv");
    resnet(s, prefix);
    return j;
}

static void blocks(struct init *s, const char *side, const char *sampler)
{
    char name[64];
    for (int i = 0; snprintf(name, sizeof name, "%s.%d", side, i), block(s, name, sampler); i++)
        continue;
}

static void norms(struct init *s)
{
    for (size_t i = 0; i < s->tensors; i++) {
        const ddpm_tensor *t = &s->tensor[i];
        int one = strstr(t->name, "norm") && strstr(t->name, ".weight");
        for (int64_t k = 0; one && k < t->dim[0]; k++)
            ((float *)t->data)[k] = 1;
    }
}

void torch_init(ddpm_model *m, uint64_t seed, int freq_shift)
{
    struct init s = { .tensor = NULL };
    s.tensors = ddpm_model_tensors(m, &s.tensor);
    torch_seed(&s.random, seed);
    layers(&s, "",
           (const char *const[]){ "conv_in", "time_embedding.linear_1", "time_embedding.linear_2", NULL });
    blocks(&s, "down_blocks", "downsamplers");
    block(&s, "mid_block", "none");
    blocks(&s, "up_blocks", "upsamplers");
    layer(&s, "", "conv_out");
    norms(&s);
    const ddpm_tensor *freq = find(&s, "", "time.freq");
    for (int64_t i = 0; i < freq->dim[0]; i++)
        ((float *)freq->data)[i] = expf(-(float)log(10000) * (float)i / (float)(freq->dim[0] - freq_shift));
}

void torch_to_nhwc(float *x, const float *z, int c, int h, int w)
{
    for (int k = 0; k < c; k++)
        for (int i = 0; i < h * w; i++)
            x[i * c + k] = z[k * h * w + i];
}

void torch_to_nchw(float *z, const float *x, int c, int h, int w)
{
    for (int k = 0; k < c; k++)
        for (int i = 0; i < h * w; i++)
            z[k * h * w + i] = x[i * c + k];
}
