"""Makes data/layer_gradients.safetensors: gradients of single layers by PyTorch's autograd in float64, for tests/golden/layer_gradients.c.

    python make_layer_gradients.py OUT

Needs torch 2.13.0 (CPU) and safetensors.  Maps are [n, h, w, c], all numbers float32.  KIND.i.meta [.] lists the case's numbers, KIND.i.NAME
holds an input or, as d..., the gradient of sum(y dy) by it; KIND.i.size.d... is what the rounding errors of that gradient are relative to:
the same formula over absolute values, with what the normalised x and the argument of the activation may be off by among them.
"""
import sys
import torch
from torch.nn import functional as F
from safetensors.torch import save_file

torch.manual_seed(6)
acts = [lambda z: z, F.silu, F.gelu, F.relu, F.mish]         # in the order of enum dd_act
tensors = {}


def normal(*shape):
    """float32 numbers as float64, so that both sides begin with the same."""
    return torch.randn(*shape).double()


def leaf(t):
    return t.detach().clone().requires_grad_()


def keep(kind, meta, **named):
    i = sum(name.startswith(f"{kind}.") and name.endswith(".meta") for name in tensors)
    tensors[f"{kind}.{i}.meta"] = torch.tensor([float(m) for m in meta])
    for name, t in named.items():
        tensors[f"{kind}.{i}.{name.replace('size_', 'size.')}"] = t.detach().float().contiguous()


def load(act):
    x, du = leaf(normal(2, 2, 3, 5) * 2), normal(2, 2, 3, 5)
    (acts[act](x) * du).sum().backward()
    keep("load", [2, 2, 3, 5, act], x=x, du=du, dx=x.grad, size_dx=du.abs())


