# Foreign checkpoints: refusals, questions and remarks.  cases.sh shows that the converted networks are right.
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
	reference "$bad/bad.json"
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
	reference "$bad"
	[ -z "${RUN:-}" ] || skip 'the emulator needs the memory for itself'
	( ulimit -v 300000; ddpm convert -q "$bad/ok_safetensors" -o model.ddpm ) >out 2>err || skip 'this build does not run under ulimit -v'
	rm model.ddpm
	for path in cfg_huge pt_numel pt_size_overflow pk_string_length pk_memo_index pk_tuple_bomb lg_count st_header_len_100M pt_zip_sizes; do
		( ulimit -v 300000; ddpm convert -q "$bad/$path" -o model.ddpm ) >out 2>err
		[ $? -eq 65 ] || fail "$path: $(cat err)"
	done
	for set in block_out_channels=16384 time_embedding_dim=32768 'num_class_embeds=1000000 --set time_embedding_dim=1000'; do
		( ulimit -v 300000; ddpm convert -q "$bad/ok_safetensors" --set $set -o model.ddpm ) >out 2>err
		[ $? -eq 65 ] || fail "$set: $(cat err)"
		says 'weights, the file holds 777'
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
		reference "$file"
		expect 65 ddpm convert "$file" -o model.ddpm; says 'no known family'; says 'network.b1'
	done
	only
}

test_convert_asks() {
	expect 64 ddpm convert "$guided" -o model.ddpm
	for name in image_size num_heads num_head_channels diffusion_steps noise_schedule rescale_timesteps; do says "$name"; done
	expect 64 ddpm convert "$pesser" -o model.ddpm; says 'resolution='
	expect 64 ddpm convert "$lucid" -o model.ddpm
	for name in objective beta_schedule timesteps; do says "$name="; done

	# The size of lucidrains' images is said nowhere: a default, which is named, and any other when sampling.
	expect 0 ddpm convert "$lucid" -o lucid.ddpm --set objective=pred_v --set beta_schedule=sigmoid --set timesteps=1000
	says 'image_size is not given: 32 x 32 is assumed'
	expect 0 ddpm sample -m lucid.ddpm --size 24x16 -n 1 --steps 1 -o size.png; expect 0 ddpm info size.png; prints 'pixels        24 x 16'
	rm lucid.ddpm size.png
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
	expect 0 ddpm convert "$tree/A3_scale_shift_classes" --set timestep_spacing=trailing --dry-run; says '--spacing'
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

# accelerate's scripts leave unet/ as it was trained and unet_ema/, its average; here they differ in one
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
