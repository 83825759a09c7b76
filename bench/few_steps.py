#!/usr/bin/env python3
"""few_steps.py FOLDER [IMAGES [SEEDS]]: the values of RESULTS.md, "Few steps", and of the log, for the
embedded model: the Frechet distance of sets of IMAGES (1,000) samples to as many test images of
Fashion-MNIST, of seed 0 and, for those in AGAIN, mean and standard error over seeds 0 to SEEDS - 1 (3); its
ratio between the two of RATIO, which begin with the same noise, with the standard error of a jackknife that
leaves the same images out of both; bits per dimension of those test images under chains of K steps, with the
difference to K = T image by image. What was found stays in FOLDER; the same command goes on from there. Needs
only Python; DDPM names the program."""
import gzip
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DDPM = os.environ.get("DDPM", os.path.join(TOP, "build", "ddpm"))
DATA = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
BITS = [(K, spacing, variance) for K in ("10", "25") for spacing in ("iddpm", "optimal") for variance in ("beta-tilde", "analytic")]
BITS += [("50", "optimal", "analytic")]
WHOLE = ("all", "iddpm", "beta-tilde")
SETS = [("20", "ddpm", "iddpm", ["--variance", "beta-tilde"]), ("20", "ddpm", "iddpm", ["--variance", "analytic"]), ("20", "ddpm", "quad", []),
        ("20", "ddim", "iddpm", []), ("20", "ddim-diffusers", "iddpm", []), ("20", "dpmpp", "iddpm", []), ("20", "dpmpp", "quad", []),
        ("20", "dpmpp", "logsnr", []), ("20", "dpmpp", "trailing", []), ("20", "dpmpp", "iddpm", ["--order", "3"]), ("20", "unipc", "iddpm", []),
        ("20", "unipc", "quad", []), ("20", "unipc", "trailing", []), ("20", "ode", "iddpm", []), ("20", "ode", "trailing", []),
        ("20", "dpmpp", "iddpm", ["--eta", "0.5"]), ("20", "dpmpp", "iddpm", ["--eta", "1"]),
        ("20", "ddpm", "optimal", []),
        ("50", "ddpm", "iddpm", []), ("10", "ddpm", "iddpm", []),
        ("10", "dpmpp", "iddpm", []), ("10", "unipc", "iddpm", []), ("10", "ipndm", "iddpm", []),
        ("all", "ddpm", "all", []),
        ("all", "dpmpp", "all", [])]
AGAIN = [("20", "dpmpp", "iddpm", [])]
RATIO = ("20", "dpmpp", "iddpm", []), ("all", "dpmpp", "all", [])
BLOCKS = 40


def run(*words):
    done = subprocess.run([DDPM, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(words), done.stderr.strip()))
    return done.stdout


def totals(path):
    """The bits of each image, column 2 of the tensor "images"."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        entry = json.loads(f.read(size))["images"]
        f.seek(8 + size + entry["data_offsets"][0])
        n, columns = entry["shape"]
        return [struct.unpack("<%dd" % columns, f.read(8 * columns))[2] for _ in range(n)]


def mean_and_error(values):
    n, mean = len(values), math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)


def bits(folder, images, chain):
    path = os.path.join(folder, "bits-%s-%s-%s.safetensors" % chain)
    run("eval", DATA, "--fit", "pad", "-n", images, "-q", "--json", "--resume", path, "--steps", chain[0], "--spacing", chain[1], "--variance", chain[2])
    return totals(path)


def sample(folder, images, row, seed="0"):
    steps, sampler, spacing, more = row
    path = os.path.join(folder, "-".join(["set", steps, sampler, spacing, *more] + ["seed", seed] * (seed != "0")).replace("---", "-"))
    chosen = [] if spacing == "all" else ["--spacing", spacing]
    run("sample", "-q", "-n", images, "--outdir", path, "--steps", steps, "--sampler", sampler, "--seed", seed, *chosen, *more)
    return path


def distance(folder, images, row, seed="0"):
    return json.loads(run("distance", sample(folder, images, row, seed), DATA, "--fit", "pad", "-n", images, "--json", "-q"))


def without(path, block, data):
    """The distances of the images of PATH but every BLOCKS-th from BLOCK on."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path) or ".") as part:
        for i, name in enumerate(sorted(n for n in os.listdir(path) if n.endswith(".png"))):
            if i % BLOCKS != block:
                os.link(os.path.join(path, name), os.path.join(part, name))
        return json.loads(run("distance", part, data, "--fit", "pad", "--json", "-q"))


def ratio(folder, images):
    few, many = (sample(folder, images, row) for row in RATIO)
    data = os.path.join(folder, "first.idx")
    with gzip.open(DATA) as f, open(data, "wb") as first:
        first.write(f.read(4) + struct.pack(">I", int(images)) + f.read(12 + int(images) * 784)[4:])
    left = [[without(path, block, data) for path in (few, many)] for block in range(BLOCKS)]
    print("\n| ratio of | without its bias | with it |\n|---|---|---|\n| %s, K = %s to K = T |" % (RATIO[0][1], RATIO[0][0]), end="")
    whole = [distance(folder, images, row) for row in RATIO]
    for key in ("frechet", "frechet_plain"):
        error = mean_and_error([a[key] / b[key] for a, b in left])[1] * (BLOCKS - 1)
        print(" %.2f ± %.2f |" % (whole[0][key] / whole[1][key], error), end="")
    print(flush=True)


def over_seeds(folder, images, seeds):
    print("\n| K | sampler | spacing | distance | with its bias |\n|---|---|---|---|---|")
    for row in AGAIN:
        sets = [distance(folder, images, row, str(seed)) for seed in range(seeds)]
        distances, plain = (mean_and_error([d[key] for d in sets]) for key in ("frechet", "frechet_plain"))
        print("| %s | %s | %s | %.2f ± %.2f | %.2f ± %.2f |" % (row[0], " ".join([row[1], *row[3]]), row[2], *distances, *plain), flush=True)


def main():
    folder, images, seeds = (sys.argv[1:] + ["1000", "3"][len(sys.argv) - 2:])[:3]
    os.makedirs(folder, exist_ok=True)
    print("| K | sampler | spacing | distance | with its bias |\n|---|---|---|---|---|")
    for row in SETS:
        d = distance(folder, images, row)
        print("| %s | %s | %s | %.2f (%.2f to %.2f) | %.2f |" % (row[0], " ".join([row[1], *row[3]]), row[2], d["frechet"], *d["frechet_interval"], d["frechet_plain"]), flush=True)
    over_seeds(folder, images, int(seeds))
    ratio(folder, images)
    found = {chain: bits(folder, images, chain) for chain in BITS}
    whole = bits(folder, images, WHOLE)
    print("\n| K | spacing | variance | bits/dim | difference |\n|---|---|---|---|---|\n| 1000 | all | beta-tilde | %.3f ± %.3f | |" % mean_and_error(whole))
    for chain in reversed(BITS):
        pairs = [a - b for a, b in zip(found[chain], whole)]
        print("| %s | %s | %s | %.3f ± %.3f | %.3f ± %.3f |" % (*chain, *mean_and_error(found[chain]), *mean_and_error(pairs)))


main()
