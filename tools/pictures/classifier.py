"""classifier.py GUIDED FOLDER OUT.pt [STEPS]: trains a noisy classifier of the shapes that shapes.py has written into FOLDER, as scripts/classifier_train.py
of openai/guided-diffusion does, whose checkout is GUIDED: its network, its linear schedule, t drawn evenly.  torch is needed.
"""
import sys
import numpy as np
import torch

guided, folder, out = sys.argv[1:4]
sys.path.insert(0, guided)
from guided_diffusion.script_util import create_gaussian_diffusion
from guided_diffusion.unet import EncoderUNetModel

BATCH, STEPS, SIDE = 32, int(sys.argv[4]) if len(sys.argv) > 4 else 600, 16


def read(name, head):
    return np.frombuffer(open(f"{folder}/{name}", "rb").read()[head:], np.uint8)


torch.manual_seed(0)
torch.set_num_threads(1)
x0 = torch.from_numpy(read("train-images-idx3-ubyte", 16).reshape(-1, 1, SIDE, SIDE) / np.float32(127.5) - 1)
y = torch.from_numpy(read("train-labels-idx1-ubyte", 8).astype(np.int64))
net = EncoderUNetModel(image_size=SIDE, in_channels=1, model_channels=32, out_channels=4, num_res_blocks=1, attention_resolutions=(2,), channel_mult=(1, 1),
                       num_head_channels=32, use_scale_shift_norm=True, resblock_updown=True, pool="attention")
diffusion = create_gaussian_diffusion(steps=1000, noise_schedule="linear")
optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3)
for step in range(STEPS):
    optimiser.param_groups[0]["lr"] = 2e-3 * (1 - step / STEPS)
    pick, t = torch.randint(len(y), (BATCH,)), torch.randint(1000, (BATCH,))
    logits = net(diffusion.q_sample(x0[pick], t), t)
    loss = torch.nn.functional.cross_entropy(logits, y[pick])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if step % 100 == 99:
        print(step + 1, "loss", loss.item(), "right", float((logits.argmax(1) == y[pick]).float().mean()), flush=True)
torch.save(net.state_dict(), out)
