#!/bin/sh
# screenshot.sh [FOLDER]: the page of ddpm bench as a browser shows it, in light and in dark, drawn by a headless Chromium; the
# pictures light.png and dark.png stay in FOLDER.  The first pixel of each is the ground that the page asks for.
set -eu
build=$(cd "${BUILD:-build}" && pwd)
folder=${1:-$(mktemp -d)}
echo report.screenshot
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
	{ printf '  skipped: there is no Chromium\n0 passed, 0 failed, 1 skipped\n'; exit 0; }
mkdir -p "$folder" && folder=$(cd "$folder" && pwd)
"$build/ddpm" bench --steps 2,4,8 -n 4 --spread 1e6 -q --force --report "$folder" >/dev/null
shoot() {
	rm -f "$folder/$1.png"
	timeout 120 "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --blink-settings="preferredColorScheme=$2" \
		--window-size=1200,2400 --screenshot="$folder/$1.png" "file://$folder/report.html" >"$folder/$1.log" 2>&1
	python3 - "$folder/$1.png" "$3" <<-'END'
		import struct, sys, zlib
		data, at, pixels = open(sys.argv[1], "rb").read(), 8, b""
		while at < len(data):
		    size, kind = struct.unpack(">I4s", data[at:at + 8])
		    pixels += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
		    at += size + 12
		rows = zlib.decompress(pixels)
		found = "%d %d %d" % tuple(rows[1:4])        # before the first pixel every filter predicts 0
		if found != sys.argv[2]:
		    sys.exit("  FAILED: the ground of %s is %s, expected %s" % (sys.argv[1], found, sys.argv[2]))
	END
	rm "$folder/$1.log"
}
shoot light 1 '255 255 255'
shoot dark 0 '21 23 26'
cmp -s "$folder/light.png" "$folder/dark.png" && { echo '  FAILED: light and dark are the same'; exit 1; }
echo "  $folder/light.png and dark.png"
echo '1 passed, 0 failed, 0 skipped'
