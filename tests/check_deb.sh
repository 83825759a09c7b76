#!/bin/sh
# check_deb.sh FOLDER: the Debian packages of FOLDER, by lintian, and installed below a root of their own, run, and purged.
set -u
debs=$(cd "$1" && pwd)
root=$(mktemp -d "${TMPDIR:-/tmp}/ddpm-deb-XXXXXX")
trap 'rm -rf "$root"' EXIT
passed=0 failed=0

check() {
	echo "deb.$1"
	if "test_$1"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}
fail() { echo "  FAILED: $*"; return 1; }
in_root() { dpkg --root="$root" --log="$root/log" --force-not-root --force-depends --force-script-chrootless "$@" >"$root/out" 2>&1 || fail "dpkg $1: $(tail -n 3 "$root/out")"; }

test_lintian() {
	lintian --allow-root --fail-on error "$debs"/*.changes >"$root/out" 2>&1 || fail "$(grep '^E' "$root/out")"
}
# Every library that the packages ask for is one that this machine was asked to have.
test_depends() {
	for name in ddpm libddpm0; do
		depends=$(dpkg-deb -f "$debs/${name}_"*.deb Depends)
		case $depends in *libc6*) ;; *) fail "$name depends on: $depends"; return ;; esac
		for package in $(echo "$depends" | tr ',' '\n' | sed 's/^ *//; s/ .*//'); do
			dpkg-query -W "$package" >/dev/null 2>&1 || { fail "$name depends on $package"; return; }
		done
	done
}
test_install_run_purge() {
	mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" && : >"$root/var/lib/dpkg/status"
	in_root -i "$debs"/ddpm_*.deb "$debs"/libddpm0_*.deb "$debs"/libddpm-dev_*.deb || return
	( cd "$root" && usr/bin/ddpm sample -q -n 1 --steps 5 -o a.png && usr/bin/ddpm verify a.png >out ) || { fail 'the installed program'; return; }
	for file in usr/share/man/man1/ddpm-sample.1.gz usr/share/man/man3/libddpm.3.gz usr/include/ddpm.h \
		usr/share/man/man7/ddpm-sample.7.gz usr/share/bash-completion/completions/ddpm; do
		[ -s "$root/$file" ] || { fail "$file is missing"; return; }
	done
	in_root --purge ddpm libddpm-dev libddpm0 || return
	left=$(find "$root/usr" "$root/etc" ! -type d 2>/dev/null)
	[ -z "$left" ] || fail "left behind: $left"
}

check lintian
check depends
check install_run_purge
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
