"""check_python.py PROGRAM: tools/python over the shared library beside PROGRAM, and PROGRAM itself.

The structs lie as the C compiler lays them; images, schedules and bits per dimension are those of the program; as
eps network, alone and inside diffusers' schedulers, a model gives what the UNet2DModel gives that it was converted
from: eps to 1e-5, and whole runs as near as that allows.
"""
import ctypes
import json
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel

PROGRAM = os.path.abspath(sys.argv[1])
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFAULT = os.path.join(SOURCE, "tools", "default.ddpm")
os.environ["DDPM_LIBRARY"] = os.path.join(os.path.dirname(PROGRAM), "libddpm.so.0")
PACKAGE = os.path.join(SOURCE, "tools", "python")
sys.path.insert(0, PACKAGE)
sys.dont_write_bytecode = True
import check_cases
import ddpm
from ddpm import errors, library

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


def test_structs_as_in_c():
    kinds = [kind for kind in vars(library).values() if isinstance(kind, type) and hasattr(kind, "c_name")]
    assert len(kinds) == 9
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


def test_mistakes():
    raises(ddpm.Error, "nothing", ddpm.Model.open, "nothing")
    model = ddpm.Model.open(DEFAULT)
    raises(ddpm.Error, "ddpm", model.sample, 1, sampler="ddmp")
    raises(ddpm.Error, "1001", model.sample, 1, steps=1001)
    raises(ValueError, "[n, 1, 32, 32]", model.eps, np.zeros((1, 3, 32, 32)), 0)
    raises(ValueError, "[n, 1, 32, 32]", model.eps, np.zeros((1, 32)), 0)
    _, conditional = converted(num_class_embeds=5)
    raises(ddpm.Error, "class", conditional.sample, 1, steps=2, classes=5)
    raises(ddpm.Error, "class", conditional.sample, 1, steps=2)
    raises(ddpm.Error, "has none", model.sample, 1, steps=2, classes=0)
    with open(DEFAULT, "rb") as file, open("cut.ddpm", "wb") as cut:
        cut.write(file.read(100000))
    raises(ddpm.DataError, "cut.ddpm", ddpm.Model.open, "cut.ddpm")
    model.close()
    model.close()
    for use in model.sample, model.schedule, model.scheduler_config, lambda: ddpm.Sampler(model):
        raises(ValueError, "closed", use)
    raises(ValueError, "closed", model.eps, np.zeros((1, 1, 32, 32)), 5)
    raises(ValueError, "closed", model.bits_per_dim, np.zeros((1, 32, 32, 1)))
    done = python("-c", "import ddpm; ddpm.Model", DDPM_LIBRARY="/nowhere.so")
    assert done.returncode and "DDPM_LIBRARY=build/libddpm.so.0" in done.stderr, done.stderr


def test_errors():
    raises(ddpm.UsageError, "1001", ddpm.Model.default().sample, 1, steps=1001)
    raises(FileNotFoundError, "nothing", ddpm.Model.open, "nothing")
    for kind in ddpm.Error, ddpm.UsageError, ddpm.DataError, ddpm.MissingError:
        error = pickle.loads(pickle.dumps(kind(7, "a sentence")))
        assert type(error) is kind and error.code == 7 and str(error) == "a sentence" and isinstance(error, RuntimeError)
    with open(os.path.join(SOURCE, "tools", "cli", "messages.c")) as file:
        exits = re.findall(r"case (?:DDPM_)?(E?[A-Z_]+): return (\d+)", file.read())
    assert len(exits) == 10
    for name, status in exits:
        if name != "OK":
            assert errors.error_of_exit(int(status), "").code == getattr(errors, name), name
    raises(ddpm.UsageError, "steps", ddpm.tune, "a.ddpm", steps=0)
    raises(ddpm.UsageError, "nonsense", ddpm.tune, "a.ddpm", nonsense=1)
    raises(ddpm.MissingError, "nothing", ddpm.distance, "nothing", "nothing")
    raises(TypeError, "lr", ddpm.train, "nothing", "a.ddpm", set={"lr": object()})
    raises(TypeError, "against", ddpm.distance, "nothing", "nothing", against="nothing")


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


