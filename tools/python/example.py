# %% [markdown]
# The package in one page.  Every `# %%` begins a cell: Jupyter, VS Code and Spyder run it cell by cell, and
# `python example.py` runs it whole, in some seconds.  The model is the one that comes with the package.

# %% Sixteen images
import numpy as np

import ddpm

model = ddpm.Model.default()
print(f"{model.width} x {model.height} pixels, {model.channels} channel, predicts {model.prediction}")
images = model.sample(16, steps=10, sampler="unipc", seed=7)
print(f"{len(images)} images, {images.min():.2f} to {images.max():.2f}")
np.save("images.npy", images)

# %% How far it is, for a progress bar
model.sample(4, steps=4, callback=lambda done, total: print(f"step {done} of {total}"))

# %% The same images one step at a time, to look at the way there
sampler = ddpm.Sampler(model, steps=10, seed=7, sampler="unipc")
sampler.start(4)
while sampler.left:
    print(f"t = {sampler.t:3.0f}: standard deviation {sampler.x.std():.2f}")
    sampler.step()
print("equal:", np.array_equal(sampler.x.astype(np.float32), images[:4]))

# %% The network itself, for a sampler of one's own: this is DDIM (Song, Meng, Ermon 2021, equation 12)
chain = model.schedule(10)
x = (
    np.random.default_rng(0)
    .standard_normal((4, model.channels, model.height, model.width))
    .astype(np.float32)
)
for i in reversed(range(len(chain.t))):
    eps = model.eps(x, chain.t[i])
    x0 = (x - np.sqrt(1 - chain.alpha_bar[i]) * eps) / np.sqrt(chain.alpha_bar[i])
    before = chain.alpha_bar[i - 1] if i else 1.0
    x = (np.sqrt(before) * x0.clip(-1, 1) + np.sqrt(1 - before) * eps).astype(np.float32)
print("own DDIM:", x.shape)

# %% What images cost in bits per dimension, and how far two sets are apart
print("bits per dimension:", model.bits_per_dim(images[:2], steps=20).round(2))
print("distance of two halves:", ddpm.distance(images[:8], images[8:]))

# %% Train on images of one's own; a few steps show only that it works
trained = ddpm.train(
    np.tile(images, (4, 1, 1, 1)),
    "trained.ddpm",
    steps=3,
    force=True,
    grid_every=0,
    set={"net.widths": (16, 32), "net.channels": 1, "batch": 8, "diffusion.steps": 50},
)
print("trained:", trained.sample(1, steps=5).shape)
