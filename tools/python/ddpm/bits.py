"""Bits per dimension of images: by the bound of a chain, or by the probability-flow ODE."""

from __future__ import annotations

from ctypes import POINTER, byref, c_double, c_uint32, c_void_p, cast
from typing import TYPE_CHECKING, Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from . import library, numbers
from .library import call, lib
from .sampler import Chain, Steps, class_pointer, options_of, take_step

if TYPE_CHECKING:
    from .model import Model

Callback = Callable[[int, int], object]
Images = NDArray[np.float64]
Classes = Optional[NDArray[np.int32]]


def _measure(
    model: Model,
    method: str,
    handle: c_void_p,
    x0: Images,
    classes: Classes,
    stepped: Callable[[int], object],
) -> Images:
    """Returns the bits of every image, NaN where one was lost.  The functions of the handle begin with
    `method`; stepped is called after each step, with the number of images that are measured already."""
    verbs = ("start", "step", "left", "read")
    start, step, left, read = (getattr(lib, f"ddpm_{method}_{verb}") for verb in verbs)
    index, bits = np.arange(len(x0), dtype=np.uint32), np.empty(len(x0))
    batch = max(1, min(model.batch, len(x0)))

    for first in range(0, len(x0), batch):
        rows = slice(first, first + batch)
        n = len(index[rows])
        with model._running():
            call(
                start,
                handle,
                x0[rows].ctypes.data_as(POINTER(c_double)),
                index[rows].ctypes.data_as(POINTER(c_uint32)),
                class_pointer(None if classes is None else classes[rows]),
                n,
            )
        while left(handle) > 0:
            with model._running():
                take_step(step, handle)
            stepped(first)
        for row in range(n):
            found = read(handle, row).contents
            bits[first + row] = np.nan if found.lost else found.total
    return bits


def by_bound(
    model: Model,
    x0: Images,
    classes: Classes,
    chain: Chain,
    callback: Optional[Callback],
    seed: int,
    **options: Any,
) -> Images:
    """Returns the bound of the chain (Ho et al. 2020, equation 5)."""
    batch, size, bound = max(1, min(model.batch, len(x0))), int(np.prod(x0.shape[1:])), c_void_p()
    done, total = 0, len(chain.schedule.t) * -(-len(x0) // batch)

    def stepped(first: int) -> None:
        nonlocal done
        done += 1
        if callback:
            callback(done, total)

    with model._running():
        own = options_of(model, seed, **options)
        call(lib.ddpm_bound_create, byref(bound), chain.handle, byref(own), size, batch, None)
    try:
        return _measure(model, "bound", bound, x0, classes, stepped)
    finally:
        lib.ddpm_bound_free(bound)


def by_ode(
    model: Model,
    x0: Images,
    classes: Classes,
    steps: Steps,
    tolerance: Optional[float],
    callback: Optional[Callback],
    seed: int,
) -> Images:
    """Returns what the likelihood by the ODE costs (Song et al. 2021, section 4.3)."""
    batch, chain = max(1, min(model.batch, len(x0))), Chain(model, "all", None)
    options, vjp, likelihood = library.LikelihoodOptions(), c_void_p(), c_void_p()
    lib.ddpm_likelihood_defaults(byref(options), byref(model._about))
    options.seed = numbers.whole("seed", seed, 0, numbers.UINT64_MAX)
    if not (isinstance(steps, str) and steps == "all"):
        options.steps = numbers.whole("steps", steps, 1, 65536)
        if tolerance is not None:
            raise ValueError("steps makes equal steps, and tolerance chooses their length: leave one out")
    if tolerance is not None:
        options.tolerance = numbers.real("tolerance", tolerance, 1e-7, 0.1)

    try:
        with model._running():
            net = library.NetOptions(batch, *model._net_settings)
            call(lib.ddpm_vjp_create, byref(vjp), model._model, byref(net))
            options.vjp, options.vjp_user = cast(lib.ddpm_vjp_run, c_void_p), vjp
            size = int(np.prod(x0.shape[1:]))
            call(lib.ddpm_likelihood_create, byref(likelihood), chain.handle, byref(options), size, batch)
        return _measure(
            model, "likelihood", likelihood, x0, classes, lambda first: callback and callback(first, len(x0))
        )
    finally:
        lib.ddpm_likelihood_free(likelihood)
        lib.ddpm_vjp_free(vjp)
