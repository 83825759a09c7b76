#!/bin/sh
# run.sh PROGRAM [TEST...]: the command line as users meet it.  Every function test_* of the other files here
# is a test, run in a folder of its own.  RUN goes before the program (an emulator).  JOBS tests run at once,
# by default as many as there are processors.  The last line is `N passed, N failed, N skipped`, and a line
# `failed: cli.NAME` before it stands for each test that failed.
#
# This file starts itself again for every test, with the folder of all tests in DDPM_CLI_SCRATCH.
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
top=$(cd "$here/../.." && pwd)
shared=$top/../shared

. "$here/../png.sh"

ddpm() { ${RUN:-} "$program" "$@"; }
fail() { echo "  FAILED: $*"; exit 1; }
skip() { echo "  skipped: $*"; exit 99; }
# reference PATH: skips the test where this large file or folder is missing; tests/run.sh sums that up.
reference() { [ -e "$1" ] || skip 'large reference files, not in this repository'; }

# expect CODE COMMAND...: runs it; what it printed is in the files out and err.  An error is one line.
expect() {
	wanted=$1; shift
	"$@" >out 2>err
	code=$?
	[ $code -eq "$wanted" ] || fail "$* exited with $code, expected $wanted: $(cat err)"
	[ "$wanted" -lt 64 ] || [ "$(wc -l <err)" -eq 1 ] || fail "$*: an error is one line, not: $(cat err)"
}
# says TEXT / prints TEXT: the text is in the last command's standard error / output.
says()   { grep -qF -e "$1" err || fail "standard error lacks \"$1\": $(cat err)"; }
prints() { grep -qF -e "$1" out || fail "standard output lacks \"$1\": $(cat out)"; }
same()   { cmp -s "$1" "$2" || fail "$1 and $2 differ${3:+: $3}"; }
absent() { for file; do [ ! -e "$file" ] || fail "$file was left behind"; done; }
# only NAME...: the folder holds nothing but these files and those that expect writes.
only() {
	for file in $(ls -A); do
		case " out err $* " in *" $file "*) ;; *) fail "$file was left behind" ;; esac
	done
}

# as_user COMMAND...: as somebody who may not do everything; ordinary_user makes ./ddpm.copy, which such a one
# can run, or fails.
as_user() {
	if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=54321 --regid=54321 --clear-groups "$@"; else "$@"; fi
}
ordinary_user() {
	cp "$program" ddpm.copy && chmod 755 . "$scratch" ddpm.copy && as_user ${RUN:-} ./ddpm.copy --version >/dev/null 2>&1
}

# crash.so of crash.c, which counts operations on files and steps.
crash_library() {
	[ -z "${RUN:-}" ] || skip 'the emulator cannot load a library before the program'
	${CC:-cc} -shared -fPIC -O1 -o crash.so "$here/crash.c" -ldl 2>cc.err || fail "crash.c: $(cat cc.err)"
	rm cc.err
	LD_PRELOAD=$PWD/crash.so ddpm --version >/dev/null 2>&1 || skip 'the sanitizer wants to be loaded first'
}
# crash VARIABLE=VALUE... -- ARGUMENTS: the program with crash.so, on one thread, as threads that wait ask for the
# time, and not equally often in every run; --default-signal=HUP first where the caller
# may be running under nohup.
crash() {
	set_to=
	while [ "$1" != -- ]; do set_to="$set_to $1"; shift; done
	shift
	env $set_to OMP_NUM_THREADS=1 LD_PRELOAD="$PWD/crash.so" "$program" "$@"
}

# one TEST: runs it and prints its name and what it has to say in one piece.  Both stay in TEST.passed,
# TEST.skipped or TEST.failed.
one() {
	mkdir "$scratch/$1"
	{
		echo "cli.${1#test_}"
		( cd "$scratch/$1" && $1 )
		case $? in
		0)  result=passed ;;
		99) result=skipped ;;
		*)  result=failed ;;
		esac
	} >"$scratch/$1.log" 2>&1
	mv "$scratch/$1.log" "$scratch/$1.$result"
	cat "$scratch/$1.$result"
	rm -rf "$scratch/$1"
}

# wanted TEST...: the tests of all files here, or those of them that are given.
wanted() {
	for file in "$here"/*.sh; do
		for name in $(sed -n 's/^\(test_[a-z_0-9]*\)().*/\1/p' "$file"); do
			case " $* " in "  "|*" $name "*) echo "$name" ;; esac
		done
	done
}

if [ -n "${DDPM_CLI_SCRATCH:-}" ]; then
	scratch=$DDPM_CLI_SCRATCH
	unset DDPM_CLI_SCRATCH
	for file in "$here"/*.sh; do
		[ "$file" = "$here/run.sh" ] || . "$file"
	done
	# Without a test that is wanted, xargs may start this once all the same.
	[ $# -eq 0 ] || one "$1"
	exit 0
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/ddpm-cli-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
wanted "$@" | DDPM_CLI_SCRATCH=$scratch xargs -P "$jobs" -n 1 sh "$here/run.sh" "$program"

count() { find "$scratch" -maxdepth 1 -name "*.$1" | wc -l | tr -d ' '; }
passed=$(count passed) skipped=$(count skipped) failed=0
# A test without a result was killed.
for name in $(wanted "$@"); do
	[ ! -e "$scratch/$name.passed" ] && [ ! -e "$scratch/$name.skipped" ] || continue
	echo "failed: cli.${name#test_}"
	failed=$((failed + 1))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
