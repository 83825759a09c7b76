"""Prints what tests/golden/likelihoods.c expects: bits per dimension by the probability-flow ODE of a small network of diffusers, as PyTorch has
them in float64, and the same with the network in float32, which shows how good float32 is.

    python make_likelihood.py

Needs torch 2.13.0 (CPU), diffusers 0.42.1, numpy.  Network and images are those of make_training.py (8 x 8 x 3, t fed as t / 2), the schedule is
linear with 40 steps.  Words of Philox4x32-10 with purpose 6 give the noise of the levels (t = 0xFFFFFFFF) and the probe (t = 0).

The ODE is that of Song et al. 2021 (equation 13) in their own variables, not in those of the program: dx/dt = -beta(t)/2 (x + score), with ln p by
their equation 39 and Hutchinson's estimator, by autograd.  Between two steps ln(alpha_bar / (1 - alpha_bar)) is linear in t, so with
alpha_bar(t) known beta(t) = -d ln alpha_bar / dt.  Classical Runge-Kutta steps divide each interval between two steps, where all is smooth.
"""
import math

import numpy as np
import torch
from diffusers import UNet2DModel
from splitmix import uniform

T, D, PARTS = 40, 192, 8
torch.set_num_threads(1)
alpha_bar = np.exp(np.cumsum(np.log1p(-np.linspace(0.0025, 0.5, T))))
log_snr = np.log(alpha_bar / -np.expm1(np.cumsum(np.log1p(-np.linspace(0.0025, 0.5, T)))))


def z(seed, n):
    return torch.erfinv(torch.from_numpy(2 * uniform(0, n, seed) - 1)) * 2.0 ** 0.5


def make_net():
    net = UNet2DModel(sample_size=8, in_channels=3, out_channels=3, block_out_channels=(4, 8), layers_per_block=1,
                      down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
                      norm_num_groups=4, norm_eps=1e-5, attention_head_dim=8, downsample_padding=1, flip_sin_to_cos=True, freq_shift=0)
    for i, (name, p) in enumerate(sorted(net.named_parameters())):
        w = z(1000 + i, p.numel()).reshape(p.shape) / math.sqrt(p[0].numel() if p.dim() > 1 else 16)
        p.data = (1 + w if p.dim() == 1 and name.endswith("weight") else w).float()
    return net


def philox(index, t, n, seed):
    m = np.uint64(0xFFFFFFFF)
    blocks = (n + 3) // 4
    x = [np.arange(blocks, dtype=np.uint64), np.full(blocks, index, np.uint64), np.full(blocks, t, np.uint64), np.full(blocks, 6 << 24, np.uint64)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = [(b >> np.uint64(32)) ^ x[1] ^ np.uint64(k0), b & m, (a >> np.uint64(32)) ^ x[3] ^ np.uint64(k1), a & m]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(x, 1).flatten()[:n]


def planes(x):
    """[h, w, c] in one row, as the product counts elements, to [1, c, h, w]."""
    return torch.from_numpy(np.ascontiguousarray(x)).reshape(8, 8, 3).permute(2, 0, 1)[None]


def bits(net, index, dtype, seed=5, parts=PARTS):
    x0 = (0.5 * z(2000 + index, D)).clamp(-1, 1).numpy()
    noise = (philox(index, 0xFFFFFFFF, D, seed) + 0.5) * 2.0 ** -32
    probe = np.where(philox(index, 0, D, seed) < 2 ** 31, -1.0, 1.0)
    w = planes(probe).to(dtype)

    def slope(t, state, i):
        u = log_snr[i] + (t - i) * (log_snr[i + 1] - log_snr[i])
        ab = 1 / (1 + math.exp(-u))
        beta = -(1 - ab) * (log_snr[i + 1] - log_snr[i])
        x = planes(state[:D]).to(dtype).requires_grad_()
        eps = net(x, torch.tensor([t * 0.5], dtype=dtype)).sample
        (product,) = torch.autograd.grad((eps * w).sum(), x)
        score, trace = -eps / math.sqrt(1 - ab), -(product * w).sum().item() / math.sqrt(1 - ab)
        f = -beta / 2 * (x + score)
        return np.append(f.detach()[0].permute(1, 2, 0).reshape(-1).double().numpy(), -beta / 2 * (D + trace))

    state = np.append(x0 + 2 / 255 * (noise - 0.5), 0.0)
    for i in range(T - 1):
        for k in range(parts):
            state = step(slope, i, i + k / parts, 1 / parts, state)
    x, change = state[:D], state[D]
    prior = 0.5 * (x @ x / D + math.log(2 * math.pi)) / math.log(2)
    change = -change / D / math.log(2)
    return prior, change, prior + change + math.log2(127.5)


def step(slope, i, t, h, state):
    """The classical Runge-Kutta step within interval i."""
    k1 = slope(t, state, i)
    k2 = slope(t + h / 2, state + h / 2 * k1, i)
    k3 = slope(t + h / 2, state + h / 2 * k2, i)
    k4 = slope(t + h, state + h * k3, i)
    return state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


for index in range(2):
    exact, single = (bits(make_net().to(dtype), index, dtype) for dtype in (torch.float64, torch.float32))
    coarse = bits(make_net().double(), index, torch.float64, parts=PARTS // 2)
    print(index, *["%.10g" % v for v in exact], "float32 differs by %.2g, half of the steps by %.2g" %
          tuple(max(abs(a - b) for a, b in zip(exact, other)) for other in (single, coarse)), flush=True)
