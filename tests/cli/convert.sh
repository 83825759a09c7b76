# Foreign checkpoints: what is refused and how, what is asked for, what is said; that the converted networks are right is for cases.sh.
tree=$top/tests/golden/cases
pesser=$tree/C1_pesser/model-790000.ckpt
guided=$tree/B3_guided_updown/ema_0.9999_000100.pt
lucid=$tree/D1_unet3/unet.pt
guided_flags='image_size=16 num_head_channels=8 diffusion_steps=1000 noise_schedule=linear'
lucid_flags='image_size=32 objective=pred_v beta_schedule=sigmoid timesteps=1000'

# with "KEY=VALUE ..." COMMAND...: COMMAND with a --set before each.
with() { flags=$(echo "$1" | sed 's/[^ ]*=/--set &/g'); shift; "$@" $flags; }
# bad.json as lines: path, accept or refuse, and a word that the message must hold.
bad_entries() {
	awk '/^   "path"/ { path = $2 } /^   "expect"/ { expect = $2 } /"must_mention"/ { listed = 1; next } listed && /\]/ { listed = 0 }
	     listed { word = $1 } /^  [}]/ { print path, expect, word; word = "" }' "$1" | tr -d '",'
}

test_convert_bad() {
	bad=$shared/reference/checkpoints/bad
	[ -f "$bad/bad.json" ] || skip '../shared is not there'
	bad_entries "$bad/bad.json" >entries
	[ "$(wc -l <entries)" -eq 71 ] || fail "$(wc -l <entries) entries"
	while read -r path expect word; do
		( ulimit -t 20; ddpm convert -q "$bad/$path" -o model.ddpm ) >out 2>err </dev/null
		code=$?
		case $expect-$path-$code in
		accept-*-0|refuse-pt_zip_slip-0) [ -s model.ddpm ] || fail "$path: nothing was written"; rm model.ddpm; continue ;;
		refuse-*-6[56]) [ "$(wc -l <err)" -eq 1 ] || fail "$path: an error is one line: $(cat err)"; [ -z "$word" ] || says "$word" ;;
		*) fail "$path: expected $expect, exited with $code: $(cat err)" ;;
		esac
		only entries
	done <entries
	absent /tmp/ddpm_pwned
}

# Whatever a file holds, memory goes by its size: these ask for terabytes.
test_convert_memory() {
	bad=$shared/reference/checkpoints/bad
	[ -d "$bad" ] || skip '../shared is not there'
	[ -z "${RUN:-}" ] || skip 'the emulator needs the memory for itself'
	( ulimit -v 300000; ddpm convert -q "$bad/ok_safetensors" -o model.ddpm ) >out 2>err || skip 'this build does not run under ulimit -v'
	rm model.ddpm
	for path in cfg_huge pt_numel pt_size_overflow pk_string_length pk_memo_index pk_tuple_bomb lg_count st_header_len_100M pt_zip_sizes; do
		( ulimit -v 300000; ddpm convert -q "$bad/$path" -o model.ddpm ) >out 2>err
		[ $? -eq 65 ] || fail "$path: $(cat err)"
	done
}

