"""Makes data/frechet.json for tests/golden/set_distances.c.

    python make_frechet.py OUT          needs numpy, scipy, torch 2.13.0 (CPU), diffusers 0.42.1, denoising-diffusion-pytorch 2.3.4

"sets": two sets of points, and their Frechet distance by scipy.linalg.sqrtm of the product of the covariances.
"features": of the networks in cases/, the mean over space of the middle block's output for the inputs of io.safetensors, one image and its t
at a time, in double; spread is the largest difference to the same in float32.
"""
import json, os, sys, types
import numpy as np
import torch
from safetensors.torch import load_file
from scipy.linalg import sqrtm

cases = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
rng = np.random.default_rng(7)


def frechet(a, b):
    s, u = np.cov(a.T), np.cov(b.T)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s) + np.trace(u) - 2 * np.trace(sqrtm(s @ u).real))


def points(n, d, mean, scale):
    x = np.round(rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) * scale + mean, 6)
    return x


def diffusers_net(folder, dtype):
    from diffusers import UNet2DModel
    net = UNet2DModel.from_pretrained(f"{folder}/unet").to(dtype).eval()
    return net, net.mid_block, lambda x, t, y: net(x, t, y)


def lucid_net(folder, dtype):
    for name in ("torchvision", "torchvision.transforms", "accelerate", "ema_pytorch", "pytorch_fid", "pytorch_fid.inception",
                 "pytorch_fid.fid_score"):              # what its trainer imports
        stub = types.ModuleType(name)
        stub.__getattr__ = lambda key: None if key != "__path__" else []
        sys.modules.setdefault(name, stub)
    from denoising_diffusion_pytorch import Unet
    net = Unet(dim=8, dim_mults=(1, 2, 2))
    net.load_state_dict(torch.load(f"{folder}/unet.pt", map_location="cpu"))
    net = net.to(dtype).eval()
    return net, net.mid_block2, lambda x, t, y: net(x, t.to(dtype))


def features(make, name):
    io, found = load_file(f"{cases}/{name}/io.safetensors"), {}
    for dtype in torch.float64, torch.float32:
        net, block, call = make(f"{cases}/{name}", dtype)
        rows = []
        block.register_forward_hook(lambda module, inputs, out: rows.append(out.mean((2, 3))))
        with torch.no_grad():
            for i in range(len(io["x"])):
                call(io["x"][i:i + 1].to(dtype), io["t"][i:i + 1], io["y"][i:i + 1] if "y" in io else None)
        found[dtype] = torch.cat(rows).double()
    spread = float((found[torch.float32] - found[torch.float64]).abs().max())
    return {"case": name, "n": len(io["x"]), "spread": spread, "values": found[torch.float64].flatten().tolist()}


sets = []
for n, m, d, away in (12, 9, 5, 0.5), (40, 50, 8, 0.0), (30, 30, 3, 4.0):
    a, b = points(n, d, 0, 1), points(m, d, away, 0.7)
    sets.append({"n": n, "m": m, "d": d, "a": a.flatten().tolist(), "b": b.flatten().tolist(), "distance": frechet(a, b)})
made = {"sets": sets, "features": [features(diffusers_net, "A3_scale_shift_classes"), features(lucid_net, "D1_unet3")]}
with open(sys.argv[1], "w") as f:
    json.dump(made, f)
    f.write("\n")
