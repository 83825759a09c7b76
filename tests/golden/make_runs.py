"""Makes runs.safetensors: what the original implementations compute, for tests/golden/runs.c and cifar.c.

    python make_runs.py REFERENCE OPENAI ERMON OUT

REFERENCE is the folder of reference checkpoints; OPENAI and ERMON are checkouts of openai/guided-diffusion (22e0df81) and
ermongroup/ddim (e8df66cf).  Needs torch 2.13.0 (CPU), diffusers 0.42.1, denoising-diffusion-pytorch 2.3.4.

A run is K = 10 steps (diffusers-ddim: 3) of a batch of 2 from given noise: x_T = z[0], executed step j uses z[j], z by the counter formula of the
reference tables with seed 7.  Stored: NAME.x [2, C, H, W], the final x of the run in double, and NAME.spread [1], the mean
absolute difference between it and the same run in float32 (a random network amplifies single pixels, so not the largest).  cifar.eps [3, 3, 32, 32]: google/ddpm-cifar10-32's architecture built after
torch.manual_seed(0), eps at t = 0, 500, 999 of x = randn(1, 3, 32, 32) from a fresh generator of seed 0.
"""
import sys, types
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from splitmix import uniform

reference, openai, ermon, out_path = sys.argv[1:5]


def noise(step, count, seed=7):
    u = uniform(step << 32, count, seed)
    return torch.erfinv(torch.from_numpy(2 * u - 1)) * 2.0 ** 0.5


