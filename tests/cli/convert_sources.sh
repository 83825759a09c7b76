# ddpm convert: relatives of the known networks, strangers, schedules, parts and what tools write around flags.

# Relatives of the known networks are called what they are.
test_convert_relatives() {
	lucid_names='downs.0.0.block1.proj.weight:4 time_mlp.1.weight:2'
	names a.safetensors init_conv.weight:3 $lucid_names; expect 65 ddpm convert a.safetensors -o m.ddpm
	says 'for sequences (Unet1D)'
	names a.safetensors init_conv.weight:5 $lucid_names; expect 65 ddpm convert a.safetensors -o m.ddpm
	says 'for videos'
	names a.safetensors time_embed.0.weight:2 input_blocks.0.0.weight:4 out.2.c_proj.weight:3
	expect 65 ddpm convert a.safetensors -o m.ddpm; says 'so it is no classifier with classifier_pool=attention'
	names a.safetensors time_embed.0.weight:2 input_blocks.0.0.weight:4 input_blocks.1.1.transformer_blocks.0.x:1
	expect 65 ddpm convert a.safetensors -o m.ddpm; says 'conditioned by attention'
	names a.safetensors conv_in.weight:4 time_embedding.linear_1.weight:2 down_blocks.0.transformer_blocks.0.x:1
	expect 65 ddpm convert a.safetensors -o m.ddpm; says 'conditioned by attention'
	names model-00001-of-00002.safetensors conv_in.weight:4
	expect 65 ddpm convert model-00001-of-00002.safetensors -o m.ddpm; says 'give their folder'
	only a.safetensors model-00001-of-00002.safetensors
}

# A file that is given for a model or a checkpoint and is something else is called what it is.
test_convert_strangers() {
	echo '{"a": 1}' >json; echo 'root:x:0:0' >text; : >empty
	printf 'version https://git-lfs.github.com/spec/v1\noid' >lfs
	printf '\211PNG\r\n\032\n....' >png; printf '\377\330\377\340....' >jpeg; printf '<!DOCTYPE html><html>' >web
	printf '\211HDF\r\n\032\n' >h5
	printf 'GGUF\003\000\000\000' >gguf; printf '\010\010\022\007pytorch' >onnx
	printf '\223NUMPY\001\000v\000' >npy
	head -c 4096 /dev/zero >zero; printf '\200\004]\224.....' >pickle
	printf '\037\213\010\000\000\000\000\000' >gz; mkdir folder
	{ printf 'PK\003\004'; head -c 22 /dev/zero; printf '\005\000\000\000a.npy'; } >npz
	while read -r file words; do
		expect 65 ddpm sample -m $file -n 1 --steps 2 -o x.png; says "$file: is $words"
		says 'no model file of ddpm'
		[ $file = folder ] && continue
		expect 65 ddpm convert $file -o m.ddpm; says "$file: is $words"; says 'no checkpoint'
	done <<-END
	json a JSON file
	text a text file
	empty empty
	lfs a git-lfs pointer, not the file itself
	png a PNG picture
	jpeg a JPEG picture
	web a web page
	h5 an HDF5 file
	gguf a GGUF file
	onnx an ONNX model
	npy a NumPy .npy array
	npz a NumPy .npz archive
	zero nothing but zero bytes
	pickle a pickle
	gz compressed with gzip
	folder a folder
	END
	expect 66 ddpm convert google/ddpm-cifar10-32 -o m.ddpm; says 'hf download google/ddpm-cifar10-32'
	expect 66 ddpm sample -m google/ddpm-cifar10-32 -n 1; says 'hf download google/ddpm-cifar10-32'
	for path in https://huggingface.co/google/ddpm-cifar10-32 huggingface.co/google/ddpm-cifar10-32; do
		expect 66 ddpm convert $path -o m.ddpm; says 'hf download OWNER/NAME'
	done
	for path in folder/ddpm-cifar10-32 google/config.json ./ddpm/cifar10 /a/b a/b/c; do
		expect 66 ddpm convert $path -o m.ddpm; says "$path: cannot be opened"
	done
	for file in lfs png pickle; do expect 65 ddpm convert "$pesser" --config $file -o m.ddpm; says "$file: is "
	done
	cp -r "$tree/A3_scale_shift_classes" p && chmod -R u+w p && cp lfs p/unet/config.json
	expect 65 ddpm convert p -o m.ddpm; says 'p/unet/config.json: is a git-lfs pointer'
	cp "$tree/A3_scale_shift_classes/unet/config.json" p/unet; cp lfs p/unet/diffusion_pytorch_model.safetensors
	expect 65 ddpm convert p -o m.ddpm; says 'diffusion_pytorch_model.safetensors: is a git-lfs pointer'
	expect 65 ddpm forward png x; says 'png: is a PNG picture, no model file of ddpm'
	expect 66 ddpm forward google/ddpm-cifar10-32 x; says 'hf download'
	absent x.png m.ddpm
}

