"""Prints the numbers of tests/property/inpaint_test.c.

    python make_inpaint.py REPAINT

REPAINT is a checkout of andreas128/RePaint (8e2a0552); of it get_schedule_jump is run.  The laws are exact: for Gaussian data every
step of RePaint with the ancestral sampler is affine, so mean and covariance of its images follow from matrices.  Needs numpy.
"""
import sys
import numpy as np

sys.path.insert(0, sys.argv[1])
from guided_diffusion.scheduler import get_schedule_jump

for T, jump, resample in ((250, 10, 10), (20, 3, 2), (7, 3, 3), (10, 10, 5), (11, 10, 2), (6, 1, 3)):
    times = get_schedule_jump(T, 1, jump, resample)
    print(T, jump, resample, len(times), sum(times), sum(k * t for k, t in enumerate(times)))


def law(K, resample, jump, rho=0.8, known=1.5, mean=(0.3, -0.2)):
    """Mean and variance of the unknown of two elements of variance 1, by the steps of algorithm 1 with variance beta-tilde."""
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    a = alpha_bar[np.round(np.linspace(0, 999, K)).astype(int)]
    before = np.r_[1, a[:-1]]
    beta = 1 - a / before
    small = beta * (1 - before) / (1 - a)
    of_x0, of_x = np.sqrt(before) * beta / (1 - a), np.sqrt(1 - beta) * (1 - before) / (1 - a)
    covariance, mean, unit = np.array([[1, rho], [rho, 1]]), np.array(mean), np.eye(2)
    m, V = np.zeros(2), unit
    times = [K - 1] + get_schedule_jump(K, 1, jump, resample)[1:]
    for i, j in zip(times, times[1:]):
        if j > i:
            m, V = np.sqrt(1 - beta[j]) * m, (1 - beta[j]) * V + beta[j] * unit
            continue
        G = np.linalg.inv(a[i] * covariance + (1 - a[i]) * unit)
        M = of_x0[i] * (unit - (1 - a[i]) * G) / np.sqrt(a[i]) + of_x[i] * unit
        m, V = M @ m + of_x0[i] * (1 - a[i]) * G @ mean, M @ V @ M.T + (small[i] if i else 0) * unit
        end = a[j] if j >= 0 else 1
        m[0], V[0] = np.sqrt(end) * known, (1 - end, 0)
        V[1, 0] = 0
    return m[1], V[1, 1]


for K, resample, jump in ((50, 1, 1), (50, 2, 5), (50, 10, 5)):
    print(K, resample, jump, *law(K, resample, jump))
print("the conditional law", -0.2 + 0.8 * (1.5 - 0.3), 1 - 0.8 ** 2)
