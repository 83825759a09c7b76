#!/bin/sh
# default.sh CHECKPOINT: makes tools/default.ddpm, the embedded model, from the diffusers folder that it was trained as, with the statistics
# that --variance analytic and --schedule optimal need.  28x28 images on black, as in training.
set -e
cd "$(dirname "$0")/.."
images=/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz     # Debian's dataset-fashion-mnist
build/ddpm convert "$1" --dtype f16 -o build/plain.ddpm --force
build/ddpm eval "$images" -m build/plain.ddpm --fit pad -n 208 --statistics -o tools/default.ddpm --force
