#!/usr/bin/env python3
"""busy.py [option]...: times ddpm on a machine that others use too.

Cases: idle; beside 1, 2, 4 processes that compute without end; beside one that is held to core 1 (uneven
cores); beside another ddpm. Each is measured with 2 threads and with 1, and for the peers that bench/peers/run
has prepared (cifar10). The table: the median of the rounds' medians, and in brackets times the idle one.

--build DIR   the folder of ddpm and ddpm-bench; build
--work DIR    the folder of the prepared peers; build/peers
--rounds N    5
--what LIST   of step1, step16 (cifar10, batch 1 and 16), sample (the embedded model, 16 images of 20 steps) and
              train (the embedded model, batch 16, an image of the fastest step): milliseconds

Every process that is started is ended with this one, and ends by itself after five minutes.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = "300"
STEPS = {"step1": ("net cifar10 --batch 1 --steps 40", r"([0-9.]+) ms median"),
         "step16": ("net cifar10 --batch 16 --steps 3", r"([0-9.]+) ms median"),
         "train": ("train tools/default.ddpm --batch 16 --steps 10", r"an image: ([0-9.]+) ms")}
CASES = ["idle", "1 busy", "2 busy", "4 busy", "one on core 1", "another ddpm"]


def start(command, core=None):
    """Starts a neighbour, on one core if that is given."""
    held = ["taskset", "-c", str(core)] if core is not None else []
    return subprocess.Popen(held + ["timeout", LIMIT] + command, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def neighbours(case, build):
    """Returns the processes of a case, started."""
    if case == "another ddpm":
        return [start([f"{build}/ddpm-bench", "net", "cifar10", "--threads", "2", "--steps", "100000"])]
    if case == "one on core 1":
        return [start(["yes"], 1)]
    return [start(["yes"]) for _ in range(int(case.split()[0]) if case != "idle" else 0)]


class Ours:
    """One of ddpm's measurements with a number of threads."""

    def __init__(self, build, what, threads):
        self.build, self.what, self.threads = build, what, str(threads)
        self.name = f"ddpm, {threads} thread" + "s" * (threads > 1)

    def turn(self):
        """Returns the milliseconds of a step, or of all sampling."""
        if self.what == "sample":
            with tempfile.TemporaryDirectory() as folder:
                before = time.monotonic()
                subprocess.run([f"{self.build}/ddpm", "sample", "-n", "16", "--steps", "20", "-q", "--threads",
                                self.threads, "-o", folder + "/x.png"], check=True)
                return 1e3 * (time.monotonic() - before)
        command, pattern = STEPS[self.what]
        told = subprocess.run([f"{self.build}/ddpm-bench", *command.split(), "--threads", self.threads],
                              check=True, capture_output=True, text=True, cwd=os.path.dirname(HERE)).stdout
        return float(re.search(pattern, told)[1])

    def close(self):
        """Does nothing: a turn's process has ended."""


def contestants(o, what):
    """Returns ours, and the peers that are prepared."""
    found = [Ours(o.build, what, 2), Ours(o.build, what, 1)]
    batch = what[4:] if what.startswith("step") else ""
    base = os.path.abspath(f"{o.work}/cifar10-{batch}/net")
    if not batch or not os.path.isdir(os.path.dirname(base)):
        return found
    sys.path.insert(0, os.path.join(HERE, "peers"))
    import engines
    import run
    spec = {"net": "cifar10", "batch": int(batch), "threads": 2, "base": base}
    for name in engines.ENGINES:
        try:
            found.append(run.Peer(name, spec, dict(os.environ)))
        except run.Missing as why:
            print(f"{name} is missing: {why}", file=sys.stderr)
    return found


def turn(one):
    """Returns one round's milliseconds of ours or of a peer."""
    if isinstance(one, Ours):
        return one.turn()
    one.turn()
    return statistics.median(one.milliseconds[-1])


def measure(o, what):
    """Returns {name: {case: milliseconds}}."""
    running, medians = contestants(o, what), {}
    try:
        for case in CASES:
            beside = neighbours(case, o.build)
            try:
                each = [[turn(one) for one in running] for _ in range(o.rounds)]
            finally:
                for process in beside:
                    process.terminate()
                    process.wait()
            for one, values in zip(running, zip(*each)):
                medians.setdefault(one.name, {})[case] = statistics.median(values)
    finally:
        for one in running:
            one.close()
    return medians


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--build", default="build")
    p.add_argument("--work", default="build/peers")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--what", default="step1,step16,sample,train")
    o = p.parse_args()
    o.build = os.path.abspath(o.build)
    for what in o.what.split(","):
        medians = measure(o, what)
        print("| " + " | ".join([what, *CASES]) + " |\n" + "|---" * (1 + len(CASES)) + "|")
        for name, cases in medians.items():
            print("| " + " | ".join([name] + [f"{v:.1f} ({v / cases['idle']:.2f})" for v in cases.values()]) + " |",
                  flush=True)


if __name__ == "__main__":
    main()
