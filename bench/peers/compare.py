"""Times ddpm against what people use instead, on the same network with the same weights, in interleaved rounds.

    python compare.py [--nets cifar10,celebahq,openai64,lucid64] [--batch 1,16] [--threads 1,2] [--rounds 7] [--ddpm BUILD] [--work DIR]

Each network is made by its original code with torch.manual_seed(0), written as that code writes it, converted by `ddpm convert`
and handed to the peers: PyTorch eager (contiguous and channels-last) and compiled, ONNX Runtime.  In every round each engine
runs a few steps, one engine after the other; the table shows the minimum and the median over the rounds, the ratio to ours, and
the largest difference from a run in double.  Needs the packages of requirements.txt, and for openai64 a checkout of
openai/guided-diffusion in $GUIDED_DIFFUSION.
"""
import argparse, json, os, statistics, subprocess, sys, time
import numpy as np


def cifar10():
    from diffusers import UNet2DModel
    return google((128, 256, 256, 256), 32, ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
                  ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"))


def celebahq():
    return google((128, 128, 256, 256, 512, 512), 256, ("DownBlock2D",) * 4 + ("AttnDownBlock2D", "DownBlock2D"),
                  ("UpBlock2D", "AttnUpBlock2D") + ("UpBlock2D",) * 4)


def google(widths, size, down, up):
    from diffusers import UNet2DModel
    net = UNet2DModel(sample_size=size, block_out_channels=widths, down_block_types=down, up_block_types=up, layers_per_block=2,
                      norm_eps=1e-6, freq_shift=1, flip_sin_to_cos=False, downsample_padding=0, attention_head_dim=None)
    return net, size, lambda folder: (net.save_pretrained(folder), [folder])[1], lambda x, t: net(x, t, return_dict=False)[0]


def openai64():
    sys.path.insert(0, os.environ["GUIDED_DIFFUSION"])
    import torch
    from guided_diffusion.script_util import create_model
    flags = dict(image_size=64, num_channels=128, num_res_blocks=3, learn_sigma=True, attention_resolutions="16,8", num_heads=4,
                 use_scale_shift_norm=True)
    net = create_model(**flags)
    for p in net.parameters():                       # what the original initialises to zero would hide errors
        if not p.any():
            torch.nn.init.normal_(p, std=0.02)

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save(net.state_dict(), f"{folder}/ema_0.9999_000000.pt")
        flags.update(diffusion_steps=1000, noise_schedule="linear", rescale_timesteps=False, use_new_attention_order=False, class_cond=False)
        return [f"{folder}/ema_0.9999_000000.pt"] + [a for k, v in flags.items() for a in ("--set", f"{k}={str(v).lower()}")]
    return net, 64, save, net


def lucid64():
    import types, torch
    for name in ("torchvision", "torchvision.transforms", "accelerate", "ema_pytorch", "pytorch_fid", "pytorch_fid.inception",
                 "pytorch_fid.fid_score"):
        stub = types.ModuleType(name)
        stub.__file__, stub.__getattr__ = name, lambda key: type(key, (), {})
        sys.modules.setdefault(name, stub)
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import Unet
    net = Unet(dim=64, dim_mults=(1, 2, 4, 8))

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save(net.state_dict(), f"{folder}/unet.pt")
        return [f"{folder}/unet.pt", "--set", "image_size=64", "--set", "objective=pred_v", "--set", "beta_schedule=sigmoid",
                "--set", "timesteps=1000"]
    return net, 64, save, net


class Torch:
    def __init__(self, name, call, net, x, t, channels_last=False, compiled=False):
        import torch
        self.name, self.x, self.t = name, x, t
        if channels_last:
            net.to(memory_format=torch.channels_last)
            self.x = x.to(memory_format=torch.channels_last)
        self.channels_last, self.net = channels_last, net
        self.call = torch.compile(call) if compiled else call
        self.steps(2)

    def steps(self, n):
        import torch
        self.net.to(memory_format=torch.channels_last if self.channels_last else torch.contiguous_format)
        with torch.inference_mode():
            self.call(self.x, self.t)
            start = time.perf_counter()
            for _ in range(n):
                self.out = self.call(self.x, self.t)
            return 1e3 * (time.perf_counter() - start) / n

    def result(self):
        return self.out.numpy()


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, path, x, t, threads):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.feed = {"x": x.numpy(), "t": t.numpy()}

    def steps(self, n):
        self.session.run(None, self.feed)
        start = time.perf_counter()
        for _ in range(n):
            self.out = self.session.run(None, self.feed)[0]
        return 1e3 * (time.perf_counter() - start) / n

    def result(self):
        return self.out


