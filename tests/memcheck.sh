#!/bin/sh
# memcheck.sh: valgrind's memcheck on whole runs, which must be clean: no read of what was never written, no invalid access, no block that
# nothing points to any more.  Sampling and training are of 2 steps with tiny networks, converting is of a diffusers folder; AVX2, because valgrind
# knows no AVX-512.  BUILD is where ddpm is.
set -u
src=$(cd "$(dirname "$0")/.." && pwd)
. "$src/tests/png.sh"
build=$(cd "${BUILD:-build}" && pwd)
command -v valgrind >/dev/null || sh "$src/tools/setup.sh" valgrind || exit 1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ddpm-memcheck-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
cd "$scratch" || exit 1
export OMP_NUM_THREADS=2

ddpm() {
	valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite "$build/ddpm" "$@"
}
small='--set net.widths=8,16 --set net.norm.groups=4 --set net.height=8 --set net.width=8 --set diffusion.steps=8 --set batch=2'
check_train()   { ddpm train -q d -o a.ddpm $small --cpu avx2 --threads 2 --steps 2 --save-every 1 --grid-every 2; }
check_resume()  { ddpm train -q d -o a.ddpm $small --cpu avx2 --threads 2 --steps 3 --grid-every 0 --resume; }
check_sample()  { ddpm sample -q -m small.ddpm --cpu avx2 --threads 2 -n 2 --steps 2 -o a.png; }
check_folder()  { ddpm sample -q -m small.ddpm --cpu avx2 --threads 2 -n 3 --batch 2 --steps 2 --outdir out && ddpm verify -q out --cpu avx2 -m small.ddpm; }
check_default() { ddpm sample -q --cpu avx2 --threads 2 -n 1 --steps 2 -o b.png; }
check_convert() { ddpm convert -q "$src/tests/golden/cases/A3_scale_shift_classes" -o c.ddpm; }

mkdir d
for i in 1 2 3 4 5 6; do tail -c +$((i * 1024)) "$build/ddpm" | head -c 64 | png d/$i.png 8 8; done
passed=0 failed=0
for run in train resume sample folder default convert; do
	[ $run != resume ] || { cp a.ddpm small.ddpm && rm a.ddpm; }
	echo "memcheck.$run"
	if check_$run >log 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)); head -n 40 log; echo "  FAILED"; fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
