"""ddpm: diffusion models on ordinary CPUs, through the shared library libddpm.

    import ddpm
    model = ddpm.Model("cifar10.ddpm")
    images = model.sample(16, steps=50, seed=0)          # [16, h, w, c] in [-1, 1], the bits of `ddpm sample --format npy`

A model is also an eps network for the schedulers of diffusers, with tensors (or arrays) in their order, [n, c, h, w]:

    scheduler = diffusers.DDIMScheduler(**model.scheduler_config())
    scheduler.set_timesteps(50)
    for t in scheduler.timesteps:
        x = scheduler.step(model(x, t), t, x).prev_sample

The library is what the environment variable DDPM_LIBRARY names, or else the installed one.
"""
import json
import os
import threading
import warnings
from ctypes import byref, c_double, c_float, c_int32, c_uint32, cast, c_void_p, POINTER

import numpy as np

from . import library, numbers
from .library import Error, call, lib

__all__ = ["Error", "Model", "sampler_traits", "samplers", "spacings", "variances"]
__version__ = "0.1.0"


def samplers():
    """The names that sample(sampler=...) takes, the default first."""
    return library.names(lib.ddpm_sampler_names)


def sampler_traits(name):
    """What a sampler takes and does, by the names of ddpm_sampler_traits in ddpm.h; None: there is no such sampler."""
    found = lib.ddpm_sampler_traits_of(name.encode())
    return {key: getattr(found.contents, key) for key, _ in library.SamplerTraits._fields_} if found else None


def spacings():
    """The names that sample(spacing=...) takes, the default first."""
    return library.names(lib.ddpm_spacing_names)


def variances():
    """The names that sample(variance=...) takes, the default first."""
    return library.names(lib.ddpm_variance_names)


MOST_IMAGES = 10000000


def _steps(steps):
    """50, "all", "iddpm:10,15,20" or a list of steps; a list of one keeps the comma that makes it a list."""
    if isinstance(steps, str):
        return numbers.choice("steps", steps)
    if numbers.is_single(steps):
        return str(numbers.whole("steps", steps)).encode()
    listed = ",".join(str(t) for t in numbers.wholes("steps", steps))
    return (listed if "," in listed else listed + ",").encode()


def _path(path):
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError(f"the path {path!r:.80} has a byte 0 in it")
    return encoded