def test_callback_and_interruption():
    """A callback sees every step of every batch.  What it raises ends the run, as Ctrl-C does between two steps."""
    model, calls = ddpm.Model.default(batch=2), []
    expected = model.sample(5, steps=3, callback=lambda done, total: calls.append((done, total)))
    assert calls == [(k, 9) for k in range(1, 10)]

    def interrupt(done, total):
        signal.raise_signal(signal.SIGINT)

    for kind, callback in (KeyboardInterrupt, interrupt), (ZeroDivisionError, lambda done, total: 1 / 0):
        try:
            model.sample(5, steps=3, callback=callback)
            raise AssertionError("the run went on")
        except kind:
            pass
    assert model.sample(5, steps=3, callback=lambda done, total: model.sample(1, steps=1)).tobytes() == expected.tobytes()


def test_interpreter_goes_on_while_the_network_runs():
    """Functions of a CDLL release the interpreter's lock; those of a PyDLL hold it."""
    assert type(library.lib) is ctypes.CDLL


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


NO_WHOLE = (True, np.True_, 2.7, 2.0, np.float32(2), float("nan"), "2", b"2", 2j, torch.tensor(2.0),
            torch.tensor(True), np.array(["2"]), object())


def refuses(function, name, *values, **others):
    """Every value of the parameter is a ValueError or a TypeError."""
    for value in values:
        try:
            function(**others, **{name: value})
        except (ValueError, TypeError):
            continue
        raise AssertionError(f"{name} = {value!r} is taken")


def test_numbers_are_never_changed():
    """What the program refuses of --seed, -n, --class and so on is refused.
    A number makes the same image in every type that holds it."""
    _, model = converted(num_class_embeds=5)
    sample = lambda **given: model.sample(**dict(dict(n=1, steps=2, classes=2), **given))
    refuses(sample, "seed", -1, 2**64, 2**200, None, [2], np.int64(-1), *NO_WHOLE)
    refuses(sample, "n", -1, 0, 10**7 + 1, 2**32 + 1, [1], *NO_WHOLE)
    refuses(sample, "classes", -1, 5, 2**32 + 2, 2**64 + 2, [2, 2], [[2]], [True], ["2"], [2.0], [np.nan],
            np.array([2.5]), np.array([True]), *NO_WHOLE)
    refuses(sample, "index", [-1], [2**31], [2**32 + 1], [1.5], [np.nan], [True], ["1"], [], [3, 3],
            np.array([-1]), np.array([1.0]), *NO_WHOLE, n=None)
    refuses(sample, "index", [5])                                                  # n says something else
    refuses(sample, "steps", 0, -3, 1001, None, [], [2.7], [True], [np.nan], ["7"], [5, 5], [1000],
            np.array([1.0, 2.0]), "2\0", "", *(v for v in NO_WHOLE if v != "2"))
    refuses(sample, "eta", -0.1, 1.5, np.nan, np.inf, True, np.True_, "0.5", [0.5], 1j, sampler="ddim")
    refuses(sample, "order", -1, 4, 2**32 + 2, [2], None, *NO_WHOLE, sampler="dpmpp")
    refuses(sample, "clip", 0, 1, 0.5, "no", np.array([True]), [])
    for name in "sampler", "spacing", "variance":
        refuses(sample, name, 1, True, b"ddpm", "ddpm\0", "", [])
    for name, most in ("batch", 4097), ("threads", 4097):
        refuses(lambda **given: ddpm.Model.open(DEFAULT, **given), name, -1, most, 2**32 + 1, None, [1], *NO_WHOLE)
    refuses(lambda **given: ddpm.Model.open(DEFAULT, **given), "batch", 0)
    refuses(ddpm.Model.open, "path", 5, None, True, DEFAULT + "\0")
    expected = sample(seed=7, index=[3], n=None).tobytes()
    for seven in np.int8(7), np.uint64(7), torch.tensor(7), np.array(7):
        assert sample(seed=seven, index=3, n=None, steps=np.int16(2)).tobytes() == expected
    for three in [np.int64(3)], (3,), range(3, 4), np.array([3]), torch.tensor([3]), iter([3]):
        assert sample(seed=7, index=three, n=None).tobytes() == expected
    for two in np.uint8(2), [2], torch.tensor([2]):
        assert sample(seed=7, index=[3], classes=two, n=None).tobytes() == expected
    assert sample(seed=np.uint64(2**64 - 1)).tobytes() == sample(seed=2**64 - 1).tobytes()
    assert sample(sampler="ddim", eta=1).tobytes() == sample(sampler="ddim", eta=np.float32(1)).tobytes()


