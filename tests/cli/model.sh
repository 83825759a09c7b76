# ddpm info of a model, and ddpm forward, which runs the network once.

test_info() {
	expect 0 ddpm info; prints 'embedded model'; prints 'CPU'; prints 'parameters'; prints 'engine class'
	expect 0 ddpm info --check
	expect 0 ddpm info --nodes; prints 'conv_in'; prints 'conv_out'
	expect 0 ddpm info "$top/tools/default.ddpm" --json; prints '"parameters":1112801'
	expect 66 ddpm info nothing; says 'nothing'
	head -c 100000 "$top/tools/default.ddpm" >cut.ddpm
	expect 65 ddpm info cut.ddpm; says 'cut.ddpm'
}

# A bit of a model that has changed is found by whatever makes something of the model, and nothing is written.
test_damaged_model() {
	cp "$top/tools/default.ddpm" m.ddpm
	at=$(($(wc -c <m.ddpm) / 2)); byte=$(od -An -tu1 -j $at -N 1 m.ddpm)
	printf "\\$(printf %o $((byte ^ 1)))" | dd of=m.ddpm bs=1 seek=$at conv=notrunc 2>/dev/null
	! cmp -s m.ddpm "$top/tools/default.ddpm" || fail 'nothing was changed'
	ddpm sample -q -n 2 --steps 1 --outdir d || fail sample
	for words in 'info m.ddpm --check' 'sample -m m.ddpm -o x.png' 'verify -m m.ddpm d' 'eval -m m.ddpm d' \
		'distance -m m.ddpm d d' 'eval -m m.ddpm d --statistics -o x' 'bench -m m.ddpm --steps 1 -n 2' \
		'export -m m.ddpm -o x' 'export -m m.ddpm -o x --to ddpm --dtype f16' \
		'train d -o x --init m.ddpm --steps 1'; do
		expect 65 ddpm $words; says 'm.ddpm: the tensors have changed'; absent x x.png x.train
	done
}

# The program with its model is under 4 MB.
test_program_size() {
	! grep -q __asan_init "$program" || skip 'a sanitizer makes the program larger'
	strip -o stripped "$program" 2>/dev/null || skip 'there is no strip for this program'
	[ "$(wc -c <stripped)" -lt 4000000 ] || fail "$(wc -c <stripped) bytes"
}

test_forward() {
	io=$top/tests/golden/data/default_io.safetensors            # by diffusers, of the same weights
	expect 0 ddpm forward "$top/tools/default.ddpm" "$io" --tolerance 1e-4 -o out.safetensors --json; prints '"within":true'; prints '"engines"'
	expect 1 ddpm forward "$top/tools/default.ddpm" "$io" --tolerance 1e-9; prints 'above'
	expect 73 ddpm forward "$top/tools/default.ddpm" "$io" -o out.safetensors
	[ "$(tail -c +9 out.safetensors | head -c 50 | grep -c '"out"')" -eq 1 ] || fail 'the head of out.safetensors'
	expect 65 ddpm forward "$top/tools/default.ddpm" "$top/tools/default.ddpm"; says 'no tensor x'
	expect 66 ddpm forward "$top/tools/default.ddpm" nothing
	head -c 5000 "$io" >cut
	expect 65 ddpm forward "$top/tools/default.ddpm" cut; says 'cut'
}

# The noise of the command line is the noise of a file that holds the same: x_T and z of image 0 as one
# model's first and only step.
test_schedule() {
	expect 0 ddpm schedule --timesteps 7 --steps 4 --json
	[ "$(sed 's/.*"c":\([0-9]*\).*/\1/' out | tr '\n' ' ')" = '0 2 4 6 ' ] || fail "$(cat out)"
	expect 0 ddpm schedule
	[ "$(wc -l <out)" -eq 1001 ] || fail "$(wc -l <out) lines"
	expect 0 ddpm schedule --timesteps 1000 --json; prints '{"i":0,"c":0,"beta":0.0001,'
	expect 0 ddpm schedule --betas linear:1e-6,0.02 --steps 0,1,999 --csv; prints '0,0,9.9999999999999995e-07,'
	for name in iddpm leading linspace trailing quad logsnr; do
		expect 0 ddpm schedule -q --steps 13 --spacing $name --csv
		[ "$(sed 1d out | cut -d, -f2 | sort -nu | wc -l)" -eq 13 ] || fail "$name: $(cat out)"
	done
	expect 64 ddpm schedule -m x --betas linear
	expect 64 ddpm schedule --betas nosuch
	expect 64 ddpm schedule --timesteps 0
	expect 66 ddpm schedule -m nothing
}

# With --memory low nothing is packed beyond 1.1 times the weights, which is what gemm does.
test_memory_low() {
	expect 0 ddpm info --memory low --json
	weights=$(sed -n 's/.*"weights": *\([0-9]*\).*/\1/p' out) packed=$(sed -n 's/.*"packed": *\([0-9]*\).*/\1/p' out)
	[ "$packed" -gt 0 ] && [ $((10 * packed)) -le $((11 * weights)) ] || fail "packed $packed, weights $weights"
	ddpm sample -q -n 2 --steps 2 --memory low -o low.png && expect 0 ddpm verify --conv gemm low.png; prints 'the same'
	expect 64 ddpm info --memory low --conv winograd; says '--conv gemm'
}
