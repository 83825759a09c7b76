#!/bin/sh
# sources.sh OUT: puts the sources of the libraries into OUT that the WebAssembly module needs, from Debian's source packages,
# because Debian has no builds of them for it: cJSON, SHA-256 of OpenSSL, libspng, zlib.
set -eu
mkdir -p "$1/apt/lists/partial" "$1/apt/parts" "$1/openssl/include/openssl"
cd "$1"

# apt-get with lists of its own, of the sources of the system's release.
if [ -f /etc/apt/sources.list.d/debian.sources ]; then
	sed -e '/^$/q' -e 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >apt/parts/source.sources
else
	sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >apt/parts/source.list
fi
get() {
	apt-get -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/../apt/parts" \
		-o "Dir::State::lists=$PWD/../apt/lists" -o APT::Sandbox::User=root "$@"
}
mkdir -p packed && cd packed
get update
get source --download-only cjson openssl libspng zlib
rm -f ./*.asc
cd ..

for package in cjson openssl libspng zlib; do
	mkdir -p "${package#lib}"
	tar -xf packed/"$package"_*.orig.tar.* -C "${package#lib}" --strip-components=1
done
# What OpenSSL's own configure would write; only SHA-256 is compiled, whose source asks nothing of the machine.
cp /usr/include/openssl/*.h openssl/include/openssl
cp -f /usr/include/"$(uname -m)"-linux-gnu/openssl/*.h openssl/include/openssl
sed -i 's/define OPENSSL_THREADS/define OPENSSL_NO_THREADS/' openssl/include/openssl/configuration.h
rm -rf packed apt
touch ready
