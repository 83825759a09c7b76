# Training as somebody sees it who looks on: the bar, the time that is left and how it is spent, what can be
# sampled from meanwhile.

in_a_line=$(echo $small)
# in_columns N: puts what a training that goes on after step 20 writes to a terminal of N columns into seen.
# The clock is the tests' own, so that every step is drawn.
in_columns() {
	own_clock="OMP_NUM_THREADS=1 CRASH_CLOCK=0.02 LD_PRELOAD='$PWD/crash.so'"
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

# The parts behind the last step have bars of their own, and lines with -v where there is no terminal.
test_bar_of_each_part() {
	[ -z "${RUN:-}" ] && script -qec true typescript >/dev/null 2>&1 ||
		skip 'there is no script(1) that gives a terminal'
	crash_library
	pictures 6
	own_clock="OMP_NUM_THREADS=1 CRASH_CLOCK=0.02 LD_PRELOAD='$PWD/crash.so'"
	words="train d -o m.ddpm $(echo $bare) --holdout 3 --steps 20"
	TERM=xterm script -qec "stty cols 100; $own_clock '$program' $words" typescript >seen </dev/null ||
		fail "in a terminal: $(head -c 300 seen)"
	for part in training samples statistics; do
		tr '\r' '\n' <seen | grep -q "$part: .*\[#.*%, [0-9]* .* left" || fail "no bar of $part: $(cat seen)"
	done
	expect 0 crash CRASH_CLOCK=0.5 -- $words --force -v
	says 'training: '; says 'samples: '; says 'statistics: '; says ' of 24 terms, '
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
	# A bar that is drawn before tmux tells the new width wraps.  tmux tells at once when the last change is not new.
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

# timed_train SECONDS WORDS...: a training by the tests' own clock, which is not to take longer.
timed_train() {
	most=$1; shift
	expect 0 crash CRASH_CLOCK=0.002 CRASH_TIME=took -- train d -o m.ddpm $small --force "$@"
	awk -v t="$(cat took)" -v most="$most" 'BEGIN { exit !(t <= most) }' ||
		fail "$(cat took) s, not $most: $*: $(cat err)"
}

# Statistics count against the time.  They get what is left for them: fewer images, fewer terms, or none.
test_train_time() {
	crash_library
	pictures 24
	long='--set diffusion.steps=1000 --holdout 12'
	timed_train 120 $long --time 120s
	says 'held-out images at '; says ' of 1000 steps'; says 'ddpm eval DATA --statistics -o NEW'
	prints 'of the 1000 steps'
	awk -v t="$(cat took)" 'BEGIN { exit !(t > 90) }' || fail "only $(cat took) s of 120 were used"
	expect 0 ddpm info m.ddpm; prints 'gamma and mse of '
	expect 0 ddpm sample -m m.ddpm -n 1 --steps 5 --variance analytic --spacing optimal -q
	expect 0 crash CRASH_CLOCK=0.002 -- train d -o m.ddpm $small --force $long --time 2s
	says 'no time is left for statistics'
	expect 0 ddpm info m.ddpm; ! grep -q gamma out || fail "$(cat out)"
	# As many as there are, where there is time for them; steps may end it before.
	timed_train 300 --set diffusion.steps=8 --holdout 12 --time 300s --steps 20
	says 'they follow, of 12 held-out images at all 8 steps'
}

# Without --time they are no more calls of the network than the steps had images, or 256; that is the
# same always.
test_train_statistics() {
	pictures 24
	expect 0 train --set diffusion.steps=200 --holdout 20 --steps 180 --set batch=20 --json
	says 'of 18 of 20 held-out images at all 200 steps'; prints '"images":18,"terms":200}'
	rm -r m.ddpm m.ddpm.train
	expect 0 train --set diffusion.steps=200 --holdout 20 --steps 200 --set batch=20 --json
	says 'they follow, of 20 held-out images at all 200 steps'; prints '"images":20,"terms":200}'
	rm -r m.ddpm m.ddpm.train

	# A program that measures all terms would be here for many minutes; it has failed above.
	many='--set diffusion.steps=65535 --holdout 20 --steps 5'
	expect 0 train $many
	says 'of 16 of 20 held-out images at 16 of 65535 steps'
	prints 'of 16 held-out images in 16 of the 65535 steps'
	expect 0 ddpm info m.ddpm; prints 'gamma and mse of 16 images'; ! grep -q bits/dim out || fail "$(cat out)"
	expect 0 ddpm sample -m m.ddpm -n 1 --steps 5 --variance analytic -q
	mv m.ddpm one; rm -r m.ddpm.train
	expect 0 train $many -q; same m.ddpm one
}

# Interrupted while they are measured: the model is there and can be sampled from.
test_train_interrupted_in_statistics() {
	crash_library
	pictures 12
	words="train d -o m.ddpm $small --holdout 6 --set diffusion.steps=1000 --steps 3"
	expect 0 crash CRASH_TICKS=ticks -- $words -q; rm -r m.ddpm m.ddpm.train
	expect 75 crash CRASH_TICK=$(($(cat ticks) - 50)) -- $words -q; says 'm.ddpm is whole but for them'
	expect 0 ddpm info m.ddpm; ! grep -q gamma out || fail "$(cat out)"
	expect 0 ddpm sample -m m.ddpm -n 1 --steps 5 -q
	expect 0 ddpm $words -q --resume
	expect 0 ddpm info m.ddpm; prints 'gamma and mse of 6 images'
}

# Statistics that cannot be written, by a limit on the size of files between a model without and with them:
# the tables of 65535 steps are a megabyte, more than a checkpoint of such a small network has beside them.
test_train_statistics_that_fail() {
	[ -z "${RUN:-}" ] || skip 'the emulator keeps the limit for itself'
	pictures 12
	small=$(echo $small | sed 's/widths=8,16/widths=4,4/; s/diffusion.steps=8/diffusion.steps=65535/')
	words="--holdout 2 --steps 2 -q"
	expect 0 train $words
	most=$((($(wc -c <m.ddpm) - 500000) / 512)); rm -r m.ddpm m.ddpm.train
	( trap '' XFSZ; ulimit -f $most; expect 74 train $words ) || exit 1
	says 'm.ddpm is written, without statistics'
	expect 0 ddpm info m.ddpm; ! grep -q gamma out || fail "$(cat out)"
	expect 0 train $words --resume
	expect 0 ddpm info m.ddpm; prints 'gamma and mse of 2 images'
}

# By a clock on which ten minutes are some 90 steps: checkpoints, pictures and losses of held-out images.
test_train_by_the_clock() {
	crash_library
	pictures 6
	words="train d -o m.ddpm $bare --set batch=8 --holdout 2 --keep 9 -q"
	expect 0 crash CRASH_CLOCK=0.05 -- $words --steps 330
	for kind in 'step-*.ddpm' 'grid-*.png'; do
		ls m.ddpm.train/$kind | sed 's/[^0-9]*0*\([0-9]*\)\..*/\1/' >steps
		awk '$1 > 0 && $1 < 330 { if ($1 - last < 80 || $1 - last > 110) bad = 1; last = $1; n++ }
			END { exit bad || n < 3 }' steps || fail "$kind at steps $(cat steps)"
	done
	grep -c held_out m.ddpm.train/log.jsonl >losses
	[ "$(cat losses)" -ge 4 ] || fail "$(cat m.ddpm.train/log.jsonl)"
	expect 0 crash CRASH_CLOCK=1 -- $words --steps 24 --force --save-every 20 --grid-every 23
	[ "$(cd m.ddpm.train && echo step-* grid-*)" = "step-000000000.ddpm step-000000020.ddpm step-000000024.ddpm \
grid-000000023.png grid-000000024.png" ] || fail "$(ls m.ddpm.train)"
}

# While a training is under way, a user who asks for the model or gives the folder is told which checkpoint
# can be sampled from.
test_train_sampled_meanwhile() {
	pictures 6
	expect 0 train --holdout 0 --steps 4 --save-every 3 -q
	rm m.ddpm
	expect 66 ddpm sample -m m.ddpm -n 1 --steps 2; says 'can be taken instead: m.ddpm.train/step-000000004.ddpm'
	expect 66 ddpm info m.ddpm; says 'm.ddpm.train/step-000000004.ddpm'
	expect 65 ddpm sample -m m.ddpm.train; says 'its newest checkpoint, m.ddpm.train/step-000000004.ddpm'
	expect 0 ddpm sample -m m.ddpm.train/step-000000004.ddpm -n 1 --steps 2 -q
	expect 66 ddpm sample -m n.ddpm -n 1 --steps 2; ! grep -q train err || fail "$(cat err)"
}
