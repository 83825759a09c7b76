"""Makes data/ssim.json for tests/golden/set_quality.c: the structural similarity of pairs of small images by the formula as it stands in Wang,
Bovik, Sheikh and Simoncelli 2004 (equation 13, the Gaussian window of 11 x 11 with deviation 1.5), one window at a time, and their RMSE and PSNR.

    python make_ssim.py OUT          needs numpy
"""
import json, sys
import numpy as np

rng = np.random.default_rng(11)
at = np.arange(11) - 5
window = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * 1.5 ** 2))
window /= window.sum()


def ssim(a, b):
    c1, c2, values = (0.01 * 255) ** 2, (0.03 * 255) ** 2, []
    for k in range(a.shape[2]):
        for y in range(a.shape[0] - 10):
            for x in range(a.shape[1] - 10):
                p, q = a[y:y + 11, x:x + 11, k].astype(float), b[y:y + 11, x:x + 11, k].astype(float)
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq, vpq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum(), (window * (p - mp) * (q - mq)).sum()
                values.append((2 * mp * mq + c1) * (2 * vpq + c2) / ((mp ** 2 + mq ** 2 + c1) * (vp + vq + c2)))
    return float(np.mean(values))


made = []
for h, w, c, noise in (11, 11, 1, 20), (16, 13, 3, 60), (12, 20, 1, 200), (14, 14, 1, 0):
    a = rng.integers(0, 256, (h, w, c))
    b = np.clip(a + np.round(rng.normal(0, noise, a.shape)), 0, 255).astype(int)
    rmse = float(np.sqrt(((a - b) ** 2).mean()))
    made.append({"h": h, "w": w, "c": c, "a": a.flatten().tolist(), "b": b.flatten().tolist(), "ssim": ssim(a, b), "rmse": rmse,
                 "psnr": float(10 * np.log10(255 ** 2 / rmse ** 2)) if rmse else None})
with open(sys.argv[1], "w") as f:
    json.dump(made, f)
    f.write("\n")
