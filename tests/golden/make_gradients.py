"""Makes data/gradients.safetensors: gradients of the original implementations, for tests/golden/gradients.c.

    python make_gradients.py DDPM CASES OPENAI ERMON OUT

DDPM is this program, CASES the folder of checkpoints beside this script; OPENAI and ERMON are checkouts of openai/guided-diffusion
(22e0df81) and ermongroup/ddim (e8df66cf).  Needs torch 2.13.0 (CPU), diffusers 0.42.1, denoising-diffusion-pytorch 2.3.4.

For each case, with the x, t and y of its io.safetensors and dout from a fixed counter, the original network runs forward and backward in
double (the sinusoids of the timestep in float32, as always).  The gradients of a checkpoint are a checkpoint: they are saved in its
layout and go through `ddpm convert`, which gives them our names and order of rows.  Stored for NAME in A3 B3 C1 D1:
  NAME.dout [2, outputs, h, w], NAME.dx [2, c, h, w]     float32
  NAME.dt [2, 2]       float64: the gradient by each t, and its difference in torch's float32
  NAME.spread [2]      float64: the norm of the difference of torch's float32 dx, and that of its output, as a part of the output's norm
  NAME.PARAMETER [6]   float64: four projections of the gradient on signs, its norm, the norm of the difference of torch's float32 one
  NAME.whole.PARAMETER        some whole gradients, float32
"""
import json, os, subprocess, sys, tempfile, types
import numpy as np
import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file, save_file
from splitmix import words

program, cases, openai, ermon, out_path = sys.argv[1:6]


def signs(k, count):
    return 1.0 - 2.0 * (words(k << 32, count) >> np.uint64(63)).astype(np.float64)


def attention(self, qkv):
    n, width, length = qkv.shape
    ch = width // (3 * self.n_heads)
    q, k, v = qkv.reshape(n * self.n_heads, ch * 3, length).split(ch, dim=1)
    weight = torch.softmax(torch.einsum("bct,bcs->bts", q, k) / ch ** 0.5, dim=-1)
    return torch.einsum("bts,bcs->bct", weight, v).reshape(n, -1, length)


def diffusers_net(folder, dtype):
    from diffusers import UNet2DModel
    net = UNet2DModel.from_pretrained(f"{folder}/unet").to(dtype)
    return net, lambda x, t, y: net(x, t, class_labels=y).sample


def openai_net(folder, dtype):
    sys.path.insert(0, openai)
    import guided_diffusion.nn as nn, guided_diffusion.unet as unet
    from guided_diffusion.script_util import create_model
    net = create_model(**json.load(open(f"{folder}/case.json"))["constructor"]["create_model"])
    net.load_state_dict(torch.load(f"{folder}/ema_0.9999_000100.pt", map_location="cpu"))
    nn.GroupNorm32.forward = lambda self, x: torch.nn.GroupNorm.forward(self, x)     # without their casts to float32
    unet.QKVAttentionLegacy.forward = attention
    unet.timestep_embedding = lambda t, dim: nn.timestep_embedding(t.float(), dim).to(dtype)
    net.to(dtype).dtype = dtype
    return net, lambda x, t, y: net(x, t)


def ermon_net(folder, dtype):
    sys.path.insert(0, ermon)
    import models.diffusion as module
    space = lambda **k: types.SimpleNamespace(**k)
    config = space(data=space(image_size=32), diffusion=space(num_diffusion_timesteps=1000),
                   model=space(type="simple", in_channels=3, out_ch=3, ch=32, ch_mult=[1, 2], num_res_blocks=1,
                               attn_resolutions=[16], dropout=0.0, resamp_with_conv=True))
    net = module.Model(config)
    net.load_state_dict(torch.load(f"{folder}/model-790000.ckpt", map_location="cpu"))
    if not hasattr(module, "float_embedding"):
        module.float_embedding = module.get_timestep_embedding
    module.get_timestep_embedding = lambda t, dim: module.float_embedding(t.float(), dim).to(dtype)
    return net.to(dtype), lambda x, t, y: net(x, t)


def lucidrains_net(folder, dtype):
    for name in ("torchvision", "torchvision.transforms", "accelerate", "ema_pytorch", "pytorch_fid", "pytorch_fid.inception",
                 "pytorch_fid.fid_score"):
        stub = types.ModuleType(name)
        stub.__file__, stub.__getattr__ = name, lambda key: type(key, (), {})
        sys.modules.setdefault(name, stub)
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import Unet
    net = Unet(**json.load(open(f"{folder}/case.json"))["constructor"]["Unet"])
    net.load_state_dict(torch.load(f"{folder}/unet.pt", map_location="cpu"))
    net.to(dtype)
    embed = net.time_mlp[0].forward
    net.time_mlp[0].forward = lambda t: embed(t.float()).to(dtype)
    return net, lambda x, t, y: net(x, t)


