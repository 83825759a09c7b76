#!/bin/sh
# likelihood.sh: draws likelihood.svg beside itself: bits per dimension of 16 images that the embedded model drew, by the bound and by the ODE, against
# passes through the network, of which a backward pass counts as two.  gnuplot is needed.
set -eu
. "$(dirname "$0")/begin.sh"
cd "$scratch"
"$build/ddpm" sample -q -n 16 --steps 100 --outdir images
# total FILE: bits per dimension of a result of `ddpm eval --json`.
total() { tail -n 1 "$1" | sed 's/.*"total":\([0-9.]*\).*/\1/'; }
for steps in 15 25 50 100 250 1000; do
	"$build/ddpm" eval -q images --json --steps $steps >result
	echo $steps "$(total result)" >>bound
done
for steps in 1 2 3 5 8 16 32; do
	"$build/ddpm" eval -q images --json --ode --steps $steps >result
	echo $((3 * (6 * steps + 1))) "$(total result)" >>ode
done
gnuplot <<GNUPLOT
set terminal svg size 560,300 font "sans-serif,12" background "white"
set output "$here/likelihood.svg"
set logscale x
set xlabel "passes through the network for an image"
set ylabel "bits per dimension"
set xrange [12:1200]
set grid ytics
plot "bound" with linespoints pt 7 ps 0.6 title "bound", "ode" with linespoints pt 7 ps 0.6 title "likelihood by the ODE"
GNUPLOT
