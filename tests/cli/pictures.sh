# Pictures in and out: 16 bits, channels, formats, and the texts that viewers show.

# text_end FILE: where the chunk behind the header of a PNG of ours, its settings, ends.
text_end() { echo $(($(printf '%d' "0x$(od -An -tx1 -j33 -N4 "$1" | tr -d ' \n')") + 12 + 33)); }

test_16_bits() {
	expect 0 ddpm sample -q -n 3 --steps 2 --format png16 --outdir a
	expect 0 ddpm sample -q -n 3 --steps 2 --format png16 --outdir b --threads 3 --batch 2 --shard 1/2
	expect 0 ddpm sample -q -n 3 --steps 2 --format png16 --outdir b --batch 1
	for file in a/*.png; do same "$file" "b/${file#a/}"; done
	[ "$(od -An -tu1 -j24 -N2 a/image-000000.png | tr -s ' ')" = ' 16 0' ] || fail 'the depth is not 16 bits'
	expect 0 ddpm verify a; prints 'the same'
	expect 0 ddpm info a; prints 'png16'
	expect 64 ddpm sample -q -n 3 --steps 2 --outdir a; says 'format'
	printf x >>a/image-000001.png
	expect 0 ddpm sample -q -n 3 --steps 2 --format png16 --outdir a --check-existing; same a/image-000001.png b/image-000001.png

	# A picture of 8 bits with the settings of one of 16.
	ddpm sample -q -n 1 --steps 2 -o c.png || fail 'sample'
	wide=$(text_end a/image-000000.png)
	{ head -c 33 c.png; head -c "$wide" a/image-000000.png | tail -c +34; tail -c +$(($(text_end c.png) + 1)) c.png; } >mixed.png
	expect 65 ddpm verify mixed.png; says 'has 8 bits a value and its settings say format png16'
	expect 64 ddpm sample -n 1 --format png16 -o x.npy; says '--format png16 writes no .npy'
	expect 0 ddpm sample -q -n 2 --steps 2 --format png16 --show -o show.png; [ "$(wc -l <out)" -gt 5 ] || fail 'nothing is shown'
	expect 0 ddpm sample -q -n 2 --steps 2 --show -o narrow.png --force; cp out narrow
	expect 0 ddpm sample -q -n 2 --steps 2 --format png16 --show -o show.png --force; same out narrow 'what is shown of 16 and of 8 bits'
}

test_texts_for_viewers() {
	ddpm sample -q -n 1 --steps 2 --seed 7 -o a.png || fail 'sample'
	tr '\000' '\n' <a.png | grep -qa '^ddpm [0-9.]*' || fail 'Software is missing'
	tr '\000' '\n' <a.png | grep -a -A1 'Description$' | grep -qa 'seed 7, sampler ddpm' || fail 'Description is missing'
}

# Two draws of 64 bits are the same once in 2^64 times.
test_seed_random() {
	expect 0 ddpm sample -n 1 --steps 1 --seed random -o a.png
	seed=$(sed -n 's/^ddpm sample: --seed random is --seed \([0-9]*\)$/\1/p' err)
	[ -n "$seed" ] || fail "the seed is not said: $(cat err)"
	expect 0 ddpm info a.png; prints "seed          $seed"
	expect 0 ddpm sample -q -n 1 --steps 1 --seed "$seed" -o b.png; same a.png b.png
	expect 0 ddpm sample -q -n 1 --steps 1 --seed=random -o c.png; [ ! -s err ] || fail '-q is not quiet'
	! cmp -s a.png c.png || fail 'the same seed twice'
	expect 64 ddpm sample --seed rnd; says 'or random'
	expect 0 ddpm sample -q -n 1 --steps 1 --seed random --outdir d
	expect 64 ddpm sample -q -n 2 --steps 1 --seed random --outdir d; says 'seed is'
}
