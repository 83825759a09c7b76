#!/bin/sh
# dependencies.sh ROOT: cross-builds the libraries that ddpm needs for Windows, as static libraries in ROOT/lib with their headers in
# ROOT/include.  The sources are Debian's, fetched by name with apt-get.  Everything is made beside ROOT first, so that ROOT is complete
# when it is there; then nothing is left to do.
#
# Of large packages, only what the program uses is compiled: SHA-256 and base64 of OpenSSL, three functions of LAPACK and BLAS.
set -eu
mkdir -p "$(dirname "$1")"
root=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
unset MAKEFLAGS
[ ! -d "$root" ] || exit 0
rm -rf "$root.part"
mkdir -p "$root.part/sources" "$root.part/root/include" "$root.part/root/lib"
work=$(cd "$root.part" && pwd)
into=$work/root
host=x86_64-w64-mingw32
cc="$host-gcc -O2 -DNDEBUG"
jobs=$(getconf _NPROCESSORS_ONLN)

# The same archives as the system's, but their sources; lists of our own, so that the system's stay as they are.
# Where an archive has an index but not the files yet, the release without updates has them.
cd "$work/sources"
mkdir -p lists
apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | sort -u >all.list
grep -v security all.list >release.list
for list in all release; do
	apt="apt-get -q -o Dir::Etc::sourcelist=$PWD/$list.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$PWD/lists -o APT::Sandbox::User=root"
	if $apt update && $apt source zlib cjson libyaml libspng libwebp libjpeg-turbo libzip openssl lapack; then break; fi
	[ $list = all ] || exit 1
done

