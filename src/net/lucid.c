/* The U-Net of lucidrains' denoising-diffusion-pytorch 2.x as nodes; parameters are named as there.

     t = W2 gelu(W1 posenc(t));  r = x = conv7x7(x)
     down, per stage: block1, keep; block2, attention + x, keep; space to channels and conv1x1, at the last stage conv3x3
     mid: block1, full attention + x, block2
     up, stages reversed: block1(x | kept), block2(x | kept), attention + x; double and conv3x3, at the last conv3x3 alone
     out = conv1x1(block(x | r))

     block(x) = silu(rms(conv(silu(rms(conv(x)) (1 + s) + b)))) + shortcut(x),  (s | b) = W silu(t), in training conv(dropout(silu(.)))
     linear attention: rms(conv1x1(mix(qkv(rms(x)))));  full attention: conv1x1(mix(qkv(rms(x)))) */
#include "net/program.h"

struct lucid {
    struct dd_program *p;
    const struct dd_config *c;
    int projections; /* the node that all W are stacked in */
    int skip[2 * DD_LEVELS], skips;
};

static int rms(struct dd_program *p, const char *name, struct dd_node n)
{
    struct dd_value v = p->value[n.x];
    int64_t dim[4] = { 1, v.c, 1, 1 };
    n.op = DD_OP_RMS;
    n.name = name;
    int node = dd_program_node(p, n, v.h, v.w, v.c);
    dd_program_give(p, node, dd_program_param(p, dd_program_name(p, "%s.g", name), DD_INIT_ONE, 0, 4, dim),
                    -1);
    return p->node[node].y;
}

static int block(struct lucid *u, const char *name, int x, int rows)
{
    struct dd_program *p = u->p;
    int emb = dd_program_rows(p, u->projections, 2 * rows, true, dd_program_name(p, "%s.mlp.1", name));
    int h = dd_program_conv(p, rows,
                            (struct dd_node){
                                .name = dd_program_name(p, "%s.block1.proj", name), .x = x, .kernel = 3 });
    h = rms(p, dd_program_name(p, "%s.block1.norm", name),
            (struct dd_node){ .x = h, .emb = emb, .act = DD_ACT_SILU });
    struct dd_node proj = { .name = dd_program_name(p, "%s.block2.proj", name), .x = h, .kernel = 3 };
    dd_program_dropout(p, dd_program_name(p, "%s.block1.dropout", name), &proj, u->c->dropout);
    h = dd_program_conv(p, rows, proj);
    if (p->value[x].c != rows)
        x = dd_program_conv(p, rows,
                            (struct dd_node){ .name = dd_program_name(p, "%s.res_conv", name), .x = x });
    return rms(p, dd_program_name(p, "%s.block2.norm", name),
               (struct dd_node){ .x = h, .act = DD_ACT_SILU, .residual = x });
}

static int attention(struct lucid *u, const char *name, int x, bool full)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;
    struct dd_value v = p->value[x];
    int inner = c->heads * c->head_dim,
        n = rms(p, dd_program_name(p, "%s.norm", name), (struct dd_node){ .x = x });
    int qkv = dd_program_stack(p, (struct dd_node){ .name = dd_program_name(p, "%s.to_qkv", name), .x = n });
    dd_program_rows(p, qkv, 3 * inner, false, dd_program_name(p, "%s.to_qkv", name));
    struct dd_node mix = { .op = full ? DD_OP_ATTENTION : DD_OP_LINEAR_ATTENTION,
                           .name = name,
                           .x = p->node[qkv].y,
                           .attention = { v.h, v.w, c->heads, c->head_dim, c->memory, false } };
    int node = dd_program_node(p, mix, v.h, v.w, inner), y = p->node[node].y;
    if (c->memory) {
        int64_t dim[4] = { 2, c->heads, full ? c->memory : c->head_dim, full ? c->head_dim : c->memory };
        dd_program_give(p, node,
                        dd_program_param(p, dd_program_name(p, "%s.mem_kv", name), DD_INIT_NORMAL, 0, 4, dim),
                        -1);
    }
    if (full)
        return dd_program_conv(p, v.c,
                               (struct dd_node){
                                   .name = dd_program_name(p, "%s.to_out", name), .x = y, .residual = x });
    y = dd_program_conv(p, v.c, (struct dd_node){ .name = dd_program_name(p, "%s.to_out.0", name), .x = y });
    return rms(p, dd_program_name(p, "%s.to_out.1", name), (struct dd_node){ .x = y, .residual = x });
}

