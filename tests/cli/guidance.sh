# Guidance without a classifier: --guidance and --class none of ddpm sample, and class_dropout of ddpm train.

# The network of lucidrains' classifier_free_guidance, with 5 classes and a null class, as guided.ddpm.
guided_model() {
	expect 0 ddpm convert "$top/tests/golden/cases/D4_guided/unet.pt" -o guided.ddpm --set image_size=16 --set objective=pred_v \
		--set beta_schedule=cosine --set timesteps=1000
	says 'attn_heads 4 in the middle is assumed'
}
guided() { ddpm sample -q -m guided.ddpm --steps 4 "$@"; }

# --guidance is in the PNG, changes the image and is made again; 1 and 0 are the images of the class and of none.
test_guidance_scale() {
	guided_model
	expect 0 ddpm info guided.ddpm; prints '5 classes and no class'
	guided -n 3 --class all -o plain.png && guided -n 3 --class all --guidance 1 -o one.png || fail 'no guidance'
	same plain.png one.png '--guidance 1 is no guidance'
	guided -n 3 --class all --guidance 2.5 -o more.png || fail 'guidance'
	expect 0 ddpm info more.png; prints 'guidance      2.5'
	expect 0 ddpm verify -m guided.ddpm plain.png more.png; prints 'the same'
	sed 's/"guidance":2.5/"guidance":3.5/' more.png >changed.png
	expect 65 ddpm verify -m guided.ddpm changed.png
	guided -n 2 --class 3 --guidance 0 -o zero.npy && guided -n 2 --class none -o none.npy || fail 'no class'
	same zero.npy none.npy '--guidance 0 ignores the class'
	guided -n 2 --class 3 -o three.npy; ! cmp -s three.npy none.npy || fail 'the class changes nothing'
	guided -n 1 --class none -o none.png || fail 'no class'
	expect 0 ddpm verify -m guided.ddpm none.png; prints 'the same'
}

