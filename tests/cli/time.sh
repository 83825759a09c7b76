# --max-time, --deadline, --steps auto and bench --suggest, by a clock of the tests' own (crash.c): 2 ms for
# every question about the time, of which a step asks one per node of the network, some ninety.  So nothing
# here depends on how fast the machine is.

# timed CODE SECONDS VARIABLE=VALUE... -- ARGUMENTS: expects the exit code after at most so many seconds of
# that clock.
timed() {
	code_wanted=$1 most=$2; shift 2
	expect $code_wanted crash TZ=UTC0 CRASH_CLOCK=${pace:-0.002} CRASH_TIME=took "$@"
	awk -v t="$(cat took)" -v most="$most" 'BEGIN { exit !(t <= most) }' || fail "it took $(cat took) s, not $most: $*"
}

# As many starts as it takes; none is longer than it may be, none makes nothing.
test_max_time() {
	crash_library
	expect 0 ddpm sample -q -n 6 --steps 20 --outdir all
	for words in '' '--sampler langevin --corrector 2 --keep-steps 3'; do
		[ -z "$words" ] || expect 0 ddpm sample -q -n 6 --steps 20 --outdir all $words
		starts=0 before=
		until [ "$(ls d/image* 2>/dev/null | wc -l)" -eq 6 ]; do
			[ $starts -lt 60 ] || fail "$words: no end after $starts starts"
			crash TZ=UTC0 CRASH_CLOCK=0.002 CRASH_TIME=took -- sample -n 6 --steps 20 --batch 4 --outdir d --max-time 3s $words >out 2>err
			code=$?
			case $code in 0) ;; 75) says 'out of time' ;; *) fail "exit code $code: $(cat err)" ;; esac
			awk -v t="$(cat took)" 'BEGIN { exit !(t <= 3) }' || fail "$words: a start took $(cat took) s"
			now=$(cat err; ls d; cksum d/resume.safetensors 2>/dev/null)
			[ "$now" != "$before" ] || fail "$words: a start made nothing: $now"
			before=$now starts=$((starts + 1))
		done
		[ $starts -gt 2 ] || fail "$words: done after $starts starts"
		timed 0 3 -- sample -q -n 6 --steps 20 --batch 4 --outdir d --max-time 3s $words
		same_set d all "$words"
		rm -r d all
	done
}

# Steps that take longer than the quarter of a second kept for saving: one that is begun too late ends too
# late for three of four times a quarter of a step apart, whatever is left when it begins.  Those that can end
# are made: 1.25 steps and the time to save are left, here with some room.
test_last_step() {
	crash_library
	pace=0.01
	timed 0 1000 -- sample -q -n 1 --steps 10 --outdir a --max-time 1000s; ten=$(cat took)
	timed 0 1000 -- sample -q -n 1 --steps 20 --outdir b --max-time 1000s
	step=$(awk -v a="$ten" -v b="$(cat took)" 'BEGIN { print (b - a) / 10 }')
	awk -v s="$step" 'BEGIN { exit !(s > 0.5) }' || fail "a step takes $step s: no longer than to save"
	for quarter in 0 1 2 3; do
		most=$(awk -v t="$ten" -v s="$step" -v q=$quarter 'BEGIN { print t + s * q / 4 }')
		timed 75 "$most" -- sample -n 1 --steps 40 --outdir d --max-time "${most}s"; says 'out of time at step'
		awk -v t="$(cat took)" -v m="$most" -v s="$step" 'BEGIN { exit !(t > m - 0.5 - 1.5 * s) }' || fail "$(cat took) s of $most, and a step takes $step"
		rm -r d
	done
	pace=
}

# A clock that is set does not matter to --max-time and is believed by --deadline; sleep counts for both, and
# not as a slow step.
test_clocks() {
	crash_library
	expect 0 ddpm sample -q -n 1 --steps 20 --outdir all
	for jump in -100000 100000; do
		timed 0 20 CRASH_JUMP=1000:$jump -- sample -q -n 1 --steps 20 --outdir d --max-time 20s
		same_set d all; rm -r d
		timed 75 1 CRASH_JUMP=1000:$jump -- sample -n 1 --steps 20 --outdir d --max-time 1s; says 'out of time'
		timed 0 3620 CRASH_SUSPEND=1000:3600 CRASH_JUMP=1100:$jump -- sample -q -n 1 --steps 20 --outdir d
		same_set d all; rm -r d
	done
	timed 75 3603 CRASH_SUSPEND=1000:3600 -- sample -n 1 --steps 20 --outdir d --max-time 20s; says 'out of time at step'
	timed 0 3620 CRASH_SUSPEND=1000:3600 -- sample -q -n 1 --steps 20 --outdir d --max-time 2h
	same_set d all; rm -r d
	# It is 05:59:00.
	timed 0 60 -- sample -q -n 1 --steps 20 --outdir d --deadline 06:00
	same_set d all; rm -r d
	timed 75 60 CRASH_JUMP=1000:59 -- sample -n 1 --steps 20 --outdir d --deadline 06:00; says 'out of time at step'
	timed 75 60 CRASH_JUMP=500:7200 -- sample -n 1 --steps 20 --outdir d --deadline '2026-01-01 07:00'; says 'out of time at step'
	timed 0 60 CRASH_JUMP=1000:-7200 -- sample -q -n 1 --steps 20 --outdir d --deadline 06:00
	same_set d all; rm -r d
	timed 0 60 CRASH_JUMP=1000:7200 -- sample -q -n 1 --steps 20 --outdir d --deadline 05:00               # tomorrow
	same_set d all; rm -r d
	[ ! -s err ] || fail "-q is not quiet: $(cat err)"
	expect 64 crash TZ=UTC0 CRASH_CLOCK=0.002 -- sample --outdir d --deadline 2026-01-01T05:59; says 'is past: it is 2026-01-01 05:59 now'
	expect 64 crash TZ=EST5EDT CRASH_CLOCK=0.002 -- sample --outdir d --deadline 2026-01-01T00:59; says 'is past: it is 2026-01-01 00:59 now'
	for bad in 24:00 6:60 6 06: 06:00:00 noon '2026-02-30 06:00' '2026-13-01 06:00' '2030-01-01' ' '; do
		expect 64 ddpm sample --outdir d "--deadline=$bad"; says '06:00'
	done
	for bad in 5 0s -1s 5x 1hh inf nan '2 h'; do expect 64 ddpm sample --outdir d "--max-time=$bad"; says '1.5d'; done
	expect 64 ddpm sample --max-time 5s; says '--outdir'
	absent d
}

