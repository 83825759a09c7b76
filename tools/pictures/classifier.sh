#!/bin/sh
# classifier.sh GUIDED: makes classifier.png beside itself, what --classifier does: a row for each of --guidance 0, 1, 4 and 16, the classes side by
# side, of a small model without classes that it trains on discs, squares, triangles and crosses, led by a classifier that it trains too.
# GUIDED is a checkout of openai/guided-diffusion, whose network the classifier is; PYTHON is a python3 with torch and numpy.
set -eu
guided=$(cd "$1" && pwd)
. "$(dirname "$0")/begin.sh"
"${PYTHON:-python3}" "$here/shapes.py" data "$scratch" 4000
"${PYTHON:-python3}" "$here/classifier.py" "$guided" "$scratch" "$scratch/classifier.pt" "${CLASSIFIER_STEPS:-600}"
cd "$scratch"
rm -f classifier.ddpm
"$build/ddpm" convert -q classifier.pt -o classifier.ddpm --set image_size=16 --set num_head_channels=32 --set diffusion_steps=1000 --set noise_schedule=linear
mkdir plain && mv train-images-idx3-ubyte plain
"$build/ddpm" train plain/train-images-idx3-ubyte -o plain.ddpm --set net.widths=16,32 --set net.blocks=1 --set net.norm.groups=8 --set batch=16 --set lr=1e-3 \
	--set warmup=50 --set ema=0.99 --steps "${STEPS:-1500}" --holdout 0 --grid-every 0 -q
for w in 0 1 4 16; do
	"$build/ddpm" sample -q -m plain.ddpm --classifier classifier.ddpm --class all -n 16 --seed 5 --guidance $w --steps 100 -o $w.npy
done
"${PYTHON:-python3}" "$here/shapes.py" picture "$here/classifier.png" 0.npy 1.npy 4.npy 16.npy
