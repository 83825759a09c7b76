"""The numbers that callers give, checked as the program checks its options.

No number is rounded, wrapped around or taken for another one.  A bool, a text and, where a whole number is
wanted, a fraction are a TypeError; a number out of range is a ValueError.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

INT32_MAX = 2**31 - 1
UINT64_MAX = 2**64 - 1


def _shown(value: Any) -> str:
    return f"{value!r:.80} of type {type(value).__name__}"


def whole(name: str, value: Any, low: Optional[int] = None, high: Optional[int] = None) -> int:
    """Returns value, a whole number of Python, numpy or torch, as an int from low to high."""
    if not isinstance(value, int):
        array = np.asarray(value)
        if array.ndim or array.dtype.kind not in "iu":
            raise TypeError(f"{name} is {_shown(value)}, expected a whole number")
        value = int(array)
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value}, expected a whole number")
    if low is not None and high is not None and not low <= value <= high:
        raise ValueError(f"{name} is {value}, expected a whole number from {low} to {high}")
    return int(value)


def real(name: str, value: Any, low: float, high: float) -> float:
    """Returns value, a number of Python, numpy or torch, as a float from low to high."""
    if type(value) is not float:
        array = np.asarray(value)
        if isinstance(value, bool) or array.ndim or array.dtype.kind not in "iuf":
            raise TypeError(f"{name} is {_shown(value)}, expected a number")
        value = float(array)
    if not low <= value <= high:
        raise ValueError(f"{name} is {value:g}, expected a number from {low:g} to {high:g}")
    return float(value)


def is_single(values: Any) -> bool:
    """Returns whether it is one number, or something else that is no list.  An iterator is a list."""
    return np.ndim(values) == 0 and not hasattr(values, "__next__")


def each(name: str, values: Any, one: Callable[[str, Any], Any]) -> List[Any]:
    """Returns a list of one(name, v) for every v of a list or an array, or for a single number v."""
    if is_single(values):
        return [one(name, values)]
    if hasattr(values, "dtype"):
        values = np.asarray(values)
    return [one(f"{name}[{i}]", v) for i, v in enumerate(values)]


def wholes(name: str, values: Any, low: Optional[int] = None, high: Optional[int] = None) -> List[int]:
    """Returns whole numbers as a list of int."""
    return each(name, values, lambda place, v: whole(place, v, low, high))


def spread(name: str, values: Any, n: int, one: Callable[[str, Any], Any]) -> List[Any]:
    """Returns a list of n numbers, a single one n times."""
    found = each(name, values, one)
    if len(found) not in (1, n):
        raise ValueError(f"{name} holds {len(found)} numbers, expected one, or one for each of {n} images")
    return found * n if len(found) == 1 else found


def size(name: str, value: Any) -> Tuple[int, int]:
    """Returns width and height, of which a single number is both."""
    sides = wholes(name, value, 1, 99999)
    if len(sides) not in (1, 2):
        raise ValueError(
            f"{name} holds {len(sides)} numbers, expected width and height, or one number for both"
        )
    return sides[0], sides[-1]


def choice(name: str, value: Any) -> Optional[bytes]:
    """Returns a name, or None, for the library, which would stop reading at a byte 0: that is refused."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} is {_shown(value)}, expected a name")
    if value is not None and "\0" in value:
        raise ValueError(f"{name} is {value!r:.80}, expected a name")
    return None if value is None else value.encode()


def flag(name: str, value: Any) -> Optional[bool]:
    """Returns True, False or None."""
    if value is not None and not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {_shown(value)}, expected True, False or None")
    return None if value is None else bool(value)


def _floats(name: str, value: Any) -> NDArray[Any]:
    """Returns an array of an array, a tensor or nested lists of floating point numbers."""
    if getattr(value, "requires_grad", False):
        raise ValueError(f"{name} requires a gradient, which the network does not give: pass {name}.detach()")
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise TypeError(f"{name} holds {array.dtype}, expected floating point numbers")
    return array


def pixels(name: str, value: Any) -> NDArray[np.float32]:
    """Returns floating point numbers as float32; those that are float32 already are not copied."""
    return _floats(name, value).astype(np.float32, copy=False)


def images(name: str, value: Any) -> NDArray[np.float64]:
    """Returns images in [-1, 1], which are levels 0 to 255 in uint8 or floating point numbers in [-1, 1]."""
    array = np.asarray(value)
    if array.dtype == np.uint8:
        return array / 127.5 - 1
    doubles = _floats(name, value).astype(np.float64)
    # The comparison is false for NaN too.
    if doubles.size and not (doubles.min() >= -1 and doubles.max() <= 1):
        raise ValueError(f"{name} holds {doubles.min():g} to {doubles.max():g}, expected -1 to 1, or uint8")
    return doubles