# A guided image depends on neither batch, threads, shards nor interruption.
test_guidance_same_bits() {
	guided_model
	set -- --class all --guidance 3 --sampler dpmpp
	guided -n 5 "$@" --threads 1 --batch 1 --outdir a || fail 'the first run'
	guided -n 5 "$@" --threads 3 --batch 3 --outdir b || fail 'batch and threads'
	guided -n 5 "$@" --threads 2 --outdir c || fail 'the default batch'
	for i in 0 1; do guided -n 5 "$@" --outdir d --shard $i/2 || fail "shard $i"; done
	guided --index 4 "$@" --outdir e && guided -n 5 "$@" --outdir e || fail 'the rest'
	for file in a/*.png; do
		for other in b c d e; do same "$file" "$other/${file#a/}"; done
	done
	expect 64 guided -n 6 --class all --guidance 2 --sampler dpmpp --outdir a; says 'guidance is 3 there and 2 here'
	expect 64 guided -n 6 --class all --sampler dpmpp --outdir a; says 'guidance is 3 there and not here'
	expect 0 ddpm verify -m guided.ddpm a
}

# A stop between two steps, guided and with known pixels: the next start goes on to the same bits.
test_guidance_resumed() {
	guided_model
	ddpm sample -q -n 2 --steps 2 --outdir f && rm f/manifest.jsonl && half_mask half.png || fail sample
	crash_library
	for words in '--sampler ipndm' '--from f --mask half.png --fit resize --resample 2 --jump 2'; do
		set -- -q -m guided.ddpm --class all --guidance 2 -n 3 --steps 6 $words
		rm -rf whole stopped
		expect 0 crash CRASH_TICKS=ticks -- sample "$@" --outdir whole
		expect 75 crash CRASH_TICK=$(($(cat ticks) / 2)) -- sample "$@" --outdir stopped --batch 2
		[ -f stopped/resume.safetensors ] || fail 'the batch under way is not saved'
		expect 0 ddpm sample "$@" --outdir stopped --batch 3 --threads 2
		for file in whole/*.png; do same "$file" "stopped/${file#whole/}" "$words"; done
	done
}

# bench guides like sample; forward knows the null class as one more class.
test_guidance_bench() {
	guided_model
	expect 0 ddpm bench -m guided.ddpm --steps 2 --sampler ddpm -n 4 --rounds 1 --guidance 3 --npy a --json; prints '"guidance":3'
	expect 0 ddpm bench -m guided.ddpm --steps 2 --sampler ddpm -n 4 --rounds 1 --npy b
	! cmp -s a/ddpm-2.npy b/ddpm-2.npy || fail 'bench does not guide'
	expect 64 ddpm bench --steps 2 --sampler ddpm -n 4 --rounds 1 --guidance 3; says 'this model has no classes'
}

# What cannot be guided is refused before the first step.
test_guidance_refused() {
	guided_model
	expect 64 guided -n 1 -o a.png; says '--class none'
	expect 64 guided -n 1 --guidance 2 --class none -o a.png; says '--guidance 2 leads to a class'
	expect 64 guided -n 1 --guidance 2 --class 5 -o a.png; says 'this model has classes 0 to 4'
	expect 64 guided -n 1 --guidance -1 --class 2 -o a.png; says 'guidance'
	expect 64 ddpm sample -n 1 --guidance 2 -o a.png; says 'this model has no classes'
	expect 0 ddpm sample -q -n 1 --steps 1 --class none -o plain.png
	for flag in attn_heads=8 num_classes=4 use_cfg_plus_plus=true; do
		expect 64 ddpm convert "$top/tests/golden/cases/D4_guided/unet.pt" -o b.ddpm --set image_size=16 --set objective=pred_v \
			--set beta_schedule=cosine --set timesteps=1000 --set $flag
		says "${flag%=*}"
	done
	only guided.ddpm plain.png
}

# The last class of a checkpoint stands for no class where --set null_class says so.
test_guidance_converted() {
	folder=$tree/A3_scale_shift_classes
	expect 0 ddpm convert -q "$folder" -o ten.ddpm && expect 0 ddpm convert -q "$folder" -o nine.ddpm --set null_class=9
	expect 0 ddpm info nine.ddpm; prints '9 classes and no class'
	ddpm sample -q -m ten.ddpm -n 2 --steps 2 --class 9 -o ten.npy && ddpm sample -q -m nine.ddpm -n 2 --steps 2 --class none -o nine.npy ||
		fail 'sample'
	same ten.npy nine.npy 'the null class is class 9'
	expect 0 ddpm sample -q -m nine.ddpm -n 2 --steps 2 --class all --guidance 2 -o a.png
	expect 0 ddpm verify -m nine.ddpm a.png
	expect 0 ddpm export -m nine.ddpm -o folder && expect 0 ddpm convert -q folder -o again.ddpm --set null_class=9
	ddpm sample -q -m again.ddpm -n 2 --steps 2 --class none -o again.npy; same again.npy nine.npy
	expect 64 ddpm convert "$folder" -o bad.ddpm --set null_class=3; says 'expected 9'
}

# class_dropout makes a null class: of a new model, and of one that has classes only.
test_guidance_trained() {
	pictures 8 8
	mkdir d/a d/b; mv d/0[0-3].png d/a; mv d/0[4-7].png d/b
	common='--set net.height=8 --set net.width=8 --set net.widths=8,8 --set net.blocks=1 --set net.norm.groups=4 --set batch=4
		--set diffusion.steps=8 --set net.classes=2 --grid-every 0 --threads 1 --steps 3 --holdout 2 -q'
	expect 0 ddpm train d -o plain.ddpm $common
	expect 64 ddpm sample -m plain.ddpm --class 0 --guidance 2 -n 1 -o a.png; says 'this model has no null class'; says 'class_dropout=0.1'
	expect 0 ddpm train d -o m.ddpm $common --set class_dropout=0.5
	expect 0 ddpm info m.ddpm; prints '2 classes and no class'
	expect 0 ddpm sample -q -m m.ddpm --class 0 --guidance 2 -n 1 --steps 2 -o a.png
	expect 0 ddpm train d -o more.ddpm --init plain.ddpm --set class_dropout=0.5 --set batch=4 --grid-every 0 --threads 1 --steps 1 --holdout 2 -q
	expect 0 ddpm sample -q -m more.ddpm --class none -n 1 --steps 2 -o b.png
	expect 64 ddpm train d -o n.ddpm $common --set class_dropout=0.5 --set net.null_class=false; says 'no null class'
	expect 64 ddpm train d -o n.ddpm $common --set class_dropout=1; says 'class_dropout'
	expect 64 ddpm train d -o n.ddpm --init "$top/tools/default.ddpm" --fit pad --steps 1 --set class_dropout=0.1; says 'class_dropout leaves out the class'
}
