"""Chains of steps, and the sampler that leads images down a chain."""

from __future__ import annotations

import warnings
from ctypes import POINTER, byref, c_double, c_int32, c_uint32, c_void_p, cast
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from . import library, numbers
from .errors import ENAN, Error
from .library import Path, call, encoded, lib

if TYPE_CHECKING:
    from .model import Model

Steps = Union[int, str, Sequence[int]]
Numbers = Union[int, Sequence[int], NDArray[Any]]
MOST_IMAGES = 10000000


def samplers() -> List[str]:
    """The names that sample(sampler=...) takes, the default first."""
    return library.names(lib.ddpm_sampler_names)


def sampler_traits(name: str) -> Optional[Dict[str, int]]:
    """What a sampler takes and does, by the names of ddpm_sampler_traits in ddpm.h; None: there is no such
    sampler."""
    found = lib.ddpm_sampler_traits_of(name.encode())
    return (
        {field[0]: getattr(found.contents, field[0]) for field in library.SamplerTraits._fields_}
        if found
        else None
    )


def spacings() -> List[str]:
    """The names that sample(spacing=...) takes, the default first."""
    return library.names(lib.ddpm_spacing_names)


def variances() -> List[str]:
    """The names that sample(variance=...) takes, the default first."""
    return library.names(lib.ddpm_variance_names)


def slerp(a: Any, b: Any, u: float) -> NDArray[np.float64]:
    """Returns the point at the part u, 0 to 1, of the way from a to b on their great circle (ddpm_slerp of
    ddpm.h).  Between the noises x_T of two images lie those of the images between them."""
    start, end = (np.ascontiguousarray(values, np.float64) for values in (a, b))
    if start.shape != end.shape:
        raise ValueError(f"a is {list(start.shape)} and b {list(end.shape)}, expected one shape")
    between = np.empty_like(start)
    pointers = (values.ctypes.data_as(POINTER(c_double)) for values in (between, start, end))
    lib.ddpm_slerp(*pointers, numbers.real("u", u, 0, 1), start.size)
    return between


class Schedule(NamedTuple):
    """The steps of a chain, in the order of rising t; each array is float64 [K] (Ho et al. 2020, equations 4,
    6 and 7)."""

    t: NDArray[np.float64]  #: the steps C(i) of the model's own chain
    alpha_bar: NDArray[np.float64]
    beta: NDArray[np.float64]
    beta_tilde: NDArray[np.float64]  #: the variance of q(x_{i-1} | x_i, x0)
    mean_x0: NDArray[np.float64]  #: its mean is mean_x0 x0 + mean_xt x_i
    mean_xt: NDArray[np.float64]
    log_snr: NDArray[np.float64]  #: ln(alpha_bar / (1 - alpha_bar))


class Chain:
    """The steps of a model's chain that are taken: a count, "all", "iddpm:10,15,20" or a list."""

    def __init__(self, model: Model, steps: Steps, spacing: Optional[str], sampler: str = "") -> None:
        self.handle = c_void_p()
        words, spread = _steps(steps), numbers.choice("spacing", spacing)
        # The steps of a tuned solver were learned; the library names a sampler that it does not have.
        learned = (sampler_traits(sampler) or {}).get("own_steps")
        if learned and not (words.isdigit() and 0 < int(words) < 2**31):
            raise ValueError(f"steps is {steps!r}: sampler {sampler} takes a number of steps, such as 4")
        with model._running():
            about = byref(model._about)
            if learned:
                call(lib.ddpm_chain_tuned, byref(self.handle), about, int(words))
            else:
                call(lib.ddpm_chain_respace, byref(self.handle), about, words, spread)
        tables = lib.ddpm_chain_tables(self.handle).contents
        self.schedule = Schedule(
            *(np.ctypeslib.as_array(getattr(tables, name), (tables.K,)).copy() for name in Schedule._fields)
        )

    def __del__(self) -> None:
        lib.ddpm_chain_free(self.handle)


def _steps(steps: Steps) -> bytes:
    """Returns the steps in the library's words; a list of one step keeps the comma that makes it a list."""
    if isinstance(steps, str):
        return numbers.choice("steps", steps) or b""
    if numbers.is_single(steps):
        return str(numbers.whole("steps", steps)).encode()
    listed = ",".join(str(t) for t in numbers.wholes("steps", steps))
    return (listed if "," in listed else listed + ",").encode()