# A file that asks for something which this program does not have is refused.
test_convert_refuses() {
	for flag in class_embed_type=timestep time_embedding_type=fourier resnet_time_scale_shift=ada_group act_fn=tanh downsample_padding=2 mid_block_type=Odd \
	            downsample_type=kernel thresholding=true variance_type=learned variance_type=fixed_large_log prediction_type=flow \
	            beta_schedule=laplace rescale_betas_zero_snr=true use_flow_sigmas=true \
	            scheduler._class_name=EDMDPMSolverMultistepScheduler; do
		expect 64 ddpm convert "$tree/A3_scale_shift_classes" --set $flag -o model.ddpm; says "${flag%%=*}"; says "${flag#*=}"
	done
	for flag in type=bayesian resamp_with_conv=false data.rescaled=false data.logit_transform=true beta_schedule=cosine var_type=learned; do
		expect 64 ddpm convert "$pesser" --set resolution=32 --set $flag -o model.ddpm; says "${flag%=*}"
	done
	for flag in self_condition=true learned_sinusoidal_cond=true random_fourier_features=true auto_normalize=false objective=pred_u beta_schedule=quad; do
		expect 64 with "$lucid_flags $flag" ddpm convert "$lucid" -o model.ddpm; says "${flag%=*}"
	done
	expect 65 with 'image_size=32 objective=pred_v beta_schedule=linear timesteps=8' ddpm convert "$lucid" -o model.ddpm
	says 'beta lies between 0 and 1'
	expect 65 with "$guided_flags large_size=64" ddpm convert "$guided" -o model.ddpm; says 'super-resolution'
	only
}

test_convert_schedules() {
	folder=$tree/A3_scale_shift_classes
	expect 0 ddpm convert -q "$folder" --set prediction_type=v_prediction --set rescale_betas_zero_snr=true --set clip_sample=false --dry-run
	prints 'f32:linear:0.0001,0.02+zero-snr'; prints '"prediction":"v"'; prints '"clip":0'
	expect 0 ddpm convert -q "$folder" --set num_train_timesteps=3 --set trained_betas=[0.1,0.2,0.4] --set clip_sample_range=2 -o betas.ddpm
	expect 0 ddpm schedule -m betas.ddpm --csv
	# alpha_bar = 0.9, 0.9 0.8, 0.9 0.8 0.6 with what float32 makes of them: 2^-24 each.
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "alpha_bar") at = i; next } { e = NR == 2 ? .9 : NR == 3 ? .72 : .432; d = $at - e;
	         if (d < 0) d = -d; if (d > 2.4e-7) exit 1 } END { if (NR != 4) exit 1 }' out || fail "$(cat out)"
	expect 65 ddpm convert -q "$folder" --set num_train_timesteps=3 --set trained_betas=[0.1,0,0.4] -o bad.ddpm; says 'schedule.beta'
	expect 64 ddpm convert -q "$folder" --set num_train_timesteps=2 --set trained_betas=[0.1,0.2,0.4] -o bad.ddpm; says 'trained_betas'
	expect 0 with "image_size=16 num_head_channels=8 diffusion_steps=4000 noise_schedule=cosine rescale_timesteps=true" ddpm convert -q "$guided" --dry-run
	prints '"t_scale":0.25'; prints '"name":"cosine"'; prints '"variance":"learned-range"'
	only betas.ddpm
}

