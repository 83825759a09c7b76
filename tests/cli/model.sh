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

# What follows from a prediction of v, by the formulas of Ho et al. 2020 over a linear schedule, in Python.
test_forward_as() {
	command -v python3 >/dev/null || skip 'python3 is needed'
	io=$top/tests/golden/data/default_io.safetensors
	cat >as.py <<-'END'
	import json, math, struct, sys
	data = open(sys.argv[1], "rb").read()
	size = int.from_bytes(data[:8], "little")
	head = json.loads(data[8:8 + size])
	def floats(name):
	    a, b = head[name]["data_offsets"]
	    return struct.unpack("<%df" % ((b - a) // 4), data[8 + size + a:8 + size + b])
	x, out, steps, d = floats("x"), floats("out"), floats("t"), 1024
	beta = [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]
	bars = [math.prod(1 - b for b in beta[:i]) for i in range(1001)]
	def clip(v): return max(-1.0, min(1.0, v))
	def one(what, x, v, t):
	    bar, before = bars[t + 1], bars[t]
	    a, s = math.sqrt(bar), math.sqrt(1 - bar)
	    x0, eps = a * x - s * v, s * x + a * v
	    if what == "mean":
	        return (math.sqrt(before) * beta[t] * clip(x0) + math.sqrt(1 - beta[t]) * (1 - before) * x) / (1 - bar)
	    return {"eps": eps, "x0": clip(x0), "v": v, "score": -eps / s, "raw": x0}[what]
	for what in ("eps", "x0", "v", "score", "mean", "raw"):
	    values = [one(what, x[k], out[k], int(steps[k // d])) for k in range(len(x))]
	    a, b = head["out"]["data_offsets"]
	    a, b = 8 + size + a, 8 + size + b
	    open(what + ".st", "wb").write(data[:a] + struct.pack("<%df" % len(values), *values) + data[b:])
	END
	python3 as.py "$io" || fail 'as.py'
	# v is good to 1e-4, as in test_forward; the score takes a / s of that, which is at most 20, at t = 10.
	for what in 'eps 1e-4' 'x0 1e-4' 'v 1e-4' 'score 2e-3' 'mean 1e-4'; do
		expect 0 ddpm forward "$top/tools/default.ddpm" ${what% *}.st --as ${what% *} --tolerance ${what#* }
		expect 1 ddpm forward "$top/tools/default.ddpm" "$io" --as ${what% *} --tolerance 1e-9
	done
	expect 0 ddpm forward "$top/tools/default.ddpm" raw.st --as x0 --clip no --tolerance 1e-4
	expect 1 ddpm forward "$top/tools/default.ddpm" raw.st --as x0 --clip yes --tolerance 1e-4
	expect 64 ddpm forward "$top/tools/default.ddpm" "$io" --clip no; says '--as x0'
	expect 64 ddpm forward "$top/tools/default.ddpm" "$io" --as noise; says 'score'
	sed 's/\x00\x00 A\x00\x00HB/\x00\x00$A\x00\x00HB/' "$io" >between
	expect 65 ddpm forward "$top/tools/default.ddpm" between --as score; says 'between: t is 10.25, but --as score needs a step'
	expect 1 ddpm forward "$top/tools/default.ddpm" between
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
