"""The functions and structs of ddpm.h that the package uses, for ctypes."""
import ctypes
import ctypes.util
import os
from ctypes import (POINTER, Structure, byref, c_char, c_char_p, c_double, c_float, c_int, c_int32, c_size_t, c_uint32, c_uint64,
                    c_void_p)

EUSAGE, ENAN = 1, 9


class CError(Structure):
    c_name = "ddpm_error"
    _fields_ = [("code", c_int), ("text", c_char * 508)]


class About(Structure):
    c_name = "ddpm_about"
    _fields_ = ([(name, c_int) for name in ("height", "width", "channels", "outputs", "classes", "steps", "null_class", "prediction", "variance")] +
                [("clip", c_double), ("t_scale", c_double)] +
                [(name, POINTER(c_double)) for name in ("beta", "alpha_bar", "gamma", "mse")] + [("json", c_char_p), ("id", c_char_p), ("tuned", c_void_p), ("tuned_count", c_int)])


class NetOptions(Structure):
    c_name = "ddpm_net_options"
    _fields_ = [("batch", c_int), ("threads", c_int), ("cpu", c_char_p), ("conv", c_char_p)]


class SamplerTraits(Structure):
    c_name = "ddpm_sampler_traits"
    _fields_ = [(name, c_int) for name in ("takes_eta", "takes_variance", "takes_analytic", "order", "highest_order", "corrector",
                                           "noisy", "encodes", "own_steps", "trusts_x0")]


class SamplerOptions(Structure):
    c_name = "ddpm_sampler_options"
    _fields_ = [("sampler", c_char_p), ("variance", c_char_p), ("eta", c_double), ("clip", c_double), ("order", c_int), ("corrector", c_int),
                ("snr", c_double), ("rate", POINTER(c_double)), ("prediction", c_int), ("outputs", c_int), ("own_variance", c_int), ("T", c_int),
                ("gamma", POINTER(c_double)), ("tuned", c_void_p), ("tuned_count", c_int), ("seed", c_uint64), ("eps", c_void_p), ("eps_user", c_void_p), ("noise", c_void_p),
                ("noise_user", c_void_p)]


class Error(RuntimeError):
    """What the library says, one sentence, and its code (DDPM_E... of ddpm.h)."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class UsageError(Error, ValueError):
    """What the library refuses of an argument: DDPM_EUSAGE."""


def call(function, *arguments):
    """Calls what takes a ddpm_error * at its end and raises it."""
    error = CError()
    if function(*arguments, byref(error)):
        kind = UsageError if error.code == EUSAGE else Error
        raise kind(error.code, error.text.decode(errors="replace"))


def names(function):
    result, listed = function(), []
    while result[len(listed)]:
        listed.append(result[len(listed)].decode())
    return listed


def _load():
    path = os.environ.get("DDPM_LIBRARY") or ctypes.util.find_library("ddpm") or "libddpm.so.0"
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"the shared library of ddpm cannot be loaded ({error}): install it with make install, or say where it is, "
                          "such as DDPM_LIBRARY=build/libddpm.so.0") from None


def _declare(result, name, *arguments):
    function = getattr(lib, name)
    function.restype, function.argtypes = result, list(arguments)


lib = _load()
_floats, _error, _handle = POINTER(c_float), POINTER(CError), POINTER(c_void_p)
_declare(c_int, "ddpm_model_open", _handle, c_char_p, _error)
_declare(None, "ddpm_model_close", c_void_p)
_declare(POINTER(About), "ddpm_model_about", c_void_p)
_declare(c_int, "ddpm_net_create", _handle, c_void_p, POINTER(NetOptions), _error)
_declare(c_int, "ddpm_net_run", c_void_p, _floats, _floats, _floats, POINTER(c_int32), c_int, _error)
_declare(None, "ddpm_net_free", c_void_p)
_declare(c_int, "ddpm_chain_tuned", _handle, POINTER(About), c_int, _error)
_declare(c_int, "ddpm_chain_respace", _handle, POINTER(About), c_char_p, c_char_p, _error)
_declare(None, "ddpm_chain_free", c_void_p)
for _name in ("ddpm_sampler_names", "ddpm_spacing_names", "ddpm_variance_names"):
    _declare(POINTER(c_char_p), _name)
_declare(POINTER(SamplerTraits), "ddpm_sampler_traits_of", c_char_p)
_declare(None, "ddpm_sampler_defaults", POINTER(SamplerOptions), POINTER(About))
_declare(c_int, "ddpm_sampler_create", _handle, c_void_p, POINTER(SamplerOptions), c_size_t, c_int, c_char_p, _error)
_declare(c_int, "ddpm_sampler_start", c_void_p, POINTER(c_uint32), POINTER(c_int32), c_int, POINTER(c_double), c_int, _error)
_declare(c_int, "ddpm_sampler_step", c_void_p, _error)
_declare(c_int, "ddpm_sampler_left", c_void_p)
_declare(c_int, "ddpm_sampler_lost", c_void_p, c_int)
_declare(c_void_p, "ddpm_sampler_state", c_void_p, POINTER(c_size_t))
_declare(None, "ddpm_sampler_free", c_void_p)
