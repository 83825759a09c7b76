# size.sh: images of other sizes than the model was trained at.  Sourced by run.sh.

test_size_bits() {
	set -- --size 24x16 --steps 3
	expect 0 ddpm sample "$@" -n 5 --outdir a --batch 1 --threads 1
	[ "$(grep -c 'images of 24 x 16 pixels (width x height); the model was trained at 32 x 32' err)" -eq 1 ] || fail "once: $(cat err)"
	ddpm sample -q "$@" -n 5 --outdir b --batch 3 --threads 3 || fail 'another batch'
	ddpm sample -q "$@" -n 5 --outdir c --shard 0/2 && ddpm sample -q "$@" -n 5 --outdir c --shard 1/2 &&
		ddpm merge -q --outdir c || fail 'shards'
	for file in a/*.png; do
		same "$file" "b/${file#a/}" batch
		same "$file" "c/${file#a/}" shards
	done

	# Size and settings stand in picture and manifest, and are compared.
	expect 0 ddpm info a/image-000000.png; prints 'pixels        24 x 16'; prints 'size          24x16'
	expect 0 ddpm verify a --sample 5; [ "$(grep -c 'are the same' out)" -eq 5 ] || fail "$(cat out)"
	for other in '' '--size 16x24' '--size 32'; do
		expect 64 ddpm sample -q --steps 3 $other -n 5 --outdir a; says 'size is "24x16" there'
	done

	# One size after the other, and the model's own, which is not said and leaves the settings as they were.
	ddpm sample -q --steps 3 -n 2 -o wide.png --size 40x12 && ddpm sample -q --steps 3 -n 2 -o own.png || fail sample
	expect 0 ddpm verify wide.png own.png a/image-000001.png wide.png
	[ "$(grep -c 'are the same' out)" -eq 4 ] || fail "$(cat out)"
	expect 0 ddpm sample --steps 3 -n 2 -o same.png --size 32x32; ! grep -q trained err || fail "$(cat err)"
	same own.png same.png
}

test_size_refused() {
	for words in sample bench 'eval data' 'tune -o t.ddpm'; do
		expect 64 ddpm $words --size 30x33
		says '--size: images of 30x33 (width x height)'; says 'multiples of 4; the nearest are 28x32 and 32x36'
		for size in 0 x 32x 32x0 -8 8x8x8 1e3 999999; do expect 64 ddpm $words --size $size; says '--size'; done
		expect 64 ddpm $words --size 9000; says '1 to 8192 pixels'
	done
	mkdir photos && ddpm sample -q -n 1 --steps 1 -o photos/a.png || fail sample
	expect 64 ddpm train photos -o new.ddpm --steps 1 --size 16; says '--init'
	only photos
}

# A stop in the middle of a batch, and the next start.
test_size_resumed() {
	set -- --size 20x28 --steps 8 -n 2
	crash_library
	expect 0 crash CRASH_TICKS=ticks -- sample -q "$@" --outdir whole
	expect 75 crash CRASH_TICK=$(($(cat ticks) / 2)) -- sample -q "$@" --outdir stopped
	[ -f stopped/resume.safetensors ] || fail 'the batch under way is not saved'
	expect 0 ddpm sample -q "$@" --threads 1 --outdir stopped
	for file in whole/*.png; do same "$file" "stopped/${file#whole/}"; done
}

# Measuring, timing, tuning and training at another size; files made so have that size.
test_size_elsewhere() {
	mkdir photos
	ddpm sample -q -n 4 --steps 2 --outdir photos --size 16x24 && rm photos/manifest.jsonl || fail sample
	expect 0 ddpm eval photos --size 16x24 --steps 2 --resume sums --json; says 'trained at 32 x 32'; prints '"images":4'
	for size in 32 24x16; do
		expect 64 ddpm eval -q photos --size $size --fit resize --steps 2 --resume sums; says 'sums was begun with model'; says ' at 16x24'
	done
	expect 65 ddpm eval photos --steps 2; says '16 x 24 pixels (width x height), but the model'
	expect 0 ddpm bench --size 16x24 --steps 1,2 -n 2 --spread 1e6 --json; prints '"width":16'; prints '"height":24'
	expect 0 ddpm train photos --init "$top/tools/default.ddpm" --size 16x24 -o tuned.ddpm --steps 1 --set batch=2 --holdout 0
	expect 0 ddpm info tuned.ddpm; prints 'image         16 x 24 pixels'
	expect 0 ddpm sample -m tuned.ddpm -n 1 --steps 1 -o own.png; expect 0 ddpm info own.png; prints 'pixels        16 x 24'
}
