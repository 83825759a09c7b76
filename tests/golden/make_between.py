"""Prints the numbers of tests/golden/between_noises.c: diffusers' slerp between two vectors, and where its DDIMInverseScheduler
leads on data N(0.3, 0.04), whose exact eps is linear.

    python make_between.py          needs torch and diffusers
"""
import numpy as np
import torch
from diffusers import DDIMInverseScheduler
from diffusers.pipelines.deprecated.audio_diffusion.pipeline_audio_diffusion import AudioDiffusionPipeline

a = torch.tensor([1.25, -0.5, 0.75, 2.0, -1.5], dtype=torch.float64)
b = torch.tensor([-0.25, 1.5, 0.5, 1.0, 0.875], dtype=torch.float64)
for u in (0.125, 0.5, 0.9):
    print(u, [repr(v) for v in AudioDiffusionPipeline.slerp(a, b, u).tolist()])

# The scheduler steps from t - 100 to t; eps is that of the step where x lies.
s = DDIMInverseScheduler(beta_start=1e-4, beta_end=0.02, clip_sample=False)
s.alphas_cumprod = torch.tensor(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)), dtype=torch.float64)
s.set_timesteps(10)
x = torch.tensor([-0.4, 0.3, 0.95], dtype=torch.float64)
for t in range(100, 1000, 100):
    ab = s.alphas_cumprod[t - 100]
    eps = (1 - ab).sqrt() * (x - ab.sqrt() * 0.3) / (ab * 0.04 + 1 - ab)
    x = s.step(eps, t, x).prev_sample
print([repr(v) for v in x.tolist()])
