"""check_diffusers.py PROGRAM: folders written by `ddpm export`, as the real diffusers sees them.

Networks of every kind that the exporter takes are made by diffusers with random weights, converted to model files and exported again:
the folder loads strictly, gives the eps of the network that it began as to 1e-5, has its schedule, and converts back to the same
tensors.  The originals' own checkpoints (tests/golden/cases: OpenAI's, Ho's) are compared with the outputs stored beside them, within
their own float32 rounding as measured when they were made.
"""
import json
import math
import os
import subprocess
import sys

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.utils import logging
from safetensors.torch import load_file

sys.dont_write_bytecode = True
import check_cases

PROGRAM = os.path.abspath(sys.argv[1])
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOLERANCE = 1e-5
BASE = dict(sample_size=16, in_channels=3, out_channels=3, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"), attention_head_dim=8)
RES = dict(down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D", "DownBlock2D"), block_out_channels=(16, 16, 32),
           up_block_types=("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"), downsample_type="resnet", upsample_type="resnet")
NETS = {
    "plain": {},
    "no_attention": dict(down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2, add_attention=False),
    "one_head_of_any_width": dict(attention_head_dim=None, down_block_types=("AttnDownBlock2D",) * 2, up_block_types=("AttnUpBlock2D",) * 2),
    "several_heads": dict(attention_head_dim=4, down_block_types=("AttnDownBlock2D",) * 2, up_block_types=("AttnUpBlock2D",) * 2),
    "heads_that_do_not_divide": dict(attention_head_dim=12),
    "resnet_samplers": RES,
    "attention_between_convolutions": dict(RES, downsample_type="conv", upsample_type="conv"),
    "scale_shift": dict(resnet_time_scale_shift="scale_shift"),
    "scale_shift_and_norm_before_attention": dict(resnet_time_scale_shift="scale_shift", attn_norm_num_groups=4),
    "classes": dict(num_class_embeds=5),
    "google": dict(flip_sin_to_cos=False, freq_shift=1, downsample_padding=0, norm_eps=1e-6, attention_head_dim=None),
    "no_middle": dict(mid_block_type=None, add_attention=False),
    "middle_scale": dict(mid_block_scale_factor=math.sqrt(2)),
    "centred_24x16_gray": dict(center_input_sample=True, sample_size=(24, 16), in_channels=1, out_channels=1, layers_per_block=2),
    "gelu": dict(act_fn="gelu"),
    "relu": dict(act_fn="relu"),
    "mish": dict(act_fn="mish", time_embedding_dim=48),
    "learned_sigma": dict(out_channels=6),
}
SCHEDULES = {
    "plain": dict(),
    "classes": dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False),
    "google": dict(variance_type="fixed_large", clip_sample_range=2.0),
    "gelu": dict(beta_schedule="squaredcos_cap_v2", prediction_type="sample", num_train_timesteps=400),
    "relu": dict(beta_schedule="sigmoid"),
    "mish": dict(rescale_betas_zero_snr=True, prediction_type="v_prediction"),
    "middle_scale": dict(trained_betas=[0.001 * (i + 1) for i in range(50)], num_train_timesteps=50),
    "learned_sigma": dict(variance_type="learned_range"),
}


def ddpm(*arguments, status=0):
    done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == status, f"{' '.join(arguments)} exited with {done.returncode}: {done.stderr}"
    return done


def tensors(path):
    return load_file(path)


def load(folder):
    """Strictly: no tensor is missing, none is left over."""
    net, report = UNet2DModel.from_pretrained(os.path.join(folder, "unet"), output_loading_info=True, low_cpu_mem_usage=False)
    assert not any(report.values()), report
    pipeline = DDPMPipeline.from_pretrained(folder, low_cpu_mem_usage=False)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), pipeline.unet.state_dict().values()))
    return pipeline.unet.eval(), pipeline.scheduler


def run(net, x, t, y):
    with torch.no_grad():
        return net(x, t, class_labels=y).sample


def close(a, b, what, tolerance=TOLERANCE):
    difference = (a.double() - b.double()).abs().max().item()
    assert difference <= tolerance, f"{what}: the largest difference is {difference:.3g}"


