#!/bin/sh
# wheel.sh ARCH OUT: builds the program and the library for ARCH, x86_64 or aarch64, and packs them with the Python package:
# OUT/ddpm-VERSION-py3-none-manylinux_2_34_ARCH.whl.  OUT/wheel/tools is a virtual environment with what packs.
set -eu
arch=$1
mkdir -p "$2/wheel/$arch"
out=$(cd "$2" && pwd)
src=$(cd "$(dirname "$0")/../.." && pwd)
build=$out/wheel/$arch
tools=$out/wheel/tools
: "${MAKE:=make}"
# The least that the symbols of Debian 12's libraries need.
GLIBC=2_34

case $arch in
"$(uname -m)") host= ;;
*) host="--host=$arch-linux-gnu RUN=qemu-$arch" ;;
esac

# oneDNN, which no rule chooses, would be four times the size of all else; libtiff brings five libraries.  LAPACK is linked statically, as a few of its
# functions are used; Debian has no static libraries of some of the others.
cd "$build"
"$src/configure" $host --without-dnnl --without-tiff LDFLAGS='-s -Wl,--gc-sections -Wl,--as-needed' >configure.out
"$MAKE" all manual TOOL_LIBS="$(sed -n 's/^TOOL_LIBS = //p' config.mak |
	sed 's/-llapacke -lblas/-Wl,-Bstatic -llapacke -llapack -ltmglib -lblas -Wl,-Bdynamic -l:libgfortran.so.5/')"

# What setup.py packs: the package, the licences of what is bundled, the man pages.
rm -rf stage raw && mkdir -p stage/licences
cp -R "$src/tools/python/ddpm" "$src/tools/python/README.md" "$src/tools/python/pyproject.toml" "$src/tools/python/setup.py" \
	"$src/LICENSE" build/man stage
cp build/ddpm build/libddpm.so.0 "$src/tools/default.ddpm" stage/ddpm
rm -rf stage/ddpm/__pycache__
for package in libyaml-0-2 libspng0 libjpeg62-turbo libwebp7 libzip4 libbz2-1.0 zlib1g libcjson1 libssl3 liblapacke \
	libgfortran5; do
	cp -L "/usr/share/doc/$package/copyright" "stage/licences/$package"
done
WHEEL=$arch SOURCE_DATE_EPOCH=$(git -C "$src" log -1 --format=%ct 2>/dev/null || echo 946684800) \
	"$tools/bin/pip" wheel -q --no-deps --no-build-isolation -w raw ./stage
rm -f "$out"/ddpm-*_"$arch".whl
# auditwheel takes the machine that it runs on for the wheel's.
PATH=$tools/bin:$PATH "$tools/bin/python" - repair --ldpaths "/usr/lib/$arch-linux-gnu" \
	--plat "manylinux_${GLIBC}_$arch" -w "$out" raw/*.whl <<-END
	import platform, sys
	from auditwheel.main import main
	platform.machine = lambda: "$arch"
	sys.exit(main())
	END
