"""check_families.py PROGRAM: random configurations of the originals that PyPI has, diffusers' UNet2DModel and lucidrains' Unet.

Each draw is a network with weights of its own, saved the way its origin saves it, converted, run by `ddpm forward` and compared with the
origin's output.  COUNT=100 draws a family (default 20) from SEED (default 1); ONLY=lucidrains.17 is that draw alone.  Draws that
once broke something stay in FOUND.

The truth is the original in float64, with sines and cosines of t as it rounds them, in float32.  The original's own float32 output is off
by e; ours adds up the same products in another order, and Winograd's F(4x4, 3x3) loses about a digit more (bench/RESULTS.md), so FACTOR * e
is allowed, and never less than 64 roundings of the largest output.
"""
import copy
import json
import os
import random
import subprocess
import sys
import types

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.utils import logging
from safetensors.torch import load_file, save_file

sys.dont_write_bytecode = True
import check_cases

for name in ("torchvision", "torchvision.transforms", "accelerate", "ema_pytorch", "pytorch_fid", "pytorch_fid.inception",
             "pytorch_fid.fid_score", "scipy", "scipy.optimize"):                 # imported by the original's trainer, not by its network
    stub = types.ModuleType(name)
    stub.__file__, stub.__getattr__ = name, lambda key: type(key, (), {})
    sys.modules.setdefault(name, stub)
from denoising_diffusion_pytorch.denoising_diffusion_pytorch import GaussianDiffusion, Unet

PROGRAM = os.path.abspath(sys.argv[1])
FACTOR = 16
FOUND = {"diffusers": [], "lucidrains": []}          # draws, as draw_... makes them


def ddpm(*arguments):
    done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"{' '.join(arguments)} exited with {done.returncode}: {done.stderr}"


def size(r, levels):
    """Halved so many times without a rest."""
    return [2 ** (levels - 1) * r.randint(1, max(1, 20 >> (levels - 1))) for _ in range(2)]