def same_schedule(scheduler, model):
    stored = tensors(model)
    assert scheduler.config.num_train_timesteps == len(stored["schedule.beta"])
    close(scheduler.alphas_cumprod, stored["schedule.alpha_bar"], "alpha_bar")


def round_trip(first, second):
    """Weights to the bit; time.freq and the schedule as diffusers rounds them, to float32."""
    a, b = tensors(first), tensors(second)
    assert a.keys() - b.keys() <= {"stats.gamma", "stats.mse"} and b.keys() <= a.keys(), a.keys() ^ b.keys()
    for name in b:
        if name.startswith(("schedule.", "time.")):
            assert ((a[name] - b[name]).abs() <= 1e-5 * a[name].abs() + 1e-9).all(), name
        else:
            assert torch.equal(a[name], b[name]), name


def refused(model, what):
    done = ddpm("export", "-m", model, "-o", "there", status=65)
    assert what in done.stderr and not os.path.exists("there"), done.stderr


def export(model):
    ddpm("export", "-m", model, "-o", "there")
    net, scheduler = load("there")
    same_schedule(scheduler, model)
    ddpm("convert", "there", "-o", "back.ddpm", "-q")
    round_trip(model, "back.ddpm")
    return net, scheduler


def made_by_diffusers(name):
    torch.manual_seed(0)
    net = UNet2DModel(**{**BASE, **NETS[name]}).eval()
    given = DDPMScheduler(**SCHEDULES.get(name, {}))
    DDPMPipeline(net, given).save_pretrained("here")
    ddpm("convert", "here", "-o", "model.ddpm", "-q")
    again, scheduler = export("model.ddpm")
    size = net.config.sample_size
    size = (size, size) if isinstance(size, int) else tuple(size)
    x, t = torch.randn(4, net.config.in_channels, *size), torch.tensor([0, 1, 17, given.config.num_train_timesteps - 1])
    y = torch.tensor([0, 4, 2, 1]) if net.config.num_class_embeds else None
    close(run(again, x, t, y), run(net, x, t, y), "eps")
    for key in ("prediction_type", "variance_type", "clip_sample"):
        assert scheduler.config[key] == given.config[key], key
    if given.config.clip_sample:
        assert scheduler.config.clip_sample_range == given.config.clip_sample_range
    assert torch.allclose(scheduler.alphas_cumprod, given.alphas_cumprod, rtol=1e-5, atol=1e-7)


def original_checkpoint(folder):
    with open(os.path.join(folder, "case.json")) as f:
        case = json.load(f)
    with open("flags.json", "w") as f:
        json.dump(case["converter_flags"], f)
    io = tensors(os.path.join(folder, "io.safetensors"))
    size = "x".join(str(n) for n in io["x"].shape[2:])
    extra = ["--set", "image_size=" + size] if case["family"] == "D" else []
    ddpm("convert", os.path.join(folder, case.get("file") or ""), "--config", "flags.json", *extra, "-o", "model.ddpm", "-q")
    about = json.loads(ddpm("info", "model.ddpm", "--json").stdout)["model"]
    if about["net"]["arch"] == "lucid":
        return refused("model.ddpm", 'net.arch is "lucid"')
    if about["diffusion"]["variance"] == "learned":
        return refused("model.ddpm", 'diffusion.variance is "learned"')
    if about["diffusion"]["t_scale"] != 1:
        return refused("model.ddpm", "diffusion.t_scale is")
    if about["net"]["init"] != about["net"]["widths"][0]:
        return refused("model.ddpm", "net.init is")
    net, _ = export("model.ddpm")
    close(run(net, io["x"], io["t"], io.get("y")), io["out"], "out", case["tolerance_max_abs"])


def main():
    tests = [(f"net.{name}", made_by_diffusers, name) for name in NETS]
    shared = os.path.join(os.path.dirname(SOURCE), "shared", "reference", "checkpoints")
    cases = shared if os.path.isdir(shared) else os.path.join(SOURCE, "tests", "golden", "cases")
    tests += [(f"case.{name}", original_checkpoint, os.path.join(cases, name)) for name in sorted(os.listdir(cases))
              if os.path.exists(os.path.join(cases, name, "case.json"))]
    logging.disable_progress_bar()
    check_cases.run("diffusers", [(name, test, (argument,)) for name, test, argument in tests])


main()
