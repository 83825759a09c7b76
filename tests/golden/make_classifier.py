"""Makes data/classifier.safetensors: guidance by a noisy classifier of guided-diffusion, for tests/golden/noisy_classifier.c.

    python make_classifier.py CASE OPENAI OUT

CASE is cases/B3_guided_updown, an unconditional network with a learned variance; OPENAI a checkout of openai/guided-diffusion
(22e0df81).  Needs torch 2.13.0 (CPU).

The classifier is its EncoderUNetModel with attention pooling, built as create_classifier builds it but smaller.  Its weights are numbers
of SplitMix64, so that the file need not hold them: `fill` says which.  The metadata `tensors` list their names and shapes.

x, t, y: two images, steps and classes; logits [2, 5] and gradient [2, 3, 16, 16], that of log p(y | x) by x; ancestral, ddim [2, 3, 16, 16]:
its p_sample_loop and ddim_sample_loop of 5 steps with cond_fn as scripts/classifier_sample.py has it, classifier_scale SCALE and
clip_denoised=False.  All in double, rounded to float32.  spread [4]: the largest difference that the original's own float32 makes in each.
"""
import sys
import numpy as np
import torch
from safetensors.torch import save_file
from splitmix import uniform

case, openai, out_path = sys.argv[1:4]
sys.path.insert(0, openai)
import guided_diffusion.nn as nn
import guided_diffusion.unet as unet
from guided_diffusion.script_util import create_gaussian_diffusion, create_model

SCALE, SHAPE = 100.0, (2, 3, 16, 16)


def old_order(self, qkv):
    n, width, length = qkv.shape
    ch = width // (3 * self.n_heads)
    return mix(*(part for part in qkv.reshape(n * self.n_heads, ch * 3, length).split(ch, dim=1)), n)


def new_order(self, qkv):
    n, width, length = qkv.shape
    ch = width // (3 * self.n_heads)
    return mix(*(part.reshape(n * self.n_heads, ch, length) for part in qkv.chunk(3, dim=1)), n)


def mix(q, k, v, n):
    weight = torch.softmax(torch.einsum("bct,bcs->bts", q, k) / q.shape[1] ** 0.5, dim=-1)
    return torch.einsum("bts,bcs->bct", weight, v).reshape(n, -1, q.shape[2])


# Without their casts to float32.
nn.GroupNorm32.forward = lambda self, x: torch.nn.GroupNorm.forward(self, x)
unet.QKVAttentionLegacy.forward, unet.QKVAttention.forward = old_order, new_order


def fill(net):
    """A tensor of several dimensions has variance 1 / fan_in, a norm's weight lies around 1, a vector around 0."""
    first, state = 0, {}
    for name, tensor in net.state_dict().items():
        u = 2 * uniform(first, tensor.numel(), seed=21) - 1
        first += tensor.numel()
        if tensor.dim() > 1:
            u *= (3 / (tensor.numel() / tensor.shape[0])) ** 0.5
        else:
            u = 0.2 * u + (1 if name.endswith("weight") else 0)
        state[name] = torch.from_numpy(u.astype(np.float32)).reshape(tensor.shape)
    net.load_state_dict(state)
    return net


def make_classifier(dtype):
    net = fill(unet.EncoderUNetModel(image_size=16, in_channels=3, model_channels=32, out_channels=5, num_res_blocks=1,
                                     attention_resolutions=(2,), channel_mult=(1, 1), num_head_channels=8, use_scale_shift_norm=True,
                                     resblock_updown=True, pool="attention"))
    net.to(dtype).dtype = dtype
    return net.eval()


def make_unet(dtype):
    net = create_model(image_size=16, num_channels=32, num_res_blocks=1, channel_mult="1,1", learn_sigma=True,
                       attention_resolutions="8", num_heads=4, num_head_channels=8, use_scale_shift_norm=True, resblock_updown=True)
    net.load_state_dict(torch.load(f"{case}/ema_0.9999_000100.pt", map_location="cpu"))
    net.to(dtype).dtype = dtype
    return net.eval()


def noise(step, count, seed=7):
    """The counter formula of the reference tables, as in make_runs.py."""
    u = uniform(step << 32, count, seed)
    return torch.erfinv(torch.from_numpy(2 * u - 1)) * 2.0 ** 0.5


class Noise:
    """torch.randn and randn_like in order: z[0], z[1], ..."""

    def __init__(self, dtype):
        self.dtype, self.step = dtype, 0

    def __call__(self, *unused, **also_unused):
        z = noise(self.step, int(np.prod(SHAPE))).reshape(SHAPE).to(self.dtype)
        self.step += 1
        return z


def outputs(dtype, x, t, y):
    float_embedding = nn.timestep_embedding
    unet.timestep_embedding = lambda t, dim: float_embedding(t.float(), dim).to(dtype)
    classifier, net = make_classifier(dtype), make_unet(dtype)

    def gradient(x, t, y):
        with torch.enable_grad():
            x_in = x.detach().requires_grad_(True)
            log_probs = torch.log_softmax(classifier(x_in, t), dim=-1)
            return torch.autograd.grad(log_probs[range(len(y)), y].sum(), x_in)[0]

    def run(loop):
        diffusion = create_gaussian_diffusion(steps=1000, learn_sigma=True, timestep_respacing="5")
        z, randn, randn_like = Noise(dtype), torch.randn, torch.randn_like
        torch.randn, torch.randn_like = z, z
        # Tables and condition_mean are cast to float32.
        cast = torch.Tensor.float
        torch.Tensor.float = lambda self: self.to(dtype) if self.dtype == torch.float64 else cast(self)
        try:
            return getattr(diffusion, loop)(lambda x, t, y: net(x, t), SHAPE, clip_denoised=False, model_kwargs={"y": y}, device="cpu",
                                            cond_fn=lambda x, t, y: SCALE * gradient(x, t, y))
        finally:
            torch.randn, torch.randn_like, torch.Tensor.float = randn, randn_like, cast

    x = x.to(dtype)
    with torch.no_grad():
        return [part.double() for part in (classifier(x, t), gradient(x, t, y), run("p_sample_loop"), run("ddim_sample_loop"))]


torch.set_num_threads(1)
x, t, y = noise(99, int(np.prod(SHAPE))).reshape(SHAPE).float(), torch.tensor([14, 870]), torch.tensor([1, 4])
exact, single = outputs(torch.float64, x, t, y), outputs(torch.float32, x, t, y)
spread = torch.stack([(a - b).abs().max() for a, b in zip(exact, single)])
print("std", [float(part.std()) for part in exact], "largest", [float(part.abs().max()) for part in exact], "float32 differs by", spread.tolist())
SCALE = 0.0
print("guidance moves", [float((a - b).abs().max()) for a, b in zip(exact, outputs(torch.float64, x, t, y))][2:])
shapes = ";".join(f"{name} " + ",".join(str(side) for side in tensor.shape) for name, tensor in make_classifier(torch.float32).state_dict().items())
names = "logits", "gradient", "ancestral", "ddim"
save_file({"x": x, "t": t, "y": y, "spread": spread, **{name: part.float().contiguous() for name, part in zip(names, exact)}}, out_path,
          {"tensors": shapes})
