"""What the package returns is what the program makes, and what diffusers gives."""
import ctypes
import os
import signal
import subprocess

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from safetensors import safe_open
from safetensors.numpy import save_file

from common import CODES, DEFAULT, EPS_TOLERANCE, PACKAGE, SOURCE, close, converted, lines_of, program, python, raises, refuses
import ddpm
from ddpm import errors, library


def test_structs_as_in_c():
    kinds = [kind for kind in vars(library).values() if isinstance(kind, type) and hasattr(kind, "c_name")]
    assert len(kinds) == 11
    lines, expected = [], []
    for kind in kinds:
        lines.append(f"sizeof({kind.c_name})")
        expected.append(ctypes.sizeof(kind))
        for name in (field[0] for field in kind._fields_):
            lines.append(f"offsetof({kind.c_name}, {name})")
            expected.append(getattr(kind, name).offset)
    with open("layout.c", "w") as file:
        file.write("#include <stdio.h>\n#include <ddpm.h>\nint main(void) {\n" + "".join(f'printf("%zu\\n", {line});\n' for line in lines) +
                   "".join(f'printf("%d\\n", DDPM_{code});\n' for code in CODES) + "return 0; }\n")
    subprocess.run(["cc", "-I", os.path.join(SOURCE, "include"), "layout.c", "-o", "layout"], check=True)
    found = [int(line) for line in subprocess.run("./layout", stdout=subprocess.PIPE, check=True).stdout.split()]
    assert found == expected + [getattr(errors, code) for code in CODES], [line for line, a, b in zip(lines, found, expected) if a != b]


def test_sample_is_that_of_the_program():
    for options, words in (({}, []), (dict(seed=2**63 + 7, sampler="ddim-diffusers", eta=0.5), ["--seed", str(2**63 + 7), "--sampler", "ddim-diffusers", "--eta", "0.5"]),
                           (dict(index=[5, 1, 9], steps=[0, 400, 999], clip=False), ["--index", "5,1,9", "--clip", "no", "--steps", "0,400,999"]),
                           (dict(sampler="dpmpp", order=3, spacing="trailing", variance="auto"), ["--sampler", "dpmpp", "--order", "3", "--spacing", "trailing"])):
        options.setdefault("steps", 10)
        if "index" not in options:
            options["n"] = 3
            words = words + ["-n", "3"]
        if "--steps" not in words:
            words = words + ["--steps", "10"]
        program("sample", "-q", "-o", "a.npy", "--force", *words)
        for batch in (1, 2, 16):
            with ddpm.Model.open(DEFAULT, batch=batch) as model:
                images = model.sample(**options)
            assert images.dtype == np.float32 and images.shape == (3, 32, 32, 1)
            assert images.tobytes() == np.load("a.npy").tobytes(), f"{options}, batch {batch}"


def test_guidance_is_that_of_the_program():
    program("convert", os.path.join(SOURCE, "tests", "golden", "cases", "D4_guided", "unet.pt"), "-o", "guided.ddpm", "-q", "--set", "image_size=16",
            "--set", "objective=pred_v", "--set", "timesteps=1000", "--set", "beta_schedule=cosine")
    with ddpm.Model.open("guided.ddpm", batch=2) as model:
        assert (model.classes, model.null_class) == (5, 5)
        for guidance, classes, words in ((3, 2, ["--guidance", "3", "--class", "2"]), (0, 2, ["--class", "none"]), (1, 5, ["--class", "none"])):
            program("sample", "-m", "guided.ddpm", "-q", "-o", "g.npy", "--force", "-n", "3", "--steps", "4", *words)
            assert model.sample(3, 4, guidance=guidance, classes=classes).tobytes() == np.load("g.npy").tobytes(), words
        raises(ValueError, "guidance", model.sample, 1, 2, guidance=-1, classes=0)
    raises(ddpm.UsageError, "no null class", ddpm.Model.default().sample, 1, 2, guidance=2)


def noisy_classifier(path):
    """Converts a classifier with the tensors that tests/golden/data/classifier.safetensors lists and random numbers."""
    with safe_open(os.path.join(SOURCE, "tests", "golden", "data", "classifier.safetensors"), "numpy") as golden:
        listed = [line.split() for line in golden.metadata()["tensors"].split(";")]
    random = np.random.default_rng(0)
    save_file({name: (0.1 * random.standard_normal([int(side) for side in shape.split(",")])).astype(np.float32) for name, shape in listed}, "c.safetensors")
    program("convert", "c.safetensors", "-o", path, "-q", "--set", "image_size=16", "--set", "num_head_channels=8", "--set", "diffusion_steps=1000",
            "--set", "noise_schedule=linear")


