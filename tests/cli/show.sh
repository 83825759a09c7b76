# ddpm sample --show: the picture that was written, as it is seen on a terminal.

# The bytes of an array's pixels as numbers, a line each: 127.5 (x + 1), half to even.
bytes_of() {
	tail -c +129 "$1" | od -An -v -tf4 -w4 | awk '{ v = $1 < -1 ? -1 : $1 > 1 ? 1 : $1; v = 127.5 * (1 + v); i = int(v)
		if (v - i > 0.5 || (v - i == 0.5 && i % 2)) i++; print i }'
}
# on_terminal WORDS: ddpm sample of one image there; what was written to it is in seen.
on_terminal() {
	TERM=xterm script -qec "stty cols 80; '$program' sample -q -n 1 --steps 5 $1" typescript >seen </dev/null || fail "in a terminal: $(head -c 300 seen)"
}

test_show() {
	[ -z "${RUN:-}" ] && script -qec true typescript >/dev/null 2>&1 || skip 'there is no script(1) that gives a terminal'
	ddpm sample -q -n 1 --steps 5 -o a.npy
	bytes_of a.npy >bytes
	# Upper and lower pixel of each cell, row pair by row pair.
	awk '{ v[NR - 1] = $1 } END { for (y = 0; y < 32; y += 2) for (x = 0; x < 32; x++) print v[32 * y + x], v[32 * y + 32 + x] }' bytes >cells
	awk '{ printf "38;2;%d;%d;%dm 48;2;%d;%d;%dm\n", $1, $1, $1, $2, $2, $2 }' cells >expected
	NO_COLOR= COLORTERM=truecolor on_terminal '--show -o a.png'
	seen_colors() { tr '\033' '\n' <seen | sed -n 's/^\[\([34]8;[0-9;]*m\).*/\1/p' | paste -d ' ' - -; }
	seen_colors >found; same found expected
	[ "$(grep -o '▀' seen | wc -l)" -eq 512 ] && [ "$(grep -c '▀' seen)" -eq 16 ] || fail "$(grep -c '▀' seen) rows"
	# The nearest of xterm's grays: 16 is 0, 231 is 255, 232 to 255 are 8 + 10 k.
	awk 'function near(v,  k, best, d, least) { best = 16; least = v; d = 255 - v; if (d < least) { best = 231; least = d }
			for (k = 0; k < 24; k++) { d = v - 8 - 10 * k; d = d < 0 ? -d : d; if (d < least) { best = 232 + k; least = d } } return least }
		function level(i) { return i == 16 ? 0 : i == 231 ? 255 : 8 + 10 * (i - 232) }
		function miss(v, i,  d) { d = v - level(i); return (d < 0 ? -d : d) - near(v) }
		NR == FNR { up[FNR] = $1; low[FNR] = $2; next }
		{ split($0, a, /[;m]/); if (miss(up[FNR], a[3]) || miss(low[FNR], a[6])) bad = 1; n = FNR }
		END { exit bad || n != 512 }' cells - <<-END || fail 'a gray of the palette that is not the nearest'
		$(NO_COLOR= COLORTERM= on_terminal '--show -o b.png'; seen_colors)
	END
	NO_COLOR=1 COLORTERM=truecolor on_terminal '--show -o c.png'
	! grep -q "$(printf '\033')" seen && [ "$(wc -l <seen)" -eq 16 ] || fail 'NO_COLOR means letters'
	expect 0 ddpm sample -q -n 1 --steps 5 -o d.png --show
	[ "$(wc -l <out)" -eq 16 ] && [ "$(wc -c <out)" -eq $((16 * 33)) ] || fail 'letters where no terminal is'
	tr -d '\r' <seen | cmp -s - out || fail 'letters are the same everywhere'
	same a.png d.png
	# Brightness grows along the letters: those of the darkest and the brightest cell.
	awk 'BEGIN { ramp = " .:-=+*#%@" } NR == FNR { sum[FNR - 1] = $1 + $2; next }
		{ for (x = 1; x <= 32; x++) if (int(sum[32 * (FNR - 1) + x - 1] * 10 / 510.001) != index(ramp, substr($0, x, 1)) - 1) d++ } END { exit d > 0 }' cells out || fail "the letters: $(cat out)"
}

test_show_width() {
	expect 0 env COLUMNS=40 ${RUN:-} "$program" sample -q --steps 2 -o a.png --show
	[ "$(wc -l <out)" -eq 20 ] && [ "$(head -n 1 out | wc -c)" -eq 41 ] || fail "128 x 128 pixels in $(wc -l <out) lines of $(head -n 1 out | wc -c)"
	expect 64 ddpm sample --show --outdir d; says '--outdir'
	expect 64 ddpm sample --show -o a.npy; says 'npy'
	expect 64 ddpm sample --show --json; says '--json'
	only a.png
	[ ! -c /dev/full ] || { ddpm sample -n 1 --steps 1 --show -o b.png >/dev/full 2>err; [ $? -eq 74 ] || fail 'a full standard output'; }
}

# As a terminal shows it: tmux's own screen holds 16 rows of 32 blocks.
test_show_in_tmux() {
	[ -z "${RUN:-}" ] && command -v tmux >/dev/null || skip 'there is no tmux'
	screen() { tmux -L "ddpm$$" -f /dev/null "$@"; }
	screen -u new-session -d -x 80 -y 40 "'$program' sample -q -n 1 --steps 5 -o '$PWD/a.png' --show; sleep 600" || skip 'tmux does not start'
	for i in $(seq 600); do
		screen capture-pane -p >seen 2>err
		rows=$(LC_ALL=C.UTF-8 grep -cx '▀\{32\}' seen)
		[ "$rows" -lt 16 ] || break
		sleep 0.1
	done
	screen kill-server
	[ "$rows" -eq 16 ] || fail "the screen: $(head -n 20 seen)"
}