def test_numbers_of_the_network_are_never_changed():
    _, model = converted(num_class_embeds=5)
    x = np.zeros((2, 2, 16, 24), np.float32)
    for function in model.eps, model.output:
        call = lambda **given: function(**dict(dict(x=x, t=5, classes=[0, 1]), **given))
        refuses(call, "t", -1, 1000, 999.5, np.nan, np.inf, True, "5", None, [5, True], [5, "6"], [5, np.nan],
                [5, 6, 7], [[5, 6]], 5j, np.array(["5", "6"]))
        refuses(call, "classes", -1, 5, 2.7, True, [0, 5], [0, 2.0], [0, True], [0, "1"], [0, 1, 2],
                np.array([0.0, 1.0]), "1")
        refuses(call, "x", x.astype(np.uint8), x.astype(bool), x.astype(np.complex64), x.astype(str), None)
        for t in [5, 5], np.float16(5), np.array([5, 5]), torch.tensor([5.0, 5.0]), torch.tensor(5):
            assert call(t=t, classes=torch.tensor([0, 1])).tobytes() == call().tobytes()
    _, other = converted("v_prediction")
    refuses(other.eps, "t", 0.5, [1, 1.5], -1, 1000, x=x)


def test_t_is_scaled_as_the_library_does():
    """All 300 steps of a model that scales t, against the bits of ddpm_net_eps, which samplers call."""
    case = os.path.join(SOURCE, "tests/golden/cases/B3_guided_updown/ema_0.9999_000100.pt")
    flags = "image_size=16 num_head_channels=8 diffusion_steps=300 noise_schedule=cosine " \
            "rescale_timesteps=true"
    words = [word for flag in flags.split() for word in ("--set", flag)]
    program("convert", case, "-o", "scaled.ddpm", "-q", *words)
    model = ddpm.Model.open("scaled.ddpm", batch=1)
    shape = 1, model.channels, model.height, model.width
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    rows = np.ascontiguousarray(np.moveaxis(x, 1, -1), np.float64)
    out = np.empty((model.outputs // model.channels, model.height, model.width, model.channels))
    doubles, moved = ctypes.POINTER(ctypes.c_double), 0
    eps = library.lib.ddpm_net_eps
    pointer = ctypes.c_void_p
    eps.argtypes = [pointer, doubles, doubles, ctypes.c_double, pointer, ctypes.c_int, pointer]
    for t in range(model.steps):
        code = eps(model._net, out.ctypes.data_as(doubles), rows.ctypes.data_as(doubles), t, None, 1, None)
        assert code == 0, t
        assert np.array_equal(model.eps(x, t)[0], np.moveaxis(out[0].astype(np.float32), -1, 0)), t
        moved += np.float32(t * (1000 / model.steps)) != np.float32(t) * np.float32(1000 / model.steps)
    assert model.steps == 300 and moved > 50


def test_threads_wait_for_each_other():
    model, found = ddpm.Model.open(DEFAULT, threads=1), {}
    workers = [threading.Thread(target=lambda seed: found.__setitem__(seed, model.sample(1, steps=4, seed=seed)), args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed in range(4):
        assert found[seed].tobytes() == model.sample(1, steps=4, seed=seed).tobytes()


def test_two_models_in_two_threads():
    models, found = [ddpm.Model.open(DEFAULT, threads=2) for _ in range(2)], {}
    workers = [threading.Thread(target=lambda k: found.__setitem__(k, models[k].sample(1, steps=4, seed=k)), args=(k,))
               for k in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for k in range(2):
        assert found[k].tobytes() == models[1 - k].sample(1, steps=4, seed=k).tobytes()


def sample_in_child(model, results):
    with ddpm.Model.open(DEFAULT, threads=2) as own:
        for each in model, own:
            results.put(each.sample(1, steps=4, seed=5).tobytes())


def test_fork_after_use():
    """A child of multiprocessing goes on with its parent's model, and opens one of its own; neither may wait for
    threads that are not there."""
    model, context = ddpm.Model.open(DEFAULT, threads=2), multiprocessing.get_context("fork")
    image, results = model.sample(1, steps=4, seed=5).tobytes(), context.Queue()
    child = context.Process(target=sample_in_child, args=(model, results), daemon=True)
    child.start()
    assert [results.get(timeout=100) for _ in range(2)] == [image, image]
    child.join(100)
    assert child.exitcode == 0
    assert model.sample(1, steps=4, seed=5).tobytes() == image


# A shell without job control starts its jobs with the interrupt ignored, and Python leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)
check_cases.run("python", [(name[5:], test, ()) for name, test in list(globals().items()) if name.startswith("test_")
                           and (len(sys.argv) < 3 or name in sys.argv)])
