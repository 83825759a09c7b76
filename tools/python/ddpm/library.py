"""The functions and structs of ddpm.h that the package uses, for ctypes.  A call releases the interpreter's
lock."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import (
    POINTER,
    Structure,
    byref,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, List, Tuple, Union

from .errors import error_of
from .find import library_path

Path = Union[str, bytes, "os.PathLike[str]"]

_floats, _doubles = POINTER(c_float), POINTER(c_double)
_indices, _classes = POINTER(c_uint32), POINTER(c_int32)


def encoded(path: Path) -> bytes:
    """Returns a path as the library takes it."""
    found = os.fsencode(path)
    if b"\0" in found:
        raise ValueError(f"the path {path!r:.80} has a byte 0 in it")
    return found


def _fields(kind: Any, names: str) -> List[Tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class CError(Structure):
    c_name = "ddpm_error"
    _fields_ = [("code", c_int), ("text", c_char * 508)]


class About(Structure):
    c_name = "ddpm_about"
    _fields_ = (
        _fields(c_int, "height width channels outputs classifier classes steps null_class prediction variance")
        + _fields(c_double, "clip t_scale")
        + _fields(_doubles, "beta alpha_bar gamma mse")
        + [("json", c_char_p), ("id", c_char_p), ("tuned", c_void_p), ("tuned_count", c_int)]
    )


class NetOptions(Structure):
    c_name = "ddpm_net_options"
    _fields_ = [("batch", c_int), ("threads", c_int), ("cpu", c_char_p), ("conv", c_char_p)]


class NetAbout(Structure):
    c_name = "ddpm_net_about"
    _fields_ = (
        [("batch", c_int), ("threads", c_int), ("flops", c_double)]
        + _fields(c_size_t, "parameters weights packed activations scratch")
        + [("features", c_int), ("cpu", c_char_p), ("engine_class", c_char_p)]
    )


class Tables(Structure):
    c_name = "ddpm_tables"
    _fields_ = (
        _fields(c_int, "K")
        + _fields(_doubles, "t alpha_bar beta beta_tilde mean_x0 mean_xt log_snr")
        + [("warning", c_char_p)]
    )


class SamplerTraits(Structure):
    c_name = "ddpm_sampler_traits"
    _fields_ = _fields(c_int, "takes_eta takes_variance takes_analytic order highest_order") + _fields(
        c_int, "corrector noisy encodes own_steps trusts_x0"
    )


class SamplerOptions(Structure):
    c_name = "ddpm_sampler_options"
    _fields_ = (
        _fields(c_char_p, "sampler variance")
        + _fields(c_double, "eta clip")
        + _fields(c_int, "order corrector")
        + _fields(c_double, "snr")
        + _fields(_doubles, "rate")
        + _fields(c_int, "prediction outputs own_variance T")
        + _fields(_doubles, "gamma")
        + _fields(c_void_p, "tuned")
        + _fields(c_int, "tuned_count")
        + _fields(c_uint64, "seed")
        + _fields(c_void_p, "eps eps_user classifier classifier_user")
        + _fields(c_double, "classifier_scale")
        + _fields(c_int, "classes")
        + _fields(c_void_p, "noise noise_user")
    )


class GuidanceOptions(Structure):
    c_name = "ddpm_guidance_options"
    _fields_ = (
        _fields(c_void_p, "eps eps_user")
        + _fields(c_double, "scale")
        + _fields(c_int, "batch")
    )


class BoundImage(Structure):
    c_name = "ddpm_bound_image"
    _fields_ = (
        _fields(c_int, "lost")
        + _fields(c_double, "total prior")
        + _fields(_doubles, "term mse_eps mse_x0 gamma mse")
    )


class LikelihoodOptions(Structure):
    c_name = "ddpm_likelihood_options"
    _fields_ = (
        _fields(c_int, "prediction levels steps probe")
        + _fields(c_double, "tolerance")
        + _fields(c_uint64, "seed")
        + _fields(c_void_p, "vjp vjp_user")
    )


class LikelihoodImage(Structure):
    c_name = "ddpm_likelihood_image"
    _fields_ = _fields(c_int, "lost calls") + _fields(c_double, "total prior change dequantisation")


def call(function: Any, *arguments: Any) -> None:
    """Calls a function whose last argument is a ddpm_error *, and raises what that holds."""
    error = CError()
    if function(*arguments, byref(error)):
        raise error_of(error.code, error.text.decode(errors="replace"))


def names(function: Any) -> List[str]:
    """Returns the list of names of a function such as ddpm_sampler_names."""
    result = function()
    listed: List[str] = []
    while result[len(listed)]:
        listed.append(result[len(listed)].decode())
    return listed


def _load() -> ctypes.CDLL:
    path = library_path() or ctypes.util.find_library("ddpm") or "libddpm.so.0"
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"the shared library of ddpm cannot be loaded ({error}): install it with make install, or say "
            "where it is, such as DDPM_LIBRARY=build/libddpm.so.0"
        ) from None


lib = _load()
_error, _handle = POINTER(CError), POINTER(c_void_p)

# name: (result, arguments)
_FUNCTIONS = {
    "model_open": (c_int, _handle, c_char_p, _error),
    "model_close": (None, c_void_p),
    "model_resize": (c_int, c_void_p, c_int, c_int, _error),
    "model_about": (POINTER(About), c_void_p),
    "net_create": (c_int, _handle, c_void_p, POINTER(NetOptions), _error),
    "net_describe": (POINTER(NetAbout), c_void_p),
    "net_run": (c_int, c_void_p, _floats, _floats, _floats, _classes, c_int, _error),
    "net_free": (None, c_void_p),
    "guidance_create": (c_int, _handle, POINTER(About), POINTER(GuidanceOptions), _error),
    "guidance_free": (None, c_void_p),
    "classifier_create": (c_int, _handle, c_void_p, POINTER(About), POINTER(NetOptions), _error),
    "classifier_free": (None, c_void_p),
    "chain_tuned": (c_int, _handle, POINTER(About), c_int, _error),
    "chain_respace": (c_int, _handle, POINTER(About), c_char_p, c_char_p, _error),
    "chain_tables": (POINTER(Tables), c_void_p),
    "chain_free": (None, c_void_p),
    "sampler_names": (POINTER(c_char_p),),
    "spacing_names": (POINTER(c_char_p),),
    "variance_names": (POINTER(c_char_p),),
    "sampler_traits_of": (POINTER(SamplerTraits), c_char_p),
    "sampler_defaults": (None, POINTER(SamplerOptions), POINTER(About)),
    "sampler_create": (c_int, _handle, c_void_p, POINTER(SamplerOptions), c_size_t, c_int, c_char_p, _error),
    "sampler_start": (c_int, c_void_p, _indices, _classes, c_int, _doubles, c_int, _error),
    "sampler_step": (c_int, c_void_p, _error),
    "sampler_encode": (c_int, c_void_p, _error),
    "slerp": (None, _doubles, _doubles, _doubles, c_double, c_size_t),
    "sampler_left": (c_int, c_void_p),
    "sampler_lost": (c_int, c_void_p, c_int),
    "sampler_state": (_doubles, c_void_p, POINTER(c_size_t)),
    "sampler_free": (None, c_void_p),
    "bound_create": (c_int, _handle, c_void_p, POINTER(SamplerOptions), c_size_t, c_int, c_char_p, _error),
    "bound_start": (c_int, c_void_p, _doubles, _indices, _classes, c_int, _error),
    "bound_step": (c_int, c_void_p, _error),
    "bound_left": (c_int, c_void_p),
    "bound_read": (POINTER(BoundImage), c_void_p, c_int),
    "bound_free": (None, c_void_p),
    "vjp_create": (c_int, _handle, c_void_p, POINTER(NetOptions), _error),
    "vjp_run": (c_int, c_void_p, *[_doubles] * 5, _classes, c_int, _error),
    "vjp_free": (None, c_void_p),
    "likelihood_defaults": (None, POINTER(LikelihoodOptions), POINTER(About)),
    "likelihood_create": (c_int, _handle, c_void_p, POINTER(LikelihoodOptions), c_size_t, c_int, _error),
    "likelihood_start": (c_int, c_void_p, _doubles, _indices, _classes, c_int, _error),
    "likelihood_step": (c_int, c_void_p, _error),
    "likelihood_left": (c_double, c_void_p),
    "likelihood_read": (POINTER(LikelihoodImage), c_void_p, c_int),
    "likelihood_free": (None, c_void_p),
}
for _name, (_result, *_arguments) in _FUNCTIONS.items():
    _function = getattr(lib, "ddpm_" + _name)
    _function.restype, _function.argtypes = _result, _arguments
