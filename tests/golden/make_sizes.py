"""Makes sizes/NAME-WxH.safetensors: outputs of the original networks at sizes they were not trained at, for tests/cli/cases.sh.

    python -O make_sizes.py OPENAI PESSER

Runs in this folder.  OPENAI and PESSER are checkouts of openai/guided-diffusion (22e0df81) and pesser/pytorch_diffusion (304bdff2).
Needs torch 2.13.0 (CPU), diffusers 0.42.1, denoising-diffusion-pytorch 2.3.4.  -O skips the one line of pesser's forward that asserts
a square image of the trained resolution; nothing in the network depends on it.

The networks and their weights are those of cases/NAME, built as case.json says, so attention is where it was trained.  A file holds
x [1, c, h, w] = randn of seed 100 w + h, t, y for a network with classes, and out, the network's float32 output.
"""
import json
import sys
import types
import torch
from safetensors.torch import save_file

openai, pesser = sys.argv[1:3]
SIZES = {16: ((24, 24), (32, 8), (8, 20)), 32: ((48, 48), (32, 16), (16, 40))}


def tuples(settings):
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}


def diffusers_net(folder, case):
    from diffusers import UNet2DModel
    net = UNet2DModel.from_pretrained(f"{folder}/unet")
    return lambda x, t, y: net(x, t, class_labels=y).sample


def openai_net(folder, case):
    sys.path.insert(0, openai)
    from guided_diffusion.script_util import create_model
    net = create_model(**case["constructor"]["create_model"])
    net.load_state_dict(torch.load(f"{folder}/{case['file']}", map_location="cpu"))
    return lambda x, t, y: net.eval()(x, t)


def pesser_net(folder, case):
    sys.path.insert(0, pesser)
    sys.modules.setdefault("pytorch_diffusion.diffusion", types.SimpleNamespace(Diffusion=None))
    from pytorch_diffusion.model import Model
    net = Model(**tuples(case["constructor"]))
    net.load_state_dict(torch.load(f"{folder}/{case['file']}", map_location="cpu"))
    return lambda x, t, y: net.eval()(x, t)


def lucidrains_net(folder, case):
    for name in ("torchvision", "torchvision.transforms", "accelerate", "ema_pytorch", "pytorch_fid", "pytorch_fid.inception",
                 "pytorch_fid.fid_score"):
        stub = types.ModuleType(name)
        stub.__file__, stub.__getattr__ = name, lambda key: type(key, (), {})
        sys.modules.setdefault(name, stub)
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import Unet
    net = Unet(**tuples(case["constructor"]["Unet"]))
    net.load_state_dict(torch.load(f"{folder}/{case['file']}", map_location="cpu"))
    return lambda x, t, y: net.eval()(x, t.float())


if __debug__:
    sys.exit("run with python -O")
torch.set_num_threads(1)
for name, make in (("A3_scale_shift_classes", diffusers_net), ("B3_guided_updown", openai_net), ("C1_pesser", pesser_net),
                   ("D1_unet3", lucidrains_net)):
    folder = f"cases/{name}"
    case = json.load(open(f"{folder}/case.json"))
    net = make(folder, case)
    trained, t = case["shapes"]["x"][3], torch.tensor([case["t_values"][1]])
    for width, height in SIZES[trained]:
        x = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(100 * width + height))
        tensors = {"x": x, "t": t}
        if name.startswith("A"):
            tensors["y"] = torch.tensor([7])
        with torch.no_grad():
            out = net(x, t, tensors.get("y"))
        save_file({**tensors, "out": out.contiguous()}, f"sizes/{name}-{width}x{height}.safetensors")
        print(name, width, height, float(out.std()))
