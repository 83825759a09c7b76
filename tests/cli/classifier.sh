# Guidance with a classifier: ddpm convert of a classifier, and --classifier of ddpm sample, verify and bench.

# The checkpoint c.safetensors of a classifier, 5 classes, images of 16 x 16.  The names and shapes of its tensors are those of the
# golden values, and its numbers are weights of plain.ddpm, a network without classes.
noisy_checkpoint() {
	[ -e plain.ddpm ] || ddpm convert -q "$tree/B3_guided_updown/ema_0.9999_000100.pt" -o plain.ddpm --set image_size=16 --set num_head_channels=8 \
		--set diffusion_steps=1000 --set noise_schedule=linear || fail 'plain.ddpm'
	grep -ao '"tensors":"[^"]*"' "$top/tests/golden/data/classifier.safetensors" | cut -d '"' -f 4 | tr ';' '\n' |
		awk '{ size = 4; for (i = split($2, side, ","); i; i--) size *= side[i]
			printf "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%d,%d]}", (NR > 1 ? "," : "{"), $1, $2, at, at + size; at += size }
			END { printf "}"; print at >"bytes" }' >header
	size=$(wc -c <header)
	{ printf "$(printf '\\%03o\\%03o' $((size % 256)) $((size / 256)))"; head -c 6 /dev/zero; cat header; tail -c "$(cat bytes)" plain.ddpm; } >c.safetensors
	rm header bytes
}
# noisy_classifier OUT SCHEDULE: the same as a model file.
noisy_classifier() {
	noisy_checkpoint
	expect 0 ddpm convert c.safetensors -o "$1" --set image_size=16 --set num_head_channels=8 --set diffusion_steps=1000 \
		--set noise_schedule="$2"
	rm c.safetensors
}
led() { ddpm sample -q -m plain.ddpm --classifier c.ddpm --steps 4 "$@"; }

# A classifier leads a network without classes to a class.  The scale and the classifier are in the PNG, which is made again.
test_classifier_guides() {
	noisy_classifier c.ddpm linear
	expect 0 ddpm info c.ddpm; prints 'classifies    noisy images, 5 classes'; prints 'openai'
	expect 0 ddpm info c.ddpm --json; prints '"arch":"encoder"'
	ddpm sample -q -m plain.ddpm --steps 4 -n 2 -o free.npy && led -n 2 --class 3 --guidance 0 -o zero.npy || fail 'scale 0'
	same free.npy zero.npy 'a scale of 0 leaves the images'
	for sampler in ddpm ddim unipc ode; do
		led -n 2 --class 3 --guidance 1000 --sampler $sampler -o 3-$sampler.npy &&
			led -n 2 --class 2 --guidance 1000 --sampler $sampler -o 2-$sampler.npy || fail $sampler
		! cmp -s 3-$sampler.npy 2-$sampler.npy || fail "$sampler: the class changes nothing"
	done
	led -n 3 --class all --guidance 300 -o a.png || fail 'class all'
	led -n 3 --class all --guidance 300 -o a.npz && [ -s a.npz ] || fail 'an archive'
	expect 0 ddpm info a.png; prints 'guidance      300'; prints 'classifier'
	expect 0 ddpm verify -m plain.ddpm --classifier c.ddpm a.png; prints 'the same'
	led -n 3 --class all --guidance 200 -o b.png; ! cmp -s a.png b.png || fail 'the scale changes nothing'
	expect 66 ddpm verify -m plain.ddpm a.png; says 'was made with a classifier: name it with --classifier'
	noisy_classifier other.ddpm cosine
	expect 66 ddpm verify -m plain.ddpm --classifier other.ddpm a.png; says 'was made with classifier'
	expect 65 ddpm verify -m plain.ddpm --classifier plain.ddpm a.png; says 'it is no classifier'

	# A network that has classes itself; without a classifier --guidance means another thing.
	expect 0 ddpm convert -q "$tree/D4_guided/unet.pt" -o guided.ddpm --set image_size=16 --set objective=pred_v --set beta_schedule=cosine \
		--set timesteps=1000
	expect 0 ddpm sample -q -m guided.ddpm --classifier other.ddpm --steps 3 -n 2 --class all --guidance 50 -o c.png
	expect 0 ddpm verify -m guided.ddpm --classifier other.ddpm c.png; prints 'the same'
	expect 0 ddpm sample -q -m guided.ddpm --steps 3 -n 2 --class all --guidance 50 -o d.png
	! cmp -s c.png d.png || fail '--guidance has one meaning'
}