def draw_diffusers(r):
    levels, groups = r.choice([1, 2, 2, 3, 3, 4]), r.choice([1, 2, 4, 8])
    widths = [groups * r.randint(-(-4 // groups), max(4 // groups, 24 // groups)) for _ in range(levels)]
    channels, learned = r.choice([1, 2, 3, 4]), r.random() < 0.2
    steps = r.choice([1, 2, 50, 400, 1000, 1000, 4000])
    net = dict(
        sample_size=size(r, levels), in_channels=channels, out_channels=channels * (1 + learned), block_out_channels=widths,
        layers_per_block=r.choice([1, 1, 2, 3]), norm_num_groups=groups, norm_eps=r.choice([1e-5, 1e-6, 1e-3]),
        down_block_types=[r.choice(["DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"]) for _ in widths],
        up_block_types=[r.choice(["UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"]) for _ in widths],
        downsample_type=r.choice(["conv", "resnet"]), upsample_type=r.choice(["conv", "resnet"]), downsample_padding=r.choice([0, 1]),
        attention_head_dim=r.choice([None, r.randint(1, min(widths)), r.randint(1, min(widths)), min(8, min(widths))]),
        attn_norm_num_groups=r.choice([None, groups, 1]), add_attention=r.random() < 0.8,
        mid_block_type=r.choice(["UNetMidBlock2D"] * 4 + [None]), mid_block_scale_factor=r.choice([1, 1, 2 ** 0.5, 0.5]),
        resnet_time_scale_shift=r.choice(["default", "default", "scale_shift"]), act_fn=r.choice(["silu", "silu", "swish", "gelu", "relu", "mish"]),
        center_input_sample=r.random() < 0.2, flip_sin_to_cos=r.random() < 0.5, freq_shift=r.choice([0, 1]),
        time_embedding_dim=r.choice([None, None, r.randint(1, 70)]), num_class_embeds=r.choice([None, None, r.randint(1, 12)]), dropout=r.choice([0.0, 0.1]))
    scheduler = dict(
        num_train_timesteps=steps, beta_schedule=r.choice(["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"]), beta_start=r.choice([1e-4, 0.00085]),
        beta_end=r.choice([0.02, 0.012]), prediction_type=r.choice(["epsilon", "sample", "v_prediction"]), clip_sample=r.random() < 0.7,
        clip_sample_range=r.choice([1.0, 2.0]), variance_type="learned_range" if learned else r.choice(["fixed_small", "fixed_large", "fixed_small_log"]))
    scheduler["rescale_betas_zero_snr"] = scheduler["prediction_type"] != "epsilon" and steps > 2 and r.random() < 0.3
    if r.random() < 0.1:
        scheduler.update(num_train_timesteps=40, trained_betas=[0.001 * (i + 1) for i in range(40)], rescale_betas_zero_snr=False)
    return dict(net=net, scheduler=scheduler, save=r.choice(["safetensors", "bin", "shards", "half"]), **draw_run(r))


def draw_lucidrains(r):
    levels, dim = r.choice([1, 2, 2, 3, 3, 4]), 2 * r.randint(2, 9)
    net = dict(dim=dim, init_dim=r.choice([None, None, r.randint(1, 20)]), dim_mults=[r.randint(1, 3) for _ in range(levels)], channels=r.choice([1, 2, 3, 4]),
               learned_variance=r.random() < 0.2, sinusoidal_pos_emb_theta=r.choice([10000, 10000, 100]), dropout=r.choice([0.0, 0.1]),
               attn_dim_head=r.choice([4, 7, 8, 32]), attn_heads=r.randint(1, 4),
               full_attn=r.choice([None, [r.random() < 0.5 for _ in range(levels)]]))
    diffusion = dict(timesteps=r.choice([30, 100, 1000]), objective=r.choice(["pred_noise", "pred_x0", "pred_v"]),
                     beta_schedule=r.choice(["linear", "cosine", "sigmoid"]))
    return dict(net=net, size=size(r, levels), diffusion=diffusion, save=r.choice(["bare", "bare legacy", "diffusion", "trainer", "trainer legacy"]), **draw_run(r))


def draw_run(r):
    return dict(weights=r.randrange(1 << 30), conv=r.choice(["auto", "auto", "winograd", "gemm", "ref"]), threads=r.choice([1, 2, 3]))


def stir(net):
    """What begins as 1 or 0 would hide errors."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p) * (p.abs().mean() if p.dim() > 1 else 1))
    return net.eval()


def in_float(net, embedding):
    """A copy in float64, but for the embedding of t."""
    double = copy.deepcopy(net).double()
    module = double.get_submodule(embedding)
    f = module.forward
    module.forward = lambda t: f(t.float()).double()
    return double


def ours(draw, model, x, t, y):
    io = dict(x=x.contiguous(), t=t.float())
    if y is not None:
        io["y"] = y
    save_file(io, "io.safetensors")
    ddpm("forward", model, "io.safetensors", "-o", "out.safetensors", "--conv", draw["conv"], "--threads", str(draw["threads"]))
    return load_file("out.safetensors")["out"]


def compare(got, single, double):
    e, scale = (single.double() - double).abs().max().item(), double.abs().max().item()
    off, allowed = (got.double() - double).abs().max().item(), max(FACTOR * e, 64 * 2 ** -24 * scale)
    assert got.shape == double.shape and off <= allowed, f"off by {off:.3g} of {scale:.3g}, allowed are {allowed:.3g}; the original in float32: {e:.3g}"
    return off / (e + 2 ** -24 * scale)


def same_schedule(model, alpha_bar):
    stored = load_file(model)["schedule.alpha_bar"]
    assert len(stored) == len(alpha_bar) and torch.allclose(stored, alpha_bar.double(), rtol=1e-5, atol=1e-7), "alpha_bar"


def save_diffusers(draw, net, scheduler):
    DDPMPipeline(net, scheduler).save_pretrained("here", safe_serialization=draw["save"] != "bin")
    if draw["save"] == "shards":
        os.remove("here/unet/diffusion_pytorch_model.safetensors")
        net.save_pretrained("here/unet", max_shard_size="30KB")
    if draw["save"] == "half":
        net.half().save_pretrained("here/unet")
        net.float()


def try_diffusers(draw):
    torch.manual_seed(draw["weights"])
    net, scheduler = stir(UNet2DModel(**draw["net"])), DDPMScheduler(**draw["scheduler"])
    save_diffusers(draw, net, scheduler)
    ddpm("convert", "here", "-o", "model.ddpm", "-q")
    same_schedule("model.ddpm", scheduler.alphas_cumprod)
    n, T, classes = 3, scheduler.config.num_train_timesteps, net.config.num_class_embeds
    x, t = torch.randn(n, net.config.in_channels, *net.config.sample_size), torch.tensor([0, T // 3, T - 1])
    y = torch.randint(classes, (n,)) if classes else None
    with torch.no_grad():
        single = net(x, t, class_labels=y).sample
        double = in_float(net, "time_proj")(x.double(), t, class_labels=y).sample
    return compare(ours(draw, "model.ddpm", x, t, y), single, double)


def save_lucidrains(draw, net, diffusion):
    """What the converter has to be told of it."""
    inside = {f"model.{k}": v for k, v in net.state_dict().items()}
    everything = dict(diffusion.state_dict(), **inside)
    raw = {k: v + 1 if v.is_floating_point() and k.startswith("model.") else v for k, v in everything.items()}
    kind = draw["save"].split()[0]
    state = {"bare": net.state_dict(), "diffusion": everything,
             "trainer": dict(step=7, model=raw, ema=dict({f"ema_model.{k}": v for k, v in everything.items()}, initted=torch.tensor(True), step=torch.tensor(7)),
                             opt={}, scaler=None, version="2.3.4")}[kind]
    torch.save(state, "net.pt", _use_new_zipfile_serialization="legacy" not in draw["save"])
    given = dict(image_size="x".join(map(str, draw["size"])))
    if kind == "bare":
        given.update(draw["diffusion"])
    if draw["net"]["sinusoidal_pos_emb_theta"] != 10000:
        given["sinusoidal_pos_emb_theta"] = draw["net"]["sinusoidal_pos_emb_theta"]
    return [word for key, value in given.items() for word in ("--set", f"{key}={value}")]


def try_lucidrains(draw):
    torch.manual_seed(draw["weights"])
    net = stir(Unet(**draw["net"]))
    net.self_condition = False
    plain = copy.copy(net)
    plain.out_dim = plain.channels                   # the original's GaussianDiffusion takes no learned variance; its buffers do not depend on it
    diffusion = GaussianDiffusion(plain, image_size=tuple(draw["size"]), **draw["diffusion"])
    ddpm("convert", "net.pt", "-o", "model.ddpm", "-q", *save_lucidrains(draw, net, diffusion))
    same_schedule("model.ddpm", diffusion.alphas_cumprod)
    T = draw["diffusion"]["timesteps"]
    x, t = torch.randn(3, draw["net"]["channels"], *draw["size"]), torch.tensor([0, T // 3, T - 1])
    with torch.no_grad():
        single, double = net(x, t), in_float(net, "time_mlp.0")(x.double(), t)
    return compare(ours(draw, "model.ddpm", x, t, None), single, double)


worst = {}


def attempt(family, draw):
    try:
        ratio = globals()[f"try_{family}"](draw)
        worst[family] = max(ratio, worst.get(family, 0))
    except Exception:
        print("  " + json.dumps(draw))
        raise


def main():
    count, seed, only = int(os.environ.get("COUNT", 20)), os.environ.get("SEED", "1"), os.environ.get("ONLY")
    tests = []
    for family in FOUND:
        tests += [(f"{family}.found.{i}", family, draw) for i, draw in enumerate(FOUND[family])]
        tests += [(f"{family}.{i}", family, globals()[f"draw_{family}"](random.Random(f"{seed} {family} {i}"))) for i in range(count)]
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    check_cases.run("families", [(name, attempt, (family, draw)) for name, family, draw in tests if only in (None, name)],
                    lambda: print("the largest error, in those of the original in float32:", {k: round(v, 2) for k, v in worst.items()}))


main()
