"""python -m ddpm: the program, which takes the place of this process."""

import os
import sys

from .find import program_path


def main() -> int:
    path = program_path()
    if not path:
        print(
            "ddpm: the program is missing: install the package again, or build it with make", file=sys.stderr
        )
        return 66
    os.execv(path, ["ddpm", *sys.argv[1:]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