def options_of(
    model: Model,
    seed: Any,
    sampler: Any = None,
    variance: Any = None,
    eta: Any = None,
    order: Any = 0,
    clip: Any = None,
) -> library.SamplerOptions:
    """Returns the options of a sampler or a bound of the model; what is None is the model's default."""
    options = library.SamplerOptions()
    lib.ddpm_sampler_defaults(byref(options), byref(model._about))
    options.eps = cast(lib.ddpm_net_eps, c_void_p)
    options.eps_user = model._handle()
    options.seed = numbers.whole("seed", seed, 0, numbers.UINT64_MAX)
    options.order = numbers.whole("order", order, 0, 1000)
    if sampler is not None:
        options.sampler = numbers.choice("sampler", sampler)
    if variance is not None:
        options.variance = numbers.choice("variance", variance)
    if eta is not None:
        options.eta = numbers.real("eta", eta, 0, 1)
    if numbers.flag("clip", clip) is not None:
        options.clip = (options.clip or 1.0) if clip else 0.0
    return options


def indices_of(n: Any, index: Any) -> NDArray[np.uint32]:
    """Returns which images are meant: 0 to n - 1, or those of a list, each of them once; 16 where neither is
    given."""
    if index is None:
        return np.arange(numbers.whole("n", 16 if n is None else n, 1, MOST_IMAGES), dtype=np.uint32)
    if n is not None:
        raise ValueError("n and index both say how many images: leave one out")
    listed = numbers.wholes("index", index, 0, numbers.INT32_MAX)
    if not 1 <= len(listed) <= MOST_IMAGES:
        raise ValueError(f"index holds {len(listed)} numbers, expected 1 to {MOST_IMAGES}")
    if len(set(listed)) < len(listed):
        raise ValueError("index: a number occurs twice")
    return np.array(listed, np.uint32)


def classes_of(classes: Any, n: int) -> Optional[NDArray[np.int32]]:
    """Returns the classes of n images or None; the library says which classes the model has."""
    if classes is None:
        return None
    most = numbers.INT32_MAX
    return np.array(
        numbers.spread("classes", classes, n, lambda name, v: numbers.whole(name, v, 0, most)), np.int32
    )


def class_pointer(classes: Optional[NDArray[np.int32]]) -> Any:
    return None if classes is None else classes.ctypes.data_as(POINTER(c_int32))


def take_step(step: Any, handle: c_void_p) -> None:
    """Calls ddpm_sampler_step or ddpm_bound_step, and warns of images that the network loses to NaN."""
    try:
        call(step, handle)
    except Error as error:
        if error.code != ENAN:
            raise
        warnings.warn(str(error), RuntimeWarning, stacklevel=4)


class Guidance:
    """Makes options lead images to their classes: by the classifier in a file (ddpm_classifier_gradient of ddpm.h),
    with this scale; or without one by calling the network for the class and for no class, and mixing both
    (ddpm_guidance_eps), where a scale of 1 leaves the options as they are."""

    def __init__(
        self,
        model: Model,
        options: library.SamplerOptions,
        scale: Any,
        classifier: Optional[Path],
        batch: int,
    ) -> None:
        self.handle, self._classifier = c_void_p(), c_void_p()
        asked = numbers.real("guidance", scale, 0, 1000)
        if classifier is not None:
            self._open(model, classifier, batch)
            options.classifier = cast(lib.ddpm_classifier_gradient, c_void_p)
            options.classifier_user, options.classifier_scale = self._classifier, asked
        elif asked != 1:
            own = library.GuidanceOptions(eps=options.eps, eps_user=options.eps_user, scale=asked, batch=batch)
            call(lib.ddpm_guidance_create, byref(self.handle), byref(model._about), byref(own))
            options.eps, options.eps_user = cast(lib.ddpm_guidance_eps, c_void_p), self.handle

    def _open(self, model: Model, path: Path, batch: int) -> None:
        opened, about = c_void_p(), byref(model._about)
        call(lib.ddpm_model_open, byref(opened), encoded(path))
        try:
            settings = library.NetOptions(batch, *model._net_settings)
            call(lib.ddpm_classifier_create, byref(self._classifier), opened, about, byref(settings))
        finally:
            lib.ddpm_model_close(opened)

    def __del__(self) -> None:
        lib.ddpm_guidance_free(self.handle)
        lib.ddpm_classifier_free(self._classifier)


