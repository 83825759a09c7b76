# make install leaves a library that others can build against, and make uninstall leaves nothing.

# in_build GOAL...: make of this build, whatever make runs the tests.
in_build() {
	( unset MAKEFLAGS MFLAGS MAKELEVEL; make -s -C "$(dirname "$program")/.." "$@" >make.log 2>&1 ) || fail "make $*: $(tail -n 3 make.log)"
}
setting() { sed -n "s/^$1 = //p" "$(dirname "$program")/../config.mak"; }

# Installs into ./root; after that `package WORDS` is pkg-config against it, `link_static` and `link_shared
# FILE.c... -o NAME` build.
installed() {
	command -v pkg-config >/dev/null || skip 'there is no pkg-config'
	root=$PWD/root
	in_build install DESTDIR="$root" prefix=/opt/ddpm
	package() { PKG_CONFIG_LIBDIR=$root/opt/ddpm/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root pkg-config "$@" ddpm; }
	sanitize=$(setting LDFLAGS | tr ' ' '\n' | grep '^-fsanitize' | tr '\n' ' ')
	cc="$(setting CC) $(setting CPPFLAGS) -std=c11 -Wall -Wextra -Werror $sanitize" cxx="g++ -Wall -Wextra -Werror $sanitize"
	beside=$(setting LDFLAGS | tr ' ' '\n' | grep -e '^-L' -e '^-Wl,-rpath' | tr '\n' ' ')
	link_shared() { "$@" $(package --cflags --libs) $beside -lm; }
	link_static() { "$@" $(package --cflags) "$root/opt/ddpm/lib/libddpm.a" $(package --static --libs-only-l | sed 's/-lddpm//') -fopenmp $beside; }
	export LD_LIBRARY_PATH="$root/opt/ddpm/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}
# The example at the head of ddpm.h.
header_example() {
	sed -n '/^   Example\./,/^\*\//p' "$top/include/ddpm.h" | sed '1,2d; /^\*\//d; s/^       //' >image.c
	[ "$(wc -l <image.c)" -gt 20 ] && [ "$(wc -l <image.c)" -lt 40 ] || fail "the example has $(wc -l <image.c) lines"
}

test_install() {
	installed
	version=$(package --modversion)
	grep -q "define DDPM_VERSION \"$version\"" "$top/include/ddpm.h" || fail "pkg-config says version $version"
	"$root/opt/ddpm/bin/ddpm" --version | grep -qx "ddpm $version" || [ -n "${RUN:-}" ] || fail 'the installed program'
	# The library's image is the program's: bytes of the PGM against the float32 of the array, as ddpm.h says they are made.
	header_example
	expect 0 ddpm sample -n 1 --steps 50 --seed 7 -o a.npy
	{ printf 'P5 32 32 255\n'; tail -c 4096 a.npy | od -An -v -tf4 -w4 | awk '{ v = $1 < -1 ? -1 : $1 > 1 ? 1 : $1; v = 127.5 * (1 + v); i = int(v)
		if (v - i > 0.5 || (v - i == 0.5 && i % 2)) i++; printf "%d\n", i }'; } >expected
	for way in shared static; do
		link_$way $cc image.c -o image-$way 2>log || fail "$way: $(cat log)"
		${RUN:-} ./image-$way "$top/tools/default.ddpm" >image.pgm || fail "$way: the example failed"
		{ head -n 1 image.pgm; tail -c 1024 image.pgm | od -An -v -tu1 -w1 | tr -d ' '; } >found
		same found expected "$way"
	done
	! ${RUN:-} ./image-shared nothing >out 2>err && says nothing || fail 'a model that is not there'
	if [ -e "$root/opt/ddpm/lib/libddpm.so" ] && command -v ldd >/dev/null; then
		ldd image-shared | grep -q 'libddpm\.so\.0 ' || fail "the soname: $(ldd image-shared)"
	fi
	for guide in "$top"/tools/manual/*.md; do
		name=$(basename "$guide" .md)
		cmp -s "$guide" "$root/opt/ddpm/share/doc/ddpm/$name.md" || fail "$name.md is not installed"
		[ -s "$root/opt/ddpm/share/man/man7/ddpm-$name.7" ] || ! command -v lowdown >/dev/null ||
			fail "ddpm-$name(7) is not installed"
	done
	in_build uninstall DESTDIR="$root" prefix=/opt/ddpm
	[ -z "$(find "$root" ! -type d)" ] || fail "left behind: $(find "$root" ! -type d)"
}

test_header_as_cxx() {
	command -v g++ >/dev/null || skip 'there is no g++'
	case $(setting CC) in *-gcc*|clang*) skip 'the C++ compiler is of another kind' ;; esac
	installed
	header_example
	cp image.c image.cc
	link_shared $cxx image.cc -o image 2>log || fail "$(cat log)"
	./image "$top/tools/default.ddpm" >image.pgm || fail 'the example failed'
	[ "$(wc -c <image.pgm)" -eq $((13 + 1024)) ] || fail "$(wc -c <image.pgm) bytes"
}

# The functions that the shared library shows, against those of the header and the list of those that programs
# may have been built with.
test_symbols() {
	lib=$(dirname "$program")/libddpm.so.0
	[ -f "$lib" ] || skip 'this build has no shared library'
	nm -D --defined-only "$lib" | awk '$2 ~ /^[TDBRVW]$/ { sub(/@.*/, "", $3); print $3 }' | sort >found
	LC_ALL=C sort "$top/tests/symbols.txt" >expected
	LC_ALL=C sort -o found found
	same found expected "$(diff found expected | tr '\n' ' ')"
	for name in $(cat found); do
		grep -q "DDPM_API.*[ *]$name(" "$top"/include/*.h || fail "$name is not in ddpm.h"
	done
	[ "$(cat "$top"/include/*.h | grep -c DDPM_API)" -eq $(($(wc -l <found) + 2)) ] || fail 'ddpm.h promises what the library does not have'
}

# Program and library name the libraries that they use, and no others.
test_links() {
	[ -z "${RUN:-}" ] && ldd -u "$program" >unused 2>&1 || grep -q '^Unused' unused || skip 'ldd cannot tell what is not used'
	for file in "$program" "$(dirname "$program")/libddpm.so.0"; do
		[ -e "$file" ] || continue
		ldd -u "$file" >unused 2>&1
		for library in $(setting LDLIBS) $(setting TOOL_LIBS); do
			! grep "/lib${library#-l}[.-]" unused >found || fail "$(basename "$file") is linked with $(cat found)"
		done
	done
}

# Eps is exact there, so x_T ~ N(0, 1) is scaled to the data: the mean of 6400 numbers is off by less than 5
# of its deviations, 0.2/80 each.
test_examples() {
	installed
	link_shared $cc -Wshadow "$top/tools/examples/own_eps.c" -o own_eps 2>log || fail "$(cat log)"
	expect 0 ${RUN:-} ./own_eps 200
	awk '{ exit !($2 > 0.2875 && $2 < 0.3125 && $6 > 0.19 && $6 < 0.21) }' out || fail "$(cat out)"
	link_shared $cc -Wshadow "$top/tools/examples/latent.c" -o latent 2>log || fail "$(cat log)"
	# A latent is 1024 numbers of about N(0, 1): 5/sqrt(1024) for the mean.  The way back misses by some levels of gray; another image is 0.5 off.
	expect 0 ${RUN:-} ./latent "$top/tools/default.ddpm" 40
	tr -d ',;' <out | awk '{ exit !($3 > -0.16 && $3 < 0.16 && $5 > 0.8 && $5 < 1.25 && $NF < 0.05) }' || fail "$(cat out)"
	expect 64 ${RUN:-} ./latent
}

test_machines_refused() {
	mkdir small big
	( cd small && "$top/configure" CPPFLAGS='-U__SIZEOF_POINTER__ -D__SIZEOF_POINTER__=4' ) >out 2>err && fail 'a 32-bit machine was taken'
	says 'not 64-bit'; [ ! -e small/config.mak ] || fail 'config.mak was written'
	( cd big && "$top/configure" CPPFLAGS='-U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__' ) >out 2>err && fail 'a big-endian machine was taken'
	says 'not little-endian'; [ ! -e big/config.mak ] || fail 'config.mak was written'
}

test_dist() {
	[ -e "$top/.git" ] && git -C "$top" rev-parse HEAD >/dev/null 2>&1 || skip 'this is no git checkout'
	in_build dist
	tar -tzf "$(dirname "$program")/$(basename "$(ls "$(dirname "$program")"/ddpm-*.tar.gz)")" | grep -v '/$' | sed 's|^ddpm-[0-9.]*/||' | LC_ALL=C sort >found
	git -C "$top" ls-tree -r --name-only HEAD | LC_ALL=C sort >expected
	same found expected
}
