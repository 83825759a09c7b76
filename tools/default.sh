#!/bin/sh
# default.sh CHECKPOINT [NEW [IMAGES]]: makes tools/default.ddpm, the embedded model, or NEW, from the diffusers folder that it was trained as,
# with the statistics of 208 training images, or IMAGES, that --variance analytic and --schedule optimal need.  28x28 images on black, as in
# training.
set -e
cd "$(dirname "$0")/.."
images=/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz     # Debian's dataset-fashion-mnist
build/ddpm convert "$1" --dtype f16 -o build/plain.ddpm --force
build/ddpm eval "$images" -m build/plain.ddpm --fit pad -n "${3:-208}" --statistics -o "${2:-tools/default.ddpm}" --force
