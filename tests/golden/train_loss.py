"""What a training should reach: cli.train_loss of tests/cli/train.sh in PyTorch.

The first 512 test images of Fashion-MNIST, 28x28, the network that the test trains, torch's own initial weights, 300 steps of Adam (1e-3, clipped
to a norm of 1) on batches of 16; the mean of the loss over steps 201 to 300, for each of a few seeds.
"""
import gzip
import sys

import numpy as np
import torch
from diffusers import UNet2DModel

with gzip.open(sys.argv[1]) as f:
    images = torch.tensor(np.frombuffer(f.read()[16:], np.uint8).reshape(-1, 1, 28, 28)[:512] / 127.5 - 1, dtype=torch.float32)
alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0).float()
means = []
for seed in range(int(sys.argv[2])):
    torch.manual_seed(seed)
    net = UNet2DModel(sample_size=28, in_channels=1, out_channels=1, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
                      norm_eps=1e-6, down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
                      attention_head_dim=None, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = []
    for step in range(300):
        if step % 32 == 0:
            order = torch.randperm(512)
        x0 = images[order[step % 32 * 16:][:16]]
        t, eps = torch.randint(0, 1000, (16,)), torch.randn_like(x0)
        a = alpha_bar[t].view(-1, 1, 1, 1)
        loss = (net(a.sqrt() * x0 + (1 - a).sqrt() * eps, t).sample - eps).pow(2).mean()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1)
        adam.step()
        losses.append(loss.item())
    means.append(np.mean(losses[200:]))
    print(f"seed {seed}: {means[-1]:.4f}", flush=True)
print(f"mean {np.mean(means):.4f}, standard deviation {np.std(means, ddof=1):.4f}")