# The number of steps that there is time for, and no less than two thirds of that time; then the folder's.
test_steps_auto() {
	crash_library
	for words in '' '--sampler unipc' '--sampler ode --batch 1'; do
		timed 0 9 -- sample -n 2 --steps auto --max-time 9s -o a.png --force $words; says '--steps auto: '; says 'for 2 images in'
		awk -v t="$(cat took)" 'BEGIN { exit !(t > 6) }' || fail "$words: only $(cat took) s of 9: $(cat err)"
		expect 0 ddpm verify a.png
	done
	timed 0 1000000 -- sample -n 1 --steps auto --max-time 1000000s --sampler ddim-diffusers -o a.png --force; says 'auto: 1000 steps'
	timed 0 20 -- sample -q -n 2 --steps auto --deadline 05:59 --max-time 9s -o a.png --force
	[ ! -s err ] || fail "-q is not quiet: $(cat err)"
	expect 64 crash CRASH_CLOCK=0.002 -- sample -n 2 --steps auto --max-time 500ms -o b.png; says 'a single step'
	expect 75 crash CRASH_CLOCK=0.002 CRASH_TICK=3000 -- sample -q -n 2 --steps auto --max-time 9s --outdir d; says 'interrupted at step'
	K=$(sed -n 's/.*at step [0-9]* of \([0-9]*\).*/\1/p' err)
	timed 0 60 -- sample -n 3 --steps auto --max-time 60s --outdir d; says "auto: the $K steps that d was begun with"
	expect 0 ddpm sample -n 3 --steps $K --outdir d; says '3 images, 0 of them'
	expect 64 ddpm sample -n 3 --steps $((K + 1)) --outdir d; says 'steps'
	timed 0 9 -- sample -n 3 --steps auto --max-time 9s --outdir d --force; says 'for 3 images'
	expect 64 ddpm sample --steps auto; says '--max-time 20m'
	expect 64 ddpm sample --steps auto --max-time 5s --from a.png --noise-to 5; says '--from'
	expect 64 ddpm sample --steps auto --max-time 5s --noise a.png; says '--noise'
}

# The suggestion of bench is compared with a table that is made apart: times are those of folders of ddpm
# sample, distances those of four times as many other images by ddpm distance.  The suggestion is at most one
# row of the list of steps away from the nearest row within the time.  The times allowed lie between two rows.
test_suggestion_of_a_table() {
	! grep -q __asan_init "$program" || skip 'with a sanitizer it takes minutes'
	crash_library
	ddpm sample -q --index 1000-1063 --steps 32 --batch 16 --outdir most || fail 'sample'
	for k in 4 8 16 32; do for sampler in ddpm ddim-diffusers; do
		crash CRASH_CLOCK=0.002 -- sample -q --index 2000-2063 --steps $k --sampler $sampler --batch 8 --threads 1 --outdir $sampler-$k || fail 'sample'
		expect 0 ddpm distance $sampler-$k most --json
		sed -n 's/.*"seconds":\([0-9.]*\).*/\1/p' $sampler-$k/manifest.jsonl | sort -g | awk '{ s[NR] = $1 } END { printf "%g ", s[int((NR + 1) / 2)] }'
		sed 's/.*"distance":\([^,]*\),.*/'"$k"' \1/' out
	done; done >table
	for k in 4 8 16; do
		limit=$(awk -v k=$k '$2 == k { a += $1 / 2 } $2 == 2 * k { b += $1 / 2 } END { print sqrt(a * b) }' table)
		best=$(awk -v limit="$limit" '$1 <= limit' table | sort -g -k3,3 | awk 'NR == 1 { print $2 }')
		expect 0 crash CRASH_CLOCK=0.002 -- bench --steps 4,8,16,32 --batch 8 --threads 1 --suggest "${limit}s" --json
		found=$(sed -n 's/{"suggestion":.*"steps":\([0-9]*\),.*/\1/p' out)
		[ $((${found:-0} * 2)) -ge "$best" ] && [ "$found" -le $((best * 2)) ] || fail "${found:-no} steps, not about $best, within $limit s: $(cat table out)"
		[ "$found" -eq $k ] || fail "$found steps within $limit s, which most of all hold $k: $(cat table out)"
	done
}
