"""The exceptions of the package: what the library and the program say, and their code."""

from __future__ import annotations

# The codes of ddpm.h, in its order, and one of the program, which saved its work and can go on.
OK, EUSAGE, EDATA, EMISSING, EIO, ECREATE, EPERM, ENOMEM, EUNSUPPORTED, ENAN, ECALLBACK = range(11)
TRY_LATER = 100

# The exit codes of the program.
_CODE_OF_EXIT = {
    64: EUSAGE,
    65: EDATA,
    66: EMISSING,
    69: EUNSUPPORTED,
    70: ENAN,
    71: ENOMEM,
    73: ECREATE,
    74: EIO,
    75: TRY_LATER,
    77: EPERM,
}


class Error(RuntimeError):
    """What went wrong, in one sentence.  code is one of DDPM_E... of ddpm.h, or TRY_LATER."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text

    def __str__(self) -> str:
        return self.text


class UsageError(Error, ValueError):
    """An argument is out of range or does not fit the model: DDPM_EUSAGE, exit code 64 of the program."""


class DataError(Error):
    """A file holds something wrong: DDPM_EDATA, exit code 65."""


class MissingError(Error, FileNotFoundError):
    """An input does not exist: DDPM_EMISSING, exit code 66."""


def error_of(code: int, text: str) -> Error:
    """Returns the exception of a code of ddpm.h."""
    kinds = {EUSAGE: UsageError, EDATA: DataError, EMISSING: MissingError}
    return kinds.get(code, Error)(code, text)


def error_of_exit(status: int, text: str) -> Error:
    """Returns the exception of an exit code of the program, which is 70 for a bug as well."""
    return error_of(_CODE_OF_EXIT.get(status, ENAN), text)
