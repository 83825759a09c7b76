"""Makes training.safetensors: losses, optimisers and whole training steps as PyTorch has them in float64, for tests/golden/training_losses.c and
training_steps.c.

    python make_training.py OUT

Needs torch 2.13.0 (CPU), diffusers 0.42.1, numpy, scipy.  Everything that goes in is a formula that the test has too: z(seed, i), the counter
formula of the reference tables; and the product's own noise, Philox4x32-10 (Salmon et al. 2011) with counter (element / 4, sample, 65536 t,
2 << 24), through scipy's ndtri; the timestep of a sample is floor(w T / 2^32), w word 0 at t = 0xFFFFFFFF.

loss.CASE: [loss, gradient by p (12), gradient by v (12)] for each of STEPS, by autograd through the formulas of Ho et al. 2020, Nichol and
Dhariwal 2021 and Hang et al. 2023 as they are written there: the KL divergence of two normal distributions, the decoder by erfc.
adam.RUN: w, m, v [64] after ten steps of torch.optim on given gradients.
net.RUN: ten steps of a diffusers UNet2DModel: losses [10], norms [10], every third weight in order of names, likewise of the average,
and spread [4], the largest differences of these to the same in float32.
"""
import sys, math
import numpy as np
import torch
from scipy.special import ndtri
from safetensors.torch import save_file
from diffusers import UNet2DModel
from splitmix import uniform

T = 1000
STEPS = [0, 1, 500, 999]
out = {}
torch.set_num_threads(2)


def z(seed, n):
    u = uniform(0, n, seed)
    return torch.erfinv(torch.from_numpy(2 * u - 1)) * 2.0 ** 0.5


def tables():
    beta = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    logs = torch.cumsum(torch.log1p(-beta), 0)
    zero = torch.zeros(1, dtype=torch.float64)
    ab, noise = torch.exp(logs), -torch.expm1(logs)                     # noise = 1 - ab with all its digits
    before, noise_before = torch.cat([zero + 1, ab[:-1]]), torch.cat([zero, noise[:-1]])
    tilde = beta * noise_before / noise
    log_tilde = torch.log(torch.cat([tilde[1:2], tilde[1:]]))
    return beta, ab, log_tilde, beta * before.sqrt() / noise, noise_before * (1 - beta).sqrt() / noise


beta, ab, log_tilde, of_x0, of_xt = tables()


def at(table, t, x):
    return table[t].to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))


def log_phi_bin(x0, mean, sigma):
    """ln of the mass of a normal distribution in x0 +- 1/255, open at the ends; by the tail on the side of x0, so that it keeps its digits."""
    tail = lambda u: 0.5 * torch.erfc(u / math.sqrt(2))
    h, m, parts = 1 / 255 / sigma, (x0 - mean) / sigma, []
    for x, k, u in zip(x0.flatten(), h.flatten(), m.flatten()):
        parts.append(torch.log(tail(-u - k) if x < -0.999 else tail(u - k) if x > 0.999 else tail(u.abs() - k) - tail(u.abs() + k)))
    return torch.stack(parts).reshape(x0.shape)


def vlb(p, v, x0, xt, t, prediction, variance):
    """L_t in bits per dimension and image."""
    a, s = at(ab, t, x0).sqrt(), (1 - at(ab, t, x0)).sqrt()
    theta = {"eps": lambda: (xt - s * p) / a, "x0": lambda: p, "v": lambda: a * xt - s * p}[prediction]()
    mean, true = at(of_x0, t, x0) * theta + at(of_xt, t, x0) * xt, at(of_x0, t, x0) * x0 + at(of_xt, t, x0) * xt
    lv = v if variance == "learned" else (v + 1) / 2 * at(torch.log(beta), t, x0) + (1 - v) / 2 * at(log_tilde, t, x0)
    true_lv = at(log_tilde, t, x0)
    kl = 0.5 * (-1 + lv - true_lv + torch.exp(true_lv - lv) + (true - mean) ** 2 * torch.exp(-lv))
    nats = [-log_phi_bin(x0[i], mean[i], torch.exp(0.5 * lv[i])) if t[i] == 0 else kl[i] for i in range(len(t))]
    return torch.stack(nats).flatten(1).mean(1) / math.log(2)


