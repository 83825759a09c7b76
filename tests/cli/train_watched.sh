# Training as somebody sees it who looks on: the bar, the time that is left and how it is spent, what can be
# sampled from meanwhile.

in_a_line=$(echo $small)
# in_columns N: puts what a training that goes on after step 20 writes to a terminal of N columns into seen.
# The clock is the tests' own, so that every step is drawn.
in_columns() {
	own_clock="CRASH_CLOCK=0.02 LD_PRELOAD='$PWD/crash.so'"
	words="train d -o m.ddpm $in_a_line --holdout 0 --steps 60 --resume"
	TERM=xterm script -qec "stty cols $1; $own_clock '$program' $words" typescript >seen </dev/null ||
		fail "in a terminal: $(head -c 300 seen)"
}

# Every draw of the bar is shorter than the terminal is wide, and adds no line.  The first one shows where the
# training is.
test_bar_fits() {
	[ -z "${RUN:-}" ] && script -qec true typescript >/dev/null 2>&1 ||
		skip 'there is no script(1) that gives a terminal'
	crash_library
	pictures 3
	expect 0 train --holdout 0 --steps 20; mv m.ddpm.train begun; rm m.ddpm
	for columns in 20 40 50 80 200; do
		cp -r begun m.ddpm.train
		in_columns $columns; rm -r m.ddpm m.ddpm.train
		sed 's/\x1b\[[0-9;]*[A-Za-z]//g' seen | tr '\r' '\n' | grep '%' >bars
		[ "$(wc -l <bars)" -ge 30 ] || fail "$columns columns: $(wc -l <bars) draws for 40 steps"
		awk -v most=$columns 'length($0) >= most { print; exit 1 }' bars >out || fail "$columns columns: $(cat out)"
		awk 'NR == 1 && !($0 ~ /3[3-9] %/) { print; exit 1 }' bars >out || fail "begins at $(cat out)"
		# Three remarks: images and folder, where it goes on, the end.
		[ "$(wc -l <seen)" -eq 3 ] || fail "$columns columns: $(wc -l <seen) lines: $(cat seen)"
	done
}

# A terminal that becomes narrower, then wider: one bar on the screen, in one line.
test_bar_resized_in_tmux() {
	[ -z "${RUN:-}" ] && command -v tmux >/dev/null && command -v flock >/dev/null ||
		skip 'there is no tmux or no flock(1)'
	pictures 3
	screen() { tmux -L "ddpm$$" -f /dev/null "$@"; }
	words="train d -o m.ddpm $in_a_line --holdout 0 --steps 99999999"
	screen -u new-session -d -x 120 -y 20 "'$program' $words" ||
		skip 'tmux does not start'
	# What is drawn before tmux tells the new width wraps.  It tells at once when the last change is not new.
	for columns in 120 50 30 100 20; do
		screen resize-window -x $columns -y 20 2>err || skip 'this tmux cannot resize a window'
		for i in $(seq 600); do
			screen capture-pane -p >seen 2>err
			awk -v most=$columns '/%/ { bars++; wide = length($0) } /\[[.#]+\]/ && !/%/ { bars++ }
				END { exit !(bars == 1 && wide < most && (wide > 60) == (most > 60)) }' seen && break
			sleep 0.1
		done
		[ $i -lt 600 ] || { screen kill-server; fail "$columns columns: $(cat seen)"; }
		sleep 0.5
	done
	screen kill-server
	flock m.ddpm.train true          # the training has ended
}
