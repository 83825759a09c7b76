#!/bin/sh
# run.sh [CASE...]: lets the n-th allocation, mapping, read, write, fsync and rename of whole runs fail (shim.c), for n = 1, 2, ... until a run
# gets by without it.  Each must end as a run without faults, or with one line, an exit code for what failed, and what was there before:
# old files or complete new ones, and no temporary ones.  Beyond 64, n grows by 1/16 at a time; all of them with FAULTS=all.
# BUILD is where ddpm and shim.so are.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd)
. "$src/tests/png.sh"
build=$(cd "${BUILD:-build}" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ddpm-fault-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
export OMP_NUM_THREADS=2 FAULT_LOG=$scratch/log
small='--set net.height=16 --set net.width=16 --set net.widths=8,16 --set net.norm.groups=4 --set batch=2 --set warmup=2 --set diffusion.steps=8'

# Each case: what it runs in a folder of its own, and what lies there before; what it makes is in the folder out.
run_picture() { ddpm sample -q -n 2 --steps 1 --force -o out/a.png; }
run_array()   { ddpm sample -q -n 2 --steps 1 --force --format npy -o out/a.npy; }
run_archive() { ddpm sample -q -n 2 --steps 1 --force -o out/a.npz; }
run_folder()  { ddpm sample -q -n 2 --steps 2 --batch 1 --outdir out; }
run_shard()   { ddpm sample -q -n 3 --steps 2 --batch 1 --outdir out --shard 0/2; }
run_convert_torch()     { ddpm convert -q "$src/tests/golden/cases/D1_unet3/unet.pt" --set image_size=32 --set objective=pred_v \
	--set beta_schedule=sigmoid --set timesteps=1000 --force -o out/a.ddpm; }
run_convert_diffusers() { ddpm convert -q "$src/tests/golden/cases/A3_scale_shift_classes" --force -o out/a.ddpm; }
run_train()   { ddpm train -q d $small --grid-every 0 --steps 2 --save-every 1 --force -o out/a.ddpm; }
cases=${*:-picture array archive folder shard convert_torch convert_diffusers train}

# The faults of a run are those of ddpm alone.
ddpm() { LD_PRELOAD=${shim:-} "$build/ddpm" "$@"; }

# Libraries that do not say that they got no memory: cJSON, libzip and zlib in libspng go on without what
# they could not make, which is then refused as missing or damaged (65) or as no usage (64).  Nothing may be
# lost there either.
known_limit() {
	case $kind-$1-$(cut -d. -f1 log) in
	malloc-6[45]-"malloc in libcjson"|malloc-65-"malloc in libzip") return 0 ;;
	malloc-65-"malloc in libz") return 0 ;;
	*) return 1 ;;
	esac
}

fine() {
	case $kind-$1 in
	malloc-71|mmap-71|read-74|read-65|write-74|write-73|fsync-74|rename-74|rename-73) return 0 ;;
	*-0)  return 0 ;;
	*)    return 1 ;;
	esac
}

# Every file is the old one or the one of a run without faults; those that grow (logs) may end early.
nothing_lost() {
	for file in $(cd out && find . -type f); do
		case $file in
		*.tmp) echo "left behind: $file"; return 1 ;;
		*.jsonl) continue ;;
		esac
		cmp -s "out/$file" "expected/$file" || cmp -s "out/$file" "old/$file" || { echo "$file is neither old nor complete"; return 1; }
	done
	for file in $(cd old && find . -type f); do
		[ -f "out/$file" ] || { echo "$file is gone"; return 1; }
	done
}

judge() {
	nothing_lost || return 1
	if [ "$1" -eq 0 ]; then
		for file in $(cd expected && find . -type f ! -name '*.jsonl'); do
			cmp -s "out/$file" "expected/$file" || { echo "exit code 0, but $file is not what it should be"; return 1; }
		done
		return 0
	fi
	known_limit "$1" && { limits=$((limits + 1)); return 0; }
	fine "$1" || { echo "exit code $1"; return 1; }
	[ "$(wc -l <err)" -eq 1 ] || { echo "an error is one line"; return 1; }
}

# All faults of one kind in one case; their number is in $hits.
one_kind() {
	n=1 hits=0 limits=0 bad=0
	while :; do
		rm -rf out log
		cp -R old out
		shim=$build/shim.so FAULT=$kind FAULT_AT=$n run_"$case" >/dev/null 2>err
		code=$?
		[ -f log ] || break
		hits=$((hits + 1))
		judge $code >why || { bad=$((bad + 1)); echo "  $kind $n ($(cat log)): $(cat why): $(head -c 300 err)"; }
		step=$((n / 64 * 4 + 1))
		[ "${FAULTS:-}" != all ] || step=1
		n=$((n + step))
		[ $bad -lt 20 ] || break
	done
	[ $code -eq 0 ] || [ -f log ] || { echo "  $kind $n: no fault, but exit code $code: $(cat err)"; bad=$((bad + 1)); }
	[ $limits -eq 0 ] || echo "  $limits of the faults were inside libraries that do not tell"
	[ $bad -eq 0 ]
}

passed=0 failed=0
for case in $cases; do
	mkdir "$scratch/$case"
	cd "$scratch/$case" || exit 1
	FAULT_LOG=$scratch/$case/log
	mkdir old expected out d
	for i in 1 2 3 4; do tail -c +$((i * 1024)) "$build/ddpm" | head -c 256 | png d/$i.png 16 16; done
	shim= run_"$case" 2>err || { echo "$case fails without a fault: $(cat err)"; exit 1; }
	mv out expected.made && rm -r expected && mv expected.made expected
	for file in $(cd expected && ls); do [ -d "expected/$file" ] || echo "what was there before" >"old/$file"; done
	[ $case != folder ] || { rm -r old && shim= ddpm sample -q -n 1 --steps 2 --batch 1 --outdir old; }
	[ $case != shard ] || { rm -r old && shim= ddpm sample -q -n 3 --steps 2 --outdir old --shard 1/2; }
	for kind in malloc mmap read write fsync rename; do
		echo "fault.${case}_$kind"
		if one_kind; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "  FAILED"; fi
		echo "  $hits faults"
	done
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
