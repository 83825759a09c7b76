# tune.sh: ddpm tune and the solvers that it stores.  Sourced by run.sh.

# small.ddpm: a network with random weights that takes no time; further options of train are given.
small_model() {
	head -c 8192 /dev/zero >zero
	{ printf '\000\000\010\003\000\000\000\010\000\000\000\010\000\000\000\010'; head -c 512 zero; } >zeros-idx3-ubyte
	ddpm train -q zeros-idx3-ubyte -o small.ddpm --preset tiny --steps 1 --set net.height=8 --set net.width=8 \
		--set net.widths=16 --set net.norm.groups=8 --set net.channels=1 --set net.outputs=1 --set batch=1 --holdout 0 --grid-every 0 "$@" >/dev/null 2>&1 || fail 'no small model'
	rm zero zeros-idx3-ubyte
}
tune() { ddpm tune -m small.ddpm -n 16 --iterations 26 "$@"; }

test_tune() {
	small_model --set diffusion.prediction=v
	expect 0 tune --steps 2,3 -o tuned.ddpm --threads 1; prints '2 steps: distance '; prints '3 steps: '
	expect 0 ddpm info tuned.ddpm; prints 'tuned         2 steps, distance to dpmpp'; prints 'tuned         3 steps'
	awk 'length($0) > 80 && /tuned/ { print; exit 1 }' out >long || fail "over 80 columns: $(cat long)"
	expect 0 ddpm info --check tuned.ddpm

	# No bit depends on threads.
	expect 0 tune --steps 2,3 -o other.ddpm --threads 3
	same tuned.ddpm other.ddpm 'other threads'

	# Pictures hold what they were made with.
	expect 0 ddpm sample -m tuned.ddpm --sampler tuned --steps 3 -n 4 -o four.png
	expect 0 ddpm verify -m tuned.ddpm four.png; prints 'are the same'
	expect 0 ddpm info four.png; prints 'sampler       tuned'; prints 'spacing       tuned'
	expect 0 ddpm sample -m tuned.ddpm --sampler tuned --steps 2 -n 4 --outdir some
	expect 0 ddpm sample -m tuned.ddpm --sampler tuned --steps 2 -n 5 --outdir some
	expect 0 ddpm verify -m tuned.ddpm some

	# Without --steps the sampler takes what --fast would take, and says so.
	expect 0 ddpm sample -m tuned.ddpm --sampler tuned -n 1 -o alone.png; says 'without --steps sampler tuned takes 3'
	expect 0 ddpm info alone.png; prints 'sampler       tuned'

	# --fast says what it takes: a solver that is near enough, here the second, or unipc.
	expect 0 ddpm sample -m tuned.ddpm --fast -n 1 -o fast.png; says '--fast takes sampler tuned with 3 steps'
	expect 0 ddpm verify -m tuned.ddpm fast.png
	expect 0 ddpm sample -m small.ddpm --fast -n 1 -o other.png; says '--fast takes sampler unipc with 10 steps'

	# Training goes on without solvers, which fit the weights as they were; diffusers has no place for them.
	expect 0 ddpm export -m tuned.ddpm -o folder; says 'the tuned solvers are left out'
	expect 0 ddpm convert folder -o back.ddpm
	expect 0 ddpm info back.ddpm; ! grep -q tuned out || fail "$(cat out)"
}

# A new network says 0.  As v that makes an x0 near 0, and the teacher is dpmpp (test_tune).  As eps it makes an x0
# far from any image at T - 1, and the teacher is ipndm.
test_tune_teacher() {
	small_model --set diffusion.prediction=eps
	expect 0 tune --steps 2 -o tuned.ddpm
	expect 0 ddpm info tuned.ddpm; prints 'tuned         2 steps, distance to ipndm of order 3, 60 steps'
	expect 0 ddpm sample -m tuned.ddpm --sampler tuned -n 1 -o a.png; says 'without --steps sampler tuned takes 2'
}

test_tune_refused() {
	small_model
	expect 64 tune; says '-o NEW is missing'
	expect 64 tune -o a.ddpm --steps 4,3; says 'numbers of steps that rise'
	expect 64 tune -o a.ddpm --steps 4x; says 'numbers of steps that rise'
	expect 64 tune -o a.ddpm --steps 1001; says '1 to 64'
	expect 73 tune -o no/a.ddpm; says 'no/a.ddpm'
	expect 73 tune -o small.ddpm; says 'small.ddpm'
	expect 66 ddpm tune -m none.ddpm -o a.ddpm; says 'none.ddpm'
	expect 64 ddpm sample -m small.ddpm --sampler tuned --steps 6 -o a.png
	says 'the model has no tuned solver of 6 steps, it has none: `ddpm tune --steps 6 -o NEW` makes one'
	expect 64 ddpm sample -m small.ddpm --sampler tuned -o a.png; says 'no tuned solver of 6 steps, it has none'
	expect 64 ddpm sample -m small.ddpm --sampler tuned --steps all -o a.png; says 'takes a number of steps'
	for steps in 0 0,1,2,999 iddpm:1,1,1,1 4294967300; do
		expect 64 ddpm sample --sampler tuned --steps $steps -o a.png; says "--steps $steps: sampler tuned takes a number of steps, such as 4"
	done
	expect 64 ddpm sample --sampler tuned --steps auto --max-time 1m -o a.png; says 'one of those that ddpm info lists'
	expect 64 ddpm sample -m small.ddpm --sampler tuned --steps 6 --spacing quad -o a.png; says 'has steps of its own'
	expect 64 ddpm sample -m small.ddpm --fast --steps 6 -o a.png; says '--fast chooses the sampler and its steps'
	expect 64 tune -o a.png; says 'a.png'
	absent a.ddpm a.png
}

# Stopped and gone on with: the same bits.
test_tune_resumed() {
	small_model
	expect 0 tune --steps 2,3 -o whole.ddpm
	for seconds in 0.2 0.5; do
		rm -f state part.ddpm
		timeout -s TERM $seconds "$program" tune -m small.ddpm -n 16 --iterations 26 --steps 2,3 -o part.ddpm \
			--resume state >out 2>err
		[ -e part.ddpm ] || expect 0 tune --steps 2,3 -o part.ddpm --resume state
		same whole.ddpm part.ddpm "stopped after $seconds s"
	done

	# A state of other settings is named, a damaged one refused; neither is written over.
	cp state before
	expect 64 tune --steps 2,3 -o next.ddpm --resume state --seed 3; says 'seed'
	same state before
	printf 'X' | dd of=state bs=1 seek=3000 conv=notrunc 2>/dev/null; cp state before
	expect 65 tune --steps 2,3 -o next.ddpm --resume state; says 'state'
	same state before
	absent next.ddpm
}