test_convert_config() {
	echo '{"create_model": {"image_size": 16, "num_head_channels": 8}, "diffusion_steps": 1000, "noise_schedule": "linear", "note": "x", "odd": 1}' >a.json
	printf '%s\n' 'MODEL_FLAGS="--image_size 16 --num_head_channels 8 \' ' --resblock_updown"' 'DIFFUSION_FLAGS="--diffusion_steps=1000 --noise_schedule linear"' >b.txt
	expect 0 ddpm convert "$guided" --config a.json -o a.ddpm; says 'not used: odd'
	for i in 1 2 3 4 5 6 7 8; do
		printf '%s' "--an_option_of_another_program_$i $i "
	done | cat - b.txt >long
	expect 0 ddpm convert "$guided" --config long -o a.ddpm --force; says 'another_program_5 and 3 more'
	rm long
	expect 0 ddpm convert "$guided" --config b.txt -o b.ddpm
	same a.ddpm b.ddpm
	expect 0 ddpm convert "$guided" --config b.txt --set num_head_channels=-1 --set num_heads=4 -o c.ddpm
	same a.ddpm c.ddpm '32 channels have four heads of eight'
	expect 66 ddpm convert "$guided" --config nothing -o d.ddpm; says nothing
	printf 'model:\n  ch: 128\n' >d.yml
	expect 64 ddpm convert "$guided" --config d.yml -o d.ddpm; says 'image_size='
	for text in 'a: [1' 'just words' '- 1' 'a: &a [*a, *a]'; do
		echo "$text" >d.yml; expect 65 ddpm convert "$guided" --config d.yml -o d.ddpm; says d.yml
	done
	echo '{"image_size": 16' >d.json
	expect 65 ddpm convert "$guided" --config d.json -o d.ddpm; says d.json
	echo '{"image_size": "wide"}' >d.json
	expect 65 ddpm convert "$guided" --config d.json -o d.ddpm; says image_size
	only a.json a.ddpm b.txt b.ddpm c.ddpm d.yml d.json
}

# Flags as READMEs and scripts have them, YAML, and what tools write around a number: all make the same model.
pasted_files() {
	cat >three <<-END
	MODEL_FLAGS="$model"
	DIFFUSION_FLAGS="$diffusion"
	python scripts/image_sample.py --model_path x.pt \$MODEL_FLAGS \$DIFFUSION_FLAGS
	END
	cat >comments <<-END
	# --image_size 64 of old
	MODEL_FLAGS="$model" # as --trained
	export DIFFUSION_FLAGS="$diffusion"
	END
	cat >shell <<-END
	M='$model'; mpiexec -n 8 python a.py \\
	  \$M $diffusion --dropout '0.0' >log.txt 2>&1 &
	END
	echo "$model --channel_mult \"\" --class_cond= $diffusion" >empty
	echo "$model $diffusion" | tr _ - >dashes
	printf 'set M=%s\r\nset D=%s\r\n' "$model" "$diffusion" >windows
	printf 'run `%s`:\n```bash\n$ python a.py --data_dir x %s\n```\n' "$model" "$diffusion" >markdown
	cat >quoted <<-END
	{"image_size":"16", "num_head_channels":"8", "diffusion_steps":"1000", "noise_schedule":"linear",
	 "class_cond":"False"}
	END
	cat >wandb <<-END
	{"image_size": {"desc": null, "value": 16}, "num_head_channels": {"value": "8"},
	 "diffusion_steps": {"value": 1000}, "noise_schedule": {"value": "linear"}}
	END
	cat >yaml <<-END
	image_size: 16 # pixels
	model: {num_head_channels: 8, class_cond: no}
	diffusion:
	  diffusion_steps: 1000
	  noise_schedule: "linear"
	END
	cat >tags <<-END
	---
	model: !!python/object:argparse.Namespace
	  image_size: &s 16
	  size: *s
	  num_head_channels: 8
	more: [ignored]
	diffusion_steps: 1000
	noise_schedule: linear
	END
}