static int push(struct lucid *u, int x)
{
    return u->skip[u->skips++] = x;
}

static int down(struct lucid *u, int x)
{
    struct dd_program *p = u->p;
    for (int i = 0; i < u->c->levels; i++) {
        int in = i ? u->c->widths[i - 1] : u->c->init, out = u->c->widths[i];
        x = push(u, block(u, dd_program_name(p, "downs.%d.0", i), x, in));
        x = block(u, dd_program_name(p, "downs.%d.1", i), x, in);
        x = push(u, attention(u, dd_program_name(p, "downs.%d.2", i), x, u->c->full[i]));
        struct dd_node conv = { .name = dd_program_name(p, "downs.%d.3", i), .x = x, .kernel = 3 };
        if (i + 1 < u->c->levels) {
            conv.x = dd_program_resample(p, DD_OP_UNSHUFFLE, conv.name, x, 0, DD_ACT_NONE);
            conv.name = dd_program_name(p, "downs.%d.3.1", i);
            conv.kernel = 1;
        }
        x = dd_program_conv(p, out, conv);
    }
    return x;
}

static int up(struct lucid *u, int x)
{
    struct dd_program *p = u->p;
    for (int k = 0; k < u->c->levels; k++) {
        int i = u->c->levels - 1 - k, in = i ? u->c->widths[i - 1] : u->c->init, out = u->c->widths[i];
        x = block(u, dd_program_name(p, "ups.%d.0", k), dd_program_join(p, x, u->skip[--u->skips]), out);
        x = block(u, dd_program_name(p, "ups.%d.1", k), dd_program_join(p, x, u->skip[--u->skips]), out);
        x = attention(u, dd_program_name(p, "ups.%d.2", k), x, u->c->full[i]);
        struct dd_node conv = { .name = dd_program_name(p, "ups.%d.3", k), .x = x, .kernel = 3 };
        if (i > 0) {
            conv.x = dd_program_resample(p, DD_OP_UPSAMPLE, conv.name, x, 0, DD_ACT_NONE);
            conv.name = dd_program_name(p, "ups.%d.3.1", k);
        }
        x = dd_program_conv(p, in, conv);
    }
    return x;
}

static int time_embedding(struct lucid *u)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;
    int64_t half = c->time_dim / 2;
    int node = dd_program_node(p,
                               (struct dd_node){
                                   .op = DD_OP_EMBED, .name = "time_mlp.0", .cos_first = c->cos_first },
                               1, 1, c->time_dim);
    dd_program_give(p, node, dd_program_param(p, "time.freq", DD_INIT_FREQUENCY, 0, 1, &half), -1);
    int t = dd_program_conv(p, c->time_hidden,
                            (struct dd_node){ .name = "time_mlp.1", .x = p->node[node].y, .linear = true });
    return dd_program_conv(p, c->time_hidden,
                           (struct dd_node){
                               .name = "time_mlp.3", .x = t, .pre = DD_ACT_GELU, .linear = true });
}

void dd_lucid_build(struct dd_program *p, const struct dd_config *c)
{
    struct lucid u = { .p = p, .c = c };
    int x = dd_program_value(p, c->height, c->width, c->channels), width = c->widths[c->levels - 1];
    p->home[p->value[x].home].place = DD_PLACE_INPUT;
    int t = time_embedding(&u);
    u.projections =
        dd_program_stack(p, (struct dd_node){ .name = "mlp", .x = t, .pre = DD_ACT_SILU, .linear = true });
    int r = dd_program_conv(p, c->init, (struct dd_node){ .name = "init_conv", .x = x, .kernel = 7 });
    int h = down(&u, r);
    h = block(&u, "mid_block1", h, width);
    h = attention(&u, "mid_attn", h, true);
    h = block(&u, "mid_block2", h, width);
    p->middle = h;
    h = up(&u, h);
    h = block(&u, "final_res_block", dd_program_join(p, h, r), c->init);
    int y = dd_program_conv(p, c->outputs, (struct dd_node){ .name = "final_conv", .x = h });
    p->home[p->value[y].home].place = DD_PLACE_OUTPUT;
}
