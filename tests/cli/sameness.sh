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
	ddpm sample -q -n 2 --steps 3 --sampler ddim --eta 0.5 --spacing trailing --outdir d || fail 'sample'
	ddpm sample -q -n 1 --steps 3 --variance beta --clip no -o c.png || fail 'sample'
	expect 0 ddpm verify a.png d/image-000000.png d/image-000001.png c.png
	[ "$(grep -c 'are the same' out)" -eq 4 ] || fail "$(cat out)"
	ddpm sample -q -n 1 --steps 1 -o one.png && ddpm sample -q -n 1 --steps 998, -o list.png || fail 'sample'
	expect 0 ddpm verify one.png list.png
	expect 0 ddpm verify a.png --threads 3 --batch 1 --json; prints '"differ":0'
	ddpm sample -q --index 1 --steps 3 --sampler ddim --eta 0.5 --spacing trailing -o e.png || fail 'sample'
	same d/image-000001.png e.png 'one image in a folder or as a file'
}

# A picture without compression by the text of one file and the pixels of another would need a PNG writer; the
# embedded model gives both: the text of seed 1 in front of the pixels of seed 2, and of a picture whose seed
# digit is changed.
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

# A grid is large enough to look at; --scale says otherwise.  verify
# names a picture that its text calls smaller than it is.
test_scale() {
	set -- --steps 2 -n 3
	ddpm sample -q "$@" -o grid.png && ddpm sample -q "$@" --scale 1 -o one.png && ddpm sample -q "$@" --scale 7 -o seven.png &&
		ddpm sample -q -n 1 --steps 2 -o single.png || fail sample
	for size in 'grid 512' 'one 64' 'seven 448' 'single 32'; do
		expect 0 ddpm info "${size% *}.png"; prints "pixels        ${size#* } x ${size#* }, 1 channel"
	done
	expect 0 ddpm info grid.png; prints 'scale         8'
	expect 0 ddpm verify grid.png one.png seven.png single.png; [ "$(grep -c 'are the same' out)" -eq 4 ] || fail "$(cat out)"
	for words in '--outdir d' '--format npy' '-o a.npy'; do expect 64 ddpm sample -n 2 --scale 2 $words; says '--scale is for one picture'; done
	for scale in 0 513 x; do expect 64 ddpm sample -n 2 --scale $scale; says '--scale'; done
	expect 64 ddpm sample -n 9 --steps 2 --scale 512 -o large.png; says 'take a smaller one'
	absent large.png d
}

# other_settings PICTURE SCRIPT: changes the settings in a picture by a script of sed.
other_settings() {
	size=$(printf '%d' "0x$(od -An -tx1 -j33 -N4 "$1" | tr -d ' \n')")
	tail -c +42 "$1" | head -c "$size" | sed "$2" >text
	{ head -c 33 "$1"; png_part tEXt text; tail -c +$((33 + 12 + size + 1)) "$1"; } >other.png
	! cmp -s other.png "$1" && mv other.png "$1"
}
# Earlier versions wrote `schedule` for the key `spacing`; earlier PICTURE: it as they wrote it.
earlier() { other_settings "$1" 's/"spacing":/"schedule":/'; }

test_files_of_earlier_versions() {
	set -- --steps 2 --spacing trailing --sampler ddim
	ddpm sample -q -n 4 "$@" -o a.png && ddpm sample -q -n 3 "$@" --outdir d || fail 'sample'
	cp -r d unlisted
	earlier a.png && earlier unlisted/image-000002.png || fail 'a.png has no spacing'
	expect 0 ddpm verify a.png; prints 'are the same'
	expect 0 ddpm info a.png; prints 'spacing       trailing'
	for folder in d unlisted; do sed -i 's/"spacing":/"schedule":/' $folder/manifest.jsonl; done
	expect 0 ddpm info d; prints 'spacing       trailing'
	expect 0 ddpm sample -n 4 "$@" --outdir d --check-existing; says '4 images, 1 of them made now'
	expect 0 ddpm verify d; [ "$(grep -c 'are the same' out)" -eq 4 ] || fail "$(cat out)"
	expect 64 ddpm sample -n 4 --steps 2 --sampler ddim --outdir d; says 'spacing is "trailing" there and "iddpm" here'
	sed -i /image-000002/d unlisted/manifest.jsonl
	expect 0 ddpm sample -q -n 3 "$@" --outdir unlisted
	expect 0 ddpm verify unlisted/image-000002.png
}

