"""Makes preset_run.safetensors: the loss of 200 steps of preset cifar10 as PyTorch and diffusers have it, for tests/golden/preset_run.c.

    python make_preset_run.py OUT

Needs torch 2.13.0 (CPU), diffusers 0.42.1, numpy, scipy, safetensors; five minutes of a core.  The network is Ho's for CIFAR-10 with the weights
torch draws from seed 0, one image a step, without dropout and flips; images, timesteps and noise are formulas that the test has too: image(k),
and the product's own noise, as in make_training.py.

loss [200]: in float64.  spread [200]: the largest difference, up to that step, of the same run in float32.
"""
import math, sys
import numpy as np
import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file
from scipy.special import ndtri

T, STEPS, SEED, SIDE = 1000, 200, 5, 32


def words(index, t, n):
    """Philox4x32-10 (Salmon et al. 2011), counter (element / 4, index, t, purpose train << 24)."""
    low, blocks = np.uint64(0xFFFFFFFF), (n + 3) // 4
    x = [np.arange(blocks, dtype=np.uint64), np.full(blocks, index, np.uint64), np.full(blocks, t, np.uint64), np.full(blocks, 2 << 24, np.uint64)]
    k0, k1 = SEED, 0
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = [(b >> np.uint64(32)) ^ x[1] ^ np.uint64(k0), b & low, (a >> np.uint64(32)) ^ x[3] ^ np.uint64(k1), a & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(x, 1).flatten()[:n]


def noise(k, t):
    z = ndtri((words(k, int(t) << 16, 3 * SIDE * SIDE).astype(np.float64) + 0.5) * 2.0 ** -32)
    return torch.from_numpy(z).reshape(SIDE, SIDE, 3).permute(2, 0, 1)


def image(k):
    """Waves of 7 * 5 * 3 directions and lengths, in three colours."""
    row, column, c = (torch.arange(n, dtype=torch.float64) for n in (SIDE, SIDE, 3))
    phase = (k % 7 - 3) * row[None, :, None] / 8 + (k % 5 + 1) * column[None, None, :] / 16 + (1 + k % 3) * c[:, None, None]
    return (0.9 * torch.sin(phase)).float()


def run(dtype):
    torch.manual_seed(0)
    net = UNet2DModel(sample_size=SIDE, in_channels=3, out_channels=3, block_out_channels=(128, 256, 256, 256), layers_per_block=2, norm_eps=1e-6,
                      down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
                      up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=None, downsample_padding=0,
                      flip_sin_to_cos=False, freq_shift=1).to(dtype).to(memory_format=torch.channels_last)
    alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, T, dtype=torch.float64), 0)
    adam = torch.optim.Adam(net.parameters(), lr=2e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda n: min(1, (n + 1) / 5000))
    losses = []
    for n in range(STEPS):
        t = torch.tensor([int(words(n, 0xFFFFFFFF, 1)[0]) * T >> 32])
        x0, eps = image(n).double()[None], noise(n, t[0])[None]
        a = alpha_bar[t].view(-1, 1, 1, 1)
        xt = (a.sqrt() * x0 + (1 - a).sqrt() * eps).to(dtype)
        loss = (net(xt.contiguous(memory_format=torch.channels_last), t).sample - eps.to(dtype)).pow(2).mean()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1)
        adam.step()
        schedule.step()
        losses.append(loss.item())
        if n % 20 == 0:
            print(dtype, n, loss.item(), flush=True)
    return np.array(losses)


torch.set_num_threads(2)
single, double = run(torch.float32), run(torch.float64)
spread = np.maximum.accumulate(np.abs(single - double))
print("spread after 1, 10, 50, 100, 200 steps:", *spread[[0, 9, 49, 99, 199]])
save_file({"loss": torch.from_numpy(double), "spread": torch.from_numpy(spread)}, sys.argv[1])
