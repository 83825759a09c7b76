/* The U-Net of Ho, Jain, Abbeel 2020 (arXiv 2006.11239, appendix B) as a list of nodes, with the variations
   of Nichol and Dhariwal 2021 (arXiv 2102.09672) and of diffusers' UNet2DModel.  Parameters have the names
   that diffusers gives them.

     emb  = W2 silu(W1 posenc(t)) + class;   h = conv_in(x)
     down   for each level: blocks times [resnet, attention?]; then halve h, but not at the last level.
            Every result is also kept as a skip connection.
     mid    resnet, attention?, resnet
     up     for each level in reverse: (blocks + 1) times [resnet(h | skip), attention?]; then double h
     out  = conv_out(silu(norm(h)))

     resnet(x) = (shortcut(x) + conv2(act(z))) / scale,
       z = norm2(conv1(act(norm1(x))) + P act(emb)),
           or, with net.scale_shift, norm2(conv1(act(norm1(x)))) (1 + s) + b with (s | b) = P act(emb);
       training applies dropout to act(z).
     attention(x) = (x + to_out(softmax(q k^T / sqrt(dim)) v)) / scale, (q | k | v) = W norm(x)

   The projections P of all resnets are stacked into one matrix, which is applied to emb once.

   The classifier of Dhariwal and Nichol 2021 (arXiv 2105.05233) is the same network as far as the middle.
   Attention pooling then makes one vector of the image, its logits:

     tokens = (mean | pixels of silu(norm(h))) + positions;   logits = to_out(attention(tokens)_0) */
#include "net/program.h"

/* Each level adds at most 64 blocks and one downsampler; conv_in adds one more. */
enum { SKIPS_MOST = DD_LEVELS * 65 + 1 };

struct unet {
    struct dd_program *p;
    const struct dd_config *c;
    int projections;      /* the node in which all P are stacked */
    int skip[SKIPS_MOST]; /* the values of the skip connections, a stack */
    int skips;
};

/* Appends a linear layer of x; returns the value of its output. */
static int linear(struct dd_program *p, const char *name, int x, int rows, enum dd_act pre)
{
    struct dd_node n = {
        .name = name,
        .x = x,
        .pre = pre,
        .linear = true,
    };
    return dd_program_conv(p, rows, n);
}

/* Appends a 3x3 convolution of x; returns the value of its output. */
static int conv3(struct dd_program *p, const char *name, int x, int rows)
{
    struct dd_node n = {
        .name = name,
        .x = x,
        .kernel = 3,
    };
    return dd_program_conv(p, rows, n);
}

/* Appends emb, the embedding of the timestep plus that of the class; returns its value. */
static int time_embedding(struct unet *u)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;
    struct dd_node sinusoids = {
        .op = DD_OP_EMBED,
        .name = "time_proj",
        .cos_first = c->cos_first,
    };

    int64_t half = c->time_dim / 2;
    int node = dd_program_node(p, sinusoids, 1, 1, c->time_dim);
    dd_program_give(p, node, dd_program_param(p, "time.freq", DD_INIT_FREQUENCY, 0, 1, &half), -1);

    int emb = linear(p, "time_embedding.linear_1", p->node[node].y, c->time_hidden, DD_ACT_NONE);
    emb = linear(p, "time_embedding.linear_2", emb, c->time_hidden, DD_ACT_SILU);
    if (!dd_config_told_classes(c))
        return emb;

    /* The class is added in place. */
    struct dd_node class = {
        .op = DD_OP_CLASS,
        .name = "class_embedding",
        .x = emb,
        .y = emb,
    };
    int64_t table[2] = { dd_config_class_rows(c), c->time_hidden };
    node = dd_program_node(p, class, 1, 1, 0);
    dd_program_give(p, node, dd_program_param(p, "class_embedding.weight", DD_INIT_NORMAL, 0, 2, table), -1);
    return emb;
}

/* The variations of a resnet: it may resample, and it divides its sum by `scale`. */
struct resnet {
    int width;     /* the width of its output */
    enum dd_op op; /* DD_OP_UPSAMPLE, DD_OP_AVGPOOL, or DD_OP_CONV for neither */
    double scale;
};

