"""Makes objectives.safetensors: the losses of a model with a fixed variance as PyTorch has them in float64, for tests/golden/training_losses.c.

    python make_objectives.py OUT

Needs torch 2.13.0 (CPU), numpy.  What goes in is as in make_training.py: z(seed, i), the counter formula of the reference tables.

CASE: [loss, gradient by the prediction (12)] for each of STEPS, by autograd through the formulas as the papers write them:

    vlb        Ho et al. 2020, equation 5: the KL divergence of two normal distributions, or at t = 0 the decoder by erfc; T times it, in bits
    weighted   Ho et al. 2020, equation 12; T times it, in bits per dimension
    score      Vincent 2011: the squared error of the score -eps / sqrt(1 - alpha_bar) against that of q(x_t | x0)

sigma^2 is beta_t ("beta") or beta_tilde_t ("tilde"), and beta_tilde_1 at t = 0, as improved-diffusion has it.
"""
import math
import sys

import torch
from safetensors.torch import save_file
from splitmix import uniform

T, D, STEPS = 1000, 12, [0, 500, 999]
LN2 = math.log(2)
BETA = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
ALPHA_BAR = torch.exp(torch.cumsum(torch.log1p(-BETA), 0))
NOISE = -torch.expm1(torch.cumsum(torch.log1p(-BETA), 0))              # 1 - alpha_bar with all its digits


def z(seed):
    return torch.erfinv(torch.from_numpy(2 * uniform(0, D, seed) - 1)) * math.sqrt(2)


def sigma2(t, variance):
    tilde = lambda t: BETA[t] * NOISE[t - 1] / NOISE[t]
    if t == 0:
        return tilde(1)
    return BETA[t] if variance == "beta" else tilde(t)


def decoder(x0, mean, sigma):
    """-ln of the mass of N(mean, sigma^2) in x0 +- 1/255, open at the ends; by the tail on the side of x0, so that it keeps its digits."""
    tail = lambda u: 0.5 * torch.erfc(u / math.sqrt(2))
    h, parts = 1 / 255 / sigma, []
    for x, u in zip(x0, (x0 - mean) / sigma):
        parts.append(torch.log(tail(-u - h) if x < -0.999 else tail(u - h) if x > 0.999 else tail(u.abs() - h) - tail(u.abs() + h)))
    return -torch.stack(parts)


def loss(kind, prediction, variance, p, x0, eps, t):
    a, s = ALPHA_BAR[t].sqrt(), NOISE[t].sqrt()
    xt = a * x0 + s * eps
    theta = {"eps": lambda: (xt - s * p) / a, "x0": lambda: p, "v": lambda: a * xt - s * p}[prediction]()
    eps_theta = {"eps": lambda: p, "x0": lambda: (xt - a * p) / s, "v": lambda: s * xt + a * p}[prediction]()
    if kind == "score":
        return ((-eps_theta / s + eps / s) ** 2).mean()
    of = sigma2(t, variance)
    if kind == "weighted":
        weight = BETA[t] ** 2 / (2 * of * (1 - BETA[t]) * NOISE[t])
        return T * (weight * (eps - eps_theta) ** 2).mean() / LN2
    if t == 0:
        return T * decoder(x0, theta, of.sqrt()).mean() / LN2
    by_x0 = ALPHA_BAR[t - 1].sqrt() * BETA[t] / NOISE[t]
    true = sigma2(t, "tilde")
    kl = 0.5 * (-1 + torch.log(of / true) + true / of + (by_x0 * (x0 - theta)) ** 2 / of)
    return T * kl.mean() / LN2


CASES = [("vlb", "eps", "beta"), ("vlb", "x0", "tilde"), ("vlb", "v", "beta"), ("weighted", "eps", "beta"), ("weighted", "x0", "tilde"),
         ("weighted", "v", "beta"), ("score", "eps", "beta"), ("score", "x0", "beta"), ("score", "v", "beta")]
out = {}
for kind, prediction, variance in CASES:
    rows = []
    for t in STEPS:
        x0, eps, a, s = (0.5 * z(11)).clamp(-1, 1), z(12), ALPHA_BAR[t].sqrt(), NOISE[t].sqrt()
        target = {"eps": eps, "x0": x0, "v": a * eps - s * x0}[prediction]
        wrong = 0.5 * s / a if prediction == "x0" and t < 500 else 0.5
        p = (target + wrong * z(13)).requires_grad_()
        value = loss(kind, prediction, variance, p, x0, eps, t)
        value.backward()
        rows.append(torch.cat([value.detach()[None], p.grad]))
    out[f"{kind}.{prediction}.{variance}"] = torch.stack(rows)
save_file(out, sys.argv[1])
