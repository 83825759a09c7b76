#!/bin/sh
# endurance.sh PROGRAM [N [STEPS [OPTION...]]]: N images (default 2000) of STEPS steps (default 50) of the embedded model one at a time in one
# process, so N * STEPS steps of the network; what it holds (VmRSS of /proc/PID/status) is read every half second, and the line of least squares
# through RSS against images made, without the first twentieth, must rise by less than 1 KB per image.  OPTION: of ddpm sample.
set -eu
[ $# -ge 1 ] || { sed -n 2,4p "$0" >&2; exit 64; }
ddpm=$1 n=${2:-2000} steps=${3:-50}
[ $# -le 3 ] && shift $# || shift 3
folder=$(mktemp -d)
trap 'kill $process 2>/dev/null || :; rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
process=
"$ddpm" sample -q -n "$n" --steps "$steps" --batch 1 "$@" --outdir "$folder/images" & process=$!
while kb=$(awk '$1 == "VmRSS:" { print $2; found = 1 } END { exit !found }' "/proc/$process/status" 2>/dev/null); do
	made=$(cat "$folder/images/manifest.jsonl" 2>/dev/null | wc -l)
	echo "$((made - 1)) $kb"
	sleep 0.5
done >"$folder/samples"
wait $process
[ "$(ls "$folder/images" | grep -c '^image-')" -eq "$n" ] || { echo "$(ls "$folder/images" | wc -l) files, not $n images"; exit 1; }
awk -v n="$n" -v steps="$steps" '
	$1 >= n / 20 { k++; x += $1; y += $2; xx += $1 * $1; xy += $1 * $2; least = k == 1 || $2 < least ? $2 : least; most = $2 > most ? $2 : most }
	END {
		if (k < 10) { print "only " k " samples: more images are needed"; exit 1 }
		slope = (k * xy - x * y) / (k * xx - x * x)
		printf "%d images, %d steps: RSS %d to %d KB in %d samples, slope %.4f KB per image\n", n, n * steps, least, most, k, slope
		exit slope >= 1
	}' "$folder/samples"
