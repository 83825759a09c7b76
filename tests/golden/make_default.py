#!/usr/bin/env python3
"""make_default.py FOLDER: what PyTorch and diffusers make of the embedded model, exported by
    ddpm export -m tools/default.ddpm -o FOLDER
The mean squared error of eps on the first 1,000 test images of Fashion-MNIST is printed for default_model.c; one noised image for each t goes
to data/default_io.safetensors (x, t, out) for `ddpm forward`.  Noise by the formula that default_model.c opens with."""
import gzip
import os
import sys

import numpy as np
import torch
from diffusers import UNet2DModel
from safetensors.numpy import save_file
from scipy.special import ndtri
from splitmix import uniform

IMAGES, BATCH = 1000, 50
STEPS = (10, 50, 300, 700, 950, 999)
HERE = os.path.dirname(os.path.abspath(__file__))


def images():
    with gzip.open("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz") as f:
        pixel = np.frombuffer(f.read()[16:], np.uint8).reshape(-1, 1, 28, 28)[:IMAGES]
    return np.pad(pixel, ((0, 0), (0, 0), (2, 2), (2, 2))) / 127.5 - 1


def noise(seed, n, d):
    """z [d] of image n: SplitMix64 of place and step, through the normal quantile."""
    return ndtri(uniform(n << 32, d, seed))


def main():
    net = UNet2DModel.from_pretrained(os.path.join(sys.argv[1], "unet")).eval()
    alpha_bar = np.cumprod(1 - np.linspace(0.0001, 0.02, 1000))
    x0 = images()
    kept = {"x": [], "t": [], "out": []}
    for t in STEPS:
        a = alpha_bar[t]
        z = np.stack([noise(1000 + t, n, 1024) for n in range(IMAGES)]).reshape(x0.shape)
        x = (np.sqrt(a) * x0 + np.sqrt(1 - a) * z).astype(np.float32)
        with torch.no_grad():
            out = np.concatenate([net(torch.from_numpy(x[k:k + BATCH]), torch.full((BATCH,), t)).sample.numpy() for k in range(0, IMAGES, BATCH)])
        eps = np.sqrt(a) * out.astype(np.float64) + np.sqrt(1 - a) * x          # out is v
        error = ((eps - z) ** 2).mean(axis=(1, 2, 3))
        print("    { %d, %.8f },    /* standard error %.1e */" % (t, error.mean(), error.std() / np.sqrt(IMAGES)))
        for name, value in (("x", x[:1]), ("t", np.array([t], np.float32)), ("out", out[:1])):
            kept[name].append(value)
    save_file({name: np.concatenate(list_) for name, list_ in kept.items()}, os.path.join(HERE, "data", "default_io.safetensors"))


main()
