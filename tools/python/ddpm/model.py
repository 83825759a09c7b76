"""A model file, ready to run."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from ctypes import POINTER, byref, c_float, c_void_p
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Sequence, Tuple, Union, overload

import numpy as np
from numpy.typing import NDArray

from . import library, numbers
from .bits import Callback, by_bound, by_ode
from .errors import EDATA, EMISSING, error_of
from .library import Path, call, encoded, lib
from .sampler import Chain, Numbers, Sampler, Schedule, Steps, class_pointer, classes_of, indices_of

if TYPE_CHECKING:
    import torch

Size = Union[int, Sequence[int]]
Times = Union[float, NDArray[Any], "torch.Tensor"]

_HERE = os.path.dirname(os.path.abspath(__file__))
# The embedded model as a file: in an installed package, and in the source.
_DEFAULTS = [os.path.join(_HERE, *up, "default.ddpm") for up in ((), ("..", ".."))]


class Model:
    """A model file, ready to run; Model.open and Model.default make one.

    Images are [n, h, w, c] in [-1, 1]; what goes through the network itself is [n, c, h, w], as in torch.  t
    is a step of the model's own chain, 0 to steps - 1.  Calls release the interpreter's lock, and those from
    several threads wait for each other.  A model is closed by close(), by `with`, or when nothing refers to
    it.

    path            the model file
    height, width, channels, outputs    the shape of images, and how many channels the network has at its end
    classes, steps  the number of classes, T
    null_class      the class that stands for no class, or None
    prediction      "eps", "x0" or "v"
    beta, alpha_bar the schedule [steps], float64
    metadata, id    the JSON of the model file, and the SHA-256 of its tensors
    engine_class    what an image depends on beside model, seed, index and settings
    """

    def __init__(
        self,
        path: Path,
        batch: int,
        threads: int,
        cpu: Optional[str],
        conv: Optional[str],
        size: Optional[Size],
    ) -> None:
        self._model, self._net, self._lock = c_void_p(), c_void_p(), threading.RLock()
        self._settings = batch, threads, cpu, conv
        options = library.NetOptions(
            numbers.whole("batch", batch, 1, 4096),
            numbers.whole("threads", threads, 0, 4096),
            numbers.choice("cpu", cpu),
            numbers.choice("conv", conv),
        )
        self._net_settings = options.threads, options.cpu, options.conv
        call(lib.ddpm_model_open, byref(self._model), encoded(path))
        if size is not None:
            width, height = numbers.size("size", size)
            call(lib.ddpm_model_resize, self._model, height, width)
        call(lib.ddpm_net_create, byref(self._net), self._model, byref(options))

        self._description = about = lib.ddpm_model_about(self._model).contents
        if about.classifier:
            raise error_of(EDATA, f"{os.fsdecode(path)}: is a classifier, which makes no images: it guides sample")
        self.path = os.fsdecode(path)
        self.batch: int = options.batch
        self.height: int = about.height
        self.width: int = about.width
        self.channels: int = about.channels
        self.outputs: int = about.outputs
        self.classes: int = about.classes
        self.null_class: Optional[int] = about.classes if about.null_class else None
        self.steps: int = about.steps
        self.prediction: str = ("eps", "x0", "v")[about.prediction]
        self.beta: NDArray[np.float64] = np.ctypeslib.as_array(about.beta, (about.steps,)).copy()
        self.alpha_bar: NDArray[np.float64] = np.ctypeslib.as_array(about.alpha_bar, (about.steps,)).copy()
        self.metadata: Dict[str, Any] = json.loads(about.json)
        self.id: str = about.id.decode()
        self.engine_class: str = lib.ddpm_net_describe(self._net).contents.engine_class.decode()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        batch: int = 16,
        threads: int = 0,
        cpu: Optional[str] = None,
        conv: Optional[str] = None,
        size: Optional[Size] = None,
    ) -> Model:
        """Opens a model file.

        batch images go through the network together; threads=0 is what the machine has, cpu and conv are the
        best of it.  Batch and threads never change an image.  size is (width, height) of the images, or one
        number for both, which the levels of the network must divide; None is the size of the training.
        MissingError, DataError, UsageError.
        """
        return cls(path, batch, threads, cpu, conv, size)

    @classmethod
    def default(
        cls,
        *,
        batch: int = 16,
        threads: int = 0,
        cpu: Optional[str] = None,
        conv: Optional[str] = None,
        size: Optional[Size] = None,
    ) -> Model:
        """Opens the model that the program has embedded: Fashion-MNIST, 32 x 32 gray, without classes."""
        for path in _DEFAULTS:
            if os.path.exists(path):
                return cls(path, batch, threads, cpu, conv, size)
        raise error_of(EMISSING, f"{_DEFAULTS[0]} is missing: the embedded model comes with the package")

    def close(self) -> None:
        with self._lock:
            lib.ddpm_net_free(self._net)
            lib.ddpm_model_close(self._model)
            self._net, self._model = c_void_p(), c_void_p()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()

    @contextmanager
    def _running(self) -> Iterator[c_void_p]:
        """Holds the network, which belongs to one thread at a time."""
        with self._lock:
            yield self._handle()

    @property
    def _about(self) -> Any:
        """The ddpm_about, which lives as long as the model is open."""
        self._handle()
        return self._description

    def _resized(self, size: Optional[Size]) -> Model:
        """Returns the same model for images of this size."""
        if size is None or numbers.size("size", size) == (self.width, self.height):
            return self
        return Model(self.path, *self._settings, size)

    def _handle(self) -> c_void_p:
        if not self._net:
            raise ValueError("the model is closed")
        return self._net

    # ---- images ----

    def sample(
        self,
        n: Optional[int] = None,
        steps: Steps = 50,
        seed: int = 0,
        *,
        sampler: Optional[str] = None,
        spacing: Optional[str] = None,
        variance: Optional[str] = None,
        eta: Optional[float] = None,
        order: int = 0,
        clip: Optional[bool] = None,
        guidance: float = 1,
        classifier: Optional[Path] = None,
        classes: Optional[Numbers] = None,
        index: Optional[Numbers] = None,
        size: Optional[Size] = None,
        callback: Optional[Callback] = None,
    ) -> NDArray[np.float32]:
        """Makes images [n, h, w, c], float32 in [-1, 1].

        An image is a matter of model, seed, its index (0 to n - 1, or those of the list index) and the
        settings alone, as in `ddpm sample`, whose options have the same names and bounds.  n is 16 where
        neither n nor index is given.  steps is a count, "all", a list or "iddpm:10,15,20".  classes: a class,
        or one for each image, null_class among them.  guidance exaggerates what a class changes: the network
        gives none + guidance (class - none), where 1 is no guidance.  With the file of a classifier, guidance
        is the scale of its gradient, and classes are the classifier's.  size is that of Model.open, for these
        images alone.  clip=False leaves the predicted x0 as it is.  callback(done, total) is called
        after every step, whose number counts all batches; what it raises ends the run.  An image that the
        network loses to NaN is NaN, with a warning; the others are right all the same.
        """
        wanted = indices_of(n, index)
        of = classes_of(classes, len(wanted))
        model = self._resized(size)
        run = Sampler(
            model,
            steps,
            seed,
            batch=min(model.batch, len(wanted)),
            sampler=sampler,
            spacing=spacing,
            variance=variance,
            eta=eta,
            order=order,
            clip=clip,
            guidance=guidance,
            classifier=classifier,
        )
        images = np.empty((len(wanted), model.height, model.width, model.channels), np.float32)
        done, total = 0, len(run.schedule.t) * -(-len(wanted) // run.batch)

        for first in range(0, len(wanted), run.batch):
            rows = slice(first, first + run.batch)
            run.start(index=wanted[rows], classes=None if of is None else of[rows])
            while run.left:
                run.step()
                done += 1
                if callback:
                    callback(done, total)
            images[rows] = run.x
        return images

    def bits_per_dim(
        self,
        images: Any,
        steps: Steps = "all",
        seed: int = 0,
        *,
        spacing: Optional[str] = None,
        variance: Optional[str] = None,
        clip: Optional[bool] = None,
        classes: Optional[Numbers] = None,
        callback: Optional[Callback] = None,
        ode: bool = False,
        tolerance: Optional[float] = None,
    ) -> NDArray[np.float64]:
        """Returns what each image costs in bits per dimension, [n] float64 (Ho et al. 2020, equation 5), as
        `ddpm eval` does.

        images [n, h, w, c] are uint8, or floating point numbers in [-1, 1].  With all steps of the chain, the
        default, the network runs T times for each image; callback as in sample.  An image that the network
        loses to NaN is NaN.

        ode=True measures the likelihood by the probability-flow ODE instead (Song et al. 2021, section 4.3),
        as `ddpm eval --ode` does: by steps as long as tolerance allows, 1e-4 unless given, or by a number of
        equal steps.  callback then gets how many images are done, and how many there are.
        """
        x0 = np.ascontiguousarray(numbers.images("images", images))
        self._check_shape("images", x0.shape, "[n, {h}, {w}, {c}]", (self.height, self.width, self.channels))
        of = classes_of(classes, len(x0))
        if not ode:
            if tolerance is not None:
                raise ValueError("tolerance is a setting of the ODE: it needs ode=True")
            chain = Chain(self, steps, spacing)
            return by_bound(self, x0, of, chain, callback, seed, variance=variance, clip=clip)
        if not (spacing is None and variance is None and clip is None):
            raise ValueError("spacing, variance and clip are settings of the bound, not of ode=True")
        return by_ode(self, x0, of, steps, tolerance, callback, seed)

    def schedule(self, steps: Steps = "all", spacing: Optional[str] = None) -> Schedule:
        """Returns the tables of the chain of these steps, each [K], as `ddpm schedule` prints them."""
        return Chain(self, steps, spacing).schedule

    def scheduler_config(self) -> Dict[str, Any]:
        """Returns the model's chain in the words of diffusers' schedulers, for eps as eps() gives it."""
        return dict(
            num_train_timesteps=self.steps,
            trained_betas=self.beta.tolist(),
            clip_sample=self._about.clip > 0,
            clip_sample_range=self._about.clip or 1.0,
            prediction_type="epsilon",
        )

    # ---- the network ----

    @overload
    def eps(self, x: NDArray[Any], t: Times, classes: Optional[Numbers] = None) -> NDArray[np.float32]: ...

    @overload
    def eps(self, x: torch.Tensor, t: Times, classes: Optional[Numbers] = None) -> torch.Tensor: ...

    def eps(self, x: Any, t: Any, classes: Any = None) -> Any:
        """Returns eps [n, c, h, w] at x [n, c, h, w], also of a model that predicts x0 or v (then t are whole
        steps), without a learned variance; t and classes are those of output()."""
        step = self._times(t, len(x))
        if self.prediction == "eps":
            return self.output(x, t, classes)[:, : self.channels]
        if not np.all(step == np.floor(step)):
            raise ValueError(
                f"t is {t}, expected whole steps from 0 to {self.steps - 1}, "
                f"since the model predicts {self.prediction}"
            )

        out = self.output(x, t, classes)[:, : self.channels]
        alpha_bar = self.alpha_bar[step.astype(np.int64)].reshape(-1, 1, 1, 1)
        signal, noise = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
        x, predicted = np.asarray(x, np.float64), np.asarray(out, np.float64)
        eps = signal * predicted + noise * x if self.prediction == "v" else (x - signal * predicted) / noise
        return _like(out, eps.astype(np.float32))

    @overload
    def output(self, x: NDArray[Any], t: Times, classes: Optional[Numbers] = None) -> NDArray[np.float32]: ...

    @overload
    def output(self, x: torch.Tensor, t: Times, classes: Optional[Numbers] = None) -> torch.Tensor: ...

    def output(self, x: Any, t: Any, classes: Any = None) -> Any:
        """Returns what the network itself says, [n, outputs, h, w] at x [n, c, h, w]: eps, x0 or v as
        self.prediction says, and behind it what a learned variance is made of.

        t is a step from 0 to steps - 1, or one for each image; classes [n], or None.  A tensor of torch gives
        a tensor, anything else an array, both float32.  In memory the network's numbers are [n, h, w, c],
        torch's channels_last: x of float32 in this order is not copied, and the result is a view of this
        order.
        """
        rows = numbers.pixels("x", x)
        self._check_shape("x", rows.shape, "[n, {c}, {h}, {w}]", (self.channels, self.height, self.width))
        n, rows = len(rows), np.ascontiguousarray(np.moveaxis(rows, 1, -1))
        # The library computes this product in float32 as well.
        fed = self._times(t, n).astype(np.float32) * np.float32(self._about.t_scale)
        of = classes_of(classes, n)
        out = np.empty((n, self.height, self.width, self.outputs), np.float32)

        with self._running() as net:
            call(
                lib.ddpm_net_run,
                net,
                out.ctypes.data_as(POINTER(c_float)),
                rows.ctypes.data_as(POINTER(c_float)),
                fed.ctypes.data_as(POINTER(c_float)),
                class_pointer(of),
                n,
            )
        return _like(x, np.moveaxis(out, -1, 1))

    def _times(self, t: Any, n: int) -> NDArray[np.float64]:
        """Returns the steps t of n images."""
        last = self.steps - 1
        return np.array(numbers.spread("t", t, n, lambda name, v: numbers.real(name, v, 0, last)), np.float64)

    def _check_shape(
        self, name: str, shape: Tuple[int, ...], order: str, wanted: Tuple[int, int, int]
    ) -> None:
        if shape[1:] != wanted or not shape:
            expected = order.format(c=self.channels, h=self.height, w=self.width)
            raise ValueError(f"{name} is {list(shape)}, expected {expected}")


def _like(x: Any, array: NDArray[np.float32]) -> Any:
    """Returns the array as a tensor where x is one."""
    if type(x).__module__.split(".")[0] != "torch":
        return array
    import torch

    return torch.from_numpy(array)
