"""Mistakes are exceptions of their kinds, and no number is changed on its way."""
import ctypes
import os
import pickle
import re

import numpy as np
import torch

from common import DEFAULT, SOURCE, close, converted, program, python, raises, refuses
import ddpm
from ddpm import errors, library


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


NO_WHOLE = (True, np.True_, 2.7, 2.0, np.float32(2), float("nan"), "2", b"2", 2j, torch.tensor(2.0),
            torch.tensor(True), np.array(["2"]), object())


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
