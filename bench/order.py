#!/usr/bin/env python3
"""order.py FOLDER [IMAGES]: does `ddpm distance --against` put the steps of `dpmpp` in order? Sets of IMAGES
(1,000) samples of the embedded model with 5, 8, 10 and 20 steps, all from the same noises, are compared
with the 10,000 test images of Fashion-MNIST and with as many of them as samples; then 1,000 test images
with 1,000 training images. Sets stay in FOLDER; the same command goes on from there. Needs only Python;
DDPM names the program."""
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DDPM = os.environ.get("DDPM", os.path.join(TOP, "build", "ddpm"))
FOLDER = "/usr/share/datasets/fashion-mnist/"
TEST, TRAIN = FOLDER + "t10k-images-idx3-ubyte.gz", FOLDER + "train-images-idx3-ubyte.gz"
STEPS = [5, 8, 10, 20]


def run(*words):
    done = subprocess.run([DDPM, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(words), done.stderr.strip()))
    return done.stdout


def distance(*words):
    return json.loads(run("distance", *words, "--fit", "pad", "--json", "-q"))


def sample(folder, images, K):
    path = os.path.join(folder, "dpmpp-%d" % K)
    run("sample", "-q", "-n", images, "--sampler", "dpmpp", "--steps", str(K), "--outdir", path)
    return path


def order(sets, more, name):
    """A row for each number of steps but the first: how much nearer its set is than that before it."""
    for few, many in zip(STEPS, STEPS[1:]):
        d = distance(sets[few], sets[many], "--against", TEST, *more)
        print("| %s | %d to %d | %.4f | %.4f | %.4f (%.4f to %.4f) | %s | %g %% |" % (
            name, few, many, *d["distance"], d["difference"], *d["difference_interval"], {"A": "fewer", "B": "more", None: "-"}[d["nearer"]],
            100 * (1 - d["share"])), flush=True)


def main():
    folder, images = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "1000"
    os.makedirs(folder, exist_ok=True)
    sets = {K: sample(folder, images, K) for K in STEPS}
    print("| data | steps | distance of fewer | of more | difference | nearer | draws |\n|---|---|---|---|---|---|---|")
    order(sets, [], "10,000 test images")
    order(sets, ["-n", images], "%s test images" % images)
    d = distance(TEST, TRAIN, "-n", "1000")
    print("\ntest images to training images: %.4f (%.4f to %.4f), without correction %.4f" % (d["distance"], *d["interval"], d["plain"]))


main()
