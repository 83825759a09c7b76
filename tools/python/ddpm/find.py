"""Where the library and the program are."""

from __future__ import annotations

import os
import shutil
from typing import Optional

_HERE = os.path.dirname(os.path.abspath(__file__))
_LIBRARY = "libddpm.so.0"


def _existing(folder: str, name: str) -> Optional[str]:
    path = os.path.abspath(os.path.join(folder, name))
    return path if os.path.isfile(path) else None


def library_path() -> Optional[str]:
    """Returns what DDPM_LIBRARY names, else the package's own library; None: the system has to find it."""
    return os.environ.get("DDPM_LIBRARY") or _existing(_HERE, _LIBRARY)


def program_path() -> Optional[str]:
    """Returns the program beside that library, else the package's own, else one of PATH, else None."""
    folder = os.path.dirname(library_path() or "")
    beside = _existing(folder, "ddpm") if folder else None
    return beside or _existing(_HERE, "ddpm") or shutil.which("ddpm")