class Sampler:
    """Leads up to `batch` images down a chain, one step a call.

        sampler = ddpm.Sampler(model, steps=20, sampler="unipc")
        sampler.start(4)
        while sampler.left:
            sampler.step()
        images = sampler.x                  # [4, h, w, c], float64

    The options are those of Model.sample, and an image has the same bits; batch is the model's own unless
    given. Calls from several threads wait for each other.
    """

    def __init__(
        self,
        model: Model,
        steps: Steps = 50,
        seed: int = 0,
        *,
        batch: Optional[int] = None,
        sampler: Optional[str] = None,
        spacing: Optional[str] = None,
        variance: Optional[str] = None,
        eta: Optional[float] = None,
        order: int = 0,
        clip: Optional[bool] = None,
        guidance: float = 1,
        classifier: Optional[Path] = None,
    ) -> None:
        self._sampler = c_void_p()
        self._model = model
        self._n = 0
        self._shape = model.height, model.width, model.channels
        self._size = model.height * model.width * model.channels
        self.batch = model.batch if batch is None else numbers.whole("batch", batch, 1, 4096)
        with model._running():
            options = options_of(model, seed, sampler, variance, eta, order, clip)
            self._guidance = Guidance(model, options, guidance, classifier, self.batch)
            chain = Chain(model, steps, spacing, options.sampler.decode())
            own, given = byref(self._sampler), byref(options)
            call(lib.ddpm_sampler_create, own, chain.handle, given, self._size, self.batch, None)
        self.schedule = chain.schedule

    def __del__(self) -> None:
        if hasattr(self, "_sampler"):
            lib.ddpm_sampler_free(self._sampler)

    def start(
        self,
        n: Optional[int] = None,
        *,
        index: Optional[Numbers] = None,
        classes: Optional[Numbers] = None,
        x: Any = None,
        position: int = 0,
    ) -> None:
        """Begins n <= batch images of the seed, or those of the list index, as noise x_T; classes: a class,
        or one for each image.  x [n, h, w, c] begins them with these values instead, at a position of the
        schedule: 0 is the image, from which encode leads to its noise."""
        wanted = indices_of(self.batch if n is None and index is None else n, index)
        of = classes_of(classes, len(wanted))
        if len(wanted) > self.batch:
            raise ValueError(f"{len(wanted)} images, expected at most {self.batch}, the sampler's batch")
        given = None if x is None else self._values(x, len(wanted))
        with self._model._running():
            self._n = 0
            call(
                lib.ddpm_sampler_start,
                self._sampler,
                wanted.ctypes.data_as(POINTER(c_uint32)),
                class_pointer(of),
                len(wanted),
                None if given is None else given.ctypes.data_as(POINTER(c_double)),
                numbers.whole("position", position, 0, len(self.schedule.t) - 1),
            )
            self._n = len(wanted)

    def step(self) -> None:
        """Takes one step with all images.  An image that the network loses to NaN leaves the run, with a
        warning."""
        with self._model._running():
            if not self.left:
                raise ValueError("there is no step left: start images")
            take_step(lib.ddpm_sampler_step, self._sampler)

    def encode(self) -> None:
        """Takes one step the other way, towards noise, if the sampler's trait `encodes` says that it can."""
        with self._model._running():
            if not self._n:
                raise ValueError("no images are started")
            take_step(lib.ddpm_sampler_encode, self._sampler)

    @property
    def left(self) -> int:
        """How many steps are still to take."""
        return lib.ddpm_sampler_left(self._sampler) if self._n else 0

    @property
    def t(self) -> float:
        """The step of the model's own chain at which x is now; the next call leaves it; -1: the end."""
        return float(self.schedule.t[self.left - 1]) if self.left else -1.0

    @property
    def x(self) -> NDArray[np.float64]:
        """The images as they are now, a copy [n, h, w, c]; an image that was lost is NaN.  Values that are
        set replace the state."""
        x: NDArray[np.float64] = self._state().reshape(-1, *self._shape).copy()
        for row in range(self._n):
            if lib.ddpm_sampler_lost(self._sampler, row):
                x[row] = np.nan
        return x

    @x.setter
    def x(self, value: Any) -> None:
        self._state()[:] = self._values(value, self._n)

    def _values(self, value: Any, n: int) -> NDArray[np.float64]:
        """Returns the values of n images as float64 [n, d]."""
        given, shape = np.asarray(value), (n, *self._shape)
        if given.shape != shape or given.dtype.kind != "f":
            raise ValueError(
                f"x is {given.dtype} {list(given.shape)}, expected floating point numbers {list(shape)}"
            )
        return np.ascontiguousarray(given.reshape(n, -1), np.float64)

    def _state(self) -> NDArray[np.float64]:
        """Returns x [n, d] where it lies."""
        state = lib.ddpm_sampler_state(self._sampler, None)
        return np.ctypeslib.as_array(cast(state, POINTER(c_double)), (self._n, self._size))
