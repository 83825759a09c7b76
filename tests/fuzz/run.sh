#!/usr/bin/env bash
# run.sh [READER...]: libFuzzer with the address and undefined-behaviour sanitizers on each reader (json, torch, ...; default: all, one after the
# other), SECONDS_EACH of them (default 60).  It goes on from the corpus beside this and from what earlier runs found, which stays in
# build/fuzz/corpus; CPU time adds up in build/fuzz/minutes.  An input that breaks a reader is left in build/fuzz/found: a failure.
# MERGE=1: instead, the corpus is brought up to date with the least number of found inputs that reach what all of them reach.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mkdir -p "${BUILD:-build}/fuzz" && cd "${BUILD:-build}/fuzz" && pwd)
readers=${*:-$(cd "$src/tests/fuzz" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')}
seconds=${SECONDS_EACH:-60}

# Debian's clang comes without libFuzzer.
fuzzes() { echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return !p && n; }' | clang -fsanitize=fuzzer,address -x c -o "$work/fuzzes" - 2>/dev/null; }
fuzzes || { sh "$src/tools/setup.sh" clang && sh "$src/tools/setup.sh" "libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev"; } >&2 || exit 1

cd "$work" || exit 1
[ -f config.mak ] || "$src/configure" CC=clang --without-openmp --without-dnnl --without-avx512 --without-avx2 --sanitize=fuzzer-no-link --sanitize=address \
	--sanitize=undefined --sanitize=float-cast-overflow CFLAGS=-O1 >configure.out || { cat configure.out; exit 1; }
${MAKE:-make} -s LIBFUZZER=1 $(printf 'build/fuzz_%s ' $readers) >make.log 2>&1 || { tail -n 20 make.log; exit 1; }

sh "$src/tests/fuzz/corpus.sh" unpack committed || exit 1

# What asks for too much memory gets none, as elsewhere; a pause of the whole machine is no hang.
export ASAN_OPTIONS=allocator_may_return_null=1
options='-timeout=60 -rss_limit_mb=2048 -malloc_limit_mb=4096 -print_final_stats=1 -reload=0 -report_slow_units=60'

run_one() {
	local TIMEFORMAT='%U %S' code
	mkdir -p "corpus/$1" found
	{ time nice -n 19 "build/fuzz_$1" $options -max_total_time="$seconds" -artifact_prefix="found/$1-" \
		"corpus/$1" "committed/fuzz_$1" \
		>"$1.log" 2>&1; } 2>"$1.time"
	code=$?
	awk -v reader="$1" '{ printf "%s %.0f\n", reader, $1 + $2 }' "$1.time" >>minutes
	echo "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$1.log") runs, $(awk -v r="$1" '$1 == r { s += $2 } END { printf "%.1f", s / 60 }' minutes) CPU minutes so far"
	[ $code -eq 0 ] || grep -E 'ERROR|SUMMARY|runtime error|Test unit written' "$1.log"
	return $code
}

# Inputs that reach an edge of the program which no other of the corpus reaches.
merge_one() {
	"build/fuzz_$1" $options -merge=1 -use_counters=0 "committed/fuzz_$1" "corpus/$1" \
		>"$1.merge" 2>&1 || { tail -n 5 "$1.merge"; return 1; }
	sh "$src/tests/fuzz/corpus.sh" pack "$1" "committed/fuzz_$1" || return 1
	echo "$1: $(ls "committed/fuzz_$1" | wc -l) inputs of $(du -sb "committed/fuzz_$1" | cut -f 1) bytes"
}

what=run_one passed=0 failed=0
[ -z "${MERGE:-}" ] || what=merge_one
for reader in $readers; do
	if $what "$reader"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