class Noise:
    """torch.randn and randn_like in order: z[0], z[1], ..."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype, self.step = shape, dtype, 0

    def __call__(self, *unused, **also_unused):
        z = noise(self.step, int(np.prod(self.shape))).reshape(self.shape).to(self.dtype)
        self.step += 1
        return z


def diffusers_run(dtype):
    from diffusers import DDPMScheduler, UNet2DModel
    net = UNet2DModel.from_pretrained(f"{reference}/A1_google/unet").to(dtype).eval()
    scheduler = DDPMScheduler.from_pretrained(f"{reference}/A1_google/scheduler")
    scheduler.set_timesteps(10)
    z = Noise((2, 3, 32, 32), dtype)
    import diffusers.schedulers.scheduling_ddpm as module
    module.randn_tensor = z
    x = z()
    for t in scheduler.timesteps:
        x = scheduler.step(net(x, t).sample, t, x).prev_sample
    return x


def diffusers_ddim_run(dtype):
    from diffusers import DDIMScheduler, UNet2DModel
    net = UNet2DModel.from_pretrained(f"{reference}/A1_google/unet").to(dtype).eval()
    scheduler = DDIMScheduler.from_pretrained(f"{reference}/A1_google/scheduler")
    scheduler.set_timesteps(3)          # without noise a random network is chaotic: a difference grows tenfold in every step
    x = Noise((2, 3, 32, 32), dtype)()
    for t in scheduler.timesteps:
        x = scheduler.step(net(x, t).sample, t, x).prev_sample
    return x


def openai_run(dtype):
    sys.path.insert(0, openai)
    import guided_diffusion.nn as nn, guided_diffusion.unet as unet
    from guided_diffusion.script_util import create_gaussian_diffusion, create_model
    net = create_model(image_size=16, num_channels=32, num_res_blocks=1, channel_mult="1,1", learn_sigma=True,
                       attention_resolutions="8", num_heads=4, num_head_channels=8, use_scale_shift_norm=True,
                       resblock_updown=True)
    net.load_state_dict(torch.load(f"{reference}/B3_guided_updown/ema_0.9999_000100.pt", map_location="cpu"))
    nn.GroupNorm32.forward = lambda self, x: torch.nn.GroupNorm.forward(self, x)     # without their casts to float32
    unet.QKVAttentionLegacy.forward = attention
    unet.timestep_embedding = lambda t, dim: nn.timestep_embedding(t.float(), dim).to(dtype)
    net.to(dtype).dtype = dtype
    diffusion = create_gaussian_diffusion(steps=1000, learn_sigma=True, timestep_respacing="10")
    z = Noise((2, 3, 16, 16), dtype)
    torch.randn, torch.randn_like = z, z
    try:
        return diffusion.p_sample_loop(net.eval(), (2, 3, 16, 16), clip_denoised=True, device="cpu")
    finally:
        torch.randn, torch.randn_like = randn, randn_like


def attention(self, qkv):
    n, width, length = qkv.shape
    ch = width // (3 * self.n_heads)
    q, k, v = qkv.reshape(n * self.n_heads, ch * 3, length).split(ch, dim=1)
    weight = torch.softmax(torch.einsum("bct,bcs->bts", q, k) / ch ** 0.5, dim=-1)
    return torch.einsum("bts,bcs->bct", weight, v).reshape(n, -1, length)


def ermon_run(dtype):
    sys.path.insert(0, ermon)
    from functions.denoising import ddpm_steps
    from models.diffusion import Model
    import models.diffusion as module
    space = lambda **k: types.SimpleNamespace(**k)
    config = space(data=space(image_size=32), diffusion=space(num_diffusion_timesteps=1000),
                   model=space(type="simple", in_channels=3, out_ch=3, ch=32, ch_mult=[1, 2], num_res_blocks=1,
                               attn_resolutions=[16], dropout=0.0, resamp_with_conv=True))
    net = Model(config)
    net.load_state_dict(torch.load(f"{reference}/C1_pesser/model-790000.ckpt", map_location="cpu"))
    net.to(dtype).eval()
    embedding = module.get_timestep_embedding
    module.get_timestep_embedding = lambda t, dim: embedding(t.float(), dim).to(dtype)
    betas = torch.from_numpy(np.linspace(1e-4, 0.02, 1000, dtype=np.float64)).to(dtype)
    z = Noise((2, 3, 32, 32), dtype)
    torch.randn_like = z
    cuda = torch.Tensor.to
    torch.Tensor.to = lambda self, *a, **k: self if a and a[0] == "cuda" else cuda(self, *a, **k)
    try:
        return ddpm_steps(z(), range(0, 1000, 100), net, betas)[0][-1]
    finally:
        torch.randn_like, torch.Tensor.to, module.get_timestep_embedding = randn_like, cuda, embedding


def lucidrains_run(dtype):
    for name in ("torchvision", "torchvision.transforms", "accelerate", "ema_pytorch", "pytorch_fid", "pytorch_fid.inception",
                 "pytorch_fid.fid_score"):
        stub = types.ModuleType(name)
        stub.__file__, stub.__getattr__ = name, lambda key: type(key, (), {})
        sys.modules.setdefault(name, stub)
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import GaussianDiffusion, Unet
    net = Unet(dim=8, dim_mults=(1, 2))
    diffusion = GaussianDiffusion(net, image_size=(16, 16), timesteps=1000, sampling_timesteps=10, objective="pred_v",
                                  beta_schedule="sigmoid", ddim_sampling_eta=1.0, auto_normalize=False)
    saved = torch.load(f"{reference}/D2_trainer_pred_v/model-7.pt", map_location="cpu")["ema"]
    diffusion.load_state_dict({k[len("ema_model."):]: v for k, v in saved.items() if k.startswith("ema_model.")})
    buffers = {k: v for k, v in diffusion.named_buffers() if "." not in k}
    diffusion.to(dtype).eval()
    first = net.time_mlp[0]
    embed = first.forward
    first.forward = lambda t: embed(t.float()).to(dtype)
    for k, v in buffers.items():
        setattr(diffusion, k, v.to(dtype))
    z = Noise((2, 3, 16, 16), dtype)
    torch.randn, torch.randn_like = z, z
    try:
        return diffusion.ddim_sample((2, 3, 16, 16))
    finally:
        torch.randn, torch.randn_like = randn, randn_like


def cifar():
    from diffusers import UNet2DModel
    torch.manual_seed(0)
    net = UNet2DModel(sample_size=32, block_out_channels=(128, 256, 256, 256), layers_per_block=2, norm_eps=1e-6, freq_shift=1,
                      flip_sin_to_cos=False, downsample_padding=0, attention_head_dim=None,
                      down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
                      up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D")).eval()
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    eps32 = torch.cat([net(x, t).sample for t in (0, 500, 999)])
    net.double()
    eps64 = torch.cat([net(x.double(), t).sample for t in (0, 500, 999)])
    return x, eps32, eps64


randn, randn_like = torch.randn, torch.randn_like
torch.set_num_threads(1)
out = {}
with torch.no_grad():
    for name, run in (("diffusers", diffusers_run), ("diffusers-ddim", diffusers_ddim_run), ("openai", openai_run), ("ho", ermon_run), ("lucidrains", lucidrains_run)):
        x64, x32 = run(torch.float64).double(), run(torch.float32).double()
        spread = (x64 - x32).abs().mean()
        print(name, "std", float(x64.std()), "max", float(x64.abs().max()), "float32 differs by", float(spread))
        out[f"{name}.x"], out[f"{name}.spread"] = x64.float().contiguous(), spread.reshape(1)
    x, eps32, eps64 = cifar()
    print("cifar std", float(eps32.std()), "float32 differs by", float((eps64 - eps32).abs().max()))
    out["cifar.x"], out["cifar.eps"], out["cifar.spread"] = x, eps64.float(), (eps64 - eps32).abs().max().double().reshape(1)      # the largest
save_file(out, out_path)