test_convert_pasted() {
	model='--image_size 16 --num_head_channels 8' diffusion='--diffusion_steps 1000 --noise_schedule linear'
	expect 0 with "$guided_flags" ddpm convert "$guided" -o right.ddpm
	pasted_files
	# as editors of Windows end lines
	for file in comments shell wandb yaml; do sed 's/$/\r/' $file >$file-crlf; done
	for file in three comments shell empty dashes windows markdown quoted wandb yaml tags *-crlf; do
		expect 0 ddpm convert "$guided" --config $file -o made.ddpm --force
		same right.ddpm made.ddpm "$file: $(cat $file)"
	done
	# one file that says two things means neither for sure
	rest='num_head_channels: 8\ndiffusion_steps: 1000\nnoise_schedule: linear\n'
	for text in "$model --image_size 32 $diffusion" "M='$model $diffusion'\nM='--image_size 32'" \
		"image_size: 16\nimage_size: 32\n$rest" "model: {image_size: 16}\ndata: {image_size: 32}\n$rest"; do
		printf '%b' "$text" >bad
		expect 65 ddpm convert "$guided" --config bad -o bad.ddpm; says 'image_size is 16, and then'
		expect 0 ddpm convert "$guided" --config bad --set image_size=16 -o made.ddpm --force
		same right.ddpm made.ddpm "$text"
	done
	expect 64 with "$guided_flags image_size=32" ddpm convert "$guided" -o bad.ddpm
	says '--set: image_size is 16, and then'; says 'leave one out'
	printf 'image_size: 16\n---\nimage_size: 32\n' >bad
	expect 65 ddpm convert "$guided" --config bad -o bad.ddpm; says 'more than one document'
	echo '{"image_size": "16x"}' >bad
	expect 65 ddpm convert "$guided" --config bad -o bad.ddpm; says 'image_size is "16x"'
	echo '--image_size 16 32' >bad; expect 65 ddpm convert "$guided" --config bad -o bad.ddpm; says 'found "32"'
	printf 'data:\n    image_size: 32\nmodel:\n    ch: 32\n    var_type: fixedlarge\n' >cifar10.yml
	expect 0 ddpm convert "$pesser" --config cifar10.yml -o a.ddpm; says 'schedule: taken as'
	expect 0 ddpm convert "$pesser" --set resolution=32 -o b.ddpm; same a.ddpm b.ddpm
	sed -i 's/ch: 32/ch: 64/' cifar10.yml
	expect 65 ddpm convert "$pesser" --config cifar10.yml -o c.ddpm
	says 'model.ch is 64, but the tensors show 32'
}

test_convert_output() {
	folder=$tree/A3_scale_shift_classes
	expect 0 ddpm convert -q "$folder" -o model.ddpm
	cp model.ddpm before.ddpm
	expect 73 ddpm convert -q "$folder" --dtype f16 -o model.ddpm; says '--force'
	same model.ddpm before.ddpm
	expect 0 ddpm convert -q "$folder" --dtype f16 -o model.ddpm --force
	[ "$(wc -c <model.ddpm)" -lt 500000 ] || fail 'float16 is no smaller'
	expect 0 ddpm info --check model.ddpm
	expect 0 ddpm forward model.ddpm "$folder/io.safetensors" --tolerance 0.02
	expect 73 ddpm convert -q "$folder" -o no/such.ddpm
	expect 73 ddpm convert -q "$folder" -o /dev/full
	expect 0 ddpm convert -q "$folder" -o again.ddpm
	same before.ddpm again.ddpm 'the same input'
	only model.ddpm before.ddpm again.ddpm
}

