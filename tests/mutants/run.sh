#!/bin/sh
# run.sh [WORD...]: tests of the tests.  Puts each bug of the table beside this (those whose line holds a word) into a copy of the source,
# builds what it touches, and runs the tests named there: one must fail.  A bug that no test finds, or whose sed expression changes
# nothing any more, is a failure.  BUILD is a build in the source's own folder; RUN goes before a program.
set -u
src=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${BUILD:-build}" && pwd)
tree=$build/mutants
MAKE=${MAKE:-make}
export MAKEFLAGS=
[ "$build" = "$src/build" ] || { echo "$build: bugs are put into a build in the folder of the source"; exit 1; }

# The objects of the build come along, with their times, so that only what a bug touches is compiled.
rm -rf "$tree"
mkdir -p "$tree/build"
cp -Rp "$src/Makefile" "$src/configure" "$src/config.mak" "$src/config.h" "$src/src" "$src/include" "$src/tools" "$src/tests" "$tree"
cp -Rp "$build/src" "$build/tools" "$build/tests" "$build/libddpm.a" "$build/ddpm" "$build/ddpm-check" "$tree/build" || exit 1
export DDPM_SOURCE=$src
cd "$tree" || exit 1

build_all() { $MAKE -j2 build/ddpm-check build/ddpm >make.log 2>&1; }

# killed TESTS: one of them fails, or dies.
killed() {
	for name in $(echo "$1" | tr ',' ' '); do
		case $name in
		cli:*) timeout 300 sh "$src/tests/cli/run.sh" build/ddpm "${name#cli:}" >test.log 2>&1 || return 0 ;;
		*)     timeout 300 ${RUN:-} build/ddpm-check -t "$name" >test.log 2>&1 || return 0 ;;
		esac
		grep -q '^0 passed' test.log && { echo "  no test is called $name, or all are skipped"; return 1; }
	done
	echo "  no test fails of $1"
	return 1
}

# try FILE TESTS EXPRESSION
try() {
	sed "$3" "$1" >mutant
	! cmp -s mutant "$1" || { echo "  the expression changes nothing: $3"; return 1; }
	touch since
	cat mutant >"$1"
	build_all && killed "$2"
	result=$?
	[ $result -eq 0 ] || grep -m 3 'error:' make.log
	cp -p "$src/$1" "$1"
	find build -newer since -type f | while read -r made; do cp -p "$src/$made" "$made"; done
	return $result
}

wanted() {
	[ $# -gt 0 ] || return 0
	for word; do case $title$file in *"$word"*) return 0 ;; esac; done
	return 1
}

build_all || { cat make.log; exit 1; }
passed=0 failed=0 title= names=
while read -r file tests expression; do
	case $file in
	''|'#') continue ;;
	-) title="$tests $expression"; continue ;;
	esac
	wanted "$@" || continue
	echo "mutant: $title"
	if try "$file" "$tests" "$expression"; then
		passed=$((passed + 1))
	else
		echo "  FAILED: $file"
		failed=$((failed + 1))
		names="${names}failed: $file: $title
"
	fi
done <"$src/tests/mutants/table"
printf %s "$names"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
