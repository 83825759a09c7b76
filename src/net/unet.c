/* The U-Net of Ho, Jain, Abbeel 2020 (arXiv 2006.11239, appendix B) with the variations of Nichol and Dhariwal 2021 and of diffusers'
   UNet2DModel, as nodes.  Parameters are named as diffusers names them.

     emb = W2 silu(W1 posenc(t)) + class;  h = conv_in(x)
     down, per level: blocks x [resnet, attention?], each output kept as a skip; then halve, and keep that
     mid: resnet, attention?, resnet
     up, levels reversed: (blocks + 1) x [resnet(h | skip), attention?]; then double
     out = conv_out(silu(norm(h)))

     resnet(x) = (shortcut(x) + conv2(act(norm2(conv1(act(norm1(x))) + P act(emb))))) / scale, or norm2(.) (1 + s) + b, (s | b) = P act(emb),
                 in training conv2(dropout(act(norm2(.))))
     attention(x) = (x + to_out(softmax(q k^T / sqrt(dim)) v)) / scale, (q | k | v) = W norm(x)

   The projections P of all blocks are one stacked matrix, applied to emb once. */
#include "net/program.h"

enum { SKIPS = DD_LEVELS * 65 + 1 }; /* blocks <= 64 */

struct unet {
    struct dd_program *p;
    const struct dd_config *c;
    int projections; /* the node that all P are stacked in */
    int skip[SKIPS], skips;
};

static int time_embedding(struct unet *u)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;
    int64_t half = c->time_dim / 2, table[2] = { c->classes, c->time_hidden };
    int node =
        dd_program_node(p,
                        (struct dd_node){ .op = DD_OP_EMBED, .name = "time_proj", .cos_first = c->cos_first },
                        1, 1, c->time_dim);
    dd_program_give(p, node, dd_program_param(p, "time.freq", DD_INIT_FREQUENCY, 0, 1, &half), -1);
    int emb = dd_program_conv(p, c->time_hidden,
                              (struct dd_node){
                                  .name = "time_embedding.linear_1", .x = p->node[node].y, .linear = true });
    emb = dd_program_conv(
        p, c->time_hidden,
        (struct dd_node){ .name = "time_embedding.linear_2", .x = emb, .pre = DD_ACT_SILU, .linear = true });
    if (c->classes) {
        node = dd_program_node(
            p, (struct dd_node){ .op = DD_OP_CLASS, .name = "class_embedding", .x = emb, .y = emb }, 1, 1, 0);
        dd_program_give(p, node, dd_program_param(p, "class_embedding.weight", DD_INIT_NORMAL, 0, 2, table),
                        -1);
    }
    return emb;
}

/* op: how the block resamples, DD_OP_UPSAMPLE or DD_OP_AVGPOOL; else DD_OP_CONV. */
static int resnet(struct unet *u, const char *name, int x, int rows, enum dd_op op, double scale)
{
    struct dd_program *p = u->p;
    const struct dd_config *c = u->c;
    struct dd_node conv1 = {
        .name = dd_program_name(p, "%s.conv1", name), .kernel = 3, .x = x, .pre = c->act
    };
    conv1.norm = dd_program_norm(p, dd_program_name(p, "%s.norm1", name), x, c->groups, c->norm_eps, 0);
    if (op != DD_OP_CONV) {
        conv1.x = dd_program_resample(p, op, dd_program_name(p, "%s.h", name), x, conv1.norm, c->act);
        conv1.norm = 0;
        conv1.pre = DD_ACT_NONE;
        x = dd_program_resample(p, op, dd_program_name(p, "%s.x", name), x, 0, DD_ACT_NONE);
    }
    int emb = dd_program_rows(p, u->projections, c->scale_shift ? 2 * rows : rows, true,
                              dd_program_name(p, "%s.time_emb_proj", name));
    conv1.add = c->scale_shift ? 0 : emb;
    int h = dd_program_conv(p, rows, conv1);
    int norm2 = dd_program_norm(p, dd_program_name(p, "%s.norm2", name), h, c->groups, c->norm_eps,
                                c->scale_shift ? emb : 0);
    if (p->value[x].c != rows)
        x = dd_program_conv(p, rows,
                            (struct dd_node){ .name = dd_program_name(p, "%s.conv_shortcut", name), .x = x });
    struct dd_node conv2 = { .name = dd_program_name(p, "%s.conv2", name),
                             .kernel = 3,
                             .x = h,
                             .norm = norm2,
                             .pre = c->act,
                             .residual = x,
                             .scale = (float)(1 / scale) };
    dd_program_dropout(p, dd_program_name(p, "%s.dropout", name), &conv2, c->dropout);
    return dd_program_conv(p, rows, conv2);
}