test_convert_unknown() {
	expect 66 ddpm convert nothing -o model.ddpm; says nothing
	expect 65 ddpm convert "$top/tools/default.ddpm" -o model.ddpm; says 'already'
	expect 64 ddpm convert "$pesser"; says '-o'
	expect 65 ddpm convert "$pesser" --family lucidrains -o model.ddpm; says 'init_conv.weight'
	expect 64 ddpm convert "$pesser" --family nosuch -o model.ddpm; says 'diffusers'
	only
	for file in "$shared"/checkpoints/foreign/pulfer/*.pt; do
		[ -f "$file" ] || skip '../shared is not there'
		expect 65 ddpm convert "$file" -o model.ddpm; says 'no known family'; says 'network.b1'
	done
	only
}

test_convert_asks() {
	expect 64 ddpm convert "$guided" -o model.ddpm
	for name in image_size num_heads num_head_channels diffusion_steps noise_schedule rescale_timesteps; do says "$name"; done
	expect 64 ddpm convert "$pesser" -o model.ddpm; says 'resolution='
	expect 64 ddpm convert "$lucid" -o model.ddpm
	for name in image_size objective beta_schedule timesteps; do says "$name="; done
	expect 64 ddpm convert "$tree/A3_scale_shift_classes" --set sample_size=null -o model.ddpm; says 'sample_size='
	cp "$tree/A3_scale_shift_classes/unet/diffusion_pytorch_model.safetensors" alone.safetensors
	expect 64 ddpm convert alone.safetensors -o model.ddpm; says 'there is no config.json beside it'
	says '--config'
	only alone.safetensors
}

# Taken for granted, and said.
test_convert_tells() {
	expect 0 ddpm convert "$pesser" --set resolution=32 -o model.ddpm; says 'fixedlarge'; says 'beta_schedule linear'
	expect 0 ddpm convert "$pesser" --set resolution=32 --set model.var_type=fixedsmall -o model.ddpm --force -q
	[ ! -s err ] || fail "-q is not quiet: $(cat err)"
	expect 0 ddpm info model.ddpm; prints 'beta-tilde'; prints 'model-790000.ckpt'
	expect 0 with "$guided_flags" ddpm convert "$guided" -o model.ddpm --force; says 'averaged'; says 'use_new_attention_order'; says 'predict_xstart'
	expect 0 ddpm convert "$tree/A3_scale_shift_classes/unet" --dry-run; says 'scheduler_config.json'; prints 'f32:linear:0.0001,0.02'
	expect 0 ddpm convert "$tree/A3_scale_shift_classes" --set timestep_spacing=trailing --dry-run; says '--schedule'
	expect 0 ddpm convert "$tree/A3_scale_shift_classes" --dry-run --json; prints '"parameters":182019'
	only model.ddpm
}

test_convert_contradictions() {
	for flag in num_channels=64 num_res_blocks=2 channel_mult=1,2 learn_sigma=False class_cond=True attention_resolutions=16 attention_resolutions=4 \
	            use_scale_shift_norm=false resblock_updown=false; do
		expect 64 with "$guided_flags $flag" ddpm convert "$guided" -o model.ddpm; says "${flag%=*}"; says 'tensors'
	done
	expect 64 with "$guided_flags num_head_channels=7" ddpm convert "$guided" -o model.ddpm; says 'num_head_channels'
	for flag in ch=64 ch_mult=1,1 num_res_blocks=2 attn_resolutions=8 out_ch=6; do
		expect 64 ddpm convert "$pesser" --set resolution=32 --set $flag -o model.ddpm; says "${flag%=*}"; says 'tensors'
	done
	for flag in dim=16 dim_mults=1,2 attn_heads=8 learned_variance=true; do
		expect 64 with "$lucid_flags $flag" ddpm convert "$lucid" -o model.ddpm; says "${flag%=*}"
	done
	expect 64 ddpm convert "$pesser" --set resolution=32 --set num_heads=4 -o model.ddpm; says 'num_heads'
	expect 64 ddpm convert "$pesser" --set resolution -o model.ddpm; says 'KEY=VALUE'
	expect 64 ddpm convert "$pesser" --set resolution=large -o model.ddpm; says 'large'
	expect 65 ddpm convert "$tree/A3_scale_shift_classes" --set in_channels=4 --set out_channels=4 -o model.ddpm; says 'conv_in.weight is [16, 3, 3, 3], expected [16, 4, 3, 3]'
	only
}

# What accelerate's scripts leave: unet/ as it was trained, unet_ema/ its average; here they differ in one
# byte of a weight.
accelerate_folder() {
	cp -r "$tree/A3_scale_shift_classes/unet" "$1/unet" && cp -r "$1/unet" "$1/unet_ema" &&
		chmod -R u+w "$1" || exit 1
	printf '\077' | dd of="$1/unet_ema/diffusion_pytorch_model.safetensors" bs=1 seek=200000 conv=notrunc 2>dd
	sed -i 's/{/{"decay": 0.999, "optimization_step": 5, "update_after_step": 0,/' "$1/unet_ema/config.json"
	rm dd
}
# of FILE: the converted model names it by its hash, and the label behind.
made_of() { expect 0 ddpm info "$1"; prints "$(sha256sum <"$2" | cut -d' ' -f1)"; prints "$3"; }

test_convert_average_beside() {
	mkdir c && accelerate_folder c
	average=c/unet_ema/diffusion_pytorch_model.safetensors raw=c/unet/diffusion_pytorch_model.safetensors
	! cmp -s $average $raw || fail 'both are the same'
	for in in c c/unet_ema $average; do
		for want in '' '--weights ema'; do
			expect 0 ddpm convert $in $want -o m.ddpm --force; says 'averaged (ema)'
			made_of m.ddpm $average 'weights ema'
		done
	done
	expect 0 ddpm convert c --weights raw -o m.ddpm --force; made_of m.ddpm $raw 'weights raw'
	for in in c/unet $raw; do
		expect 0 ddpm convert $in -o m.ddpm --force; says 'beside it, in unet_ema'
		made_of m.ddpm $raw 'weights raw'
		expect 65 ddpm convert $in --weights ema -o n.ddpm; says 'holds raw weights only'; says 'unet_ema'
	done
	expect 65 ddpm convert c/unet_ema --weights raw -o n.ddpm; says 'holds averaged (ema) weights only'
	rm -r c/unet_ema
	expect 65 ddpm convert c --weights ema -o n.ddpm; says 'nothing says that its weights are averaged'
	expect 0 ddpm convert c --weights raw -o m.ddpm --force; made_of m.ddpm $raw 'weights unknown'
	only c m.ddpm
}

# Trainings of other programs give the folder of the average other names, beside unet/ or in the model's own
# folder; of two averages none is chosen, and a folder of that name alone says nothing.
test_convert_average_folders() {
	for name in ema ema_unet unetEMA averaged_model; do
		mkdir $name.d && accelerate_folder $name.d && mv $name.d/unet_ema $name.d/$name
		average=$name.d/$name/diffusion_pytorch_model.safetensors
		raw=$name.d/unet/diffusion_pytorch_model.safetensors
		expect 0 ddpm convert $name.d -o m.ddpm --force; made_of m.ddpm $average 'weights ema'
		expect 0 ddpm convert $name.d --weights raw -o m.ddpm --force; made_of m.ddpm $raw 'weights raw'
		expect 0 ddpm convert $raw -o m.ddpm --force; says "beside it, in $name"; made_of m.ddpm $raw 'weights raw'
	done
	cp -r ema.d/unet flat && cp -r ema.d/ema flat/ema
	expect 0 ddpm convert flat -o m.ddpm --force; made_of m.ddpm $average 'weights ema'
	expect 0 ddpm convert flat --weights raw -o m.ddpm --force; made_of m.ddpm $raw 'weights raw'
	cp -r ema.d/ema ema.d/unet_ema
	expect 65 ddpm convert ema.d -o n.ddpm; says 'several averages, ema and unet_ema'
	cp -r ema.d/unet ema_of_mine
	expect 0 ddpm convert ema_of_mine -o m.ddpm --force; made_of m.ddpm $raw 'weights unknown'
	rm -r ./*.d flat ema_of_mine m.ddpm
}

# OpenAI's training leaves both; the name of a file says which it is.
test_convert_average_of_step() {
	cp "$guided" ema_0.9999_000100.pt; cp "$guided" model000100.pt; cp "$guided" model000200.pt
	expect 0 with "$guided_flags" ddpm convert model000100.pt --dry-run; says 'raw weights'
	says 'beside it, in ema_0.9999_000100.pt'
	expect 65 with "$guided_flags" ddpm convert model000100.pt --weights ema --dry-run
	says 'beside it, in ema_0.9999_000100.pt'
	expect 0 with "$guided_flags" ddpm convert model000200.pt --dry-run; says 'raw weights'
	! grep -q beside err || fail "$(cat err)"
	expect 66 ddpm convert . --dry-run
	says 'there is ema_0.9999_000100.pt, model000100.pt, model000200.pt: give the file'
	only ema_0.9999_000100.pt model000100.pt model000200.pt
}

# Variants of diffusers' files: ema and non_ema say what they hold; another's name is told.
test_convert_variants() {
	mkdir c && accelerate_folder c && rm c/unet_ema/config.json
	mv c/unet_ema/diffusion_pytorch_model.safetensors c/unet/diffusion_pytorch_model.ema.safetensors &&
		rmdir c/unet_ema
	mv c/unet/diffusion_pytorch_model.safetensors c/unet/diffusion_pytorch_model.non_ema.safetensors
	expect 0 ddpm convert c -o m.ddpm
	made_of m.ddpm c/unet/diffusion_pytorch_model.ema.safetensors 'weights ema'
	expect 0 ddpm convert c --weights raw -o m.ddpm --force
	made_of m.ddpm c/unet/diffusion_pytorch_model.non_ema.safetensors 'weights raw'
	expect 0 ddpm convert c/unet/diffusion_pytorch_model.ema.safetensors -o m.ddpm --force; says 'averaged (ema)'
	mv c/unet/diffusion_pytorch_model.non_ema.safetensors c/unet/diffusion_pytorch_model.safetensors
	expect 0 ddpm convert c --weights raw -o m.ddpm --force; says 'nothing says whether they are averaged or raw'
	says 'other weights are beside it, in diffusion_pytorch_model.ema.safetensors'
	made_of m.ddpm c/unet/diffusion_pytorch_model.safetensors 'weights unknown'
	expect 0 ddpm convert c -o m.ddpm --force; says 'beside it, in diffusion_pytorch_model.safetensors'
	rm c/unet/diffusion_pytorch_model.ema.safetensors
	expect 0 ddpm convert c -o m.ddpm --force; says 'the only weights there are'
	mv c/unet/diffusion_pytorch_model.safetensors c/unet/diffusion_flax_model.msgpack
	expect 66 ddpm convert c -o n.ddpm; says 'diffusion_flax_model.msgpack'
	only c m.ddpm
}

# The unet of a pipeline, as a folder or as a file, has the pipeline's schedule.
test_convert_pipeline_parts() {
	cp -r "$tree/A3_scale_shift_classes" p && chmod -R u+w p
	scheduler=p/scheduler/scheduler_config.json
	sed -i 's/"beta_schedule": *"[a-z_]*"/"beta_schedule": "squaredcos_cap_v2"/' $scheduler
	sed -i 's/"prediction_type": *"[a-z]*"/"prediction_type": "v_prediction"/' $scheduler
	grep -q v_prediction p/scheduler/scheduler_config.json || fail "$(cat p/scheduler/scheduler_config.json)"
	for in in p p/unet p/unet/ p/unet/diffusion_pytorch_model.safetensors; do
		expect 0 ddpm convert $in --dry-run; prints 'f32:squaredcos_cap_v2'; prints '"prediction":"v"'
		[ $in = p ] || says 'the scheduler is that of p/unet'
	done
	( cd p/unet && expect 0 ddpm convert diffusion_pytorch_model.safetensors --dry-run &&
		prints '"prediction":"v"' && rm out err ) || exit 1
	mkdir p/checkpoint-9 && cp -r p/unet p/checkpoint-9/unet
	expect 0 ddpm convert p/checkpoint-9 --dry-run; prints '"prediction":"v"'
	says 'p/checkpoint-9/unet/../../scheduler'
	sed -i 's/{/{"lambda_min_clipped": -Infinity, "x": [NaN, Infinity, "a\\" NaN"],/' $scheduler
	expect 0 ddpm convert p --dry-run; prints '"prediction":"v"'; says 'not used: scheduler.lambda_min_clipped'
	expect 65 ddpm convert p/model_index.json -o m.ddpm; says 'takes the folder that it lies in'
	only p
}

# Solvers of diffusers: the schedule and the prediction are the model's, the rest is not.  The betas of the
# classes that have others
# than DDPM's by default are those of their constructors.
test_convert_schedulers() {
	cp -r "$tree/A3_scale_shift_classes" p && chmod -R u+w p
	for class in PNDM UniPCMultistep DPMSolverMultistep DEISMultistep EulerDiscrete EulerAncestralDiscrete \
	             LMSDiscrete DDPMParallel; do
		echo '{"_class_name": "'$class'Scheduler", "beta_schedule": "squaredcos_cap_v2",
		 "prediction_type": "v_prediction", "lambda_min_clipped": -Infinity, "skip_prk_steps": true,
		 "solver_order": 2}' >p/scheduler/scheduler_config.json
		expect 0 ddpm convert p --dry-run; prints 'f32:squaredcos_cap_v2'; prints '"prediction":"v"'
		prints '"variance":"beta-tilde"'
		[ $class = DDPMParallel ] && continue
		says "${class}Scheduler: its noise schedule"; ! grep -q 'not used' err || fail "$(cat err)"
	done
	echo '{"_class_name": "HeunDiscreteScheduler"}' >p/scheduler/scheduler_config.json
	expect 0 ddpm convert p --dry-run; prints 'f32:linear:0.00085,0.012'
	echo '{"_class_name": "LCMScheduler"}' >p/scheduler/scheduler_config.json
	expect 0 ddpm convert p --dry-run; prints 'f32:scaled_linear:0.00085,0.012'
	echo '{"_class_name": "DDIMScheduler", "set_alpha_to_one": false}' >p/scheduler/scheduler_config.json
	expect 0 ddpm convert p --dry-run; prints 'f32:linear:0.0001,0.02'; says 'set_alpha_to_one false'
	for class in FlowMatchEulerDiscrete EDMEuler ScoreSdeVe; do
		echo '{"_class_name": "'$class'Scheduler"}' >p/scheduler/scheduler_config.json
		expect 65 ddpm convert p -o m.ddpm; says "${class}Scheduler"; says "those with DDPM's noise schedule"
	done
	echo '{"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": true}' >p/scheduler/scheduler_config.json
	expect 65 ddpm convert p -o m.ddpm; says 'use_flow_sigmas'
	expect 64 ddpm convert "$tree/A3_scale_shift_classes" --set in_channels=6 -o m.ddpm; says 'super-resolution'
	only p
}

# names FILE NAME:RANK...: a safetensors file of tensors of one zero each.
names() {
	file=$1; shift
	at=0 between='{'
	for name; do
		printf '%s"%s":{"dtype":"F32","shape":[' "$between" "${name%:*}"
		printf 1; for i in 2 3 4 5; do [ $i -gt ${name#*:} ] || printf ,1; done
		printf '],"data_offsets":[%d,%d]}' $at $((at += 4))
		between=,
	done >header
	echo '}' >>header
	size=$(wc -c <header)
	{ printf "$(printf '\\%03o\\%03o' $((size % 256)) $((size / 256)))"; head -c 6 /dev/zero; cat header
	  head -c $at /dev/zero; } >"$file"
	rm header
}

# Relatives of the known networks are called what they are.
test_convert_relatives() {
	lucid_names='downs.0.0.block1.proj.weight:4 time_mlp.1.weight:2'
	names a.safetensors init_conv.weight:3 $lucid_names; expect 65 ddpm convert a.safetensors -o m.ddpm
	says 'for sequences (Unet1D)'
	names a.safetensors init_conv.weight:5 $lucid_names; expect 65 ddpm convert a.safetensors -o m.ddpm
	says 'for videos'
	names a.safetensors init_conv.weight:4 classes_emb.weight:2 null_classes_emb:1 $lucid_names
	expect 65 ddpm convert a.safetensors -o m.ddpm; says 'classifier_free_guidance'
	names a.safetensors time_embed.0.weight:2 input_blocks.0.0.weight:4 out.2.c_proj.weight:3
	expect 65 ddpm convert a.safetensors -o m.ddpm; says 'a classifier or an encoder'
	names a.safetensors time_embed.0.weight:2 input_blocks.0.0.weight:4 input_blocks.1.1.transformer_blocks.0.x:1
	expect 65 ddpm convert a.safetensors -o m.ddpm; says 'conditioned by attention'
	names a.safetensors conv_in.weight:4 time_embedding.linear_1.weight:2 down_blocks.0.transformer_blocks.0.x:1
	expect 65 ddpm convert a.safetensors -o m.ddpm; says 'conditioned by attention'
	names model-00001-of-00002.safetensors conv_in.weight:4
	expect 65 ddpm convert model-00001-of-00002.safetensors -o m.ddpm; says 'give their folder'
	only a.safetensors model-00001-of-00002.safetensors
}

# What a file given for a model or a checkpoint is.
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

# What a file can ask for and this program does not have.
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
	for file in three comments shell empty windows markdown quoted wandb yaml tags; do
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
	expect 0 ddpm convert a.ddpm -o there --to diffusers; says 'written to there for diffusers'
	[ "$(cd there && find . -type f | sort | tr '\n' ' ')" = \
	  './model_index.json ./scheduler/scheduler_config.json ./unet/config.json ./unet/diffusion_pytorch_model.safetensors ' ] || fail "$(find there)"
	expect 73 ddpm convert a.ddpm -o there --to diffusers; says 'exists already'
	expect 0 ddpm convert a.ddpm -o there --to diffusers --force -q
	expect 0 ddpm convert there -o b.ddpm -q
	expect 0 ddpm convert b.ddpm -o again --to diffusers -q
	for file in unet/diffusion_pytorch_model.safetensors unet/config.json scheduler/scheduler_config.json; do same there/$file again/$file; done
	for kind in mkdir mkfifo; do        # Nothing is replaced where the last file cannot be.
		mv there/model_index.json index; echo mine >there/unet/config.json; $kind there/model_index.json
		expect 73 ddpm convert a.ddpm -o there --to diffusers --force; says 'model_index.json'
		[ "$(cat there/unet/config.json)" = mine ] || fail "replaced, though it fails: $kind"
		[ -z "$(find there -name '.ddpm-*')" ] || fail "left behind: $(find there)"
		rm -rf there/model_index.json; mv index there/model_index.json
	done
	expect 0 ddpm convert a.ddpm -o there --to diffusers --force -q
	expect 64 ddpm convert a.ddpm -o c --to diffusers --dtype f16; says 'leave --dtype f16 out'
	expect 64 ddpm convert a.ddpm -o c --to diffusers --weights raw; says 'only -o, --force'
	expect 64 ddpm convert a.ddpm -o c --to onnx; says 'choose from diffusers'
	expect 66 ddpm convert no.ddpm -o c --to diffusers
	expect 73 ddpm convert a.ddpm -o no/c --to diffusers; says 'no/c'
	expect 0 ddpm convert "$top/tests/golden/cases/D1_unet3/unet.pt" --set image_size=24 --set objective=pred_v --set beta_schedule=sigmoid --set timesteps=1000 -o d.ddpm -q
	expect 65 ddpm convert d.ddpm -o c --to diffusers; says 'net.arch is "lucid"'
	( trap '' XFSZ; ulimit -f 100; expect 74 ddpm convert a.ddpm -o c --to diffusers; says 'diffusion_pytorch_model.safetensors' ) || exit 1
	absent c
}

# A model file with smaller weights: the values that its checkpoint gives as float16, everything else as it was.
test_convert_model_file() {
	local case=$top/tests/golden/cases/A3_scale_shift_classes
	expect 0 ddpm convert "$case" -o whole.ddpm -q
	expect 0 ddpm convert "$case" --dtype f16 -o half.ddpm -q
	expect 0 ddpm convert whole.ddpm --to ddpm -o again.ddpm -q
	same whole.ddpm again.ddpm 'the same file again'
	expect 0 ddpm convert whole.ddpm --to ddpm --dtype f16 -o made.ddpm; says 'written to made.ddpm for ddpm'
	same half.ddpm made.ddpm 'float16 of the checkpoint and of the model file'
	expect 0 ddpm convert half.ddpm --to ddpm -o wide.ddpm -q
	expect 0 ddpm convert wide.ddpm --to ddpm --dtype f16 -o narrow.ddpm -q
	same half.ddpm narrow.ddpm 'float16, widened and made narrow again'
	expect 73 ddpm convert half.ddpm --to ddpm -o whole.ddpm; says '--force'
	expect 64 ddpm convert half.ddpm --to ddpm --set a=b -o c.ddpm; says 'only -o, --force and --dtype'
	expect 65 ddpm convert "$case/unet/config.json" --to ddpm -o c.ddpm
	expect 64 ddpm convert half.ddpm --to ddpm; says 'where to'
	absent c.ddpm
}
