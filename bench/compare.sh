#!/bin/sh
# compare.sh OLD NEW [NET]... [-- OPTION...]: two builds of ours, interleaved: the minima of 7 rounds and how they compare.
# OLD and NEW are build folders or their ddpm-bench; NET (default: cifar10) and the options are those of `ddpm-bench net`.
set -eu
[ $# -ge 2 ] || { sed -n 2,3p "$0" >&2; exit 64; }
program() { if [ -d "$1" ]; then echo "$1/ddpm-bench"; else echo "$1"; fi; }
old=$(program "$1") new=$(program "$2")
shift 2
nets=
while [ $# -gt 0 ] && [ "$1" != -- ]; do nets="$nets $1"; shift; done
[ $# -eq 0 ] || shift
step() { "$@" --json | sed 's/.*"ms_step_min": \([0-9.]*\), "ms_step_median": \([0-9.]*\).*/\1 \2/'; }
for net in ${nets:-cifar10}; do
	for round in 1 2 3 4 5 6 7; do
		echo old $(step "$old" net "$net" --steps 10 "$@")
		echo new $(step "$new" net "$net" --steps 10 "$@")
	done | awk -v net="$net" '
		{ if (!($1 in least) || $2 < least[$1]) least[$1] = $2; n[$1]++; v[$1, n[$1]] = $3 }
		function median(k,  i, j, t) {
			for (i = 1; i <= n[k]; i++) for (j = i + 1; j <= n[k]; j++) if (v[k, j] < v[k, i]) { t = v[k, i]; v[k, i] = v[k, j]; v[k, j] = t }
			return v[k, int((n[k] + 1) / 2)]
		}
		END { printf "%s: old %.3f (%.3f) ms a step, new %.3f (%.3f): new / old %.3f\n", net, least["old"], median("old"), least["new"], median("new"), least["new"] / least["old"] }'
done
