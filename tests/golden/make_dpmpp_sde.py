"""Makes dpmpp_sde.json: runs of diffusers' SDE-DPM-Solver++ on the mixture of mixture.json, for tests/golden/trajectories.c.

    python make_dpmpp_sde.py MIXTURE OUT

MIXTURE is tests/golden/data/diffusion/mixture.json.  Needs torch 2.13.0 (CPU), diffusers 0.42.1.  A run is two images from x_T = z[0], executed step j
with z[j], z by the counter formula of mixture.json with seed 1.  The scheduler works in double here: its module's torch.float32 is float64, and its
sigmas, which it rounds to float32 by numpy, are given.  longdouble_dist is the largest distance of its states from the formulas of Lu et al. 2022
in long double.  Order 3 is left out: its second difference is weighted by (1 - e^-2h - 2h) / (2h)^2 - 1/2, which tends to -1 as h vanishes.
"""
import json
import sys
import numpy as np
import torch
import diffusers
import diffusers.schedulers.scheduling_dpmsolver_multistep as module
from mixture import ALPHA_BAR, BETAS, Double, eps, means, noise

module.torch = Double()


def by_formula(times, order, z):
    """x after each step in long double."""
    ab = np.append(ALPHA_BAR[times], np.longdouble(1))
    alpha, sigma = np.sqrt(ab), np.sqrt(1 - ab)
    x, last, states = z[0].astype(np.longdouble), None, []
    for j, t in enumerate(times):
        m = (x - sigma[j] * eps(x, t)) / alpha[j]
        if j + 1 == len(times):
            x = m
        else:
            h = np.log(alpha[j + 1] / sigma[j + 1]) - np.log(alpha[j] / sigma[j])
            d = 0
            if order == 2 and j:
                d = (m - last) * h / (np.log(alpha[j] / sigma[j]) - np.log(alpha[j - 1] / sigma[j - 1]))
            x = sigma[j + 1] / sigma[j] * np.exp(-h) * x - alpha[j + 1] * np.expm1(-2 * h) * (m + d / 2)
            x = x + sigma[j + 1] * np.sqrt(-np.expm1(-2 * h)) * z[j + 1]
        last = m
        states.append(x)
    return states


def run(order, K):
    s = diffusers.DPMSolverMultistepScheduler(num_train_timesteps=1000, trained_betas=BETAS.tolist(), solver_order=order,
                                              algorithm_type="sde-dpmsolver++", solver_type="midpoint", final_sigmas_type="zero")
    s.set_timesteps(K)
    times = [int(t) for t in s.timesteps]
    ab = ALPHA_BAR[times].astype(np.float64)
    s.sigmas = torch.tensor(np.append(np.sqrt((1 - ab) / ab), 0.0))
    size = means.shape[1]
    z = [noise(j, 2 * size).reshape(2, size) for j in range(K + 1)]
    x, saved, worst = torch.from_numpy(z[0]), [], 0
    for j, (t, true) in enumerate(zip(times, by_formula(times, order, z)), 1):
        x = s.step(torch.from_numpy(eps(x.numpy(), t)), t, x, variance_noise=torch.from_numpy(z[j])).prev_sample
        assert x.dtype == torch.float64
        worst = max(worst, float(np.abs(x.numpy() - true).max() / max(1, np.abs(true).max())))
        if j in (3, K):
            saved.append({"j": j, "net_t": t, "x": x.numpy().reshape(-1).tolist()})
    return {"name": "dpmpp_sde_%dm_%d" % (order, K), "order": order, "check": {"longdouble_dist": worst}, "executed_steps": K, "net_t": times, "saved": saved}


with open(sys.argv[2], "w") as f:
    json.dump({"source": "diffusers %s, torch %s DPMSolverMultistepScheduler, sde-dpmsolver++" % (diffusers.__version__, torch.__version__),
               "runs": [run(1, 10), run(2, 10), run(2, 20)]}, f)
    f.write("\n")
