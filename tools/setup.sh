#!/bin/sh
# setup.sh [PACKAGE]...: install what building ddpm needs, or these packages, through the system's package manager when it may be used
# without a question (root, or sudo without a password); otherwise print the one line to run and stop.
set -u
[ $# -gt 0 ] || set -- gcc libc6-dev libdnnl-dev libcjson-dev libssl-dev libstb-dev libspng-dev \
	libjpeg62-turbo-dev libwebp-dev libtiff-dev libyaml-dev libzip-dev zlib1g-dev libblas-dev liblapacke-dev

if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: no apt-get here; install oneDNN (optional), cJSON, OpenSSL, stb, libspng, libjpeg-turbo," \
		"libwebp, libtiff (optional), libyaml, libzip, zlib, CBLAS and LAPACKE with their headers, then: ./configure && make" >&2
	exit 1
fi
# A package of another architecture, for cross building, has the same name.
native=$(dpkg --print-architecture) missing=
for package; do
	dpkg-query -W -f '${db:Status-Status} ${Architecture}\n' "$package" 2>/dev/null | grep -qE "^installed (all|$native)\$" ||
		missing="$missing $package"
done
[ -n "$missing" ] || exit 0
line="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -eq 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null; then
	sudo='sudo -n'
else
	echo "setup: these packages are missing; run this, then the same make again:" >&2
	echo "sudo $line" >&2
	exit 1
fi
$sudo apt-get update >/dev/null && $sudo env DEBIAN_FRONTEND=noninteractive $line
