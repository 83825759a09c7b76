"""Makes data/tuning.safetensors: the loss of a tuned solver and its gradient, for tests/golden/tuned_slopes.c.

    python make_tuning.py CASES OUT

CASES is the folder of checkpoints beside this script.  Needs torch 2.13.0 (CPU), diffusers 0.42.1.

The solver's formulas are those in the head of src/diffusion/tuned.c, written here for torch, which differentiates them together
with the network of case A3, in double (the sinusoids of the timestep in float32, as always).  The network's output is taken
as eps, as x0 and as v in turn.  Stored are

  x [4, h, w, c], classes [4]           the noise, int32 classes
  state [6, K]                          logits of the times, shifts, a, b, c1, c2
  PREDICTION.x0 [4, h, w, c]            what the teacher would have made of it: off by 0.1 to 0.5 everywhere, so that no rounding
                                        turns the sign of a difference, which would be a jump of the gradient
  PREDICTION.loss [1], PREDICTION.slope [6, K], PREDICTION.spread [6]     float64; spread: the largest difference of each row in
                                        torch's float32
"""
import sys
import torch
from diffusers import DDPMScheduler, UNet2DModel
from safetensors.torch import save_file

cases, out_path = sys.argv[1:3]
folder = f"{cases}/A3_scale_shift_classes"
K, IMAGES, CLIP = 4, 4, 1.0


def between(table, t):
    """log-SNR at t, linear between whole steps."""
    n = t.detach().floor().clamp(0, len(table) - 2).long()
    return table[n] + (t - n) * (table[n + 1] - table[n])


def image(net, prediction, state, log_snr, x, classes, dtype):
    z, shift, a, b, c1, c2 = state
    last = len(log_snr) - 1
    t = last * torch.softmax(z, 0).cumsum(0)
    t = torch.cat([t[:-1], torch.tensor([float(last)], dtype=torch.float64)])
    told = (t + shift).clamp(0, last)
    half = [between(log_snr, u) / 2 for u in t]
    alpha = [torch.sigmoid(2 * u).sqrt() for u in half]
    sigma = [torch.sigmoid(-2 * u).sqrt() for u in half]
    m = {}
    for i in reversed(range(K)):
        p = net(x, told[i].to(dtype).expand(len(x)), class_labels=classes).sample
        al, si = alpha[i].to(dtype), sigma[i].to(dtype)
        x0 = {"eps": lambda: (x - si * p) / al, "x0": lambda: p, "v": lambda: al * x - si * p}[prediction]()
        m[i] = x0.clamp(-CLIP, CLIP)
        d = m[i]
        if i + 1 in m and i:
            r0 = (half[i] - half[i + 1]) / (half[i - 1] - half[i])
            d = d + (m[i] - m[i + 1]) / (2 * r0).to(dtype)
        if i + 1 in m:
            d = d + c1[i].to(dtype) * (m[i + 1] - m[i])
        if i + 2 in m:
            d = d + c2[i].to(dtype) * (m[i + 2] - m[i])
        if i == 0:
            return ((1 + b[0]).to(dtype) * d).clamp(-CLIP, CLIP)
        h = half[i - 1] - half[i]
        x = ((1 + a[i]) * sigma[i - 1] / sigma[i]).to(dtype) * x - ((1 + b[i]) * alpha[i - 1] * torch.expm1(-h)).to(dtype) * d


def slopes(prediction, state, log_snr, x, x0, classes, dtype):
    net = UNet2DModel.from_pretrained(f"{folder}/unet").to(dtype).eval()
    state = state.clone().requires_grad_()
    made = image(net, prediction, state, log_snr, x.to(dtype), classes, dtype)
    loss = (made - x0.to(dtype)).abs().mean()
    loss.backward()
    return loss.detach().double(), state.grad


torch.set_num_threads(1)
torch.manual_seed(4)
alpha_bar = torch.cumprod(1 - DDPMScheduler.from_pretrained(f"{folder}/scheduler").betas.double(), 0)
log_snr = torch.log(alpha_bar / (1 - alpha_bar))
config = UNet2DModel.load_config(f"{folder}/unet")
size = config["sample_size"]
x = torch.randn(IMAGES, config["in_channels"], size, size).double()
offset = (0.1 + 0.4 * torch.rand_like(x)) * (2.0 * (torch.rand_like(x) < 0.5) - 1)
classes = torch.arange(IMAGES) * 3 % config["num_class_embeds"]
state = torch.stack([torch.tensor([0.3, 0.1, -0.2, 0.05]), torch.tensor([2.5, -7.0, 11.0, -3.0]), 0.1 * torch.randn(K),
                     0.1 * torch.randn(K), 0.2 * torch.randn(K), 0.2 * torch.randn(K)]).double()
out = {"x": x.permute(0, 2, 3, 1).contiguous(), "classes": classes.int(), "state": state}
for prediction in ("eps", "x0", "v"):
    with torch.no_grad():
        net = UNet2DModel.from_pretrained(f"{folder}/unet").double().eval()
        x0 = image(net, prediction, state, log_snr, x, classes, torch.float64) + offset
    out[f"{prediction}.x0"] = x0.permute(0, 2, 3, 1).contiguous()
    loss, slope = slopes(prediction, state, log_snr, x, x0, classes, torch.float64)
    other, single = slopes(prediction, state, log_snr, x, x0, classes, torch.float32)
    out[f"{prediction}.loss"], out[f"{prediction}.slope"] = loss.reshape(1), slope
    out[f"{prediction}.spread"] = (single - slope).abs().amax(1)
    print(prediction, float(loss), float(other - loss), slope, out[f"{prediction}.spread"], sep="\n")
save_file(out, out_path)
