#!/bin/sh
# run.sh: every test of this build.  BUILD is where the programs are, RUN goes before each (an emulator).
# TESTS, if set, limits them to the tests of ddpm-check whose names hold one of its words.  TESTS_LOG, if set,
# is where they are written down.  JOBS of them run at a time, by default as many as there are processors.
# Each part ends with a line `N passed, N failed, N skipped`; the last line here adds them up.  The lines
# `failed: NAME` before it name every test that failed once more, so that the end of a cut log has them.
set -u
src=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${BUILD:-build}" && pwd)
RUN=${RUN:-}
export RUN
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
export JOBS
log=${TESTS_LOG:-$build/check.log}
: >"$log"
status=0

# Skips for want of the large reference files, which no clone has, are summed up in one line at the end.
want='large reference files, not in this repository'
part() {
	"$@" 2>&1 | tee -a "$log" | awk -v want="  skipped: $want" 'index($0, want) != 1 { print; fflush() }'
}
sum_up() {
	count=$(grep -c "^  skipped: $want" "$log")
	[ "$count" -eq 0 ] || echo "skipped: $count tests need $want"
	! grep '^failed: ' "$log" || status=1
}

only=
for word in ${TESTS:-}; do only="$only -t $word"; done
part $RUN "$build/ddpm-check" -j "$JOBS" $only
if [ -n "$only" ]; then
	sum_up
	tail -n 1 "$log"
	grep -q ' 0 failed' "$log" && [ "$status" -eq 0 ]
	exit
fi
# Every input of a corpus, and 12,000 random changes of them (bit flips and cuts, the same ones every time).
# Training's messages about damaged checkpoints, thousands of them, are left out.
fuzzers=$(cd "$build" && ls fuzz_* 2>/dev/null | grep -v '\.')
replay_all() {
	sh "$src/tests/fuzz/corpus.sh" unpack "$build/corpus"
	echo $fuzzers | xargs -P "$JOBS" -n 1 \
		sh -c '$RUN "$0/$1" -n 12000 "$0/corpus/$1" || echo "failed: $1"' "$build" 2>&1 |
		grep -v '^ddpm train: .* an older checkpoint is taken if there is one$'
}
[ -z "$fuzzers" ] || part replay_all
if [ -f "$src/tests/cli/run.sh" ]; then part sh "$src/tests/cli/run.sh" "$build/ddpm"; fi

totals=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log" |
	awk '{p+=$1; f+=$2; s+=$3; n++} END {printf "%d %d %d %d", p, f, s, n}')
set -- $totals
expected=$((1 + $(echo $fuzzers | wc -w) + $([ -f "$src/tests/cli/run.sh" ] && echo 1 || echo 0)))
[ "$4" -eq "$expected" ] || { echo "a part of the tests died: $4 of $expected reported"; status=1; }
sum_up
echo "$1 passed, $2 failed, $3 skipped"
[ "$2" -eq 0 ] && [ "$status" -eq 0 ]