def test_classifier_is_that_of_the_program():
    noisy_classifier("c.ddpm")
    program("convert", os.path.join(SOURCE, "tests", "golden", "cases", "B3_guided_updown", "ema_0.9999_000100.pt"), "-o", "plain.ddpm", "-q",
            "--set", "image_size=16", "--set", "num_head_channels=8", "--set", "diffusion_steps=1000", "--set", "noise_schedule=linear")
    program("sample", "-m", "plain.ddpm", "-q", "-o", "c.npy", "-n", "3", "--steps", "3", "--classifier", "c.ddpm", "--guidance", "500", "--class", "2")
    with ddpm.Model.open("plain.ddpm", batch=2) as model:
        led = model.sample(3, 3, classifier="c.ddpm", guidance=500, classes=2)
        assert led.tobytes() == np.load("c.npy").tobytes() and led.tobytes() != model.sample(3, 3).tobytes()
        raises(ddpm.UsageError, "a class is needed", model.sample, 1, 2, classifier="c.ddpm")
        raises(ddpm.UsageError, "no classifier", model.sample, 1, 2, classifier="plain.ddpm", classes=2)
        raises(ddpm.MissingError, "missing.ddpm", model.sample, 1, 2, classifier="missing.ddpm", classes=2)
    raises(ddpm.UsageError, "images of 16x16", ddpm.Model.default().sample, 1, 2, classifier="c.ddpm", classes=2)
    raises(ddpm.DataError, "is a classifier", ddpm.Model.open, "c.ddpm")


def test_what_is_said_of_a_model():
    model = ddpm.Model.open(DEFAULT)
    assert (model.height, model.width, model.channels, model.outputs, model.classes, model.steps) == (32, 32, 1, 1, 0, 1000)
    close(np.cumprod(1 - model.beta), model.alpha_bar, 1e-6)      # lucidrains computes both in float32
    assert model.prediction in ("eps", "x0", "v") and "net" in model.metadata
    assert ddpm.sampler_traits("dpmpp")["highest_order"] == 3 and ddpm.sampler_traits("euler") is None
    assert ddpm.samplers()[0] == "ddpm" and ddpm.variances()[0] == "auto" and "trailing" in ddpm.spacings()


def test_eps_of_diffusers():
    for config in ({}, dict(num_class_embeds=5)):
        net, model = converted(**config)
        x, t = torch.randn(3, 2, 16, 24), torch.tensor([0, 500, 999])
        classes = torch.tensor([4, 0, 2]) if config else None
        with torch.no_grad():
            expected = net(x, t, class_labels=classes).sample
        close(model.eps(x, t, classes), expected, EPS_TOLERANCE)
        found = model.eps(x.numpy(), t.numpy(), classes)
        assert isinstance(found, np.ndarray) and isinstance(model.eps(x, t, classes), torch.Tensor)
        close(found[1:2], model.eps(x[1:2], 500, None if classes is None else [0]), 0)


def test_inside_schedulers():
    """A run may miss diffusers' own by what a run with an error of EPS_TOLERANCE in every output misses it by.  There the scheduler is told what
    the network predicts, here it is eps always."""
    for prediction, ours in ("epsilon", "eps"), ("v_prediction", "v"), ("sample", "x0"):
        net, model = converted(prediction)
        assert model.prediction == ours
        error = torch.Generator().manual_seed(4)
        unsure = lambda x, t: net(x, t).sample + EPS_TOLERANCE * torch.randn(x.shape, generator=error)
        for kind in (DDPMScheduler, DDIMScheduler, DPMSolverMultistepScheduler):
            config = model.scheduler_config()
            assert config["prediction_type"] == "epsilon"
            if kind is DPMSolverMultistepScheduler:
                del config["clip_sample"], config["clip_sample_range"]
            runs = []
            for predict, kind_of in (lambda x, t: net(x, t).sample, prediction), (unsure, prediction), (model.eps, "epsilon"):
                scheduler = kind(**dict(config, prediction_type=kind_of))
                scheduler.set_timesteps(20)
                generator = torch.Generator().manual_seed(3)
                x = torch.randn(2, 2, 16, 24, generator=generator)
                for t in scheduler.timesteps:
                    with torch.no_grad():
                        x = scheduler.step(predict(x, t), t, x, generator=generator).prev_sample
                runs.append(x)
            tolerance = (runs[0] - runs[1]).abs().max().item()
            assert runs[0].std() > 0.1 and tolerance < 0.1 * runs[0].abs().max(), tolerance
            close(runs[0], runs[2], tolerance)
        close(model.output(runs[0], 500), net(runs[0], 500).sample.detach(), EPS_TOLERANCE * max(1, runs[0].abs().max().item()))


