#!/bin/sh
# bounds.sh [WORD...]: takes each bound of the table beside this (those whose line holds a word) out of a copy of the source, and lets libFuzzer
# find out, beginning with the committed corpus.  A bound that is not missed within 5 minutes, or whose expression changes nothing any more, is a
# failure; SECONDS_EACH is another time than these 300.  After `make fuzz`, whose objects it takes.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd)
work=$(cd "${BUILD:-build}/fuzz" && pwd) || exit 1
tree=$work/bounds
MAKE=${MAKE:-make}
export MAKEFLAGS= ASAN_OPTIONS=allocator_may_return_null=1

# The objects come along, with their times, so that only what is changed is compiled.
rm -rf "$tree"
mkdir -p "$tree/out"
cp -Rp "$src/Makefile" "$src/configure" "$src/src" "$src/include" "$src/tools" "$src/tests" "$tree"
cp -Rp "$work/build" "$work/config.h" "$tree/out"
sed 's|^srcdir = .*|srcdir = ..|' "$work/config.mak" >"$tree/out/config.mak" && touch -r "$work/config.mak" "$tree/out/config.mak"
cd "$tree/out" || exit 1
ln -s ../Makefile Makefile
sh "$src/tests/fuzz/corpus.sh" unpack committed || exit 1

# try READER FILE EXPRESSION
try() {
	sed "$3" "../$2" >mutant
	! cmp -s mutant "../$2" || { echo "  the expression changes nothing: $3"; return 1; }
	cat mutant >"../$2"
	$MAKE -s LIBFUZZER=1 "build/fuzz_$1" >make.log 2>&1 || { grep -m 3 'error:' make.log; return 1; }
	mkdir -p new
	begun=$(date +%s)
	if nice -n 19 "build/fuzz_$1" -max_total_time="${SECONDS_EACH:-300}" -timeout=60 -malloc_limit_mb=4096 \
		-artifact_prefix=found- new "committed/fuzz_$1" >log 2>&1
	then echo "  nobody misses it"; result=1
	else echo "  missed after $(($(date +%s) - begun)) s: $(grep -m 1 -oE '(ERROR: [A-Za-z]*: [a-z-]*|runtime error: .*)' log | cut -c 1-100)"; result=0
	fi
	rm -rf new
	cat "$src/$2" >"../$2"
	return $result
}

wanted() {
	[ $# -gt 0 ] || return 0
	for word; do case $title$reader in *"$word"*) return 0 ;; esac; done
	return 1
}

passed=0 failed=0 title=
while read -r reader file expression; do
	case $reader in
	''|'#') continue ;;
	-) title="$file $expression"; continue ;;
	esac
	wanted "$@" || continue
	echo "bound: $title"
	if try "$reader" "$file" "$expression"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "  FAILED: $file"; fi
done <"$src/tests/fuzz/bounds"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
