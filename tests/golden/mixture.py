"""The Gaussian mixture of mixture.json for the make_*.py that run diffusers' solvers on it: its exact eps, and the noise of the runs.

MIXTURE, the first argument of those scripts, is tests/golden/data/diffusion/mixture.json.
"""
import json
import statistics
import sys
import numpy as np
import torch
from splitmix import uniform

mixture = json.load(open(sys.argv[1]))
BETAS = np.linspace(1e-4, 0.02, 1000, dtype=np.float64)
ALPHA_BAR = np.cumprod(1 - BETAS.astype(np.longdouble))
weights, means, variances = (np.array(mixture[k], np.longdouble) for k in ("weights", "means", "variances"))


class Double:
    """Takes the place of torch in a module of diffusers, which then works in double."""
    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def noise(step, count, seed=1):
    u = uniform(step << 32, count, seed)
    return np.array([statistics.NormalDist().inv_cdf(v) for v in u])


def eps(x, t):
    """[2, d] in the precision of x."""
    ab = ALPHA_BAR[t].astype(x.dtype)
    out = np.empty_like(x)
    for k, row in enumerate(x):
        s = ab * variances.astype(x.dtype) + 1 - ab
        away = row - np.sqrt(ab) * means.astype(x.dtype)
        log = np.log(weights.astype(x.dtype)) - (away ** 2 / s + np.log(s)).sum(1) / 2
        share = np.exp(log - log.max())
        out[k] = np.sqrt(1 - ab) * ((share / share.sum())[:, None] * away / s).sum(0)
    return out