# Every sampler and every option that a picture depends on is in its text: verify makes it again.
test_every_sampler() {
	n=0
	for words in ddpm 'ddpm --corrector 2' ddim 'ddim --eta 1' dpmpp 'dpmpp --order 1' 'dpmpp --order 3' 'dpmpp --eta 1' dpmpp-diffusers unipc 'unipc --order 1' ipndm 'ipndm --order 4' sde 'sde --rate beta' \
		'sde --corrector 1 --snr 0.1' ode 'ode --order 1' langevin 'langevin --corrector 3 --snr 0.2'; do
		n=$((n + 1))
		ddpm sample -q -n 2 --steps 8 --sampler $words -o $n.png || fail "$words"
		expect 0 ddpm verify $n.png --batch 1 --threads 1; prints 'the same'
		for before in *.png; do
			[ $before = $n.png ] || ! cmp -s $before $n.png || fail "--sampler $words made $before"
		done
	done
}

# --rate beta is a list of what `ddpm schedule` has under beta, and a list of -ln alpha is what there is without.
test_rate_of_sde() {
	command -v python3 >/dev/null || skip 'python3 is needed'
	expect 0 ddpm schedule --steps 8 --json; mv out rows
	column() { python3 -c "import json, math; print(','.join(repr($1) for r in map(json.loads, open('rows'))))"; }
	ddpm sample -q -n 2 --steps 8 --sampler sde -o plain.npy && ddpm sample -q -n 2 --steps 8 --sampler sde --rate beta -o beta.npy || fail 'sample'
	expect 0 ddpm sample -q -n 2 --steps 8 --sampler sde --rate "$(column 'r["beta"]')" -o list.npy; same list.npy beta.npy 'beta and its list'
	! cmp -s plain.npy beta.npy || fail '--rate beta changes nothing'
	expect 0 ddpm sample -q -n 2 --steps 8 --sampler sde --rate "$(column '-math.log(r["alpha"])')" -o exact.npy
	python3 - <<-'END' || fail 'a list of -ln alpha'
	import struct
	plain, exact = (open(name, "rb").read()[128:] for name in ("plain.npy", "exact.npy"))
	floats = lambda data: struct.unpack("<%df" % (len(data) // 4), data)
	assert max(abs(a - b) for a, b in zip(floats(plain), floats(exact))) < 1e-3
	END
	expect 0 ddpm sample -q --steps 8 --sampler sde --rate beta -o beta.png
	expect 0 ddpm verify beta.png; expect 0 ddpm info beta.png; prints beta
	expect 64 ddpm sample --rate beta; says '--rate belongs to --sampler sde'
	for bad in gamma 1,,2 1,-2 1,2, nan; do
		expect 64 ddpm sample --sampler sde --steps 2 --rate $bad; says 'expected beta, or positive numbers'
	done
	expect 64 ddpm sample --sampler sde --steps 3 --rate 0.1,0.2; says '--rate: expected one value for each of 3 steps, found 2'
	expect 64 ddpm sample --sampler sde --steps 1 --rate 0.1,0.2; says 'found more'
}

test_from_an_image() {
	ddpm sample -q -n 1 --steps 8 -o a.png && ddpm sample -q -n 1 --steps 8 --seed 1 -o other.png || fail 'sample'
	for words in '--noise-to 300' '--noise-to 0' '--noise-to 999 --sampler dpmpp' '--noise-to 600 --encode --sampler ode' \
		'--noise-to 999 --encode --sampler ddim'; do
		ddpm sample -q -n 2 --steps 8 --from a.png $words -o b.png --force || fail "$words"
		expect 66 ddpm verify b.png; says '--from'
		expect 66 ddpm verify b.png --from other.png; says 'another image'
		expect 0 ddpm verify b.png --from a.png --batch 1
	done
	ddpm sample -q -n 2 --steps 1 --scale 1 -o wide.png || fail 'sample'
	expect 65 ddpm sample --from wide.png --noise-to 5 -o c.png
	says '64 x 32 pixels (width x height) of 1 channel, the'
	for words in '--from a.png' '--noise-to 5' '--encode --sampler ode' '--from a.png --noise-to -1' '--from a.png --noise-to 1000' \
		'--from a.png --noise-to 5 --spacing trailing --steps 8' '--from a.png --noise-to x' '--from a.png --noise-to 500 --encode' \
		'--from a.png --noise-to 500 --encode --sampler dpmpp' '--from a.png --noise-to 500 --encode --sampler ddim --eta 0.5' \
		'--from a.png --noise-to 400 --steps 8 --keep-steps 9'; do
		expect 64 ddpm sample $words
	done
	expect 66 ddpm sample --from nothing.png --noise-to 5
	ddpm sample -q -n 4 --steps 1 --scale 1 -o grid.png || fail 'sample'
	expect 65 ddpm sample --from grid.png --noise-to 500; says '64 x 64'; says '32 x 32'
	echo rubbish >rubbish.png
	expect 65 ddpm sample --from rubbish.png --noise-to 500; says 'rubbish.png'
}