# The other way; what diffusers makes of it is tests/check_diffusers.py's business.
test_convert_export() {
	expect 0 ddpm convert "$top/tests/golden/cases/A3_scale_shift_classes" -o a.ddpm -q
	expect 0 ddpm export -m a.ddpm -o there; says 'written to there for diffusers'
	[ "$(cd there && find . -type f | sort | tr '\n' ' ')" = \
	  './model_index.json ./scheduler/scheduler_config.json ./unet/config.json ./unet/diffusion_pytorch_model.safetensors ' ] || fail "$(find there)"
	expect 73 ddpm export -m a.ddpm -o there; says 'exists already'
	expect 0 ddpm export -m a.ddpm -o there --force -q --json
	prints '{"output":"there","to":"diffusers","id":"'
	expect 0 ddpm convert there -o b.ddpm -q
	expect 0 ddpm export -m b.ddpm -o again -q
	for file in unet/diffusion_pytorch_model.safetensors unet/config.json scheduler/scheduler_config.json; do same there/$file again/$file; done
	for kind in mkdir mkfifo; do        # no file is replaced where the last one cannot be
		mv there/model_index.json index; echo mine >there/unet/config.json; $kind there/model_index.json
		expect 73 ddpm export -m a.ddpm -o there --force; says 'model_index.json'
		[ "$(cat there/unet/config.json)" = mine ] || fail "replaced, though it fails: $kind"
		[ -z "$(find there -name '.ddpm-*')" ] || fail "left behind: $(find there)"
		rm -rf there/model_index.json; mv index there/model_index.json
	done
	expect 0 ddpm export -m a.ddpm -o there --force -q
	expect 64 ddpm export -m a.ddpm -o c --dtype f16; says 'leave --dtype f16 out'
	expect 64 ddpm export -m a.ddpm -o c --weights raw; says 'unknown option --weights'
	expect 64 ddpm export -m a.ddpm -o c --to onnx; says 'choose from diffusers'
	expect 64 ddpm convert a.ddpm -o c --to diffusers; says '--to is a command of its own: ddpm export'
	expect 65 ddpm convert a.ddpm -o c; says 'already; ddpm export makes other files of it'
	expect 64 ddpm export -m a.ddpm; says 'add -o FOLDER'
	expect 66 ddpm export -m no.ddpm -o c
	expect 73 ddpm export -m a.ddpm -o no/c; says 'no/c'
	expect 0 ddpm convert "$top/tests/golden/cases/D1_unet3/unet.pt" --set image_size=24 --set objective=pred_v --set beta_schedule=sigmoid --set timesteps=1000 -o d.ddpm -q
	expect 65 ddpm export -m d.ddpm -o c; says 'net.arch is "lucid"'
	( trap '' XFSZ; ulimit -f 100; expect 74 ddpm export -m a.ddpm -o c; says 'diffusion_pytorch_model.safetensors' ) || exit 1
	absent c
}

# A model file with smaller weights: the values that its checkpoint gives as float16, everything else as it was.
test_convert_model_file() {
	local case=$top/tests/golden/cases/A3_scale_shift_classes
	expect 0 ddpm convert "$case" -o whole.ddpm -q
	expect 0 ddpm convert "$case" --dtype f16 -o half.ddpm -q
	expect 0 ddpm export -m whole.ddpm --to ddpm -o again.ddpm -q
	same whole.ddpm again.ddpm 'the same file again'
	expect 0 ddpm export -m whole.ddpm --to ddpm --dtype f16 -o made.ddpm; says 'written to made.ddpm for ddpm'
	same half.ddpm made.ddpm 'float16 of the checkpoint and of the model file'
	expect 0 ddpm export -m half.ddpm --to ddpm -o wide.ddpm -q
	expect 0 ddpm export -m wide.ddpm --to ddpm --dtype f16 -o narrow.ddpm -q
	same half.ddpm narrow.ddpm 'float16, widened and made narrow again'
	expect 73 ddpm export -m half.ddpm --to ddpm -o whole.ddpm; says '--force'
	expect 65 ddpm export -m "$case/unet/config.json" --to ddpm -o c.ddpm
	expect 64 ddpm export -m half.ddpm --to ddpm; says 'where to'
	absent c.ddpm
}
