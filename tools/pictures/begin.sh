# begin.sh: what the other scripts here begin with.  Sets $here, their folder; $build, that of the program;
# and $scratch, a folder that is removed at their end.
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${BUILD:-$here/../../build}" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ddpm-pictures-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
