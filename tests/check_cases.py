"""The runner of check_diffusers.py, check_families.py and check_python.py: each test in a folder of its own, a line each, the sum last."""
import os
import shutil
import sys
import tempfile


def run(group, tests, finish=lambda: None):
    """tests: (name, function, arguments); finish is called behind the last.  Ends the program: 0, or 1 when one failed."""
    passed = failed = 0
    for name, test, arguments in tests:
        print(f"{group}.{name}", flush=True)
        scratch = tempfile.mkdtemp(prefix=f"ddpm-{group}-")
        os.chdir(scratch)
        try:
            test(*arguments)
            passed += 1
        except Exception as error:
            print(f"  FAILED: {type(error).__name__}: {error}")
            failed += 1
        os.chdir("/")
        shutil.rmtree(scratch)
    finish()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)
