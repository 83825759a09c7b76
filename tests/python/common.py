"""The program, the package over its library, and what all tests of the package use."""
import json
import os
import subprocess
import sys

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel

PROGRAM = os.path.abspath(sys.argv[1])
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEFAULT = os.path.join(SOURCE, "tools", "default.ddpm")
os.environ["DDPM_LIBRARY"] = os.path.join(os.path.dirname(PROGRAM), "libddpm.so.0")
PACKAGE = os.path.join(SOURCE, "tools", "python")
sys.path.insert(0, PACKAGE)
import ddpm

EPS_TOLERANCE = 1e-5
CODES = ("OK", "EUSAGE", "EDATA", "EMISSING", "EIO", "ECREATE", "EPERM", "ENOMEM", "EUNSUPPORTED", "ENAN", "ECALLBACK")


def program(*arguments):
    """Runs the program and returns what it prints."""
    return subprocess.run([PROGRAM, *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


def lines_of(*arguments):
    return [json.loads(line) for line in program(*arguments, "--json", "-q").splitlines()]


def python(*arguments, **environment):
    """Runs a new interpreter that has the package."""
    inherited = dict(os.environ, PYTHONPATH=PACKAGE, PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run([sys.executable, *arguments], env=dict(inherited, **environment), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def converted(prediction="epsilon", **config):
    """A network of diffusers with random weights, and the same as a Model; two channels and not square, so that no order passes for another."""
    torch.manual_seed(1)
    net = UNet2DModel(sample_size=(16, 24), in_channels=2, out_channels=2, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
                      down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"), attention_head_dim=8,
                      **config).eval()
    net.save_pretrained("folder/unet")
    DDPMScheduler(prediction_type=prediction).save_pretrained("folder/scheduler")
    program("convert", "folder", "-o", "model.ddpm", "-q", "--force")
    return net, ddpm.Model.open("model.ddpm", batch=2)


def close(a, b, tolerance):
    difference = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max()
    assert difference <= tolerance, f"the largest difference is {difference:.3g}"


def raises(kind, text, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except kind as error:
        assert text in str(error), f"the message lacks {text!r}: {error}"
    else:
        raise AssertionError(f"no {kind.__name__} of {text!r}")


def refuses(function, name, *values, **others):
    """Every value of the parameter is a ValueError or a TypeError."""
    for value in values:
        try:
            function(**others, **{name: value})
        except (ValueError, TypeError):
            continue
        raise AssertionError(f"{name} = {value!r} is taken")