class Model:
    """A model file, ready to run; batch images go through the network together (results do not depend on it), threads=0 is what the
    machine has.  Calls from several threads wait for each other."""

    def __init__(self, path, batch=16, threads=0, cpu=None, conv=None):
        batch, threads = numbers.whole("batch", batch, 1, 4096), numbers.whole("threads", threads, 0, 4096)
        options = library.NetOptions(batch, threads, numbers.choice("cpu", cpu), numbers.choice("conv", conv))
        self._model, self._net, self._lock = c_void_p(), c_void_p(), threading.Lock()
        call(lib.ddpm_model_open, byref(self._model), _path(path))
        self._about = about = lib.ddpm_model_about(self._model).contents
        call(lib.ddpm_net_create, byref(self._net), self._model, byref(options))
        self.batch = batch
        self.height, self.width, self.channels, self.outputs = about.height, about.width, about.channels, about.outputs
        self.classes, self.steps = about.classes, about.steps
        self.prediction = ("eps", "x0", "v")[about.prediction]
        self.beta = np.ctypeslib.as_array(about.beta, (about.steps,)).copy()
        self.alpha_bar = np.ctypeslib.as_array(about.alpha_bar, (about.steps,)).copy()
        self.metadata = json.loads(about.json)

    def close(self):
        with self._lock:
            lib.ddpm_net_free(self._net)
            lib.ddpm_model_close(self._model)
            self._net, self._model = c_void_p(), c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_lock", None):
            self.close()

    def scheduler_config(self):
        """The model's chain in the words of diffusers' schedulers, for eps as it is what the model is called for."""
        return dict(num_train_timesteps=self.steps, trained_betas=self.beta.tolist(), clip_sample=self._about.clip > 0,
                    clip_sample_range=self._about.clip or 1.0, prediction_type="epsilon")

    def __call__(self, x, t, classes=None):
        """eps [n, c, h, w] at x [n, c, h, w], also of a model that predicts x0 or v (then t = 0..T-1 are whole steps), without a learned
        variance; t and classes as for output().  A torch tensor gives a torch tensor, anything else an array, both float32."""
        step = self._times(t, len(x))
        if self.prediction == "eps":
            return self.output(x, t, classes)[:, :self.channels]
        if not np.all(step == np.floor(step)):
            raise ValueError(f"t is {t}, expected whole steps from 0 to {self.steps - 1}, since the model predicts {self.prediction}")
        out = self.output(x, t, classes)[:, :self.channels]
        alpha_bar = self.alpha_bar[step.astype(np.int64)].reshape(-1, 1, 1, 1)
        signal, noise = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
        x, predicted = np.asarray(x, np.float64), np.asarray(out, np.float64)
        eps = signal * predicted + noise * x if self.prediction == "v" else (x - signal * predicted) / noise
        return self._like(out, eps.astype(np.float32))

    def output(self, x, t, classes=None):
        """What the network itself says, [n, outputs, h, w] at x [n, c, h, w]: eps, x0 or v as self.prediction says, and behind it what a
        learned variance is made of; t, a step 0..T-1 or one for each image; classes [n], or None."""
        like = x
        x = numbers.pixels("x", x)
        x = np.ascontiguousarray(np.moveaxis(x, 1, -1) if x.ndim == 4 else x)
        n, shape = len(x), (self.height, self.width, self.channels)
        if x.shape[1:] != shape:
            raise ValueError(f"x is {list(np.moveaxis(x, -1, 1).shape) if x.ndim == 4 else list(x.shape)}, expected [n, {shape[2]}, {shape[0]}, {shape[1]}]")
        # The library computes this product in float32 as well.
        t = self._times(t, n).astype(np.float32) * np.float32(self._about.t_scale)
        classes = self._classes(classes, n)
        out = np.empty((n, self.height, self.width, self.outputs), np.float32)
        with self._lock:
            call(lib.ddpm_net_run, self._handle(), out.ctypes.data_as(POINTER(c_float)), x.ctypes.data_as(POINTER(c_float)),
                 t.ctypes.data_as(POINTER(c_float)), self._pointer(classes), n)
        return self._like(like, np.ascontiguousarray(np.moveaxis(out, -1, 1)))

    @staticmethod
    def _like(x, array):
        if type(x).__module__.split(".")[0] != "torch":
            return array
        import torch
        return torch.from_numpy(array)

    def sample(self, n=None, steps=50, seed=0, *, sampler=None, spacing=None, variance=None, eta=None,
               order=0, clip=None, classes=None, index=None):
        """Images [n, h, w, c], float32 in [-1, 1].  Every image is a matter of model, seed, its index (0..n-1, or the list index) and the
        settings alone, as in `ddpm sample`, whose options have the same names and bounds; n is 16 where
        there is no index either. classes: a class, or one for each image. clip=False leaves the predicted x0 as
        it is. An image that the network loses to NaN is NaN, with a warning; the others are right all the
        same."""
        index = self._indices(n, index)
        classes = self._classes(classes, len(index))
        options = self._options(seed, sampler, variance, eta, order, clip)
        steps, spacing = _steps(steps), numbers.choice("spacing", spacing)
        images = np.empty((len(index), self.height, self.width, self.channels), np.float32)
        chain, handle = c_void_p(), c_void_p()
        size = self.height * self.width * self.channels
        batch = min(self.batch, len(index))
        with self._lock:
            options.eps_user = self._handle()
            try:
                # The library names a sampler that it does not have.
                if (sampler_traits(options.sampler.decode()) or {}).get("own_steps"):
                    call(lib.ddpm_chain_tuned, byref(chain), byref(self._about), int(steps) if steps.isdigit() else 0)
                else:
                    call(lib.ddpm_chain_respace, byref(chain), byref(self._about), steps, spacing)
                call(lib.ddpm_sampler_create, byref(handle), chain, byref(options), size, batch, None)
                for first in range(0, len(index), batch):
                    rows = slice(first, first + batch)
                    images[rows] = self._run(handle, index[rows], None if classes is None else classes[rows]).reshape(-1, *images.shape[1:])
            finally:
                lib.ddpm_sampler_free(handle)
                lib.ddpm_chain_free(chain)
        return images

    def _options(self, seed, sampler, variance, eta, order, clip):
        options = library.SamplerOptions()
        lib.ddpm_sampler_defaults(byref(options), byref(self._about))
        options.eps = cast(lib.ddpm_net_eps, c_void_p)
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

    def _run(self, handle, index, classes):
        """Images index [n] from noise to x [n, d]."""
        n, buffers = len(index), library.c_size_t()
        numbered = np.ascontiguousarray(index).ctypes.data_as(POINTER(c_uint32))
        call(lib.ddpm_sampler_start, handle, numbered, self._pointer(classes), n, None, 0)
        while lib.ddpm_sampler_left(handle) > 0:
            try:
                call(lib.ddpm_sampler_step, handle)
            except Error as error:
                if error.code != library.ENAN:
                    raise
                warnings.warn(str(error), RuntimeWarning, stacklevel=3)
        state = cast(lib.ddpm_sampler_state(handle, byref(buffers)), POINTER(c_double))
        x = np.ctypeslib.as_array(state, (n, self.height * self.width * self.channels)).copy()
        for row in range(n):
            if lib.ddpm_sampler_lost(handle, row):
                x[row] = np.nan
        return x

    @staticmethod
    def _indices(n, index):
        """Which images: 0 to n - 1, or those of a list, each of them once."""
        if index is None:
            return np.arange(numbers.whole("n", 16 if n is None else n, 1, MOST_IMAGES), dtype=np.uint32)
        if n is not None:
            raise ValueError("n and index both say how many images: leave one out")
        index = numbers.wholes("index", index, 0, numbers.INT32_MAX)
        if not 1 <= len(index) <= MOST_IMAGES:
            raise ValueError(f"index holds {len(index)} numbers, expected 1 to {MOST_IMAGES}")
        if len(set(index)) < len(index):
            raise ValueError("index: a number occurs twice")
        return np.array(index, np.uint32)

    def _times(self, t, n):
        """Steps t of n images, in double."""
        last = self.steps - 1
        return np.array(numbers.spread("t", t, n, lambda name, v: numbers.real(name, v, 0, last)), np.float64)

    def _classes(self, classes, n):
        """Classes of n images or None; the library says which the model has."""
        if classes is None:
            return None
        most = numbers.INT32_MAX
        return np.array(numbers.spread("classes", classes, n, lambda name, v: numbers.whole(name, v, 0, most)), np.int32)

    @staticmethod
    def _pointer(classes):
        return None if classes is None else classes.ctypes.data_as(POINTER(c_int32))

    def _handle(self):
        if not self._net:
            raise ValueError("the model is closed")
        return self._net
