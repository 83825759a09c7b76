"""The networks that are compared, each made by its original code with the weights that torch.manual_seed(0) gives, and the files
that engines read: `prepare` writes them once per network and batch, beside an output in double that says how far each engine is off.
"""
import copy, os, subprocess, sys, types
import numpy as np


class Net:
    """module; call(x, t) gives the tensor; save(folder) writes the original's files and returns the arguments of `ddpm convert`."""
    def __init__(self, module, size, call, save, exact):
        self.module, self.size, self.call, self.save, self.exact = module.eval(), size, call, save, exact


def google(widths, size, down, up):
    from diffusers import UNet2DModel
    module = UNet2DModel(sample_size=size, block_out_channels=widths, down_block_types=down, up_block_types=up, layers_per_block=2,
                         norm_eps=1e-6, freq_shift=1, flip_sin_to_cos=False, downsample_padding=0, attention_head_dim=None)

    def save(folder):
        module.save_pretrained(folder)
        return [folder]
    return Net(module, size, lambda x, t: module(x, t, return_dict=False)[0], save, lambda d: in_float(d, d.time_proj))


def cifar10():
    return google((128, 256, 256, 256), 32, ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
                  ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"))


def celebahq():
    return google((128, 128, 256, 256, 512, 512), 256, ("DownBlock2D",) * 4 + ("AttnDownBlock2D", "DownBlock2D"),
                  ("UpBlock2D", "AttnUpBlock2D") + ("UpBlock2D",) * 4)


def openai64():
    import torch
    if "GUIDED_DIFFUSION" not in os.environ:
        sys.exit("bench/peers/run: openai64: set GUIDED_DIFFUSION to a checkout of openai/guided-diffusion (22e0df81)")
    sys.path.insert(0, os.environ["GUIDED_DIFFUSION"])
    from guided_diffusion.script_util import create_model
    flags = dict(image_size=64, num_channels=128, num_res_blocks=3, learn_sigma=True, attention_resolutions="16,8", num_heads=4,
                 use_scale_shift_norm=True)
    module = create_model(**flags)
    for p in module.parameters():                    # what the original initialises to zero would hide errors
        if not p.any():
            torch.nn.init.normal_(p, std=0.02)

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save(module.state_dict(), f"{folder}/ema_0.9999_000000.pt")
        flags.update(diffusion_steps=1000, noise_schedule="linear", rescale_timesteps=False, use_new_attention_order=False, class_cond=False)
        return [f"{folder}/ema_0.9999_000000.pt"] + [a for k, v in flags.items() for a in ("--set", f"{k}={str(v).lower()}")]

    def exact(double):
        import guided_diffusion.nn as nn, guided_diffusion.unet as unet
        nn.GroupNorm32.forward = lambda self, v: torch.nn.GroupNorm.forward(self, v)
        unet.timestep_embedding = lambda s, dim: nn.timestep_embedding(s.float(), dim).double()
        double.dtype = torch.float64
    return Net(module, 64, module, save, exact)


def lucid64():
    import torch
    for name in ("torchvision", "torchvision.transforms", "accelerate", "ema_pytorch", "pytorch_fid", "pytorch_fid.inception",
                 "pytorch_fid.fid_score"):           # imported by the original's trainer, not by its network
        stub = types.ModuleType(name)
        stub.__file__, stub.__getattr__ = name, lambda key: type(key, (), {})
        sys.modules.setdefault(name, stub)
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import Unet
    module = Unet(dim=64, dim_mults=(1, 2, 4, 8))

    def save(folder):
        os.makedirs(folder, exist_ok=True)
        torch.save(module.state_dict(), f"{folder}/unet.pt")
        return [f"{folder}/unet.pt", "--set", "image_size=64", "--set", "objective=pred_v", "--set", "beta_schedule=sigmoid",
                "--set", "timesteps=1000"]
    return Net(module, 64, module, save, lambda d: in_float(d, d.time_mlp[0]))


NETS = {f.__name__: f for f in (cifar10, celebahq, openai64, lucid64)}


def in_float(double, embedding):
    """The sines and cosines of t stay as the original rounds them: in float32."""
    f = embedding.forward
    embedding.forward = lambda s: f(s).double()


def build(name):
    import torch
    torch.manual_seed(0)
    return NETS[name]()


def traced(net):
    import torch

    class Call(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = net.module

        def forward(self, x, t):
            return net.call(x, t)
    return Call().eval()


def write_exact(net, base, x, t):
    import torch
    double = copy.deepcopy(net.module).double()
    net.exact(double)
    with torch.inference_mode():
        out = double(x.double(), t)
    np.save(base + ".exact.npy", (out.sample if hasattr(out, "sample") else out).numpy())


def write_onnx(net, base, x, t):
    import torch
    torch.onnx.export(traced(net), (x, t), base + ".onnx", input_names=["x", "t"], output_names=["out"], dynamo=True, external_data=False)


def write_openvino(net, base, x, t):
    import openvino, torch
    with torch.inference_mode():
        model = openvino.convert_model(traced(net), example_input=(x, t), input=[list(x.shape), list(t.shape)])
    openvino.save_model(model, base + ".xml", compress_to_fp16=False)


def write_mnn(net, base, x, t):
    """Not by the program mnnconvert: it installs packages and reports to its makers."""
    import _tools
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", base + ".onnx", "--MNNModel", base + ".mnn", "--bizCode", "ddpm"])


def write_ncnn(net, base, x, t):
    """Of one image.  t comes as float, for ncnn has no other numbers and lacks the conversion from integers."""
    import pnnx, torch
    with torch.inference_mode():
        torch.jit.trace(traced(net), (x[:1], t[:1])).save(base + ".pt")
    size = x.shape[-1]
    subprocess.run([pnnx.EXEC_PATH, base + ".pt", f"inputshape=[1,{x.shape[1]},{size},{size}],[1]i64", "fp16=0", f"ncnnbin={base}.bin.ncnn",
                    f"ncnnparam={base}.param"], check=True, stdout=subprocess.DEVNULL, cwd=os.path.dirname(base))
    with open(base + ".param") as f:
        text = f.read()
    with open(base + ".ncnn", "w") as f:
        f.write(text.replace("Tensor.to ", "Noop "))


def write_ddpm(net, base, x, t):
    import safetensors.torch
    safetensors.torch.save_file({"x": x, "t": t}, base + ".safetensors")
    subprocess.run([os.environ["DDPM"] + "/ddpm", "convert", *net.save(base), "-o", base + ".ddpm", "--force", "-q"], check=True)


# What is prepared, by the ending of the file that says it is there.
FILES = {".exact.npy": write_exact, ".ddpm": write_ddpm, ".onnx": write_onnx, ".xml": write_openvino, ".mnn": write_mnn, ".ncnn": write_ncnn}


def prepare(name, batch, base):
    """Each file in a process of its own, for a converter may crash; why one failed is kept in base + ending + ".failed"."""
    os.makedirs(os.path.dirname(base), exist_ok=True)
    for ending in FILES:
        if not os.path.exists(base + ending) and not os.path.exists(base + ending + ".failed"):
            made = subprocess.run([sys.executable, __file__, name, str(batch), base, ending], stderr=subprocess.PIPE, text=True)
            if made.returncode or not os.path.exists(base + ending):
                if ending in (".exact.npy", ".ddpm"):
                    raise RuntimeError(f"{base + ending} cannot be made:\n{made.stderr}")
                with open(base + ending + ".failed", "w") as f:
                    f.write((made.stderr.strip().splitlines() or [f"ended with {made.returncode}"])[-1][:200])


def main():
    import torch
    name, batch, base, ending = sys.argv[1:]
    net = build(name)
    generator = torch.Generator().manual_seed(1)
    x, t = torch.randn(int(batch), 3, net.size, net.size, generator=generator), torch.full((int(batch),), 500)
    np.save(base + ".x.npy", x.numpy())
    np.save(base + ".t.npy", t.numpy())
    FILES[ending](net, base, x, t)


if __name__ == "__main__":
    main()
