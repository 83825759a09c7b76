# An image is a function of model, seed, index and settings: not of threads, batch, order or company.

test_same_bits() {
	ddpm sample -q -n 9 --steps 4 --threads 1 --batch 1 --outdir a || fail 'the first run'
	for t in 2 3 7; do
		ddpm sample -q -n 9 --steps 4 --threads $t --outdir t$t || fail "$t threads"
	done
	for b in 3 8; do
		ddpm sample -q -n 9 --steps 4 --threads 2 --batch $b --outdir b$b || fail "batch $b"
	done
	ddpm sample -q --index 8,2,5-6 --steps 4 --outdir s || fail 'a subset'
	for file in a/*.png; do
		for d in t2 t3 t7 b3 b8 s; do
			[ $d = s ] && [ ! -f "s/${file#a/}" ] || same "$file" "$d/${file#a/}"
		done
	done
	[ "$(ls s/*.png | wc -l)" -eq 4 ] || fail "the subset has $(ls s)"
}

test_each_engine_alone() {
	for engine in dnnl gemm ref; do
		case $engine in dnnl) ddpm --version | grep -q dnnl || continue ;; esac
		ddpm sample -q -n 3 --steps 2 --conv $engine --threads 1 --batch 1 -o $engine.png || fail $engine
		ddpm sample -q -n 3 --steps 2 --conv $engine --threads 3 --batch 3 -o $engine-3.png || fail "$engine, 3 threads"
		same $engine.png $engine-3.png
		expect 0 ddpm verify --conv $engine $engine.png; prints 'the same'
		expect 0 ddpm verify $engine.png
	done
}

test_verify() {
	ddpm sample -q -n 4 --steps 3 --seed 18446744073709551615 -o a.png || fail 'sample'
	ddpm sample -q -n 2 --steps 3 --sampler ddim --eta 0.5 --schedule trailing --outdir d || fail 'sample'
	ddpm sample -q -n 1 --steps 3 --variance beta --clip no -o c.png || fail 'sample'
	expect 0 ddpm verify a.png d/image-000000.png d/image-000001.png c.png
	[ "$(grep -c 'are the same' out)" -eq 4 ] || fail "$(cat out)"
	ddpm sample -q -n 1 --steps 1 -o one.png && ddpm sample -q -n 1 --steps 998, -o list.png || fail 'sample'
	expect 0 ddpm verify one.png list.png
	expect 0 ddpm verify a.png --threads 3 --batch 1 --json; prints '"differ":0'
	ddpm sample -q --index 1 --steps 3 --sampler ddim --eta 0.5 --schedule trailing -o e.png || fail 'sample'
	same d/image-000001.png e.png 'one image in a folder or as a file'
}

# A picture without compression by the text of one file and the pixels of another would need a PNG writer; the embedded model gives both:
# the text of seed 1 in front of the pixels of seed 2, and of a picture whose seed digit is changed.
test_verify_rejects() {
	ddpm sample -q -n 1 --steps 1 --seed 1 -o a.png && ddpm sample -q -n 1 --steps 1 --seed 2 -o b.png || fail 'sample'
	size=$(($(printf '%d' "0x$(od -An -tx1 -j33 -N4 a.png | tr -d ' \n')") + 12 + 33))
	size_b=$(($(printf '%d' "0x$(od -An -tx1 -j33 -N4 b.png | tr -d ' \n')") + 12 + 33))
	{ head -c $size a.png; tail -c +$((size_b + 1)) b.png; } >mixed.png
	expect 1 ddpm verify mixed.png; prints 'values differ'
	expect 1 ddpm verify a.png mixed.png --json; prints '"same":false'
	sed 's/"seed":"1"/"seed":"2"/' a.png >damaged.png
	expect 65 ddpm verify damaged.png; says 'checksum'
	{ head -c 33 a.png; tail -c +$((size + 1)) a.png; } >bare.png
	expect 65 ddpm verify bare.png; says 'no settings'
	for n in 0 5 20 40 100 $size $((size + 30)); do
		head -c $n a.png >cut.png
		expect 65 ddpm verify cut.png; says 'cut.png'
	done
	expect 66 ddpm verify nothing.png; says 'nothing.png'
	expect 65 ddpm verify .
}