def loss(p, v, x0, eps, t, kind, prediction, variance, gamma):
    a, s = at(ab, t, x0).sqrt(), (1 - at(ab, t, x0)).sqrt()
    xt = a * x0 + s * eps
    target = {"eps": eps, "x0": x0, "v": a * eps - s * x0}[prediction]
    snr = (ab / (1 - ab))[t].to(x0.dtype)
    weight = torch.ones_like(snr)
    if gamma:
        least = torch.clamp(snr, max=gamma)
        weight = {"eps": least / snr, "x0": least, "v": least / (snr + 1)}[prediction]
    simple = weight * ((p - target) ** 2).flatten(1).mean(1)
    if kind == "simple":
        return simple
    if kind == "vlb":
        return T * vlb(p, v, x0, xt, t, prediction, variance)
    return simple + T / 1000 * vlb(p.detach(), v, x0, xt, t, prediction, variance)


CASES = [(k, p, "range", 0) for k in ("simple", "vlb", "hybrid") for p in ("eps", "x0", "v")]
CASES += [("simple", p, "range", 5) for p in ("eps", "x0", "v")] + [("vlb", "eps", "learned", 0), ("hybrid", "v", "learned", 2)]
for kind, prediction, variance, gamma in CASES:
    rows = []
    for t in STEPS:
        step = torch.tensor([t])
        x0 = (0.5 * z(11, 12)).clamp(-1, 1)[None]
        eps, a, s = z(12, 12)[None], ab[t].sqrt(), (1 - ab[t]).sqrt()
        target = {"eps": eps, "x0": x0, "v": a * eps - s * x0}[prediction]
        # A prediction that is about as wrong as a trained network's, so that the decoder's bins are not all in the far tail.
        wrong = {"eps": 0.5, "x0": 0.5 * s / a if t < 500 else 0.5, "v": 0.5}[prediction]
        p = (target + wrong * z(13, 12)).requires_grad_()
        v = (0.3 * z(14, 12) + (log_tilde[t] if variance == "learned" else 0))[None].requires_grad_()
        value = loss(p, v, x0, eps, step, kind, prediction, variance, gamma)[0]
        value.backward()
        dv = v.grad if v.grad is not None else torch.zeros_like(v)
        rows.append(torch.cat([value.detach()[None], p.grad.flatten(), dv.flatten()]))
    out[f"loss.{kind}.{prediction}.{variance}.{gamma}"] = torch.stack(rows)


def rates(optimiser, warmup, steps):
    def factor(n):
        if n < warmup:
            return (n + 1) / warmup
        return 1 if not steps else 0.5 * (1 + math.cos(math.pi * (n - warmup) / (steps - warmup)))
    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def make_optimiser(kind, parameters, epsilon):
    if kind == "adam":
        return torch.optim.Adam(parameters, lr=0.01, betas=(0.9, 0.999), eps=epsilon)
    return torch.optim.AdamW(parameters, lr=0.01, betas=(0.8, 0.99), eps=epsilon, weight_decay=0.5)


for kind, warmup, steps, clip in [("adam", 0, 0, 0), ("adamw", 3, 12, 5)]:
    w = z(21, 64).requires_grad_()
    optimiser = make_optimiser(kind, [w], 1e-8)
    schedule = rates(optimiser, warmup, steps)
    for n in range(10):
        w.grad = z(100 + n, 64) * (1 + n)
        if clip:
            torch.nn.utils.clip_grad_norm_([w], clip)
        optimiser.step()
        schedule.step()
    state = optimiser.state[w]
    out[f"adam.{kind}"] = torch.stack([w.detach(), state["exp_avg"], state["exp_avg_sq"]])


