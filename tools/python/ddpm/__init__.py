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
import threading
import warnings
from ctypes import byref, c_double, c_float, c_int32, c_uint32, cast, c_void_p, POINTER

import numpy as np

from . import library
from .library import Error, call, lib

__all__ = ["Error", "Model", "samplers", "schedules", "variances"]
__version__ = "0.1.0"


def samplers():
    """The names that sample(sampler=...) takes, the default first."""
    return library.names(lib.ddpm_sampler_names)


def schedules():
    """The names that sample(schedule=...) takes, the default first."""
    return library.names(lib.ddpm_schedule_names)


def variances():
    """The names that sample(variance=...) takes, the default first."""
    return library.names(lib.ddpm_variance_names)


def _bytes(text):
    return None if text is None else str(text).encode()


def _steps(steps):
    """50, "all", "iddpm:10,15,20" or a list of steps; a list of one keeps the comma that makes it a list."""
    if isinstance(steps, (str, int, np.integer)):
        return str(steps)
    listed = ",".join(str(int(t)) for t in steps)
    return listed if "," in listed else listed + ","


class Model:
    """A model file, ready to run; batch images go through the network together (results do not depend on it), threads=0 is what the
    machine has.  Calls from several threads wait for each other."""

    def __init__(self, path, batch=16, threads=0, cpu=None, conv=None):
        self._model, self._net, self._lock = c_void_p(), c_void_p(), threading.Lock()
        call(lib.ddpm_model_open, byref(self._model), str(path).encode())
        self._about = about = lib.ddpm_model_about(self._model).contents
        options = library.NetOptions(batch, threads, _bytes(cpu), _bytes(conv))
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

    def __call__(self, x, t, y=None):
        """eps [n, c, h, w] at x [n, c, h, w], also of a model that predicts x0 or v (then t = 0..T-1 are whole steps), without a learned
        variance; t and y as for output().  A torch tensor gives a torch tensor, anything else an array, both float32."""
        out = self.output(x, t, y)[:, :self.channels]
        if self.prediction == "eps":
            return out
        step = np.broadcast_to(np.asarray(t), (len(out),))
        if not np.all((step == np.floor(step)) & (step >= 0) & (step < self.steps)):
            raise ValueError(f"t is {t}, expected whole steps from 0 to {self.steps - 1}, since the model predicts {self.prediction}")
        alpha_bar = self.alpha_bar[step.astype(np.int64)].reshape(-1, 1, 1, 1)
        signal, noise = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
        x, predicted = np.asarray(x, np.float64), np.asarray(out, np.float64)
        eps = signal * predicted + noise * x if self.prediction == "v" else (x - signal * predicted) / noise
        return self._like(out, eps.astype(np.float32))

    def output(self, x, t, y=None):
        """What the network itself says, [n, outputs, h, w] at x [n, c, h, w]: eps, x0 or v as self.prediction says, and behind it what a
        learned variance is made of; t, a step 0..T-1 or one for each image; y: classes [n]."""
        like = x
        x = np.ascontiguousarray(np.moveaxis(np.asarray(x, np.float32), 1, -1) if np.ndim(x) == 4 else x, np.float32)
        n, shape = len(x), (self.height, self.width, self.channels)
        if x.shape[1:] != shape:
            raise ValueError(f"x is {list(np.moveaxis(x, -1, 1).shape) if x.ndim == 4 else list(x.shape)}, expected [n, {shape[2]}, {shape[0]}, {shape[1]}]")
        t = np.ascontiguousarray(np.broadcast_to(np.asarray(t, np.float64) * self._about.t_scale, (n,)), np.float32)
        y = self._labels(y, n)
        out = np.empty((n, self.height, self.width, self.outputs), np.float32)
        with self._lock:
            call(lib.ddpm_net_run, self._handle(), out.ctypes.data_as(POINTER(c_float)), x.ctypes.data_as(POINTER(c_float)),
                 t.ctypes.data_as(POINTER(c_float)), y, n)
        return self._like(like, np.ascontiguousarray(np.moveaxis(out, -1, 1)))

    @staticmethod
    def _like(x, array):
        if type(x).__module__.split(".")[0] != "torch":
            return array
        import torch
        return torch.from_numpy(array)

    def sample(self, n=16, steps=50, seed=0, *, sampler=None, schedule=None, variance=None, eta=None, order=0, clip=None, y=None, index=None):
        """Images [n, h, w, c], float32 in [-1, 1].  Every image is a matter of model, seed, its index (0..n-1, or the list index) and the
        settings alone, as in `ddpm sample`, whose options have the same names.  y: a class, or one for each image.  clip=False leaves the
        predicted x0 as it is.  An image that the network loses to NaN is NaN, with a warning; the others are right all the same."""
        index = np.arange(n, dtype=np.uint32) if index is None else np.ascontiguousarray(index, np.uint32)
        y = None if y is None else np.ascontiguousarray(np.broadcast_to(np.asarray(y, np.int32), index.shape))
        options = self._options(seed, sampler, variance, eta, order, clip)
        images = np.empty((len(index), self.height, self.width, self.channels), np.float32)
        chain, handle = c_void_p(), c_void_p()
        size = self.height * self.width * self.channels
        batch = max(1, min(self.batch or 1, len(index)))
        with self._lock:
            options.eps_user = self._handle()
            try:
                call(lib.ddpm_chain_respace, byref(chain), byref(self._about), _steps(steps).encode(), _bytes(schedule))
                call(lib.ddpm_sampler_create, byref(handle), chain, byref(options), size, batch, None)
                for first in range(0, len(index), batch):
                    rows = slice(first, first + batch)
                    images[rows] = self._run(handle, index[rows], None if y is None else y[rows]).reshape(-1, *images.shape[1:])
            finally:
                lib.ddpm_sampler_free(handle)
                lib.ddpm_chain_free(chain)
        return images

    def _options(self, seed, sampler, variance, eta, order, clip):
        options = library.SamplerOptions()
        lib.ddpm_sampler_defaults(byref(options), byref(self._about))
        options.eps = cast(lib.ddpm_net_eps, c_void_p)
        options.seed = seed
        options.order = order
        if sampler is not None:
            options.sampler = sampler.encode()
        if variance is not None:
            options.variance = variance.encode()
        if eta is not None:
            options.eta = eta
        if clip is not None:
            options.clip = (options.clip or 1.0) if clip else 0.0
        return options

    def _run(self, handle, index, y):
        """Images index [n] from noise to x [n, d]."""
        n, buffers = len(index), library.c_size_t()
        call(lib.ddpm_sampler_start, handle, np.ascontiguousarray(index).ctypes.data_as(POINTER(c_uint32)), self._labels(y, n), n, None, 0)
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

    def _labels(self, y, n):
        if y is None:
            return None
        return np.ascontiguousarray(np.broadcast_to(np.asarray(y, np.int32), (n,))).ctypes.data_as(POINTER(c_int32))

    def _handle(self):
        if not self._net:
            raise ValueError("the model is closed")
        return self._net
