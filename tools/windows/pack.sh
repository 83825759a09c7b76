#!/bin/sh
# pack.sh BUILD OUT: packs the program, the library with what programs are linked with, its header and the guides of a Windows build
# in BUILD: OUT/ddpm-VERSION-windows-x86_64.zip.  Nothing else has to be installed beside them.
set -eu
src=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
version=$(sed -n 's/^.define DDPM_VERSION *"\(.*\)"/\1/p' "$src/include/ddpm.h")
name=ddpm-$version-windows-x86_64

rm -rf "$build/stage" "$out/$name.zip"
mkdir -p "$build/stage/$name/include" "$build/stage/$name/guides"
cd "$build/stage/$name"
cp "$build/ddpm.exe" "$build/libddpm.dll" "$build/libddpm.dll.a" "$src/LICENSE" "$src/README.md" .
cp "$src"/include/*.h include
cp "$src"/tools/manual/*.md guides
cp -R "$build/dependencies/licences" .
x86_64-w64-mingw32-strip ddpm.exe libddpm.dll

# Every library that they load is a part of Windows itself.
for file in ddpm.exe libddpm.dll; do
	for library in $(x86_64-w64-mingw32-objdump -p $file | sed -n 's/.*DLL Name: //p'); do
		case $library in
		KERNEL32.dll|msvcrt.dll|ADVAPI32.dll|USER32.dll|SHELL32.dll|bcrypt.dll|ntdll.dll|PSAPI.DLL|ole32.dll|VERSION.dll) ;;
		*) echo "pack.sh: $file needs $library, which may not be there" >&2; exit 1 ;;
		esac
	done
done
cd ..
python3 -m zipfile -c "$out/$name.zip" "$name/"
echo "$out/$name.zip"
