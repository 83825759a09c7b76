"""Makes correctors.json: runs with Langevin correctors on the mixture of mixture.json, for corrector_runs.c.

    python make_correctors.py MIXTURE OUT

MIXTURE is tests/golden/data/diffusion/mixture.json.  Needs numpy.  The runs are predictor-corrector sampling
(Song et al. 2021, algorithms 3 and 5): N Langevin steps at each noise level, then one step of a predictor. It
is written as its own paper writes it:

    ddpm    Ho et al. 2020, algorithm 2, sigma^2 = beta_tilde
    ddim    Song, Meng, Ermon 2021, equation 12
    sde     Euler-Maruyama for the reverse of dx = -x/2 dtau + dW, tau = -ln alpha_bar
    ode     Karras et al. 2022, algorithm 1 without noise, in x / a and sigma / a: Euler (order 1) or Heun (2)

x0 is clipped to +-clip unless that is 0. All go on with the eps that leads from the clipped x0 to x, but
"ddim-diffusers" keeps the network's eps for its direction. A run is two images from x_T = z[0]. The draw
k of step j, counted from 1, is z[1 + (j - 1) (N + 1) + k]; k = 0 is the predictor's own. z follows the
counter formula of mixture.json with seed 1. longdouble_dist is the distance of the same run in double
from that in long double, which is what is written.
"""
import json
import statistics
import sys
import numpy as np
from splitmix import uniform

mixture = json.load(open(sys.argv[1]))
ALPHA_BAR = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000, dtype=np.float64).astype(np.longdouble))
SIZE = len(mixture["means"][0])
TIMES = [999, 850, 700, 550, 400, 250, 100, 20]


def noise(step, count, seed=1):
    u = uniform(step << 32, count, seed)
    return np.array([statistics.NormalDist().inv_cdf(v) for v in u]).reshape(2, SIZE)


def network(x, ab):
    """The exact eps, [2, SIZE] in the precision of x."""
    weights, means, variances = (np.array(mixture[k], x.dtype) for k in ("weights", "means", "variances"))
    out = np.empty_like(x)
    for k, row in enumerate(x):
        s = ab * variances + 1 - ab
        away = row - np.sqrt(ab) * means
        log = np.log(weights) - (away ** 2 / s + np.log(s)).sum(1) / 2
        share = np.exp(log - log.max())
        out[k] = np.sqrt(1 - ab) * ((share / share.sum())[:, None] * away / s).sum(0)
    return out


def clipped(x, eps, ab, clip):
    """x0 and the eps that leads from it to x."""
    x0 = (x - np.sqrt(1 - ab) * eps) / np.sqrt(ab)
    if not clip:
        return x0, eps
    x0 = np.clip(x0, -clip, clip)
    return x0, (x - np.sqrt(ab) * x0) / np.sqrt(1 - ab)


def heun(x, ab, to, last, order, clip):
    u, v, y = np.sqrt((1 - ab) / ab), np.sqrt((1 - to) / to), x / np.sqrt(ab)
    slope = clipped(x, network(x, ab), ab, clip)[1]
    end = y + (v - u) * slope
    if order == 2 and not last:
        there = end * np.sqrt(to)
        end = y + (v - u) * (slope + clipped(there, network(there, to), to, clip)[1]) / 2
    return end * np.sqrt(to)


def predict(run, x, ab, to, z, last):
    own = network(x, ab)
    x0, eps = clipped(x, own, ab, run["clip"])
    beta = 1 - ab / to
    if run["sampler"] == "ddpm":
        x = (x - beta / np.sqrt(1 - ab) * eps) / np.sqrt(1 - beta)
        return x if last else x + np.sqrt(beta * (1 - to) / (1 - ab)) * z
    if run["sampler"] == "sde":
        length = np.log(to / ab)
        x = x + length * (x / 2 - eps / np.sqrt(1 - ab))
        return x if last else x + np.sqrt(length) * z
    if run["sampler"] == "ode":
        return heun(x, ab, to, last, run["order"], run["clip"])
    sigma = run["eta"] * np.sqrt((1 - to) / (1 - ab)) * np.sqrt(beta)
    direction = own if run["sampler"] == "ddim-diffusers" else eps
    return np.sqrt(to) * x0 + np.sqrt(1 - to - sigma ** 2) * direction + sigma * z


def states(run, dtype):
    n, ab = run["corrector"], np.append(ALPHA_BAR[TIMES], np.longdouble(1)).astype(dtype)
    x, out = noise(0, 2 * SIZE).astype(dtype), []
    for j in range(1, len(TIMES) + 1):
        here, to, first = ab[j - 1], ab[j], 1 + (j - 1) * (n + 1)
        for k in range(1, n + 1):
            eps = clipped(x, network(x, here), here, run["clip"])[1]
            step = 2 * dtype(run["snr"]) ** 2 * (1 - here)
            z = noise(first + k, 2 * SIZE).astype(dtype)
            x = x - step * eps / np.sqrt(1 - here) + np.sqrt(2 * step) * z
        x = predict(run, x, here, to, noise(first, 2 * SIZE).astype(dtype), j == len(TIMES))
        out.append(x)
    return out


def made(sampler, order, eta, clip, corrector):
    run = {"sampler": sampler, "order": order, "eta": eta, "clip": clip, "corrector": corrector, "snr": 0.16}
    run["name"] = "%s_%d_%g_%g_%d" % (sampler, order, eta, clip, corrector)
    true, double = states(run, np.longdouble), states(run, np.float64)
    worst = max(float(np.abs(a - b).max() / max(1, np.abs(a).max())) for a, b in zip(true, double))
    run["check"] = {"longdouble_dist": worst}
    run["net_t"], run["executed_steps"] = TIMES, len(TIMES)
    kept = (2, len(TIMES))
    run["saved"] = [{"j": j, "x": true[j - 1].astype(np.float64).reshape(-1).tolist()} for j in kept]
    return run


RUNS = [("ddpm", 0, 0, 1, 1), ("ddpm", 0, 0, 0, 3), ("ddim", 0, 0, 1, 1), ("ddim", 0, 0.6, 0, 2),
        ("ddim-diffusers", 0, 0.6, 1, 2), ("sde", 0, 0, 1, 1), ("sde", 0, 0, 0, 2), ("ode", 1, 0, 1, 1),
        ("ode", 2, 0, 0, 1), ("ode", 2, 0, 1, 3)]
with open(sys.argv[2], "w") as f:
    json.dump({"source": "make_correctors.py", "runs": [made(*r) for r in RUNS]}, f)
    f.write("\n")