static int resnet(struct unet *u, const char *name, int x, struct resnet r)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;

    struct dd_node conv1 = {
        .name = dd_program_name(p, "%s.conv1", name),
        .kernel = 3,
        .x = x,
        .pre = c->act,
    };
    conv1.norm = dd_program_norm(p, dd_program_name(p, "%s.norm1", name), x, c->groups, c->norm_eps, 0);

    /* Both branches are resampled; the main branch is after its norm and activation. */
    if (r.op != DD_OP_CONV) {
        conv1.x = dd_program_resample(p, r.op, dd_program_name(p, "%s.h", name), x, conv1.norm, c->act);
        conv1.norm = 0;
        conv1.pre = DD_ACT_NONE;
        x = dd_program_resample(p, r.op, dd_program_name(p, "%s.x", name), x, 0, DD_ACT_NONE);
    }

    int emb = dd_program_rows(p, u->projections, c->scale_shift ? 2 * r.width : r.width, true,
                              dd_program_name(p, "%s.time_emb_proj", name));
    conv1.add = c->scale_shift ? 0 : emb;
    int h = dd_program_conv(p, r.width, conv1);
    int norm2 = dd_program_norm(p, dd_program_name(p, "%s.norm2", name), h, c->groups, c->norm_eps,
                                c->scale_shift ? emb : 0);

    if (p->value[x].c != r.width) {
        struct dd_node shortcut = {
            .name = dd_program_name(p, "%s.conv_shortcut", name),
            .x = x,
        };
        x = dd_program_conv(p, r.width, shortcut);
    }

    struct dd_node conv2 = {
        .name = dd_program_name(p, "%s.conv2", name),
        .kernel = 3,
        .x = h,
        .norm = norm2,
        .pre = c->act,
        .residual = x,
        .scale = (float)(1 / r.scale),
    };
    dd_program_dropout(p, dd_program_name(p, "%s.dropout", name), &conv2, c->dropout);
    return dd_program_conv(p, r.width, conv2);
}

/* Appends qkv, a linear layer whose rows are q, k and v of all heads, and the attention that mixes the
   tokens; returns the value of its output. */
static int mix_tokens(struct dd_program *p, const char *name, struct dd_node qkv, int heads, int dim)
{
    struct dd_value v = p->value[qkv.x];
    int inner = heads * dim, stack = dd_program_stack(p, qkv);
    dd_program_rows(p, stack, inner, true, dd_program_name(p, "%s.to_q", name));
    dd_program_rows(p, stack, inner, true, dd_program_name(p, "%s.to_k", name));
    dd_program_rows(p, stack, inner, true, dd_program_name(p, "%s.to_v", name));

    struct dd_node mix = {
        .op = DD_OP_ATTENTION,
        .name = name,
        .x = p->node[stack].y,
        .attention = { v.h, v.w, heads, dim, 0, false },
    };
    int node = dd_program_node(p, mix, v.h, v.w, inner);
    return p->node[node].y;
}

/* Appends attention within x; returns the value of its output.  groups 0: it has no norm. */
static int attention(struct unet *u, const char *name, int x, int heads, int groups, double scale)
{
    struct dd_program *p = u->p;
    struct dd_value v = p->value[x];
    int dim = u->c->head_dim ? u->c->head_dim : v.c / heads;

    struct dd_node qkv = {
        .name = dd_program_name(p, "%s.to_qkv", name),
        .x = x,
        .linear = true,
    };
    if (groups)
        qkv.norm =
            dd_program_norm(p, dd_program_name(p, "%s.group_norm", name), x, groups, u->c->norm_eps, 0);

    struct dd_node out = {
        .name = dd_program_name(p, "%s.to_out.0", name),
        .x = mix_tokens(p, name, qkv, heads, dim),
        .linear = true,
        .residual = x,
        .scale = (float)(1 / scale),
    };
    return dd_program_conv(p, v.c, out);
}

/* Keeps h as a skip connection; returns it. */
static int push(struct unet *u, int h)
{
    u->skip[u->skips++] = h;
    return h;
}

static int downsample(struct unet *u, int level, int h)
{
    const struct dd_config *c = u->c;
    const char *name = dd_program_name(u->p, "down_blocks.%d.downsamplers.0", level);
    if (c->down_res[level])
        return resnet(u, name, h, (struct resnet){ c->widths[level], DD_OP_AVGPOOL, 1 });

    struct dd_node conv = {
        .name = dd_program_name(u->p, "%s.conv", name),
        .x = h,
        .kernel = 3,
        .stride = 2,
        .right = !c->pad_both,
    };
    return dd_program_conv(u->p, c->widths[level], conv);
}

static int down(struct unet *u, int h)
{
    const struct dd_config *c = u->c;
    for (int i = 0; i < c->levels; i++) {
        struct resnet block = { c->widths[i], DD_OP_CONV, 1 };
        for (int j = 0; j < c->blocks; j++) {
            h = resnet(u, dd_program_name(u->p, "down_blocks.%d.resnets.%d", i, j), h, block);
            if (c->heads_down[i])
                h = attention(u, dd_program_name(u->p, "down_blocks.%d.attentions.%d", i, j), h,
                              c->heads_down[i], c->groups, 1);
            push(u, h);
        }

        if (i + 1 < c->levels)
            h = push(u, downsample(u, i, h));
    }
    return h;
}

static int mid(struct unet *u, int h)
{
    const struct dd_config *c = u->c;
    struct resnet block = { c->widths[c->levels - 1], DD_OP_CONV, c->mid_scale };

    h = resnet(u, "mid_block.resnets.0", h, block);
    if (c->heads_mid)
        h = attention(u, "mid_block.attentions.0", h, c->heads_mid, c->mid_groups, c->mid_scale);
    return resnet(u, "mid_block.resnets.1", h, block);
}

