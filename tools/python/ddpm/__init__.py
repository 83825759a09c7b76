"""ddpm: diffusion models on ordinary CPUs.

    import ddpm
    model = ddpm.Model.default()                        # or ddpm.Model.open("cifar10.ddpm")
    images = model.sample(16, steps=50, seed=0)         # [16, h, w, c] in [-1, 1], the bits of `ddpm sample`

A model is also an eps network for the schedulers of diffusers, with tensors or arrays [n, c, h, w]:

    scheduler = diffusers.DDIMScheduler(**model.scheduler_config())
    scheduler.set_timesteps(50)
    for t in scheduler.timesteps:
        x = scheduler.step(model.eps(x, t), t, x).prev_sample

The images and numbers come from the library libddpm.so; train, tune and distance run the program.  Both are
in the package.  The environment variable DDPM_LIBRARY names another library, and the program beside it is
then used.  The library is loaded when the first of these names is used, so that `python -m ddpm` is the
program alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from .errors import DataError, Error, MissingError, UsageError
    from .model import Model
    from .program import Distance, distance, train, tune
    from .sampler import Sampler, Schedule, sampler_traits, samplers, slerp, spacings, variances

__all__ = [
    "DataError",
    "Distance",
    "Error",
    "MissingError",
    "Model",
    "Sampler",
    "Schedule",
    "UsageError",
    "distance",
    "sampler_traits",
    "samplers",
    "slerp",
    "spacings",
    "train",
    "tune",
    "variances",
]
__version__ = "0.1.0"

_HOMES = {
    "errors": ("DataError", "Error", "MissingError", "UsageError"),
    "model": ("Model",),
    "program": ("Distance", "distance", "train", "tune"),
    "sampler": ("Sampler", "Schedule", "sampler_traits", "samplers", "slerp", "spacings", "variances"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module("." + home, __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return [*globals(), *__all__]