class Ddpm:
    name = "ddpm"

    def __init__(self, build, model, io, threads, batch, cpu):
        self.bench = [f"{build}/ddpm-bench", "net", model, "--threads", str(threads), "--batch", str(batch), "--json"]
        self.forward = [f"{build}/ddpm", "forward", model, io, "--threads", str(threads), "--tolerance", "1e30", "--force", "-q", "-o", io + ".out"]
        if cpu:
            self.bench += ["--cpu", cpu]
            self.forward += ["--cpu", cpu]

    def steps(self, n):
        text = subprocess.run(self.bench + ["--steps", str(n)], check=True, capture_output=True, text=True).stdout
        return json.loads(text.splitlines()[-1])["ms_step_median"]

    def result(self):
        from safetensors.numpy import load_file
        subprocess.run(self.forward, check=True)
        return load_file(self.forward[self.forward.index("-o") + 1])["out"]


def compare(name, batch, threads, o):
    import copy, torch
    from safetensors.torch import save_file
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    net, size, save, call = globals()[name]()
    net.eval()
    folder = f"{o.work}/{name}"
    model, io = f"{folder}.ddpm", f"{folder}-{batch}.safetensors"
    if not os.path.exists(model):
        subprocess.run([f"{o.ddpm}/ddpm", "convert", *save(folder), "-o", model, "-q"], check=True)
    generator = torch.Generator().manual_seed(1)
    x, t = torch.randn(batch, 3, size, size, generator=generator), torch.full((batch,), 500)
    save_file({"x": x, "t": t}, io)
    with torch.inference_mode():
        double = copy.deepcopy(net).double() if not o.quick else None
    engines = [Ddpm(o.ddpm, model, io, threads, batch, o.cpu), Torch("PyTorch eager", call, net, x, t),
               Torch("PyTorch channels-last", call, net, x, t, channels_last=True)]
    onnx = f"{folder}-{batch}.onnx"
    try:
        if not os.path.exists(onnx):
            torch.onnx.export(Call(net, call), (x, t), onnx, input_names=["x", "t"], output_names=["out"], dynamo=False)
        engines.append(OnnxRuntime(onnx, x, t, threads))
    except RuntimeError as e:
        print(f"{name}: ONNX Runtime is missing: the exporter fails: {e}")
    if o.compile:
        engines.append(Torch("PyTorch compiled", call, net, x, t, compiled=True))
    steps = {e.name: [] for e in engines}
    for _ in range(o.rounds):
        for e in engines:
            steps[e.name].append(e.steps(o.steps))
    reference = exact(name, double, x, t) if double is not None else engines[1].result()
    ours = min(steps["ddpm"])
    print(f"\n{name}, batch {batch}, {threads} threads: ms per image and step, {o.rounds} rounds of {o.steps} steps")
    print("| engine | min | median | ours / it (min) | largest error |\n|---|---|---|---|---|")
    for e in engines:
        low, mid = min(steps[e.name]) / batch, statistics.median(steps[e.name]) / batch
        error = float(np.abs(e.result() - reference).max())
        print(f"| {e.name} | {low:.1f} | {mid:.1f} | {ours / batch / low:.2f} | {error:.1e} |", flush=True)


def exact(name, double, x, t):
    """The network in double; its timestep embedding as the original rounds it."""
    import torch
    embedding = {"cifar10": "time_proj", "celebahq": "time_proj", "lucid64": "time_mlp"}.get(name)
    if name == "openai64":
        import guided_diffusion.nn as nn, guided_diffusion.unet as unet
        nn.GroupNorm32.forward = lambda self, v: torch.nn.GroupNorm.forward(self, v)
        unet.timestep_embedding = lambda s, dim: nn.timestep_embedding(s.float(), dim).double()
        double.dtype = torch.float64
    module = getattr(double, embedding) if embedding else None
    if module is not None:
        module = module[0] if name == "lucid64" else module
        f = module.forward
        module.forward = lambda s: f(s).double()
    with torch.inference_mode():
        out = double(x.double(), t)
    return (out.sample if hasattr(out, "sample") else out).numpy()


def Call(net, call):
    import torch

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x, t):
            return call(x, t)
    return Module().eval()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--nets", default="cifar10")
    p.add_argument("--batch", default="1,16")
    p.add_argument("--threads", default="2")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--cpu", default=None)
    p.add_argument("--compile", action="store_true")
    p.add_argument("--quick", action="store_true", help="errors against PyTorch eager instead of a run in double")
    p.add_argument("--ddpm", default="build")
    p.add_argument("--work", default="build/peers")
    o = p.parse_args()
    os.makedirs(o.work, exist_ok=True)
    for name in o.nets.split(","):
        for batch in o.batch.split(","):
            for threads in o.threads.split(","):
                compare(name, int(batch), int(threads), o)


main()