/* Doubles the output of level i.  k is the number that diffusers gives a level of the way up, from 0 on. */
static int upsample(struct unet *u, int i, int k, int h)
{
    const struct dd_config *c = u->c;
    const char *name = dd_program_name(u->p, "up_blocks.%d.upsamplers.0", k);
    if (c->up_res[i - 1])
        return resnet(u, name, h, (struct resnet){ c->widths[i], DD_OP_UPSAMPLE, 1 });

    h = dd_program_resample(u->p, DD_OP_UPSAMPLE, name, h, 0, DD_ACT_NONE);
    return conv3(u->p, dd_program_name(u->p, "%s.conv", name), h, c->widths[i]);
}

static int up(struct unet *u, int h)
{
    const struct dd_config *c = u->c;
    for (int k = 0; k < c->levels; k++) {
        int i = c->levels - 1 - k;
        struct resnet block = { c->widths[i], DD_OP_CONV, 1 };
        for (int j = 0; j <= c->blocks; j++) {
            h = dd_program_join(u->p, h, u->skip[--u->skips]);
            h = resnet(u, dd_program_name(u->p, "up_blocks.%d.resnets.%d", k, j), h, block);
            if (c->heads_up[i])
                h = attention(u, dd_program_name(u->p, "up_blocks.%d.attentions.%d", k, j), h, c->heads_up[i],
                              c->groups, 1);
        }

        if (i > 0)
            h = upsample(u, i, k, h);
    }
    return h;
}

/* Appends 2 x - 1, which net.center asks for (diffusers' center_input_sample); returns its value. */
static int center(struct unet *u, int x)
{
    const struct dd_config *c = u->c;
    struct dd_node n = {
        .op = DD_OP_COPY,
        .name = "center",
        .x = x,
        .a = 2,
        .b = -1,
    };
    int node = dd_program_node(u->p, n, c->height, c->width, c->channels);
    return u->p->node[node].y;
}

/* Begins a network: appends everything as far as the middle; returns the value of its output. */
static int begin(struct unet *u, struct dd_program *p, const struct dd_config *c)
{
    *u = (struct unet){ .p = p, .c = c };
    int x = dd_program_value(p, c->height, c->width, c->channels);
    p->home[p->value[x].home].place = DD_PLACE_INPUT;

    struct dd_node projections = {
        .name = "time_emb_proj",
        .x = time_embedding(u),
        .pre = c->act,
        .linear = true,
    };
    u->projections = dd_program_stack(p, projections);
    if (c->center)
        x = center(u, x);

    int h = push(u, conv3(p, "conv_in", x, c->init));
    h = down(u, h);
    if (c->mid)
        h = mid(u, h);
    p->middle = h;
    return h;
}

void dd_unet_build(struct dd_program *p, const struct dd_config *c)
{
    struct unet u;
    int h = up(&u, begin(&u, p, c));

    struct dd_node out = {
        .name = "conv_out",
        .x = h,
        .kernel = 3,
        .norm = dd_program_norm(p, "conv_norm_out", h, c->groups, c->norm_eps, 0),
        .pre = DD_ACT_SILU,
    };
    int y = dd_program_conv(p, c->outputs, out);
    p->home[p->value[y].home].place = DD_PLACE_OUTPUT;
}

/* Appends attention pooling of h; returns the value of the logits. */
static int pool(struct unet *u, int h)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;
    struct dd_value v = p->value[h];
    int tokens = 1 + v.h * v.w;

    struct dd_node copy = {
        .op = DD_OP_COPY,
        .name = "pool.input",
        .x = h,
        .norm = dd_program_norm(p, "conv_norm_out", h, c->groups, c->norm_eps, 0),
        .pre = DD_ACT_SILU,
        .a = 1,
    };
    int node = dd_program_node(p, copy, v.h, v.w, v.c);
    struct dd_node join = {
        .op = DD_OP_TOKENS,
        .name = "pool.tokens",
        .x = p->node[node].y,
    };
    node = dd_program_node(p, join, 1, tokens, v.c);
    const int64_t dim[2] = { v.c, tokens };
    dd_program_give(p, node, dd_program_param(p, "pool.positional_embedding", DD_INIT_UNIFORM, v.c, 2, dim),
                    -1);

    struct dd_node qkv = { .name = "pool.to_qkv", .x = p->node[node].y, .linear = true };
    struct dd_node first = {
        .op = DD_OP_FIRST,
        .name = "pool.first",
        .x = mix_tokens(p, "pool", qkv, c->heads_pool, v.c / c->heads_pool),
    };
    node = dd_program_node(p, first, 1, 1, v.c);
    return linear(p, "pool.to_out.0", p->node[node].y, c->outputs, DD_ACT_NONE);
}

void dd_unet_build_encoder(struct dd_program *p, const struct dd_config *c)
{
    struct unet u;
    int logits = pool(&u, begin(&u, p, c));
    p->home[p->value[logits].home].place = DD_PLACE_OUTPUT;
}