static int attention(struct unet *u, const char *name, int x, int heads, int groups, double scale)
{
    struct dd_program *p = u->p;
    struct dd_value v = p->value[x];
    int dim = u->c->head_dim ? u->c->head_dim : v.c / heads, inner = heads * dim;
    struct dd_node qkv = { .name = dd_program_name(p, "%s.to_qkv", name), .x = x, .linear = true };
    if (groups)
        qkv.norm =
            dd_program_norm(p, dd_program_name(p, "%s.group_norm", name), x, groups, u->c->norm_eps, 0);
    int stack = dd_program_stack(p, qkv);
    dd_program_rows(p, stack, inner, true, dd_program_name(p, "%s.to_q", name));
    dd_program_rows(p, stack, inner, true, dd_program_name(p, "%s.to_k", name));
    dd_program_rows(p, stack, inner, true, dd_program_name(p, "%s.to_v", name));
    struct dd_node mix = { .op = DD_OP_ATTENTION,
                           .name = name,
                           .x = p->node[stack].y,
                           .attention = { v.h, v.w, heads, dim, 0, false } };
    int node = dd_program_node(p, mix, v.h, v.w, inner);
    return dd_program_conv(p, v.c,
                           (struct dd_node){ .name = dd_program_name(p, "%s.to_out.0", name),
                                             .x = p->node[node].y,
                                             .linear = true,
                                             .residual = x,
                                             .scale = (float)(1 / scale) });
}

static int push(struct unet *u, int h)
{
    return u->skip[u->skips++] = h;
}

static int down(struct unet *u, int h)
{
    const struct dd_config *c = u->c;
    for (int i = 0; i < c->levels; i++) {
        for (int j = 0; j < c->blocks; j++) {
            h = resnet(u, dd_program_name(u->p, "down_blocks.%d.resnets.%d", i, j), h, c->widths[i],
                       DD_OP_CONV, 1);
            if (c->heads_down[i])
                h = attention(u, dd_program_name(u->p, "down_blocks.%d.attentions.%d", i, j), h,
                              c->heads_down[i], c->groups, 1);
            push(u, h);
        }
        if (i + 1 == c->levels)
            break;
        const char *name = dd_program_name(u->p, "down_blocks.%d.downsamplers.0", i);
        if (c->down_res[i])
            h = push(u, resnet(u, name, h, c->widths[i], DD_OP_AVGPOOL, 1));
        else
            h = push(u, dd_program_conv(u->p, c->widths[i],
                                        (struct dd_node){ .name = dd_program_name(u->p, "%s.conv", name),
                                                          .x = h,
                                                          .kernel = 3,
                                                          .stride = 2,
                                                          .right = !c->pad_both }));
    }
    return h;
}

static int mid(struct unet *u, int h)
{
    const struct dd_config *c = u->c;
    int width = c->widths[c->levels - 1];
    h = resnet(u, "mid_block.resnets.0", h, width, DD_OP_CONV, c->mid_scale);
    if (c->heads_mid)
        h = attention(u, "mid_block.attentions.0", h, c->heads_mid, c->mid_groups, c->mid_scale);
    return resnet(u, "mid_block.resnets.1", h, width, DD_OP_CONV, c->mid_scale);
}

static int up(struct unet *u, int h)
{
    const struct dd_config *c = u->c;
    for (int k = 0; k < c->levels; k++) {
        int i = c->levels - 1 - k;
        for (int j = 0; j <= c->blocks; j++) {
            h = dd_program_join(u->p, h, u->skip[--u->skips]);
            h = resnet(u, dd_program_name(u->p, "up_blocks.%d.resnets.%d", k, j), h, c->widths[i], DD_OP_CONV,
                       1);
            if (c->heads_up[i])
                h = attention(u, dd_program_name(u->p, "up_blocks.%d.attentions.%d", k, j), h, c->heads_up[i],
                              c->groups, 1);
        }
        if (i == 0)
            break;
        const char *name = dd_program_name(u->p, "up_blocks.%d.upsamplers.0", k);
        if (c->up_res[i - 1]) {
            h = resnet(u, name, h, c->widths[i], DD_OP_UPSAMPLE, 1);
        } else {
            h = dd_program_resample(u->p, DD_OP_UPSAMPLE, name, h, 0, DD_ACT_NONE);
            h = dd_program_conv(u->p, c->widths[i],
                                (struct dd_node){
                                    .name = dd_program_name(u->p, "%s.conv", name), .x = h, .kernel = 3 });
        }
    }
    return h;
}

void dd_unet_build(struct dd_program *p, const struct dd_config *c)
{
    struct unet u = { .p = p, .c = c };
    int x = dd_program_value(p, c->height, c->width, c->channels);
    p->home[p->value[x].home].place = DD_PLACE_INPUT;
    int emb = time_embedding(&u);
    u.projections =
        dd_program_stack(p, (struct dd_node){
                                .name = "time_emb_proj", .x = emb, .pre = c->act, .linear = true });
    if (c->center) {
        struct dd_node center = { .op = DD_OP_COPY, .name = "center", .x = x, .a = 2, .b = -1 };
        int node = dd_program_node(p, center, c->height, c->width, c->channels);
        x = p->node[node].y;
    }
    int h = push(&u, dd_program_conv(p, c->init, (struct dd_node){ .name = "conv_in", .x = x, .kernel = 3 }));
    h = down(&u, h);
    if (c->mid)
        h = mid(&u, h);
    p->middle = h;
    h = up(&u, h);
    int norm = dd_program_norm(p, "conv_norm_out", h, c->groups, c->norm_eps, 0);
    int y = dd_program_conv(p, c->outputs,
                            (struct dd_node){
                                .name = "conv_out", .x = h, .kernel = 3, .norm = norm, .pre = DD_ACT_SILU });
    p->home[p->value[y].home].place = DD_PLACE_OUTPUT;
}
