#!/bin/sh
# corpus.sh unpack FOLDER: puts the inputs of every reader, from the archives in corpus/, into
# FOLDER/fuzz_READER.
# corpus.sh pack READER FOLDER: makes the archive of that reader anew from the inputs in FOLDER.  The same
# inputs give the same bytes.
set -eu
archives=$(cd "$(dirname "$0")" && pwd)/corpus

case $1 in
unpack)
	mkdir -p "$2"
	for archive in "$archives"/*.tar.gz; do
		name=$(basename "$archive" .tar.gz)
		[ "$2/$name" -nt "$archive" ] && continue
		rm -rf "${2:?}/$name"
		mkdir "$2/$name"
		gzip -dc "$archive" | tar -xf - -C "$2/$name"
		touch "$2/$name"
	done ;;
pack)
	same_bytes='--mtime=@0 --owner=0 --group=0 --numeric-owner --mode=644'
	(cd "$3" && ls -A | LC_ALL=C sort | tar -cf - $same_bytes -T -) |
		gzip -9n >"$archives/fuzz_$2.tar.gz" ;;
*)
	echo "corpus.sh: unpack FOLDER or pack READER FOLDER" >&2
	exit 64 ;;
esac
