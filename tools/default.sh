#!/bin/sh
# default.sh FOLDER: trains tools/default.ddpm, the embedded model: 6,000 steps of 64 images of Fashion-MNIST's training set (Debian's
# dataset-fashion-mnist, MIT licence; 28x28 on black, flipped at random), 208 of them held back for its statistics and bits/dim.  v is predicted:
# eps of a net this small is some per cent off near t = T, which is several units in x0, and then solvers that step by x0 make noise.  It took
# an hour on two busy cores with AVX-512, and its solvers of few steps a quarter of an hour; what it writes on the way goes to FOLDER, and the same
# command goes on after an interruption.
set -e
cd "$(dirname "$0")/.."
ddpm=${DDPM:-build/ddpm}
images=${IMAGES:-/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz}
mkdir -p "$1"
"$ddpm" train "$images" -o "$1/default.ddpm" --resume --preset tiny --steps 6000 --seed 0 --fit pad --holdout 208 --save-every 500 \
	--set net.height=32 --set net.width=32 --set diffusion.prediction=v --set diffusion.variance=beta-tilde \
	--set lr_schedule=cosine --set warmup=200 --set flip=true
"$ddpm" export -m "$1/default.ddpm" --to ddpm --dtype f16 -o "$1/half.ddpm" --force
"$ddpm" tune -m "$1/half.ddpm" --steps 4,5,6,8 --resume="$1/tune.state" -o tools/default.ddpm --force
