"""check_python.py PROGRAM: tools/python over the shared library beside PROGRAM, and PROGRAM itself.

The structs lie as the C compiler lays them; images, schedules and bits per dimension are those of the program; as
eps network, alone and inside diffusers' schedulers, a model gives what the UNet2DModel gives that it was converted
from: eps to 1e-5, and whole runs as near as that allows.
The tests are the functions test_* of tests/python; names after PROGRAM run only these.
"""
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "python"))
import check_cases
import mistakes
import results
import threads

found = {name: test for module in (results, mistakes, threads) for name, test in vars(module).items() if name.startswith("test_")}

# A shell without job control starts its jobs with the interrupt ignored, and Python leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)
check_cases.run("python", [(name[5:], test, ()) for name, test in found.items() if len(sys.argv) < 3 or name in sys.argv])