def test_guide():
    """The examples of the guide as they are, one after the other, on a small network of the name that they use."""
    with open(os.path.join(SOURCE, "tools", "manual", "python.md")) as file:
        examples = [part.split("```")[0] for part in file.read().split("```python\n")[1:]]
    lines = "\n".join(examples)
    program("convert", os.path.join(SOURCE, "tests/golden/cases/C1_pesser/model-790000.ckpt"), "--set", "resolution=32", "-o", "cifar10.ddpm", "-q")
    names = {}
    exec(lines.replace("50", "3"), names)
    assert names["images"].shape == (16, 32, 32, 3) and names["bits"].shape == (2,) and names["tuned"].path == "tuned.ddpm" and names["x"].shape == (4, 3, 32, 32) and bool(names["x"].isfinite().all())


def test_schedule_is_that_of_the_program():
    model = ddpm.Model.default()
    for steps, spacing in ("all", None), (7, "trailing"), ([0, 10, 999], None), ("iddpm:3,4", "iddpm"):
        words = ",".join(map(str, steps)) if isinstance(steps, list) else str(steps)
        rows = lines_of("schedule", "--steps", words, *(["--spacing", spacing] if spacing else []))
        found = model.schedule(steps, spacing)
        for name in found._fields:
            expected = [row["c" if name == "t" else name] for row in rows]
            assert getattr(found, name).tolist() == expected, name


def test_size_is_that_of_the_program():
    program("sample", "-q", "-o", "a.npy", "-n", "2", "--steps", "4", "--size", "24x40")
    expected = np.load("a.npy")
    model = ddpm.Model.default()
    for found in model.sample(2, 4, size=(24, 40)), ddpm.Model.default(size=[24, 40]).sample(2, 4):
        assert found.shape == (2, 40, 24, 1) and found.tobytes() == expected.tobytes()
    assert model.sample(2, 4, size=32).tobytes() == model.sample(2, 4).tobytes()
    raises(ddpm.UsageError, "30", model.sample, 1, size=30)
    wide = ddpm.Model.open(DEFAULT, size=(24, 40))
    assert wide.eps(np.zeros((1, 1, 40, 24), np.float32), 5).shape == (1, 1, 40, 24) and wide.id == model.id
    raises(ValueError, "[n, 40, 24, 1]", wide.bits_per_dim, np.zeros((1, 32, 32, 1)))
    refuses(lambda size: model.sample(1, 2, size=size), "size", 0, -8, [], (8, 8, 8), 10**5, "32", 32.0, True)


def test_bits_are_those_of_the_program():
    """The mean of 5 images: each sums 5 numbers near 4, so they differ by the rounding of the sums alone."""
    levels = np.random.default_rng(5).integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)
    np.save("a.npy", levels)
    for words, options in ([], {}), (["--variance", "beta", "--clip", "no", "--seed", "9"], dict(variance="beta", clip=False, seed=9)):
        expected = lines_of("eval", "a.npy", "--steps", "6", *words)[-1]["total"]
        calls = []
        for batch in 2, 16:
            model = ddpm.Model.default(batch=batch)
            bits = model.bits_per_dim(levels, steps=6, callback=lambda done, total: calls.append((done, total)), **options)
            assert bits.shape == (5,) and abs(bits.mean() - expected) < 5 * np.finfo(float).eps * expected, (bits, expected)
        assert calls == [(k, 18) for k in range(1, 19)] + [(k, 6) for k in range(1, 7)]
    assert np.array_equal(bits, model.bits_per_dim(levels / 127.5 - 1, steps=6, **options))
    refuses(model.bits_per_dim, "images", levels[0], levels[..., 0], levels.astype(int), levels * 1.0, np.full((1, 32, 32, 1), np.nan), "a", None)
    _, conditional = converted(num_class_embeds=5)
    pictures = np.zeros((2, 16, 24, 2))
    assert np.isfinite(conditional.bits_per_dim(pictures, steps=3, classes=[1, 4])).all()
    refuses(lambda **given: conditional.bits_per_dim(pictures, steps=3, **given), "classes", None, 5, [1, 5], [1, 2, 3])


