# png.sh: pictures out of the shell's own tools, for tests that source it.

# png_number N: four bytes, the high one first.
png_number() {
	printf "$(printf '\\%03o' $(($1 >> 24)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"
}

# png_part NAME FILE: a chunk of a PNG; gzip knows the CRC-32 of NAME and what FILE holds.
png_part() {
	png_number $(($(wc -c <"$2")))
	{ printf %s "$1"; cat "$2"; } >"$2.crc"
	cat "$2.crc"
	printf "$(gzip -nc "$2.crc" | tail -c 8 | od -An -to1 -N4 | awk '{ print "\\" $4 "\\" $3 "\\" $2 "\\" $1 }')"
}

# png FILE WIDTH HEIGHT [CHANNELS] <BYTES: a PNG of 1 or 3 channels.
png() {
	printf "$(od -An -v -to1 -w$(($2 * ${4:-1})) | sed 's/ /\\/g; s/^/\\000/' | tr -d '\n')" >"$1.raw"
	{ png_number "$2"; png_number "$3"; printf '\010'"\\00$((${4:-1} - 1))"'\000\000\000'; } >"$1.head"
	{
		printf '\170\001'
		gzip -nc "$1.raw" | tail -c +11 | head -c -8
		printf "$(od -An -v -tu1 -w1 "$1.raw" | awk 'BEGIN { a = 1 } { a = (a + $1) % 65521; b = (b + a) % 65521 }
			END { printf "\\%03o\\%03o\\%03o\\%03o", int(b / 256), b % 256, int(a / 256), a % 256 }')"
	} >"$1.pixels"
	: >"$1.end"
	{
		printf '\211PNG\r\n\032\n'
		png_part IHDR "$1.head"; png_part IDAT "$1.pixels"; png_part IEND "$1.end"
	} >"$1"
	rm "$1".*
}
