#!/bin/sh
# guidance.sh: makes guidance.png beside itself, what --guidance does: a row for each of 0, 1, 2 and 4, the classes side by side, of a small
# model of discs, squares, triangles and crosses that it trains first; python3 is needed.
set -eu
. "$(dirname "$0")/begin.sh"
python3 "$here/shapes.py" data "$scratch"
"$build/ddpm" train "$scratch/train-images-idx3-ubyte" -o "$scratch/shapes.ddpm" --set net.widths=16,32 --set net.blocks=1 --set net.norm.groups=8 \
	--set net.classes=4 --set class_dropout=0.2 --set batch=16 --set lr=1e-3 --set warmup=50 --set ema=0.99 --steps "${STEPS:-1500}" --holdout 0 --grid-every 0 -q
cd "$scratch"
for w in 0 1 2 4; do
	"$build/ddpm" sample -q -m shapes.ddpm --class all -n 16 --seed 5 --guidance $w --steps 30 -o $w.npy
done
python3 "$here/shapes.py" picture "$here/guidance.png" 0.npy 1.npy 2.npy 4.npy