def test_likelihoods_are_those_of_the_program():
    levels = np.random.default_rng(5).integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
    np.save("a.npy", levels)
    for words, options in (["--steps", "2"], dict(steps=2)), (["--tolerance", "0.1", "--seed", "9"], dict(tolerance=0.1, seed=9)):
        expected = lines_of("eval", "a.npy", "--ode", *words)[-1]["total"]
        calls = []
        for batch in 1, 16:
            model = ddpm.Model.default(batch=batch)
            bits = model.bits_per_dim(levels, ode=True, callback=lambda done, total: calls.append((done, total)), **options)
            assert bits.shape == (3,) and abs(bits.mean() - expected) < 3 * np.finfo(float).eps * expected, (bits, expected)
        assert set(calls) == {(0, 3), (1, 3), (2, 3)}
    raises(ValueError, "ode=True", model.bits_per_dim, levels, tolerance=0.1)
    raises(ValueError, "settings of the bound", model.bits_per_dim, levels, ode=True, variance="beta")
    raises(ValueError, "leave one out", model.bits_per_dim, levels, ode=True, steps=3, tolerance=0.1)
    refuses(lambda steps: model.bits_per_dim(levels, ode=True, steps=steps), "steps", 0, -1, [1, 2], "7", 2.5)
    refuses(lambda tolerance: model.bits_per_dim(levels, ode=True, tolerance=tolerance), "tolerance", 0, 1, "a", np.nan)


def test_sampler_takes_one_step_a_call():
    model = ddpm.Model.default()
    expected = model.sample(3, steps=6, seed=4, sampler="unipc")
    sampler = ddpm.Sampler(model, 6, 4, batch=3, sampler="unipc")
    assert sampler.left == 0 and sampler.t == -1
    raises(ValueError, "no step", sampler.step)
    raises(ValueError, "at most 3", sampler.start, 4)
    for index in [2, 0, 1], [1, 2]:
        sampler.start(index=index)
        ts = []
        while sampler.left:
            ts.append(sampler.t)
            kept = sampler.x
            sampler.x = np.zeros_like(kept)
            assert not sampler.x.any()
            sampler.x = kept
            sampler.step()
        assert ts == model.schedule(6).t[::-1].tolist() and sampler.t == -1
        assert sampler.x.astype(np.float32).tobytes() == expected[index].tobytes()
    refuses(lambda x: setattr(sampler, "x", x), "x", kept[:1], kept.astype(int), kept[..., 0], None)
    refuses(sampler.start, "n", 0, -1, True, 2.0)
    sampler.start()
    model.close()
    raises(ValueError, "closed", sampler.step)
    raises(ValueError, "closed", sampler.start)


def test_between_is_that_of_the_program():
    program("sample", "-q", "-n", "1", "--steps", "4", "--format", "npy", "-o", "image.npy")
    program("sample", "-q", "-n", "1", "--steps", "4", "-o", "image.png")
    program("sample", "-q", "--between", "image.png,5", "--steps", "6", "--frames", "3", "-o", "way.npy")
    levels = np.clip(np.rint(127.5 * (np.load("image.npy").astype(np.float64) + 1)), 0, 255)
    sampler = ddpm.Sampler(ddpm.Model.default(), 6, batch=3, sampler="ddim")
    raises(ValueError, "started", sampler.encode)
    sampler.start(1, x=levels / 127.5 - 1)
    for _ in range(5):
        sampler.encode()
    raises(ddpm.UsageError, "towards noise", sampler.encode)
    first = sampler.x[0]
    sampler.start(index=[5])
    last = sampler.x[0]
    sampler.start(3, x=np.stack([ddpm.slerp(first, last, u) for u in (0, 0.5, 1)]), position=5)
    while sampler.left:
        sampler.step()
    assert sampler.x.astype(np.float32).tobytes() == np.load("way.npy").tobytes()
    raises(ValueError, "position", lambda: sampler.start(1, x=levels, position=6))
    raises(ValueError, "one shape", lambda: ddpm.slerp(first, levels, 0.5))
    raises(ValueError, "u", lambda: ddpm.slerp(first, last, 1.5))


