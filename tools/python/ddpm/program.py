"""What the program does for the package: training, tuning, the distance of two sets of images."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import warnings
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from .errors import EMISSING, error_of, error_of_exit
from .find import program_path
from .library import Path
from .model import Model

Line = Dict[str, Any]
Option = Union[None, bool, int, float, str, "os.PathLike[str]", Sequence[Any], Mapping[str, Any]]
Data = Union[str, "os.PathLike[str]", NDArray[Any], Tuple[NDArray[Any], NDArray[Any]]]


class Distance(NamedTuple):
    """A sliced Wasserstein distance (squared), corrected for the number of images, and its 95 % interval;
    plain is the one without correction."""

    distance: float
    low: float
    high: float
    plain: float


def train(
    data: Data, output: Path, *, callback: Optional[Callable[[Line], object]] = None, **options: Option
) -> Model:
    """Trains a model on images by `ddpm train`, writes it to output and returns it, opened.

    data is a path that `ddpm train` takes, an array of images [n, h, w], [n, h, w, c] or [n, c, h, w] (uint8,
    or floats in [-1, 1]), or a tuple of such an array and its classes [n].  options are those of `ddpm train
    --help`, with _ for -:

        ddpm.train("photos", "tuned.ddpm", init="cifar10.ddpm", set={"lr": 1e-5}, time="2h")

    True is an option without a value; None and False leave it out; set= is a mapping.  callback gets each
    line of the log as a dict, such as {"step": 100, "loss": 0.03, ...}.  Ctrl-C saves what was learned; the
    same call with resume=True goes on, to the same bits.
    """
    with tempfile.TemporaryDirectory(prefix="ddpm-") as folder:
        run("train", [_data(data, folder, "images")], dict(options, output=output), callback)
    return Model.open(output)


def tune(
    output: Path,
    model: Union[None, Model, Path] = None,
    *,
    callback: Optional[Callable[[Line], object]] = None,
    **options: Option,
) -> Model:
    """Learns solvers of few steps for a model (None: the default one) by `ddpm tune`, writes the model with
    them to output and returns it, opened, for sample(sampler="tuned").

    options are those of `ddpm tune --help`, such as steps=(4, 6, 8), iterations=400, time="10m".  callback
    gets a dict for each solver: {"steps", "error", "untuned", "equals"}.  With resume="FILE" a run that was
    stopped goes on.
    """
    run("tune", [], dict(options, output=output, model=_model(model)), callback)
    return Model.open(output)


def distance(a: Data, b: Data, model: Union[None, Model, Path] = None, **options: Option) -> Distance:
    """Measures how far two sets of images are apart by `ddpm distance`, in the activations of a model (None:
    the default one).

    a and b are what train takes as data, such as the result of sample(); options are those of `ddpm distance
    --help`, but for against, whose result is of another kind.
    """
    if "against" in options:
        raise TypeError("distance takes no against: run `ddpm distance A B --against DATA`")
    with tempfile.TemporaryDirectory(prefix="ddpm-") as folder:
        found = run(
            "distance", [_data(a, folder, "a"), _data(b, folder, "b")], dict(options, model=_model(model))
        )[-1]
    low, high = found["interval"]
    return Distance(found["distance"], low, high, found["plain"])


def run(
    command: str,
    arguments: List[str],
    options: Mapping[str, Option],
    callback: Optional[Callable[[Line], object]] = None,
) -> List[Line]:
    """Runs `ddpm COMMAND` and returns the lines of its --json; what it says although it went well is a
    warning."""
    program = program_path()
    if not program:
        raise error_of(
            EMISSING, "the program ddpm is missing: install the package with it, or build it with make"
        )

    lines: List[Line] = []
    words = [program, command, "--json", "--quiet", *_words(options), "--", *arguments]
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True
        ) as child:
            try:
                for line in child.stdout or ():
                    lines.append(json.loads(line))
                    if callback:
                        callback(lines[-1])
                status = child.wait()
            except BaseException:
                # The program saves its work.  A terminal sends Ctrl-C to both; a hangup never counts as the
                # second one, which would end the program at once.
                child.send_signal(signal.SIGHUP)
                child.wait()
                raise
        said.seek(0)
        text = said.read().strip()

    last = text.splitlines()[-1] if text else f"ddpm {command} ended with {status}"
    if status:
        raise error_of_exit(status, last)
    if text:
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    return lines


def _words(options: Mapping[str, Option]) -> List[str]:
    """Returns options as the command line has them, --key=value, so that no value is taken for an option."""
    words = []
    for key, value in options.items():
        name = "--" + key.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(name)
        elif isinstance(value, Mapping):
            words += [f"{name}={inner}={_text(inner, v)}" for inner, v in value.items()]
        else:
            words.append(f"{name}={_text(key, value)}")
    return words


def _text(name: str, value: Any) -> str:
    """Returns a value as the command line has it; a list has commas."""
    if isinstance(value, (str, bytes, os.PathLike)):
        return os.fsdecode(value)
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return repr(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, (list, tuple, range, np.ndarray)):
        return ",".join(_text(name, v) for v in value)
    raise TypeError(
        f"{name} is of type {type(value).__name__}, expected a number, a text, a path or a list of them"
    )


def _model(model: Union[None, Model, Path]) -> Union[None, str]:
    if isinstance(model, Model):
        return model.path
    return None if model is None else os.fsdecode(model)


def _data(data: Data, folder: str, name: str) -> str:
    """Returns the path of the data; arrays are written into the folder."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    path = os.path.join(folder, name)
    if isinstance(data, tuple):
        images, classes = data
        np.savez(path + ".npz", np.asarray(images), np.asarray(classes))
        return path + ".npz"
    np.save(path + ".npy", np.asarray(data))
    return path + ".npy"
