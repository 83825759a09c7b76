"""Makes cases/D4_guided, and data/guidance.safetensors for tests/golden/guided_runs.c.

    python make_guidance.py CASE DATA

Needs torch 2.13.0 (CPU), denoising-diffusion-pytorch 2.3.4: its classifier_free_guidance is the original.  CASE/unet.pt is its Unet
of two levels and 5 classes, with random weights in half precision,
which keeps the file small.

DATA: x, t, y of two images; own, none [2, 3, 16, 16], the network for the class and for no class; mixed, its
forward_with_cond_scale(cond_scale=3) without its later additions (remove_parallel_component, rescaled_phi); all in double, rounded to
float32.  spread [1]: the largest difference that the original's own float32 makes.  guided.x, guided.spread: its ddim_sample of 10
steps with the same scale, as make_runs.py has them.
"""
import functools, os, sys, types
import numpy as np
import torch
from safetensors.torch import save_file
from splitmix import uniform

case, out_path = sys.argv[1:3]
SCALE = 3.0

for name in ("torchvision", "torchvision.transforms", "accelerate", "ema_pytorch", "pytorch_fid", "pytorch_fid.inception",
             "pytorch_fid.fid_score"):
    stub = types.ModuleType(name)
    stub.__file__, stub.__getattr__ = name, lambda key: type(key, (), {})
    sys.modules.setdefault(name, stub)
from denoising_diffusion_pytorch.classifier_free_guidance import GaussianDiffusion, Unet


def noise(step, count, seed=7):
    """The counter formula of the reference tables, as in make_runs.py."""
    u = uniform(step << 32, count, seed)
    return torch.erfinv(torch.from_numpy(2 * u - 1)) * 2.0 ** 0.5


class Noise:
    """torch.randn and randn_like in order: z[0], z[1], ..."""

    def __init__(self, dtype):
        self.dtype, self.step = dtype, 0

    def __call__(self, *unused, **also_unused):
        z = noise(self.step, 2 * 3 * 16 * 16).reshape(2, 3, 16, 16).to(self.dtype)
        self.step += 1
        return z


def make_net():
    torch.manual_seed(4)
    net = Unet(dim=4, num_classes=5, dim_mults=(1, 2))
    for p in net.parameters():
        p.data += 0.05 * torch.randn_like(p)
    return net


def load(dtype):
    net = Unet(dim=4, num_classes=5, dim_mults=(1, 2))
    net.load_state_dict(torch.load(f"{case}/unet.pt", map_location="cpu"))
    net.to(dtype).eval()
    embed = net.time_mlp[0].forward
    net.time_mlp[0].forward = lambda t: embed(t.float()).to(dtype)
    net.forward_with_cond_scale = functools.partial(net.forward_with_cond_scale, remove_parallel_component=False)
    return net


def outputs(dtype, x, t, y):
    net = load(dtype)
    x = x.to(dtype)
    own, none = net(x, t, y, cond_drop_prob=0.0), net(x, t, y, cond_drop_prob=1.0)
    mixed, _ = net.forward_with_cond_scale(x, t, y, cond_scale=SCALE)
    return own.double(), none.double(), mixed.double()


def run(dtype, y):
    diffusion = GaussianDiffusion(load(dtype), image_size=16, timesteps=1000, sampling_timesteps=10, objective="pred_v",
                                  beta_schedule="cosine", ddim_sampling_eta=0.0)
    for k, v in list(diffusion.named_buffers()):
        if "." not in k:
            setattr(diffusion, k, v.to(dtype))
    z, randn, randn_like = Noise(dtype), torch.randn, torch.randn_like
    torch.randn, torch.randn_like = z, z
    try:
        return 2 * diffusion.ddim_sample(y, (2, 3, 16, 16), cond_scale=SCALE, rescaled_phi=0.0).double() - 1
    finally:
        torch.randn, torch.randn_like = randn, randn_like


torch.set_num_threads(1)
os.makedirs(case, exist_ok=True)
torch.save({k: v.half() for k, v in make_net().state_dict().items()}, f"{case}/unet.pt", _use_new_zipfile_serialization=False)
with torch.no_grad():
    x, t, y = noise(99, 2 * 3 * 16 * 16).reshape(2, 3, 16, 16).float(), torch.tensor([14, 870]), torch.tensor([1, 4])
    exact, single = outputs(torch.float64, x, t, y), outputs(torch.float32, x, t, y)
    spread = max((a - b).abs().max() for a, b in zip(exact, single))
    own, none, mixed = exact
    print("std", float(own.std()), "class moves", float((own - none).abs().max()), "float32 differs by", float(spread))
    x64, x32 = run(torch.float64, y), run(torch.float32, y)
    run_spread = (x64 - x32).abs().mean()
    print("run: std", float(x64.std()), "float32 differs by", float(run_spread))
save_file({"x": x, "t": t, "y": y, "own": own.float(), "none": none.float(), "mixed": mixed.float(), "spread": spread.reshape(1),
           "guided.x": x64.float().contiguous(), "guided.spread": run_spread.reshape(1)}, out_path)