def philox(index, t, n, purpose=2, seed=5):
    """Words of one stream."""
    m = np.uint64(0xFFFFFFFF)
    blocks = (n + 3) // 4
    x = [np.arange(blocks, dtype=np.uint64), np.full(blocks, index, np.uint64), np.full(blocks, t, np.uint64),
         np.full(blocks, purpose << 24, np.uint64)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = [(b >> np.uint64(32)) ^ x[1] ^ np.uint64(k0), b & m, (a >> np.uint64(32)) ^ x[3] ^ np.uint64(k1), a & m]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(x, 1).flatten()[:n]


def noise(sample, t, shape):
    """NHWC order, as the product counts elements; returned as NCHW."""
    c, h, w = shape
    words = philox(sample, int(t) << 16, c * h * w)
    return torch.from_numpy(ndtri((words.astype(np.float64) + 0.5) * 2.0 ** -32)).reshape(h, w, c).permute(2, 0, 1)


def make_net(outputs):
    net = UNet2DModel(sample_size=8, in_channels=3, out_channels=outputs, block_out_channels=(4, 8), layers_per_block=1,
                      down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
                      norm_num_groups=4, norm_eps=1e-5, attention_head_dim=8, downsample_padding=1, flip_sin_to_cos=True, freq_shift=0)
    for i, (name, p) in enumerate(sorted(net.named_parameters())):
        fan = p[0].numel() if p.dim() > 1 else 16
        w = z(1000 + i, p.numel()).reshape(p.shape) / math.sqrt(fan)
        if p.dim() == 1 and name.endswith("weight"):
            w = 1 + w
        p.data = w.float().double()
    return net


def flat(net, values=None):
    named = sorted(net.named_parameters())
    return torch.cat([(p if values is None else values[name]).detach().flatten() for name, p in named])[::3].double()


def run(kind, prediction, gamma, optimiser_kind, warmup, steps, clip, dtype, batch=4):
    learned = kind != "simple"
    net = make_net(6 if learned else 3).to(dtype)
    optimiser = make_optimiser(optimiser_kind, net.parameters(), 1e-3)
    schedule = rates(optimiser, warmup, steps)
    average = {name: p.detach().clone() for name, p in net.named_parameters()}
    losses, norms = [], []
    for n in range(10):
        samples = range(n * batch, (n + 1) * batch)
        t = torch.tensor([int(philox(k, 0xFFFFFFFF, 1)[0]) * T >> 32 for k in samples])
        eps = torch.stack([noise(k, u, (3, 8, 8)) for k, u in zip(samples, t)])
        x0 = torch.stack([(0.5 * z(2000 + k, 192)).clamp(-1, 1).float().reshape(8, 8, 3).permute(2, 0, 1) for k in samples])
        x0, eps = x0.to(dtype), eps.to(dtype)
        xt = at(ab, t, x0).sqrt() * x0 + (1 - at(ab, t, x0)).sqrt() * eps
        y = net(xt, t.to(dtype) * 0.5).sample
        value = loss(y[:, :3], y[:, 3:], x0, eps, t, kind, prediction, "range", gamma).mean()
        optimiser.zero_grad()
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), clip or math.inf)
        optimiser.step()
        schedule.step()
        decay = min(0.995, (1 + n) / (10 + n))
        for name, p in net.named_parameters():
            average[name] = decay * average[name] + (1 - decay) * p.detach()
        losses.append(value.item())
        norms.append(norm.item())
    return [torch.tensor(losses, dtype=torch.float64), torch.tensor(norms, dtype=torch.float64), flat(net), flat(net, average)]


RUNS = {"simple": ("simple", "eps", 0, "adam", 0, 0, 0), "hybrid": ("hybrid", "eps", 0, "adamw", 3, 12, 1),
        "vlb": ("vlb", "x0", 0, "adam", 2, 0, 1), "snr": ("simple", "v", 5, "adamw", 0, 0, 0)}
for name, settings in RUNS.items():
    double, single = run(*settings, torch.float64), run(*settings, torch.float32)
    for key, a in zip(("loss", "norm", "weights", "average"), double):
        out[f"net.{name}.{key}"] = a.float() if key in ("weights", "average") else a
    spread = [(a - b).abs().max().item() for a, b in zip(double, single)]
    out[f"net.{name}.spread"] = torch.tensor(spread, dtype=torch.float64)
    print(name, double[0].tolist(), double[1].tolist(), spread)

save_file(out, sys.argv[1])
