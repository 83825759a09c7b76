#!/bin/sh
# classes.sh PROGRAM [N [PLAIN [OPTION...]]]: N images (default 16) of the embedded model after all its steps, by the best instruction set here and
# by each lower one, and PLAIN of them (default 1: about ten minutes of a core) by plain C (0: none): how many of their 8-bit values differ, and by how
# much at most.  OPTION: of ddpm sample, such as --steps 50.
set -eu
[ $# -ge 1 ] || { sed -n 2,4p "$0" >&2; exit 64; }
ddpm=$1 n=${2:-16} plain=${3:-1}
[ $# -le 3 ] && shift $# || shift 3
case " $* " in *' --steps'*) ;; *) set -- --steps all "$@" ;; esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
best=$("$ddpm" --version | sed -n 's/^CPU: \([a-z0-9]*\),.*/\1/p')
for images in $n $plain; do
	[ "$images" -gt 0 ] || continue
	"$ddpm" sample -q -n "$images" "$@" -o "$folder/$images.png" --force
done
for set in avx512 avx2 neon ref; do
	images=$n
	[ $set != ref ] || images=$plain
	[ $set != "$best" ] && [ "$images" -gt 0 ] || continue
	"$ddpm" info --cpu $set >/dev/null 2>&1 || continue
	"$ddpm" verify -q --json --cpu $set "$folder/$images.png" | sed "s/.*\"values\":\([0-9]*\),\"differ\":\([0-9]*\),\"largest\":\([0-9]*\),.*/$best and $set, $images images: \2 of \1 values differ, the largest difference is \3/" || :
done
