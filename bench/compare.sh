#!/bin/sh
# compare.sh [OPTIONS of peers/compare.py]: installs the peers into a virtual environment below build/ and runs the comparison.
set -eu
src=$(cd "$(dirname "$0")/.." && pwd)
venv=$src/build/peers-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q -r "$src/bench/peers/requirements.txt"
cd "$src" && make -s build/ddpm build/ddpm-bench && exec "$venv/bin/python" bench/peers/compare.py "$@"
