"""Makes data/sliced.json for tests/golden/sliced_distances.c.

    python make_sliced.py OUT           needs numpy, scipy

"lines": two sets of points on a line, and their squared Wasserstein-2 distance as the least cost of an assignment by
scipy.optimize.linear_sum_assignment: each point of either set is repeated so often that both have as many.
"""
import json, math, sys
import numpy as np
from scipy.optimize import linear_sum_assignment

rng = np.random.default_rng(11)


def transport(a, b):
    whole = math.lcm(len(a), len(b))
    a, b = np.repeat(a, whole // len(a)), np.repeat(b, whole // len(b))
    cost = (a[:, None] - b[None, :]) ** 2
    return float(cost[linear_sum_assignment(cost)].mean())


lines = []
for n, m, away, scale in (5, 5, 0.5, 1.0), (7, 4, 0.0, 2.0), (2, 9, 3.0, 0.1), (12, 8, 0.0, 1.0):
    a, b = np.round(rng.standard_normal(n), 6), np.round(away + scale * rng.standard_normal(m), 6)
    if n == 12:
        a[3:6] = b[:3] = 0.25           # ties
    lines.append({"a": a.tolist(), "b": b.tolist(), "distance": transport(a, b)})
with open(sys.argv[1], "w") as f:
    json.dump({"lines": lines}, f)
    f.write("\n")
