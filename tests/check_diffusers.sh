#!/bin/sh
# check_diffusers.sh TEST.py: a test that needs the real diffusers, in a virtual environment below build/.
set -eu
src=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${BUILD:-build}" && pwd)
venv=$build/diffusers-venv
if [ ! -f "$venv/ready" ]; then
	python3 -m venv "$venv"
	grep -E '^(numpy|torch|diffusers|safetensors)' "$src/bench/peers/requirements.txt" >"$venv/wanted.txt"
	"$venv/bin/pip" install -q -r "$venv/wanted.txt"
	touch "$venv/ready"
fi
HF_HUB_OFFLINE=1 exec "$venv/bin/python" "$src/tests/$1" "$build/ddpm"