def norm(n, h, w, c, groups, emb, act, offset):
    x, gamma, beta = leaf((normal(n, h, w, c) + offset).float().double()), leaf(normal(c)), leaf(normal(c))
    s, b = leaf(normal(n, 1, 1, c) * emb), leaf(normal(n, 1, 1, c) * emb)
    du = normal(n, h, w, c)
    y = F.group_norm(x.permute(0, 3, 1, 2), groups, gamma, beta, 1e-5).permute(0, 2, 3, 1) * (1 + s) + b
    assert act != 3 or y.abs().min() > 1e-3                  # nowhere near the corner of ReLU
    (acts[act](y) * du).sum().backward()
    with torch.no_grad():
        def group(t):                                        # mean over a group, for every element of it
            m = t.reshape(n, h * w, groups, c // groups).mean((1, 3))
            return m.repeat_interleave(c // groups, 1)[:, None, None, :]
        mean, first = group(x), x[:, :1, :1, :]
        rstd = (group((x - mean) ** 2) + 1e-5) ** -0.5
        far = torch.maximum((x - mean).abs(), (x - first).abs()).reshape(n, h * w, groups, -1).amax((1, 3))
        far = far.repeat_interleave(c // groups, 1)[:, None, None, :]
        unit = (x - mean).abs() * rstd + (far + far ** 3 * rstd ** 2) * rstd + (x.abs() + mean.abs()) * rstd
        a = (gamma * (1 + s)).abs()
        g = du.abs() * (1 + unit * a + (beta * (1 + s)).abs() + b.abs())
        m1, m2 = group(g * a), group(g * a * unit)
        total, along = g.sum((1, 2)), (g * unit).sum((1, 2))
        sizes = dict(size_dx=g * a * rstd + rstd * (m1 + unit * m2),
                     size_dgamma=((1 + s[:, 0, 0]).abs() * along).sum(0), size_dbeta=((1 + s[:, 0, 0]).abs() * total).sum(0),
                     size_demb=torch.cat([gamma.abs() * along + beta.abs() * total, total], 1))
    keep("norm", [n, h, w, c, groups, emb, act], x=x, gamma=gamma, beta=beta, emb=torch.cat([s, b], 3)[:, 0, 0], du=du, dx=x.grad,
         dgamma=gamma.grad, dbeta=beta.grad, demb=torch.cat([s.grad, b.grad], 3)[:, 0, 0], **sizes)


def rms(n, h, w, c, emb, act, zero):
    x, g = normal(n, h, w, c), leaf(normal(c))
    x[0, 0, 0] *= 1 - zero
    x, s, b = leaf(x), leaf(normal(n, 1, 1, c) * emb), leaf(normal(n, 1, 1, c) * emb)
    dy, root = normal(n, h, w, c), c ** 0.5
    y = F.normalize(x, dim=3) * (g * root) * (1 + s) + b
    assert act != 3 or y.abs().min() > 1e-3
    (acts[act](y) * dy).sum().backward()
    with torch.no_grad():
        length = x.norm(dim=3, keepdim=True).clamp_min(1e-12)
        unit, a = x.abs() / length, (g * root * (1 + s)).abs()
        size = dy.abs() * (1 + unit * a + b.abs())
        product, total = (size * unit).sum((1, 2)), size.sum((1, 2))
        sizes = dict(size_dx=(size * a + unit * (unit * size * a).sum(3, keepdim=True)) / length,
                     size_dg=(root * (1 + s[:, 0, 0]).abs() * product).sum(0), size_demb=torch.cat([(g * root).abs() * product, total], 1))
    keep("rms", [n, h, w, c, emb, act], x=x, g=g, emb=torch.cat([s, b], 3)[:, 0, 0], dy=dy, dx=x.grad, dg=g.grad,
         demb=torch.cat([s.grad, b.grad], 3)[:, 0, 0], **sizes)


def heads_of(t, n, pixels, heads, dim):
    """[n, h, w, 3 heads dim] as q, k, v [n, heads, pixels, dim]."""
    return t.reshape(n, pixels, 3, heads, dim).permute(2, 0, 3, 1, 4)


def maps_of(q, k, v, shape):
    return torch.stack([q, k, v]).permute(1, 3, 0, 2, 4).reshape(shape)


def attention(n, h, w, heads, dim, memory):
    shape, pixels = (n, h, w, 3 * heads * dim), h * w
    qkv, dy, kv = leaf(normal(*shape)), normal(n, h, w, heads * dim), leaf(normal(2, heads, memory, dim))
    q, k, v = heads_of(qkv, n, pixels, heads, dim)
    k, v = (torch.cat([m.expand(n, -1, -1, -1), t], 2) for m, t in zip(kv, (k, v)))
    p = (q @ k.transpose(2, 3) / dim ** 0.5).softmax(3)
    ((p @ v).permute(0, 2, 1, 3).reshape(dy.shape) * dy).sum().backward()
    with torch.no_grad():
        d = dy.reshape(n, pixels, heads, dim).permute(0, 2, 1, 3).abs()
        dp = d @ v.abs().transpose(2, 3)
        ds = p * (dp + (p * dp).sum(3, keepdim=True)) / dim ** 0.5
        dv, dq, dk = p.transpose(2, 3) @ d, ds @ k.abs(), ds.transpose(2, 3) @ q.abs()
        score = (q.abs() @ k.abs().transpose(2, 3) / dim ** 0.5).max()
        sizes = dict(size_dqkv=maps_of(dq, dk[:, :, memory:], dv[:, :, memory:], shape))
        if memory:
            sizes.update(memory=kv, dmemory=kv.grad, size_dmemory=torch.stack([dk[:, :, :memory].sum(0), dv[:, :, :memory].sum(0)]))
    keep("attention", [n, h, w, heads, dim, memory, score], qkv=qkv, dy=dy, dqkv=qkv.grad, **sizes)


def linear(n, h, w, heads, dim, memory):
    shape, pixels = (n, h, w, 3 * heads * dim), h * w
    qkv, dy, kv = leaf(normal(*shape)), normal(n, h, w, heads * dim), leaf(normal(2, heads, dim, memory))
    q, k, v = heads_of(qkv, n, pixels, heads, dim)
    k, v = (torch.cat([m.transpose(1, 2).expand(n, -1, -1, -1), t], 2) for m, t in zip(kv, (k, v)))
    q, k = q.softmax(3), k.softmax(2)
    c = k.transpose(2, 3) @ v / dim ** 0.5
    ((q @ c).permute(0, 2, 1, 3).reshape(dy.shape) * dy).sum().backward()
    with torch.no_grad():
        d = dy.reshape(n, pixels, heads, dim).permute(0, 2, 1, 3).abs()
        dq = d @ (k.transpose(2, 3) @ v.abs()).transpose(2, 3) / dim ** 0.5
        dc = q.transpose(2, 3) @ d / dim ** 0.5
        dv, dk = k @ dc, v.abs() @ dc.transpose(2, 3)
        dq, dk = q * (dq + (q * dq).sum(3, keepdim=True)), k * (dk + (k * dk).sum(2, keepdim=True))
        sizes = dict(size_dqkv=maps_of(dq, dk[:, :, memory:], dv[:, :, memory:], shape))
        if memory:
            parts = [t[:, :, :memory].sum(0).transpose(1, 2) for t in (dk, dv)]
            sizes.update(memory=kv, dmemory=kv.grad, size_dmemory=torch.stack(parts))
    keep("linear", [n, h, w, heads, dim, memory, 0], qkv=qkv, dy=dy, dqkv=qkv.grad, **sizes)


for act in range(5):
    load(act)
for case in [(2, 3, 5, 6, 3, 0, 1, 0), (2, 4, 4, 8, 2, 1, 1, 3), (1, 9, 9, 8, 8, 1, 2, -2), (3, 1, 1, 8, 4, 0, 3, 0),
             (2, 5, 3, 10, 1, 1, 4, 0), (1, 4, 4, 12, 4, 0, 0, 30), (1, 2, 3, 34, 17, 1, 3, 1)]:
    norm(*case)
for case in [(2, 3, 5, 6, 0, 1, 0), (2, 4, 3, 19, 1, 1, 1), (1, 9, 9, 8, 1, 0, 0), (2, 1, 1, 5, 0, 2, 0), (1, 3, 3, 16, 1, 4, 0),
             (1, 2, 3, 10, 0, 3, 0)]:
    rms(*case)
for case in [(2, 3, 4, 1, 8, 0), (1, 3, 5, 2, 6, 0), (2, 4, 3, 2, 5, 4), (1, 1, 1, 3, 4, 0), (1, 15, 17, 1, 3, 2), (2, 2, 2, 1, 33, 1)]:
    attention(*case)
for case in [(2, 3, 4, 1, 8, 0), (1, 3, 5, 2, 6, 0), (2, 4, 3, 2, 5, 4), (1, 1, 1, 3, 4, 0), (1, 23, 25, 1, 2, 2), (2, 2, 2, 1, 33, 1)]:
    linear(*case)
save_file(tensors, sys.argv[1])
