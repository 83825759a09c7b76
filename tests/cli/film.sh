# film.sh: states of images and ways between two of them as films.  Sourced by run.sh.

# Frame k of a film is picture k of the same run as files, to the bit, as libwebp's own tools decode it.
test_film_frames() {
	command -v webpmux >/dev/null && command -v dwebp >/dev/null || skip 'webpmux and dwebp are needed'
	set -- --between 3,7 --steps 3 --frames 4
	ddpm sample -q "$@" --fps 7 --loop 3 --scale 2 -o film.webp && ddpm sample -q "$@" --format npy -o frames.npy || fail sample
	webpmux -info film.webp >info
	for words in 'Canvas size: 64 x 64' 'Loop Count : 3' 'Number of frames: 4'; do grep -q "$words" info || fail "$words: $(cat info)"; done
	[ "$(awk '$1 ~ /^[1-4]:$/ { printf "%s ", $7 }' info)" = '143 143 143 142 ' ] || fail "durations: $(cat info)"
	frames_are frames.npy 0,1,2,3 64

	# A film of states: frame k shows state k of every image, in a grid of 2 x 2.
	set -- -n 4 --steps 3 --keep-steps 3
	ddpm sample -q "$@" --scale 1 --force -o film.webp && ddpm sample -q "$@" --format npy --force -o frames.npy || fail sample
	for k in 0 1 2; do frames_are frames.npy "$k,$((k + 3)),$((k + 6)),$((k + 9))" 64 $((k + 1)); done
}
# frames_are ARRAY LIST WIDTH [FRAME]: with FRAME, that frame of film.webp is a grid of the images of LIST, two in a
# row; without it, frame i is the i-th image of LIST at scale 2.
frames_are() {
	tail -c +129 "$1" | od -An -v -tf4 -w4 | awk -v list="$2" '
		{ v = 127.5 * ($1 + 1); n = int(v); if (v - n > 0.5 || v - n == 0.5 && n % 2) n++
		  value[NR - 1] = n < 0 ? 0 : n > 255 ? 255 : n }
		END { for (i = split(list, image, ","); i; i--) for (k = 0; k < 1024; k++) at[i, k] = value[1024 * image[i] + k]
		      for (f = 1; f <= 4; f++) {
		          for (y = 0; y < 64; y++) for (x = 0; x < 64; x++)
		              print at[f, 32 * int(y / 2) + int(x / 2)] >("scaled" f)
		      }
		      for (y = 0; y < 64; y++) for (x = 0; x < 64; x++)
		          print at[1 + int(x / 32) + 2 * int(y / 32), 32 * (y % 32) + x % 32] >"grid" }' || fail awk
	for f in ${4:-1 2 3 4}; do
		webpmux -get frame "$f" film.webp -o frame.webp 2>log && dwebp frame.webp -ppm -o frame.ppm 2>log || fail "frame $f: $(cat log)"
		tail -c $((3 * $3 * 64)) frame.ppm | od -An -v -tu1 -w3 | awk '$1 != $2 || $2 != $3 { exit 1 } { print $1 }' >found || fail 'not gray'
		if [ $# -eq 4 ]; then same found grid "frame $f"; else same found scaled$f "frame $f"; fi
	done
}

# What made it is in it, and verify makes it again; damage is seen.
test_film_verified() {
	ddpm sample -q -n 3 --steps 4 --keep-steps 4 -o a.webp && ddpm sample -q --between 1,2 --frames 3 --steps 4 -o b.webp || fail sample
	expect 0 ddpm verify a.webp b.webp; [ "$(grep -c 'are the same' out)" -eq 2 ] || fail "$(cat out)"
	expect 0 ddpm info a.webp; prints '512 x 512, 1 channel of 8 bits, 4 frames'; prints 'fps           12'; prints 'format        webp'
	expect 0 ddpm info --json b.webp; prints '"frames":3'
	sed 's/"seed":"0"/"seed":"1"/' <a.webp >c.webp; expect 1 ddpm verify c.webp; prints 'values differ'
	sed 's/"keep_steps":4/"keep_steps":3/' <a.webp >c.webp; expect 65 ddpm verify c.webp; says '4 frames, its settings give 3'
	sed 's/"format":"webp"/"format":"npy2"/' <a.webp >c.webp; expect 65 ddpm verify c.webp; says 'another program rewrote it'
	sed 's/"fps":12/"fps":99/' <a.webp >c.webp; expect 65 ddpm verify c.webp
	head -c 5000 a.webp >c.webp; expect 65 ddpm verify c.webp
	cp "$top/tests/golden/data/pictures/lossless.webp" c.webp; expect 65 ddpm verify c.webp; says 'holds no settings'
	ddpm sample -q -n 3 --steps 4 --keep-steps 4 --batch 2 --threads 1 -o again.webp || fail again
	same a.webp again.webp
}

test_film_refuses() {
	for words in 'webp still.webp' '--fps 5' '--loop 5' '--keep-steps 3 --between 1,2 -o a.webp' '--keep-steps 3 --format webp --outdir d' \
		'--keep-steps 3 --show -o a.webp' '--keep-steps 3 -o a.webp --fps 0' '--keep-steps 3 -o a.webp --fps 61' '--keep-steps 3 -o a.webp --loop -1' \
		'--keep-steps 3 -o a.gif' '--keep-steps 3 -o a.apng' '--keep-steps 3 --format webp -o a.png' '--keep-steps 3 -o a.webp --scale 512'; do
		expect 64 ddpm sample --steps 5 $words
		absent a.webp a.gif a.apng a.png d
	done
	expect 64 ddpm sample -o a.webp; says '--keep-steps K or the way of --between A,B: add one'
	expect 64 ddpm sample -o a.gif --keep-steps 3; says 'films as .webp'
	expect 64 ddpm sample --keep-steps 3 --steps 3 -o a.webp --scale 512 -n 1; says '16383 pixels a side'
	expect 64 ddpm sample --between 1,2 --frames 257 --steps 3 -o a.webp; says '257 frames of 512 x 512 pixels are more than ddpm verify reads'
	expect 64 ddpm sample --between 1,2 --frames 10000 --steps 3 -o a.webp --scale 3
	absent a.webp
}

# A film that is interrupted, be it while its frames are compressed, leaves nothing.
test_film_interrupted() {
	set -- -q -n 1 --keep-steps 6 --steps 6 -o a.webp
	crash_library
	expect 0 crash CRASH_TICKS=ticks -- sample "$@"
	rm a.webp
	for part in 1 5 10; do
		expect 75 crash CRASH_TICK=$(($(cat ticks) * part / 12)) -- sample "$@"; says 'interrupted, and nothing is written'
		absent a.webp
	done
}

# A full disk is one line, and nothing is left.
test_film_full_disk() {
	[ -w /dev/full ] || skip 'there is no /dev/full'
	expect 74 ddpm sample -q --keep-steps 3 --steps 3 -n 1 --format webp -o /dev/full
	( ulimit -f 4; expect 74 ddpm sample -q --keep-steps 6 --steps 6 -o a.webp ) || fail 'a limit on the size'
	[ -z "$(ls | grep -v -e '^out$' -e '^err$')" ] || fail "left: $(ls -a)"
}