# library NAME FLAGS SOURCE...: compiles the sources, several at a time, into libNAME.a.
library() {
	name=$1 flags=$2
	shift 2
	mkdir -p "$work/objects/$name"
	printf '%s\n' "$@" | xargs -P "$jobs" -I{} sh -c \
		"$cc $flags -c -o $work/objects/$name/\$(basename {}).o {}"
	$host-ar rcs "$into/lib/lib$name.a" "$work/objects/$name"/*.o
}
# with_cmake FOLDER TARGET OPTION...: the static library that is TARGET of a project of CMake.
with_cmake() {
	folder=$1 target=$2
	shift 2
	cmake -S $folder -B "$work/objects/$folder" -DCMAKE_SYSTEM_NAME=Windows -DCMAKE_SYSTEM_PROCESSOR=AMD64 \
		-DCMAKE_C_COMPILER=$host-gcc -DCMAKE_RC_COMPILER=$host-windres -DCMAKE_BUILD_TYPE=Release -DCMAKE_POLICY_VERSION_MINIMUM=3.5 \
		-DCMAKE_PREFIX_PATH="$into" -DCMAKE_FIND_ROOT_PATH="$into" -DCMAKE_INSTALL_PREFIX="$into" \
		-DBUILD_SHARED_LIBS=OFF -DENABLE_SHARED=OFF "$@"
	cmake --build "$work/objects/$folder" -j "$jobs" --target "$target"
	find "$work/objects/$folder" -name '*.a' -exec cp {} "$into/lib" \;
}

cp zlib-*/zlib.h zlib-*/zconf.h "$into/include"
library z '' zlib-*/*.c

mkdir "$into/include/cjson"
cp cjson-*/cJSON.h "$into/include/cjson"
library cjson -DCJSON_HIDE_SYMBOLS cjson-*/cJSON.c

cp libyaml-*/include/yaml.h "$into/include"
# Its version is asked for by nobody.
library yaml "-I$into/include -DYAML_DECLARE_STATIC -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=0 -DYAML_VERSION_PATCH=0 -DYAML_VERSION_STRING=0" \
	libyaml-*/src/*.c

cp libspng-*/spng/spng.h "$into/include"
library spng "-DSPNG_STATIC -I$into/include" libspng-*/spng/spng.c

mkdir "$into/include/webp"
cp libwebp-*/src/webp/*.h "$into/include/webp"
library webp "-I$PWD/$(echo libwebp-*[0-9]) -msse4.1" libwebp-*/src/dec/*.c libwebp-*/src/enc/*.c libwebp-*/src/dsp/*.c libwebp-*/src/utils/*.c \
	libwebp-*/sharpyuv/*.c
library webpdemux "-I$PWD/$(echo libwebp-*[0-9])" libwebp-*/src/demux/*.c
library webpmux "-I$PWD/$(echo libwebp-*[0-9])" libwebp-*/src/mux/*.c

with_cmake libjpeg-turbo-* jpeg-static -DWITH_TURBOJPEG=OFF
cp libjpeg-*/jpeglib.h libjpeg-*/jmorecfg.h libjpeg-*/jerror.h "$work"/objects/libjpeg-*/jconfig.h "$into/include"
with_cmake libzip-* zip -DENABLE_BZIP2=OFF -DENABLE_LZMA=OFF -DENABLE_ZSTD=OFF -DENABLE_OPENSSL=OFF \
	-DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF -DENABLE_COMMONCRYPTO=OFF -DENABLE_WINDOWS_CRYPTO=OFF -DBUILD_TOOLS=OFF \
	-DBUILD_REGRESS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF
cp libzip-*/lib/zip.h "$work"/objects/libzip-*/zipconf.h "$into/include"

cd openssl-*
./Configure mingw64 --cross-compile-prefix=$host- no-shared no-tests no-threads
make -j "$jobs" build_generated
parts='crypto/sha/libcrypto-lib-sha256.obj crypto/sha/libcrypto-lib-sha256-x86_64.obj
	crypto/libcrypto-lib-x86_64cpuid.obj crypto/libcrypto-lib-cpuid.obj crypto/libcrypto-lib-ctype.obj crypto/evp/libcrypto-lib-encode.obj'
make $parts
cp -R include/openssl "$into/include"
$cc -I"$into/include" -c -o random.obj "$here/libcrypto.c"
$host-ar rcs "$into/lib/libcrypto.a" $parts random.obj
cd ..

# LAPACKE_dsyevd, cblas_dsyrk, cblas_dgemm, and what they call.
lapack='disnan dlacpy dlae2 dlaed0 dlaed1 dlaed2 dlaed3 dlaed4 dlaed5 dlaed6 dlaed7 dlaed8 dlaed9 dlaeda dlaev2 dlaisnan dlamrg
	dlanst dlansy dlapy2 dlarf dlarfb dlarfg dlarft dlascl dlaset dlasr dlasrt dlatrd dorm2l dorm2r dormql dormqr dormtr dstedc
	dsteqr dsterf dsyevd dsytd2 dsytrd ieeeck iladlc iladlr ilaenv iparmq'
blas='daxpy dcopy ddot dgemm dgemv dger drot dscal dswap dsymv dsyr2 dsyr2k dsyrk dtrmm dtrmv idamax lsame xerbla'
cd lapack-*
cp LAPACKE/include/*.h CBLAS/include/cblas.h "$into/include"
cp LAPACKE/include/lapacke_mangling_with_flags.h.in "$into/include/lapacke_mangling.h"
cp CBLAS/include/cblas_mangling_with_flags.h.in "$into/include/cblas_mangling.h"
library lapacke "-DADD_ -I$into/include" LAPACKE/src/lapacke_dsyevd.c LAPACKE/src/lapacke_dsyevd_work.c LAPACKE/utils/lapacke_dge_trans.c \
	LAPACKE/utils/lapacke_dsy_nancheck.c LAPACKE/utils/lapacke_dsy_trans.c LAPACKE/utils/lapacke_dtr_nancheck.c \
	LAPACKE/utils/lapacke_dtr_trans.c LAPACKE/utils/lapacke_lsame.c LAPACKE/src/lapacke_nancheck.c LAPACKE/utils/lapacke_xerbla.c
cc="$host-gfortran -O2 -frecursive -J$work/objects"
# The modules come first.
for module in la_constants.f90 la_xisnan.F90; do $cc -c -o "$work/objects/$module.o" SRC/$module; done
library lapack '' $(printf 'SRC/%s.f\n' $lapack) SRC/dlartg.f90 SRC/dlassq.f90 INSTALL/dlamch.f
$host-ar rs "$into/lib/liblapack.a" "$work"/objects/la_*.o
library blas "-DADD_ -I$into/include -ICBLAS/include" $(printf 'BLAS/SRC/%s.f\n' $blas) BLAS/SRC/dnrm2.f90 \
	CBLAS/src/cblas_dgemm.c CBLAS/src/cblas_dsyrk.c CBLAS/src/cblas_globals.c CBLAS/src/cblas_xerbla.c
cd ..

# Headers alone, of the same package as on Linux.
cp -R /usr/include/stb "$into/include"
mkdir "$into/licences"
for package in zlib cjson libyaml libspng libwebp libjpeg-turbo libzip openssl lapack; do
	cp $package-*/debian/copyright "$into/licences/$package"
done
mv "$into" "$root"
rm -rf "$work"
