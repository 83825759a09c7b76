#!/bin/sh
# screenshot.sh [FOLDER]: what a headless Chromium makes of what ddpm writes.
# The page of ddpm bench in light and in dark: the pictures light.png and dark.png stay in FOLDER, and the first pixel of each is
# the ground that the page asks for.  A film: Chromium decodes the same pixels, durations and repetitions as were asked for.
set -eu
build=$(cd "${BUILD:-build}" && pwd)
folder=${1:-$(mktemp -d)}
echo report.screenshot
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
	{ printf '  skipped: there is no Chromium\n0 passed, 0 failed, 1 skipped\n'; exit 0; }
run_chromium() { timeout 120 "$chromium" --headless --no-sandbox --disable-gpu "$@"; }
mkdir -p "$folder" && folder=$(cd "$folder" && pwd)
"$build/ddpm" bench --steps 2,4,8 -n 4 --spread 1e6 -q --force --report "$folder" >/dev/null
shoot() {
	rm -f "$folder/$1.png"
	run_chromium --hide-scrollbars --blink-settings="preferredColorScheme=$2" \
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

echo film.in_a_browser
set -- --between 3,7 --frames 3 --steps 3 -q --force
"$build/ddpm" sample "$@" --scale 1 --fps 7 --loop 3 -o "$folder/film.webp"
"$build/ddpm" sample "$@" -o "$folder/film.npy"
python3 - "$folder" <<'END'
import base64, struct, sys
folder = sys.argv[1]
film = base64.b64encode(open(folder + "/film.webp", "rb").read()).decode()
values = struct.unpack("<3072f", open(folder + "/film.npy", "rb").read()[-4 * 3072:])
levels = [min(max(round(127.5 * (v + 1)), 0), 255) for v in values]          # half to even
sums = [sum((k % 1024 + 1) * v for k, v in enumerate(levels) if k // 1024 == f) for f in range(3)]
open(folder + "/expected", "w").write("3 frames, 2 repetitions, " + " ".join("32x32 143 %d" % s for s in sums))
open(folder + "/film.html", "w").write("""<body><script>(async () => {
    const data = Uint8Array.from(atob("%s"), c => c.charCodeAt(0));
    const decoder = new ImageDecoder({ data, type: "image/webp" });
    await decoder.tracks.ready;
    await decoder.completed;
    const track = decoder.tracks.selectedTrack, found = [];
    for (let k = 0; k < track.frameCount; k++) {
        const frame = (await decoder.decode({ frameIndex: k })).image, w = frame.displayWidth, h = frame.displayHeight;
        const canvas = new OffscreenCanvas(w, h).getContext("2d");
        canvas.drawImage(frame, 0, 0);
        const pixel = canvas.getImageData(0, 0, w, h).data;
        let sum = 0;
        for (let i = 0; i < w * h; i++)
            sum += (i + 1) * (pixel[4 * i] === pixel[4 * i + 1] && pixel[4 * i + 1] === pixel[4 * i + 2] ? pixel[4 * i] : NaN);
        found.push(w + "x" + h + " " + Math.round(frame.duration / 1000) + " " + sum);
    }
    document.body.textContent = track.frameCount + " frames, " + track.repetitionCount + " repetitions, " + found.join(" ");
})().catch(e => { document.body.textContent = e; });</script></body>""" % film)
END
# The page is shown after its virtual time, whether the decoder has answered or not: an empty page is asked for again.
for _ in 1 2 3 4 5 6 7 8; do
	run_chromium --virtual-time-budget=20000 --dump-dom "file://$folder/film.html" 2>/dev/null |
		sed -n 's/.*<body>\([^<]*\)<\/body>.*/\1/p' | tr -d '\n' >"$folder/found"
	[ ! -s "$folder/found" ] || break
done
cmp -s "$folder/expected" "$folder/found" || { echo "  FAILED: $(cat "$folder/found"), expected $(cat "$folder/expected")"; exit 1; }
rm "$folder/expected" "$folder/found" "$folder/film.html" "$folder/film.webp" "$folder/film.npy"
echo '2 passed, 0 failed, 0 skipped'
