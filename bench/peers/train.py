"""A step of training in PyTorch and in ours, taking turns:  python train.py cifar10|small BATCH [DROPOUT] [ROUNDS] [avx2]

forward, L_simple, backward, clipping, Adam and the average of the weights, float32, channels last, 2 threads; the network is diffusers'
UNet2DModel.  Prints the least milliseconds an image of each; with avx2 both are held to AVX2, PyTorch by its own switches.
DDPM_BENCH is our program (build/ddpm-bench), DEFAULT the model of `small`.
"""
import json, os, subprocess, sys, time
import isa

CPU = []
if "avx2" in sys.argv:
    sys.argv.remove("avx2")
    os.environ.update(isa.SWITCHES)                              # before torch is there
    CPU = ["--cpu", "avx2"]
import torch
from diffusers import UNet2DModel

top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NETS = {
    "cifar10": dict(sample_size=32, in_channels=3, out_channels=3, block_out_channels=(128, 256, 256, 256), norm_eps=1e-6,
                    down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=None, layers_per_block=2, freq_shift=1,
                    flip_sin_to_cos=False, downsample_padding=0),
    "small": dict(sample_size=32, in_channels=1, out_channels=1, block_out_channels=(32, 64, 64), layers_per_block=1,
                  down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
                  up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=None),
}


class Torch:
    def __init__(self, name, batch, dropout):
        torch.manual_seed(0)
        torch.set_num_threads(2)
        self.net = UNet2DModel(dropout=dropout, **NETS[name]).to(memory_format=torch.channels_last).train()
        self.parameters = list(self.net.parameters())
        self.average = [p.detach().clone() for p in self.parameters]
        self.adam = torch.optim.Adam(self.parameters, lr=2e-4)
        c, size = NETS[name]["in_channels"], NETS[name]["sample_size"]
        self.x0 = torch.rand(batch, c, size, size).to(memory_format=torch.channels_last) * 2 - 1
        self.alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)

    def step(self):
        start = time.perf_counter()
        t, eps = torch.randint(1000, (len(self.x0),)), torch.randn_like(self.x0)
        a = self.alpha_bar[t].view(-1, 1, 1, 1)
        out = self.net(a.sqrt() * self.x0 + (1 - a).sqrt() * eps, t, return_dict=False)[0]
        torch.nn.functional.mse_loss(out, eps).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, 1e-4)
        return time.perf_counter() - start


def ours(name, batch, dropout):
    model = os.environ.get("DEFAULT", os.path.join(top, "tools", "default.ddpm")) if name == "small" else name
    program = os.environ.get("DDPM_BENCH", os.path.join(top, "build", "ddpm-bench"))
    run = subprocess.run([program, "train", model, "--batch", str(batch), "--dropout", str(dropout), "--threads", "2", "--steps", "2", "--json", *CPU],
                         check=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout)


def main():
    name, batch = sys.argv[1], int(sys.argv[2])
    dropout, rounds = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0, int(sys.argv[4]) if len(sys.argv) > 4 else 3
    net = Torch(name, batch, dropout)
    torch_ms, our = [], []
    net.step()
    for _ in range(rounds):
        torch_ms += [1e3 * net.step() / batch for _ in range(2)]
        our.append(ours(name, batch, dropout))
    best = min(our, key=lambda r: r["ms_image"])
    print(f"{name}, batch {batch}, {sum(p.numel() for p in net.parameters)} parameters: PyTorch {min(torch_ms):.2f} ms an image, "
          f"ours {best['ms_image']:.2f}, ratio {min(torch_ms) / best['ms_image']:.2f}; {json.dumps(best)}")


main()
