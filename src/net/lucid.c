/* The U-Net of lucidrains' denoising-diffusion-pytorch 2.x as a list of nodes, and that of its
   classifier_free_guidance.  Parameters have the names that the former gives them.

     t = W2 gelu(W1 posenc(time));   r = x = conv7x7(image)
         with classes, t = t | W4 gelu(W3 table[class])
     down   for each stage: block1, keep; block2, attention, keep; then space to channels and conv1x1, or with
            net.down = "conv4" a conv4x4 of stride 2, but at the last stage conv3x3
     mid    block1, full attention, block2
     up     for each stage in reverse: block1(x | kept), block2(x | kept), attention; then double and conv3x3,
            but at the last stage conv3x3 alone
     out  = conv1x1(block(x | r))

     block(x) = silu(rms(conv(u))) + shortcut(x),  u = silu(rms(conv(x)) (1 + s) + b),  (s | b) = W silu(t);
                training applies dropout to u
     linear attention(x) = x + rms(conv1x1(mix(qkv(rms(x)))))
     full attention(x)   = x + conv1x1(mix(qkv(rms(x)))) */
#include "net/program.h"

struct lucid {
    struct dd_program *p;
    const struct dd_config *c;
    int projections;         /* the node in which all W are stacked */
    int skip[2 * DD_LEVELS]; /* the values of the skip connections, a stack */
    int skips;
};

/* Appends a convolution of x without anything around it; returns the value of its output. */
static int conv(struct dd_program *p, const char *name, int x, int rows, int kernel)
{
    struct dd_node n = {
        .name = name,
        .x = x,
        .kernel = kernel,
    };
    return dd_program_conv(p, rows, n);
}

/* Appends a 4x4 convolution of stride 2; returns the value of its output. */
static int halve(struct dd_program *p, const char *name, int x, int rows)
{
    struct dd_node n = {
        .name = name,
        .x = x,
        .kernel = 4,
        .stride = 2,
    };
    return dd_program_conv(p, rows, n);
}

/* Appends the RMS norm `n`, whose x, emb, act and residual the caller has set.  Returns the value of its
   output. */
static int rms(struct dd_program *p, const char *name, struct dd_node n)
{
    struct dd_value v = p->value[n.x];
    int64_t dim[4] = { 1, v.c, 1, 1 };

    n.op = DD_OP_RMS;
    n.name = name;
    int node = dd_program_node(p, n, v.h, v.w, v.c);
    int gain = dd_program_param(p, dd_program_name(p, "%s.g", name), DD_INIT_ONE, 0, 4, dim);
    dd_program_give(p, node, gain, -1);
    return p->node[node].y;
}

static int block(struct lucid *u, const char *name, int x, int rows)
{
    struct dd_program *p = u->p;
    int emb = dd_program_rows(p, u->projections, 2 * rows, true, dd_program_name(p, "%s.mlp.1", name));

    int h = conv(p, dd_program_name(p, "%s.block1.proj", name), x, rows, 3);
    struct dd_node norm1 = { .x = h, .emb = emb, .act = DD_ACT_SILU };
    h = rms(p, dd_program_name(p, "%s.block1.norm", name), norm1);

    struct dd_node proj = {
        .name = dd_program_name(p, "%s.block2.proj", name),
        .x = h,
        .kernel = 3,
    };
    dd_program_dropout(p, dd_program_name(p, "%s.block1.dropout", name), &proj, u->c->dropout);
    h = dd_program_conv(p, rows, proj);

    if (p->value[x].c != rows)
        x = conv(p, dd_program_name(p, "%s.res_conv", name), x, rows, 1);
    struct dd_node norm2 = { .x = h, .act = DD_ACT_SILU, .residual = x };
    return rms(p, dd_program_name(p, "%s.block2.norm", name), norm2);
}

/* Appends the attention that mixes the pixels of q, k and v, which lie in one value.  Returns the value of
   its output. */
static int mix(struct lucid *u, const char *name, int qkv, bool full)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;
    struct dd_value v = p->value[qkv];

    struct dd_node n = {
        .op = full ? DD_OP_ATTENTION : DD_OP_LINEAR_ATTENTION,
        .name = name,
        .x = qkv,
        .attention = { v.h, v.w, c->heads, c->head_dim, c->memory, false },
    };
    int node = dd_program_node(p, n, v.h, v.w, c->heads * c->head_dim);

    /* Learned keys and values beside those of the pixels; linear attention stores them transposed. */
    if (c->memory) {
        int64_t dim[4] = { 2, c->heads, full ? c->memory : c->head_dim, full ? c->head_dim : c->memory };
        int memory = dd_program_param(p, dd_program_name(p, "%s.mem_kv", name), DD_INIT_NORMAL, 0, 4, dim);
        dd_program_give(p, node, memory, -1);
    }
    return p->node[node].y;
}

static int attention(struct lucid *u, const char *name, int x, bool full)
{
    struct dd_program *p = u->p;
    struct dd_node qkv = {
        .name = dd_program_name(p, "%s.to_qkv", name),
        .x = rms(p, dd_program_name(p, "%s.norm", name), (struct dd_node){ .x = x }),
    };
    int stack = dd_program_stack(p, qkv);
    dd_program_rows(p, stack, 3 * u->c->heads * u->c->head_dim, false, qkv.name);
    int y = mix(u, name, p->node[stack].y, full);

    if (full) {
        struct dd_node out = {
            .name = dd_program_name(p, "%s.to_out", name),
            .x = y,
            .residual = x,
        };
        return dd_program_conv(p, p->value[x].c, out);
    }
    y = conv(p, dd_program_name(p, "%s.to_out.0", name), y, p->value[x].c, 1);
    return rms(p, dd_program_name(p, "%s.to_out.1", name), (struct dd_node){ .x = y, .residual = x });
}