# An image depends on neither batch, threads, shards nor interruption.
test_classifier_same_bits() {
	noisy_classifier c.ddpm linear
	set -- --class all --guidance 300
	led -n 5 "$@" --threads 1 --batch 1 --outdir a || fail 'the first run'
	led -n 5 "$@" --threads 3 --batch 3 --outdir b || fail 'batch and threads'
	for i in 0 1; do led -n 5 "$@" --outdir d --shard $i/2 || fail "shard $i"; done
	led --index 4 "$@" --outdir e && led -n 5 "$@" --outdir e || fail 'the rest'
	led -n 2 "$@" --memory-limit 2G --outdir f || fail 'a limit of memory'
	for file in a/*.png; do
		for other in b d e; do same "$file" "$other/${file#a/}"; done
	done
	same a/image-000001.png f/image-000001.png
	expect 64 ddpm sample -m plain.ddpm --steps 4 -n 5 --outdir a; says 'was begun with other settings'
	expect 0 ddpm verify -m plain.ddpm --classifier c.ddpm a --sample 1
}

# A stop between two steps, also of an inpainting: the next start goes on to the same bits.
test_classifier_resumed() {
	noisy_classifier c.ddpm linear
	ddpm sample -q -m plain.ddpm -n 2 --steps 2 --outdir f && rm f/manifest.jsonl && half_mask half.png || fail sample
	crash_library
	for words in '--sampler ddim' '--from f --mask half.png --fit resize --resample 2 --jump 2'; do
		set -- -q -m plain.ddpm --classifier c.ddpm --class all --guidance 300 -n 3 --steps 5 $words
		rm -rf whole stopped
		expect 0 crash CRASH_TICKS=ticks -- sample "$@" --outdir whole
		expect 75 crash CRASH_TICK=$(($(cat ticks) / 2)) -- sample "$@" --outdir stopped --batch 2
		expect 0 ddpm sample "$@" --outdir stopped --batch 3 --threads 2
		for file in whole/*.png; do same "$file" "stopped/${file#whole/}" "$words"; done
	done
}

test_classifier_bench() {
	noisy_classifier c.ddpm linear
	expect 0 ddpm bench -m plain.ddpm --classifier c.ddpm --guidance 900 --steps 2 --sampler ddpm -n 4 --rounds 1 --npy a --json
	prints '"guidance":900'; prints '"classifier":"'
	expect 0 ddpm bench -m plain.ddpm --steps 2 --sampler ddpm -n 4 --rounds 1 --npy b
	! cmp -s a/ddpm-2.npy b/ddpm-2.npy || fail 'bench does not guide'
}

# What does not fit together is refused before the first step.
test_classifier_refused() {
	noisy_classifier c.ddpm linear
	noisy_classifier cosine.ddpm cosine
	expect 0 ddpm convert -q "$tree/A3_scale_shift_classes" -o ten.ddpm
	expect 66 ddpm sample -m plain.ddpm --classifier missing.ddpm --class 1 -o a.png; says missing.ddpm
	expect 64 led -n 1 -o a.png; says 'this classifier has 5 classes: choose with --class 0..4 or --class all'
	expect 64 led -n 1 --class none -o a.png; says 'this classifier has 5 classes'
	expect 64 led -n 1 --class 5 -o a.png; says '--class 5: this model has classes 0 to 4'
	expect 64 led -n 1 --class 1 --guidance -1 -o a.png; says guidance
	expect 64 led -n 1 --class 1 --size 32 -o a.png; says '--classifier: the classifier knows images of 16x16 (width x height) and 3 channels'
	expect 64 ddpm sample -m plain.ddpm --classifier cosine.ddpm --class 1 -n 1 -o a.png; says 'different noise schedules: at t = '
	expect 64 ddpm sample -m ten.ddpm --classifier c.ddpm --class 1 -n 1 -o a.png; says 'classifier'
	expect 64 ddpm sample --classifier c.ddpm --class 1 -n 1 -o a.png; says 'and 3 channels, the model makes them of 32x32 and 1'
	expect 65 ddpm sample -m plain.ddpm --classifier plain.ddpm --class 1 -n 1 -o a.png; says 'it is no classifier: --classifier takes'
	none='is a classifier, which makes no images'
	expect 65 ddpm sample -m c.ddpm -n 1 -o a.png; says "$none"
	expect 65 ddpm bench -m c.ddpm --steps 2 --sampler ddpm -n 4; says "$none"
	expect 65 ddpm export -m c.ddpm -o folder; says "$none"
	expect 65 ddpm forward c.ddpm "$tree/B3_guided_updown/io.safetensors"; says "$none"
	expect 65 ddpm tune -m c.ddpm -o t.ddpm --steps 2; says "$none"
	expect 65 ddpm schedule -m c.ddpm; says "$none"
	pictures 16 16
	expect 65 ddpm eval d -m c.ddpm; says "$none"
	expect 65 ddpm train d -o m.ddpm --init c.ddpm --steps 1; says "$none"
}

# What the checkpoint does not say is asked for, and what contradicts it is refused.
test_classifier_converted() {
	noisy_checkpoint
	convert() { ddpm convert c.safetensors -o "${out:-bad.ddpm}" --set diffusion_steps=1000 --set noise_schedule=linear "$@"; }
	expect 64 ddpm convert c.safetensors -o bad.ddpm; says image_size=64; says diffusion_steps=1000; says noise_schedule=linear
	expect 65 convert --set image_size=64; says 'make no classifier of images of 64x64'
	expect 65 convert --set image_size=16x32; says 'make no classifier of images of 32x16'
	expect 64 convert --set image_size=16; says 'num_head_channels'
	for flag in classifier_depth=2 classifier_width=64 classifier_attention_resolutions=16 classifier_resblock_updown=false \
		classifier_use_scale_shift_norm=false classifier_pool=adaptive; do
		expect 64 convert --set image_size=16 --set num_head_channels=8 --set $flag; says "${flag%=*}"
	done
	out=good.ddpm
	expect 0 convert --set image_size=16 --set num_head_channels=8 --set classifier_depth=1 --set classifier_width=32 --set classifier_pool=attention \
		--set classifier_attention_resolutions=8 --set classifier_resblock_updown=true --set classifier_use_scale_shift_norm=true
	expect 0 ddpm info good.ddpm --nodes --check; prints 'pool.to_qkv'
	expect 65 ddpm convert good.ddpm -o bad.ddpm; says 'is a model file of this program already'

	sed 's/out.2.positional_embedding/out.2.positional_embeddinj/' c.safetensors >other.safetensors
	expect 65 ddpm convert other.safetensors -o bad.ddpm; says 'makes no images'; says 'classifier_pool=attention'
	only c.safetensors plain.ddpm good.ddpm other.safetensors
}