def save_folder(folder, state):
    os.makedirs(f"{folder}/unet")
    for name in ("model_index.json", "unet/config.json", "scheduler/scheduler_config.json"):
        os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
        open(f"{folder}/{name}", "w").write(open(f"{cases}/A3_scale_shift_classes/{name}").read())
    save_file(state, f"{folder}/unet/diffusion_pytorch_model.safetensors")


def converted(case, state, flags):
    """The same numbers under our names."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/in"
        save_folder(path, state) if case.startswith("A") else torch.save(state, path)
        set_flags = [word for flag in flags for word in ("--set", flag)]
        subprocess.run([program, "convert", "-q", path, "-o", f"{folder}/out", *set_flags], check=True)
        return {k: v for k, v in load_numpy(f"{folder}/out").items() if not k.startswith("schedule.") and k != "time.freq"}


def gradients(make, folder, dtype, x, t, y, dout):
    net, run = make(folder, dtype)
    x = x.to(dtype).requires_grad_()
    t = t.to(dtype).requires_grad_()
    y_hat = run(x, t, y)
    y_hat.backward(dout.to(dtype))
    zero = torch.zeros(1)
    return y_hat.detach().double(), x.grad, t.grad, {k: (p.grad if p.grad is not None else zero.expand_as(p)).detach().contiguous() for k, p in net.named_parameters()}


OPENAI = ["image_size=16", "num_channels=32", "num_res_blocks=1", "channel_mult=1,1", "learn_sigma=true", "class_cond=false",
          "attention_resolutions=8", "num_heads=4", "num_head_channels=8", "use_scale_shift_norm=true", "resblock_updown=true",
          "diffusion_steps=1000", "noise_schedule=linear", "rescale_timesteps=false"]
RUNS = [("A3", "A3_scale_shift_classes", diffusers_net, [], ["class_embedding.weight", "down_blocks.0.attentions.0.to_q.bias"]),
        ("B3", "B3_guided_updown", openai_net, OPENAI, ["conv_in.weight", "mid_block.attentions.0.to_k.weight"]),
        ("C1", "C1_pesser", ermon_net, ["resolution=32"], ["conv_in.weight", "conv_norm_out.weight"]),
        ("D1", "D1_unet3", lucidrains_net, ["image_size=32", "objective=pred_v", "beta_schedule=sigmoid", "timesteps=1000"],
         ["mid_attn.mem_kv", "downs.0.2.mem_kv", "init_conv.weight", "final_res_block.block1.norm.g"])]
torch.set_num_threads(1)
out = {}
for number, (name, case, make, flags, whole) in enumerate(RUNS):
    folder = f"{cases}/{case}"
    io = load_file(f"{folder}/io.safetensors")
    y = io.get("y")
    shape = io["out"].shape
    u = (words(number << 40, io["out"].numel()) >> np.uint64(12)).astype(np.float64) * 2.0 ** -52
    dout = torch.from_numpy((2 * u - 1).astype(np.float32)).reshape(shape)
    result, dx, dt, exact = gradients(make, folder, torch.float64, io["x"], io["t"], y, dout)
    single_result, single_dx, single_dt, single = gradients(make, folder, torch.float32, io["x"], io["t"], y, dout)
    # A float32 checkpoint rounds a gradient; what it loses goes through as a second one.
    high = converted(case, {k: v.float() for k, v in exact.items()}, flags)
    low = converted(case, {k: (v - v.float().double()).float() for k, v in exact.items()}, flags)
    other = converted(case, single, flags)
    out[f"{name}.dout"], out[f"{name}.dx"] = dout, dx.float().contiguous()
    out[f"{name}.spread"] = torch.stack([(single_dx.double() - dx).norm(), (single_result - result).norm() / result.norm()])
    out[f"{name}.dt"] = torch.stack([dt, single_dt.double() - dt])
    worst = 0
    for k in high:
        g = high[k].astype(np.float64) + low[k]
        flat = g.reshape(-1)
        norm, spread = float(np.linalg.norm(g)), float(np.linalg.norm(g - other[k]))
        worst = max(worst, spread / norm if norm > 1e-6 else 0)          # the gradient by a key's bias is 0
        out[f"{name}.{k}"] = torch.tensor([float(signs(j, flat.size) @ flat) for j in range(4)] + [norm, spread], dtype=torch.float64)
    for k in whole:
        out[f"{name}.whole.{k}"] = torch.from_numpy(high[k])
    print(name, len(high), "parameters, norm", float(np.sqrt(sum(np.sum(v.astype(np.float64) ** 2) for v in high.values()))),
          "float32 differs by up to", worst, "of a gradient's norm; dx by", float(out[f"{name}.spread"][0] / dx.norm()), "the output by",
          float(out[f"{name}.spread"][1]), flush=True)
save_file(out, out_path)