def test_no_copy_where_the_layout_allows():
    _, model = converted()
    x = torch.randn(2, 2, 16, 24).contiguous(memory_format=torch.channels_last)
    seen, real = [], library.lib.ddpm_net_run

    def run(net, out, x, *others):
        seen.append((ctypes.addressof(out.contents), ctypes.addressof(x.contents)))
        return real(net, out, x, *others)

    library.lib.ddpm_net_run = run
    try:
        eps = model.eps(x, 5)
    finally:
        library.lib.ddpm_net_run = real
    assert seen == [(eps.data_ptr(), x.data_ptr())] and eps.is_contiguous(memory_format=torch.channels_last)
    close(eps, model.eps(x.contiguous(), 5), 0)
    close(eps, model.eps(x.double().numpy(), 5), 0)
    raises(ValueError, "detach", model.eps, x.clone().requires_grad_(), 5)


def test_train_tune_and_distance():
    """The results are those of the program; a training that Ctrl-C stops goes on to the same bits."""
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), dtype=np.uint8)
    classes = np.arange(24, dtype=np.int32) % 3
    recipe = dict(seed=3, steps=60, holdout=4, grid_every=0,
                  set={"net.widths": (8, 16), "net.height": 8, "net.width": 8, "net.channels": 1, "net.classes": 3, "batch": 4,
                       "flip": True, "diffusion.steps": 20})
    np.savez("data.npz", images, classes)
    words = [f"--{key.replace('_', '-')}={value}" for key, value in recipe.items() if key != "set"]
    words += [f"--set={key}={value}" for key, value in dict(recipe["set"], **{"net.widths": "8,16", "flip": "true"}).items()]
    program("train", "data.npz", "-o", "program.ddpm", "-q", *words)

    log = []
    model = ddpm.train((images, classes), "whole.ddpm", callback=log.append, **recipe)
    assert model.classes == 3 and model.id == ddpm.Model.open("program.ddpm").id
    assert [line["step"] for line in log if "loss" in line] == [10, 20, 30, 40, 50, 60], log

    def stop(line):
        signal.raise_signal(signal.SIGINT)

    try:
        ddpm.train((images, classes), "halves.ddpm", callback=stop, **recipe)
        raise AssertionError("the training went on")
    except KeyboardInterrupt:
        pass
    assert os.listdir("halves.ddpm.train")
    assert ddpm.train((images, classes), "halves.ddpm", resume=True, **recipe).id == model.id

    solvers = []
    tuned = ddpm.tune("tuned.ddpm", model, steps=(2, 3), images=16, iterations=3, callback=solvers.append)
    assert [line["steps"] for line in solvers] == [2, 3]
    assert tuned.sample(2, 3, sampler="tuned", classes=1).shape == (2, 8, 8, 1)
    for steps in (0, 2**32 + 3, "all", [0, 1, 2]):
        raises(ValueError, "sampler tuned takes a number of steps", tuned.sample, 1, steps, sampler="tuned", classes=1)

    made = model.sample(24, steps=5, classes=classes)
    np.save("made.npy", made)
    found = ddpm.distance("made.npy", images, model, **{"class": 0})
    np.save("images.npy", images)
    expected = lines_of("distance", "-m", "whole.ddpm", "--class", "0", "made.npy", "images.npy")[0]
    assert found == (expected["distance"], *expected["interval"], expected["plain"])
    assert found == ddpm.distance(made, images, "whole.ddpm", **{"class": 0})


def test_program_as_a_module():
    done = python("-m", "ddpm", "--version")
    assert done.returncode == 0 and done.stdout == program("--version").decode(), done.stderr
    assert python("-m", "ddpm", "sample", "--steps", "x").returncode == 64
    with open(os.path.join(SOURCE, "include", "ddpm.h")) as file:
        assert f'#define DDPM_VERSION "{ddpm.__version__}"' in file.read()


def test_example():
    done = python("-W", "error", os.path.join(PACKAGE, "example.py"))
    assert done.returncode == 0, done.stderr
    assert "16 images" in done.stdout and os.path.exists("images.npy"), done.stdout
