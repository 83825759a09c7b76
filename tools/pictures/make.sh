#!/bin/sh
# make.sh [BENCH-OPTION...]: makes the pictures of the README anew beside itself: grid.png by ddpm sample, and steps.svg, time.svg and quality.svg out of
# the report of ddpm bench, which takes two minutes.  gnuplot and python3 are needed; options such as
# --time 30s or --spread 100 go to ddpm bench.
set -eu
. "$(dirname "$0")/begin.sh"
"$build/ddpm" sample --force -o "$here/grid.png"
"$build/ddpm" bench --report "$scratch" "$@"
python3 "$here/from_report.py" "$scratch/report.html" "$here"
