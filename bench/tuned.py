#!/usr/bin/env python3
"""tuned.py FOLDER [option]...: how near the tuned solvers of a model come to their teacher.

The mean of |x0 - teacher|, pixels from -1 to 1, over images from noises that no solver was learned from or
chosen by (another seed). The tuned solvers of the model stand beside the untuned ones with their default
spacing. What was made stays in FOLDER, and the same command goes on from there. Needs numpy.

--model M        a model file with solvers; the embedded one
--ddpm PROGRAM   build/ddpm
-n N             1,000 images
--seed S         of their noises; 20261130
--append MACHINE also writes the values to bench/results.jsonl, as question "tuned"
"""
import argparse
import datetime
import json
import os
import subprocess
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TEACHER = ("dpmpp", 60, "--order", "3")
TUNED = (4, 5, 6, 8)
UNTUNED = (4, 5, 6, 8, 9, 10, 12, 15, 16, 20)
SOLVERS = ("dpmpp", "unipc", "ipndm")
# The goal of a tuned solver: at most the distance of the better of dpmpp and unipc with so many steps.
GOAL = ("dpmpp", "unipc")
AS_NEAR_AS = {4: 8, 5: 10, 6: 12, 8: 16}


def images(o, sampler, steps, *more):
    """Returns the images of a sampler, [n,h,w,c]."""
    path = os.path.join(o.folder, f"{sampler}-{steps}.npy")
    if not os.path.exists(path):
        model = ["-m", o.model] if o.model else []
        subprocess.run([o.ddpm, "sample", "-q", *model, "-n", str(o.n), "--seed", str(o.seed), "--sampler", sampler,
                        "--steps", str(steps), *more, "-o", path], check=True)
    return np.load(path)


def lines_of(o, found):
    """Yields the lines for results.jsonl."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            check=True, cwd=HERE).stdout.strip()
    for (sampler, steps), value in found.items():
        if steps not in TUNED:
            continue
        goal = reached = None
        if sampler == "tuned":
            limit = min(found[s, AS_NEAR_AS[steps]] for s in GOAL)
            goal, reached = f"{limit:.4f}, {AS_NEAR_AS[steps]} untuned steps", bool(value <= limit)
        yield {"question": "tuned", "row": f"{steps} steps", "column": sampler, "value": round(value, 4), "unit": "",
               "goal": goal, "reached": reached, "machine": o.append, "commit": commit,
               "date": str(datetime.date.today()), "command": "bench/tuned.py"}


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("folder")
    p.add_argument("--model")
    p.add_argument("--ddpm", default="build/ddpm")
    p.add_argument("-n", type=int, default=1000)
    p.add_argument("--seed", type=int, default=20261130)
    p.add_argument("--append", metavar="MACHINE")
    o = p.parse_args()
    os.makedirs(o.folder, exist_ok=True)

    teacher = images(o, *TEACHER)
    wanted = [("tuned", k) for k in TUNED] + [(s, k) for k in UNTUNED for s in SOLVERS]
    found = {(s, k): float(np.abs(images(o, s, k) - teacher).mean()) for s, k in wanted}

    print("| steps | tuned | " + " | ".join(SOLVERS) + " |\n|" + "---|" * (2 + len(SOLVERS)))
    for k in UNTUNED:
        cells = [f"{found[s, k]:.4f}" if (s, k) in found else "-" for s in ("tuned", *SOLVERS)]
        print(f"| {k} | " + " | ".join(cells) + " |")
    if o.append:
        with open(os.path.join(HERE, "results.jsonl"), "a", encoding="utf-8") as f:
            f.writelines(json.dumps(line) + "\n" for line in lines_of(o, found))


if __name__ == "__main__":
    main()