/* Keeps x as a skip connection; returns it. */
static int push(struct lucid *u, int x)
{
    u->skip[u->skips++] = x;
    return x;
}

static int pop(struct lucid *u)
{
    return u->skip[--u->skips];
}

/* Returns how many channels enter stage i on the way down and leave it on the way up. */
static int narrow(const struct lucid *u, int i)
{
    return i ? u->c->widths[i - 1] : u->c->init;
}

static int down(struct lucid *u, int x)
{
    struct dd_program *p = u->p;
    for (int i = 0; i < u->c->levels; i++) {
        x = push(u, block(u, dd_program_name(p, "downs.%d.0", i), x, narrow(u, i)));
        x = block(u, dd_program_name(p, "downs.%d.1", i), x, narrow(u, i));
        x = push(u, attention(u, dd_program_name(p, "downs.%d.2", i), x, u->c->full[i]));

        const char *name = dd_program_name(p, "downs.%d.3", i);
        if (i + 1 < u->c->levels && u->c->strided) {
            x = halve(p, name, x, u->c->widths[i]);
        } else if (i + 1 < u->c->levels) {
            x = dd_program_resample(p, DD_OP_UNSHUFFLE, name, x, 0, DD_ACT_NONE);
            x = conv(p, dd_program_name(p, "%s.1", name), x, u->c->widths[i], 1);
        } else {
            x = conv(p, name, x, u->c->widths[i], 3);
        }
    }
    return x;
}

/* k is the number that lucidrains gives a stage of the way up, from 0 on. */
static int up(struct lucid *u, int x)
{
    struct dd_program *p = u->p;
    for (int k = 0; k < u->c->levels; k++) {
        int i = u->c->levels - 1 - k, width = u->c->widths[i];
        x = block(u, dd_program_name(p, "ups.%d.0", k), dd_program_join(p, x, pop(u)), width);
        x = block(u, dd_program_name(p, "ups.%d.1", k), dd_program_join(p, x, pop(u)), width);
        x = attention(u, dd_program_name(p, "ups.%d.2", k), x, u->c->full[i]);

        const char *name = dd_program_name(p, "ups.%d.3", k);
        if (i > 0) {
            x = dd_program_resample(p, DD_OP_UPSAMPLE, name, x, 0, DD_ACT_NONE);
            name = dd_program_name(p, "%s.1", name);
        }
        x = conv(p, name, x, narrow(u, i), 3);
    }
    return x;
}

/* Appends a network of two linear layers with GELU between them, NAME.first and NAME.second, which gives
   c->time_hidden channels; returns the value of its output. */
static int two_layers(struct lucid *u, const char *name, int x, int first, int second)
{
    struct dd_program *p = u->p;
    struct dd_node in = {
        .name = dd_program_name(p, "%s.%d", name, first),
        .x = x,
        .linear = true,
    };
    struct dd_node out = {
        .name = dd_program_name(p, "%s.%d", name, second),
        .x = dd_program_conv(p, u->c->time_hidden, in),
        .pre = DD_ACT_GELU,
        .linear = true,
    };
    return dd_program_conv(p, u->c->time_hidden, out);
}

/* Appends the embedding of the timestep; returns its value. */
static int time_embedding(struct lucid *u)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;
    struct dd_node sinusoids = {
        .op = DD_OP_EMBED,
        .name = "time_mlp.0",
        .cos_first = c->cos_first,
    };

    int64_t half = c->time_dim / 2;
    int node = dd_program_node(p, sinusoids, 1, 1, c->time_dim);
    dd_program_give(p, node, dd_program_param(p, "time.freq", DD_INIT_FREQUENCY, 0, 1, &half), -1);
    return two_layers(u, "time_mlp", p->node[node].y, 1, 3);
}

/* Appends the embedding of the class; returns its value. */
static int class_embedding(struct lucid *u)
{
    struct dd_program *p = u->p;
    struct dd_node class = { .op = DD_OP_CLASS, .name = "classes_emb" };
    int64_t table[2] = { dd_config_class_rows(u->c), u->c->time_dim };
    int node = dd_program_node(p, class, 1, 1, u->c->time_dim);
    dd_program_give(p, node, dd_program_param(p, "classes_emb.weight", DD_INIT_NORMAL, 0, 2, table), -1);
    return two_layers(u, "classes_mlp", p->node[node].y, 0, 2);
}

void dd_lucid_build(struct dd_program *p, const struct dd_config *c)
{
    struct lucid u = { .p = p, .c = c };
    int x = dd_program_value(p, c->height, c->width, c->channels), width = c->widths[c->levels - 1];
    p->home[p->value[x].home].place = DD_PLACE_INPUT;

    int emb = time_embedding(&u);
    if (c->classes)
        emb = dd_program_join(p, emb, class_embedding(&u));
    struct dd_node projections = {
        .name = "mlp",
        .x = emb,
        .pre = DD_ACT_SILU,
        .linear = true,
    };
    u.projections = dd_program_stack(p, projections);

    int r = conv(p, "init_conv", x, c->init, 7);
    int h = down(&u, r);
    h = block(&u, "mid_block1", h, width);
    h = attention(&u, "mid_attn", h, true);
    h = block(&u, "mid_block2", h, width);
    p->middle = h;
    h = up(&u, h);

    h = block(&u, "final_res_block", dd_program_join(p, h, r), c->init);
    int y = conv(p, "final_conv", h, c->outputs, 1);
    p->home[p->value[y].home].place = DD_PLACE_OUTPUT;
}
