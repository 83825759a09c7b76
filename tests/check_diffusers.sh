#!/bin/sh
# check_diffusers.sh TEST.py [FILE]...: a test that needs the real diffusers, and lucidrains' network, in a virtual environment below build/.
set -eu
src=$(cd "$(dirname "$0")/.." && pwd)
test=$1
shift
build=$(cd "${BUILD:-build}" && pwd)
venv=$build/diffusers-venv
wanted=$(grep -E '^(numpy|torch|diffusers|safetensors|einops|denoising-diffusion-pytorch)' "$src/bench/peers/requirements.txt")
if [ "$wanted" != "$(cat "$venv/ready" 2>/dev/null)" ]; then
	python3 -m venv "$venv"
	echo "$wanted" | grep -v -e '--no-deps' >"$venv/wanted.txt"
	"$venv/bin/pip" install -q -r "$venv/wanted.txt"
	"$venv/bin/pip" install -q --no-deps $(echo "$wanted" | sed -n 's/ *--no-deps//p')
	echo "$wanted" >"$venv/ready"
fi
HF_HUB_OFFLINE=1 exec "$venv/bin/python" "$src/tests/$test" "$build/ddpm" "$@"
