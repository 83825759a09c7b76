#!/usr/bin/env python3
"""suggestion.py FOLDER [IMAGES [MODEL]]: is `ddpm bench --suggest` right? The tables of the log, DATE-
suggestion.md: sets of IMAGES (200) of the embedded model, or of MODEL, for every sampler and number of
steps of bench's default list, of another seed than bench's, their sliced Wasserstein distance to 1,000
test images of Fashion-MNIST by `ddpm eval`, and seconds per image of `ddpm sample`; then what bench
suggests for times between two rows of one sampler, and how many notches, rows of its list of steps, that
is from the row of this table with the least distance within the time. STEPS=10,25,50 in the environment
makes the list shorter, BENCH="--time 15" gives words to bench. Sets stay in FOLDER; the same command goes
on from there. Needs only Python; DDPM names the program."""
import gzip
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DDPM = os.environ.get("DDPM", os.path.join(TOP, "build", "ddpm"))
DATA = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
SAMPLERS = ["ddpm", "dpmpp"]
STEPS = [int(k) for k in os.environ.get("STEPS", "4,6,8,10,20,50,250,1000").split(",")]
MODEL = ["-m", sys.argv[3]] if len(sys.argv) > 3 else []
FIT = "resize" if MODEL else "pad"
SEED = "1"


def run(*words):
    done = subprocess.run([DDPM, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(words), done.stderr.strip()))
    return done.stdout


def make(path, images, sampler, K):
    run("sample", *MODEL, "-q", "-n", str(images), "--seed", SEED, "--batch", "8", "--sampler", sampler, "--steps", str(K), "--outdir", path)


def distance(folder, images, sampler, K):
    path = os.path.join(folder, "%s-%d" % (sampler, K))
    make(path, images, sampler, K)
    return json.loads(run("distance", path, os.path.join(folder, "data.npy"), *MODEL, "--fit", FIT, "--json", "-q"))


def seconds(sampler, K):
    """Of an image of a batch of 8."""
    with tempfile.TemporaryDirectory() as path:
        make(os.path.join(path, "set"), 8, sampler, K)
        lines = [json.loads(line) for line in open(os.path.join(path, "set", "manifest.jsonl"))]
    return statistics.median(line["seconds"] for line in lines if "i" in line)


def write_data(path, images=1000):
    """The first test images, as bytes [n, 28, 28, 1]."""
    with gzip.open(DATA) as f:
        f.seek(16)
        pixels = f.read(images * 28 * 28)
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 28, 28, 1), }" % images
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + (len(head) + 1).to_bytes(2, "little") + head.encode() + b"\n" + pixels)


def suggested(limit):
    for line in run("bench", *MODEL, "-q", "--json", "--suggest", "%.6fs" % limit, *os.environ.get("BENCH", "").split()).splitlines():
        if "suggestion" in (found := json.loads(line)):
            return found["suggestion"]


def best(table, limit):
    return min((row for row in table if row["seconds"] <= limit), key=lambda row: row["distance"])


def main():
    folder, images = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    os.makedirs(folder, exist_ok=True)
    write_data(os.path.join(folder, "data.npy"))
    table = [{"sampler": sampler, "K": K, **distance(folder, images, sampler, K)} for K in STEPS for sampler in SAMPLERS]
    print("| K | sampler | s/image | distance |\n|---|---|---|---|")
    for row in table:
        row["seconds"] = seconds(row["sampler"], row["K"])
        print("| %d | %s | %.3f | %.4f (%.4f to %.4f) |" % (row["K"], row["sampler"], row["seconds"], row["distance"], *row["interval"]), flush=True)
    times = [row["seconds"] for row in table if row["sampler"] == SAMPLERS[0]]
    print("\n| within s | of the table | bench | s/image | notches |\n|---|---|---|---|---|")
    for limit in [math.sqrt(a * b) for a, b in zip(times, times[1:])] + [2 * times[-1]]:
        right, found = best(table, limit), suggested(limit)
        notches = STEPS.index(found["steps"]) - STEPS.index(right["K"])
        print("| %.3f | %s %d | %s %d | %.3f | %+d |" % (limit, right["sampler"], right["K"], found["sampler"], found["steps"], found["seconds"], notches),
              flush=True)


main()
