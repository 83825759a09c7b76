# The runners of the tests: what failed is named once more before the last line, where a cut log has it.

# a_test NAME COMMAND: the text of a test for another runner; written so, it is none of ours.
a_test() { printf 'test_%s() { %s; }\n' "$1" "$2"; }

test_failures_are_named_last() {
	mkdir -p copy/tests/cli copy/tests/fuzz copy/build
	cp "$here/run.sh" copy/tests/cli; cp "$top/tests/run.sh" "$top/tests/png.sh" copy/tests
	{ a_test good true; a_test bad "fail 'on purpose'"; a_test left_out "skip 'on purpose'"; } >copy/tests/cli/three.sh
	printf '#!/bin/sh\necho group.name\necho "  FAILED: 1 checks"\necho "failed: group.name"\necho "2 passed, 1 failed, 0 skipped"\nexit 1\n' >copy/build/ddpm-check
	cp copy/build/ddpm-check copy/build/ddpm; : >copy/tests/fuzz/corpus.sh
	printf '#!/bin/sh\nexit 70\n' >copy/build/fuzz_one
	chmod +x copy/build/*

	expect 1 sh copy/tests/cli/run.sh copy/build/ddpm
	tail -n 2 out >last; printf 'failed: cli.bad\n1 passed, 1 failed, 1 skipped\n' >expected; same last expected "$(cat out)"
	expect 0 sh copy/tests/cli/run.sh copy/build/ddpm test_good
	tail -n 1 out >last; echo '1 passed, 0 failed, 0 skipped' >expected; same last expected "$(cat out)"
	! grep -q '^failed: ' out || fail "nothing failed, but: $(cat out)"

	expect 1 env RUN= BUILD=copy/build TESTS= TESTS_LOG=log sh copy/tests/run.sh
	tail -n 5 out >last
	printf '%s\n' 'a part of the tests died: 2 of 3 reported' 'failed: group.name' 'failed: fuzz_one' 'failed: cli.bad' '3 passed, 2 failed, 1 skipped' >expected
	same last expected "$(cat out)"
	expect 1 env RUN= BUILD=copy/build TESTS=name TESTS_LOG=log sh copy/tests/run.sh
	tail -n 2 out >last; printf 'failed: group.name\n2 passed, 1 failed, 0 skipped\n' >expected; same last expected "$(cat out)"
}
