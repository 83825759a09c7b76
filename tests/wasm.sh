#!/bin/sh
# wasm.sh: the tests of the WebAssembly build: those of the library that need neither processes nor threads, and those of the
# page's engine. BUILD is where the native program is; BUILD/wasm has the rest. TESTS_LOG is as in run.sh.
set -u
src=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${BUILD:-build}" && pwd)
log=${TESTS_LOG:-$build/wasm/check.log}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

{
	node --no-warnings --experimental-wasi-unstable-preview1 --no-turbo-fast-api-calls "$src/tests/wasi.mjs" "$build/wasm/build/ddpm-check.wasm"
	node "$src/tests/engine.mjs" "$build/wasm/ddpm.mjs" "$build/ddpm" "$src/tools/default.ddpm" "$folder"
} 2>&1 | tee "$log"

totals=$(awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p += $1; f += $3; s += $5; n++ }
	END { print p + 0, f + 0, s + 0, n + 0 }' "$log")
set -- $totals
[ "$4" -eq 2 ] || echo "a part of the tests died: $4 of 2 reported"
echo "$1 passed, $2 failed, $3 skipped"
[ "$2" -eq 0 ] && [ "$4" -eq 2 ]
