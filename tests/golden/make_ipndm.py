"""Makes ipndm.json: runs of diffusers' IPNDMScheduler on the mixture of mixture.json, for tests/golden/trajectories.c.

    python make_ipndm.py MIXTURE OUT

MIXTURE is tests/golden/data/diffusion/mixture.json.  Needs torch 2.13.0 (CPU), diffusers 0.42.1.  A run is two images from x_T = z[0], z by the counter
formula of mixture.json with seed 1.  The scheduler works in double here: its module's torch.float32 is float64.  It takes a list of sigmas as its
trained_betas, and is given v = (eps - sigma x) / alpha, from which it makes eps again.  It has order 4; a lower order is had by forgetting earlier eps
before each step.  The last step is left out, which the scheduler takes in full order.  longdouble_dist is the largest distance of its states from the
same formulas in long double.
"""
import json
import sys
import numpy as np
import torch
import diffusers
import diffusers.schedulers.scheduling_ipndm as module
from mixture import ALPHA_BAR, Double, eps, means, noise

module.torch = Double()
WEIGHTS = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]]


def by_formula(times, order, x):
    """x after each step in long double."""
    alpha, sigma = np.sqrt(ALPHA_BAR[times]), np.sqrt(1 - ALPHA_BAR[times])
    y, known, states = x.astype(np.longdouble) / alpha[0], [], []
    for j, t in enumerate(times[:-1]):
        known = [eps(y * alpha[j], t)] + known[:order - 1]
        g = sum(np.longdouble(w) * e for w, e in zip(WEIGHTS[len(known) - 1], known))
        y = y + (sigma[j + 1] / alpha[j + 1] - sigma[j] / alpha[j]) * g
        states.append(y * alpha[j + 1])
    return states


def run(order, K):
    times = [int(t) for t in np.linspace(999, 0, K).round()]
    sigma = np.sqrt((1 - ALPHA_BAR[times]).astype(np.float64))
    s = diffusers.IPNDMScheduler(trained_betas=[*sigma, 0.0])
    s.set_timesteps(K)
    s.set_begin_index(0)
    size = means.shape[1]
    x, saved, worst = torch.from_numpy(noise(0, 2 * size).reshape(2, size)), [], 0
    for j, (t, true) in enumerate(zip(times, by_formula(times, order, x.numpy())), 1):
        s.ets = s.ets[len(s.ets) - (order - 1):] if len(s.ets) >= order else s.ets
        v = (eps(x.numpy(), t) - s.betas[j - 1].item() * x.numpy()) / s.alphas[j - 1].item()
        x = s.step(torch.from_numpy(v), s.timesteps[j - 1], x).prev_sample
        assert x.dtype == torch.float64
        worst = max(worst, float(np.abs(x.numpy() - true).max() / max(1, np.abs(true).max())))
        if j in (4, K - 1):
            saved.append({"j": j, "net_t": t, "x": x.numpy().reshape(-1).tolist()})
    return {"name": "ipndm_%d_%d" % (order, K), "order": order, "check": {"longdouble_dist": worst}, "executed_steps": K - 1, "net_t": times,
            "saved": saved}


with open(sys.argv[2], "w") as f:
    json.dump({"source": "diffusers %s, torch %s IPNDMScheduler" % (diffusers.__version__, torch.__version__),
               "runs": [run(order, K) for order in (1, 2, 3, 4) for K in (5, 10)]}, f)
    f.write("\n")
