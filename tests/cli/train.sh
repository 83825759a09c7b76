# Training: refusals before the first step, the same bytes however often a run is stopped, and a last
# checkpoint that always loads.

# pictures N [WIDTH]: N gray pictures in ./d, out of the bytes of the program.
pictures() {
	mkdir -p d
	side=${2:-16} i=0
	while [ $i -lt "$1" ]; do
		tail -c +$((i * 1024 + 5000)) "$program" | head -c $((side * side)) |
			png "d/$(printf %02d $i).png" $side $side
		i=$((i + 1))
	done
}
bare='--set net.height=16 --set net.width=16 --set net.widths=8,16 --set net.norm.groups=4 --set batch=2
	--set warmup=2 --set diffusion.steps=8 --threads 1'
small="$bare --grid-every 0"
# Without pictures, unless --grid-every is among the words.
train() {
	case " $* " in
	*--grid-every*) ddpm train d -o m.ddpm $bare "$@" ;;
	*) ddpm train d -o m.ddpm $small "$@" ;;
	esac
}
steps_of() { ddpm info "$1" | sed -n 's/^training *step \([0-9]*\),.*/\1/p'; }
newest() { ls m.ddpm.train/step-*.ddpm | tail -n 1; }
# The newest checkpoint loads, is what its id says, and is of the step that its name says.
loads() {
	file=$(newest)
	ddpm info "$file" --check >/dev/null 2>info.err || fail "$file does not load: $(cat info.err)"
	[ "$(steps_of "$file")" -eq "$(echo "$file" | sed 's/.*step-0*\([0-9]\)/\1/; s/\.ddpm//')" ] || fail "$file is of step $(steps_of "$file")"
	rm info.err
}

test_train() {
	pictures 12
	expect 0 train --steps 25 --save-every 10 --keep 2 --holdout 3 --seed 5 --set flip=true
	says '9 images of 16 x 16 x 1'; says 'step 25'; prints 'bits/dim of 3 held-out images'
	[ "$(ls m.ddpm.train | tr '\n' ' ')" = 'log.jsonl step-000000020.ddpm step-000000025.ddpm ' ] || fail "$(ls m.ddpm.train)"
	[ "$(grep -c '"loss"' m.ddpm.train/log.jsonl)" -eq 2 ] && [ "$(grep -c held_out m.ddpm.train/log.jsonl)" -eq 2 ] || fail "$(cat m.ddpm.train/log.jsonl)"
	loads
	expect 0 ddpm info m.ddpm; prints 'source        ddpm, d, weights ema'; prints 'of 3 images,'; prints 'bits/dim'
	expect 0 ddpm info "$(newest)"; prints 'training      step 25, 50 images, loss'; prints 'batch 2'; prints 'seed "5"'
	expect 0 ddpm sample -m m.ddpm -n 2 --steps 4 --variance analytic --spacing optimal -q
	expect 0 ddpm eval d -m m.ddpm -q
	expect 73 train --steps 1; says 'exists already'
	expect 0 ddpm train d -o j.ddpm $small --steps 25 --holdout 3 -q --json
	sed '$d' out | cmp -s - j.ddpm.train/log.jsonl || fail "--json says $(cat out)"
	tail -n 1 out | grep -q '"bits"' || fail "the last line of --json: $(tail -n 1 out)"
	mv m.ddpm n.ddpm
	expect 73 train --steps 1; says '--resume goes on'
	expect 0 train --steps 3 --force --holdout 0 --grid-every 2 -q; [ ! -s out ] || fail "$(cat out)"
	[ "$(ls m.ddpm.train.1 | tr '\n' ' ')" = 'log.jsonl step-000000020.ddpm step-000000025.ddpm ' ] ||
		fail "$(ls m.ddpm.train.1)"
	[ "$(ls m.ddpm.train | tr '\n' ' ')" = 'grid-000000002.png grid-000000003.png log.jsonl loss.png step-000000000.ddpm step-000000003.ddpm ' ] || fail "$(ls m.ddpm.train)"
	expect 65 ddpm info m.ddpm.train/loss.png; says 'loss.png: holds no settings of ddpm sample'
	expect 0 ddpm info m.ddpm.train/grid-000000003.png; prints 'made by ddpm train with these settings'
	expect 66 ddpm verify m.ddpm.train/grid-000000003.png; says 'it cannot be made again'
	expect 0 train --steps 2 --force --init n.ddpm --holdout 0 -q
	expect 64 train --steps 2 --force --init n.ddpm --set net.widths=16,16 --holdout 0; says 'does not fit'
	[ "$(ls -d m.ddpm.train* | tr '\n' ' ')" = 'm.ddpm.train m.ddpm.train.1 m.ddpm.train.2 ' ] ||
		fail "$(ls -d m.ddpm.train*)"
	for loss in vlb weighted score; do
		expect 0 ddpm train d -o $loss.ddpm $small --steps 2 --holdout 0 -q --set loss=$loss --set diffusion.variance=beta-tilde
	done
}

test_train_refusals() {
	pictures 4
	expect 0 ddpm train --help; prints '--until-converged'; prints 'tiny|small|cifar10'
	expect 64 ddpm train d --steps 1; says '-o MODEL.ddpm'
	expect 64 train; says '--steps N, --time 2h or --until-converged N'
	expect 64 train --time 5; says '90s'
	expect 64 train --steps 1 --set batch; says 'KEY=VALUE'
	expect 64 train --steps 1 --set batsh=3; says 'choose from batch'
	expect 64 train --steps 1 --set batch=0; says 'train.batch'
	expect 64 train --steps 1 --set net.colour=3; says 'colour'
	expect 64 train --steps 1 --set net.widths=3; says 'net.widths[0] is 3, which net.norm.groups'
	expect 64 train --steps 1 --set nets.widths=3; says 'there is no section nets'
	expect 64 train --steps 1 --set net.height=15; says 'cannot be halved'
	expect 64 train --steps 1 --set net.classes=2; says 'the data have none'
	expect 64 train --time 1s --set lr_schedule=cosine; says 'add --steps'
	expect 64 train --steps 1 --holdout 4; says 'left to train with'
	expect 64 train --until-converged 2; says 'add --holdout'
	expect 64 train --steps 1 -n 5; says 'holds 4 images'
	expect 64 train --steps 1 --set loss=hybrid; says 'learns no variance: choose from simple, vlb, weighted, score'
	expect 64 train --steps 1 --set loss=mse; says 'one of these is expected: simple, vlb, hybrid, weighted, score'
	absent m.ddpm.train
	expect 64 train --steps 1 --resume --force; says 'leave one out'
	printf '{"train":{"batch":2,"steps":3}}' >c.json
	expect 65 train --steps 1 --config c.json; says 'steps'
	expect 66 ddpm train nowhere -o m.ddpm --steps 1
	expect 66 ddpm train nowhere; says 'nowhere: cannot be opened'
	expect 73 ddpm train d -o no/m.ddpm --steps 1; says 'no/m.ddpm'
	head -c 60 d/00.png >d/broken.png
	expect 65 train --steps 1; says 'd/broken.png'
	expect 65 train --steps 1 --set net.channels=5; says '1 channel'
	expect 0 train --steps 1 --skip-bad --holdout 0; says '1 image skipped'
	rm -r m.ddpm.train m.ddpm d/broken.png
	expect 65 train --steps 1 --fit pad --set net.height=8; says '--fit crop'
	rm -r d c.json; only
}

# A checkpoint is exported as its model is: what training keeps beside the weights stays behind.
test_train_checkpoint_for_diffusers() {
	pictures 3
	expect 0 train --steps 2 --holdout 0 -q --set net.norm.groups=8
	expect 0 ddpm export -m m.ddpm -o one -q
	expect 0 ddpm export -m "$(newest)" -o other -q
	same one/unet/diffusion_pytorch_model.safetensors other/unet/diffusion_pytorch_model.safetensors
}

# flip FILE BYTE: its lowest bit.
flip() {
	value=$(od -An -tu1 -j "$2" -N1 "$1")
	printf "\\$(printf %o $((value ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# Names of ours that are no regular files: said before the first step, and nothing waits for a pipe.
test_train_odd_files() {
	pictures 4
	begin() { timeout 20 "$program" train d -o m.ddpm $small --steps 2 --holdout 0 "$@"; }
	for name in log.jsonl step-000000001.ddpm loss.png best.ddpm grid-000000001.png; do
		mkdir m.ddpm.train; mkfifo "m.ddpm.train/$name"
		for how in '' --resume --force; do
			expect 73 begin $how; says "m.ddpm.train/$name is a folder, device or pipe"
		done
		rm "m.ddpm.train/$name"; mkdir "m.ddpm.train/$name"
		expect 73 begin; says "m.ddpm.train/$name is a folder, device or pipe"
		rm -r m.ddpm.train
	done
	mkdir m.ddpm.train; ln -s ../elsewhere m.ddpm.train/log.jsonl
	expect 73 begin; says 'm.ddpm.train/log.jsonl'; absent elsewhere
	rm -r m.ddpm.train; mkfifo m.ddpm.train
	expect 73 begin; says 'm.ddpm.train'
}

# The pattern of a file that comes, though none of its names may stay for long.
wait_for() { for i in $(seq 900); do ls $1 >/dev/null 2>&1 && return; sleep 0.1; done; fail "$1 has not come: $(cat bg.err)"; }

test_train_interrupted() {
	pictures 6
	for signal in TERM INT; do
		( exec env --default-signal=INT ${RUN:-} "$program" train d -o m.ddpm $small --steps 1000000 --holdout 0 --save-every 5 >bg.out 2>bg.err ) &
		wait_for "m.ddpm.train/step-*.ddpm"
		expect 75 train --steps 1 --resume; says 'm.ddpm.train: another ddpm'
		kill -"$signal" $!
		wait $!
		code=$?
		[ $code -eq 75 ] || fail "exit code $code after SIG$signal, expected 75"
		loads
		rm -r m.ddpm.train
	done
}

# A signal at the last pictures: there is no model yet, and the next start makes it.
test_train_interrupted_at_the_end() {
	crash_library
	pictures 3
	expect 0 train --steps 2 --holdout 0 --grid-every 2 -q; mv m.ddpm whole; rm -r m.ddpm.train
	set -- train d -q -o m.ddpm $bare --steps 2 --holdout 0 --grid-every 3
	expect 0 crash CRASH_TICKS=ticks -- "$@"; same m.ddpm whole; rm -r m.ddpm m.ddpm.train
	expect 75 crash CRASH_TICK=$(($(cat ticks) - 5)) -- "$@"; says 'interrupted after step 2'; absent m.ddpm
	expect 0 ddpm "$@" --resume; same m.ddpm whole
}

# The second signal does not wait for the step that the first lets end: nothing of that step is kept, and what
# was there is whole.
test_train_second_signal() {
	[ -z "${RUN:-}" ] || skip 'the emulator would get the signal'
	pictures 6
	( exec env --default-signal=INT "$program" train d -o m.ddpm $small --set net.widths=64,128 --set batch=256 --steps 100 --holdout 0 --save-every 1 \
		>bg.out 2>bg.err ) & process=$!
	wait_for "m.ddpm.train/step-000000000.ddpm"
	sleep 0.3
	kill -TERM $process; kill -INT $process
	wait $process
	code=$?
	[ $code -eq 75 ] || fail "exit code $code after two signals, expected 75"
	[ "$(cd m.ddpm.train && ls)" = "$(printf 'log.jsonl\nstep-000000000.ddpm')" ] || fail "$(ls m.ddpm.train)"
	loads
}

# The weights of class 3 overflow: the first step that draws it names itself, the layer, and the checkpoint
# before.
test_train_nan() {
	model_with_classes
	break_class_3 model.ddpm
	for class in 0 1 2 3 4 5 6 7 8 9; do
		mkdir -p d/$class
		tail -c +$((class * 3000 + 5000)) "$program" | head -c 768 | png d/$class/0.png 16 16 3
	done
	expect 70 ddpm train d -o m.ddpm --init model.ddpm --steps 10 --set batch=1 --set lr=1e-6 --save-every 1 --keep 20 --holdout 0 --grid-every 0 --threads 1 -q
	step=$(sed -n 's/.*step \([0-9]*\) was not taken.*/\1/p' err)
	says 'time_emb_proj (conv)'; says "the last good checkpoint is $(newest)"
	[ -n "$step" ] && [ "$(steps_of "$(newest)")" -eq $((step - 1)) ] || fail "$(cat err) $(ls m.ddpm.train)"
	loads; absent m.ddpm
	expect 70 ddpm train d -o m.ddpm --init model.ddpm --steps 10 --set batch=1 --set lr=1e-6 --holdout 0 --grid-every 0 --threads 1 -q --resume; says "step $step was not taken"
}

# The rate of every step: up over the warm-up, then half a cosine that would be 0 at the step behind the last
# (Loshchilov and Hutter 2017). Nine digits are written.
test_train_cosine() {
	pictures 3
	expect 0 train --steps 12 --set warmup=4 --set lr=0.003 --set lr_schedule=cosine --save-every 1 --holdout 0 -q
	awk -F'[:,]' '/"loss"/ { n++; s = $2 - 1; rate = s < 4 ? 0.003 * (s + 1) / 4 : 0.0015 * (1 + cos(3.14159265358979324 * (s - 4) / 8))
		if ($2 != n || ($6 - rate) ^ 2 > (1e-8 * rate) ^ 2) { print; exit 1 } } END { if (n != 12) exit 1 }' m.ddpm.train/log.jsonl >out || fail "$(cat out m.ddpm.train/log.jsonl)"
	awk -F'"loading":' '/"loss"/ && !($2 + 0 >= 0 && $2 + 0 <= 1) { exit 1 }' m.ddpm.train/log.jsonl || fail "the share of loading: $(cat m.ddpm.train/log.jsonl)"
}

# Files in the order given, then --set; the same bytes as the words alone.
test_train_config() {
	pictures 3
	expect 0 train --set batch=3 --set lr=0.01 --set net.act=relu --set ema=0.9 --steps 3 --holdout 0 -q; mv m.ddpm words; rm -r m.ddpm.train
	printf '{"net":{"height":16,"width":16,"widths":[8,16],"norm":{"groups":4},"act":"relu"},"diffusion":{"steps":7},"train":{"batch":9,"warmup":2}}' >one.json
	printf '{"diffusion":{"steps":8},"train":{"batch":3,"lr":0.5,"ema":0.9}}' >two.json
	expect 0 ddpm train d -o m.ddpm --config one.json --config two.json --set lr=0.01 --grid-every 0 --threads 1 --steps 3 --holdout 0 -q
	same m.ddpm words
	! cmp -s m.ddpm.train/step-000000000.ddpm words || fail 'nothing was learned'
	echo '[]' >bad.json
	expect 65 ddpm train d -o n.ddpm --config bad.json --steps 1; says 'bad.json'
	expect 66 ddpm train d -o n.ddpm --config none.json --steps 1; says 'none.json'
	printf '{"batch":3}' >bad.json
	expect 65 ddpm train d -o n.ddpm --config bad.json --steps 1; says 'bad.json: batch stands outside of net, diffusion and train'
	printf '{"net":3}' >bad.json
	expect 65 ddpm train d -o n.ddpm --config bad.json --steps 1; says 'bad.json: net: expected an object'
	printf '{"net":{"colour":3}}' >bad.json
	expect 65 ddpm train d -o n.ddpm --config one.json --config bad.json --steps 1; says 'colour'
	rm -rf n.ddpm.train; absent n.ddpm
}

# At 20 random moments; what is there afterwards goes on to the same bytes.
test_train_killed() {
	pictures 5
	expect 0 train --steps 300 --holdout 0 --save-every 1 -q; mv m.ddpm whole; rm -r m.ddpm.train
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		( exec ${RUN:-} "$program" train d -o m.ddpm $small --steps 300 --holdout 0 --save-every 1 --resume -q >bg.out 2>bg.err ) &
		sleep "0.$(od -An -N2 -tu2 /dev/urandom | awk '{ printf "%02d", $1 % 35 }')"
		kill -KILL $! 2>/dev/null
		wait $! 2>/dev/null
		[ ! -d m.ddpm.train ] || [ -z "$(ls m.ddpm.train/step-* 2>/dev/null)" ] || loads
		rm -f m.ddpm
	done
	expect 0 train --steps 300 --holdout 0 --save-every 1 --resume -q
	same m.ddpm whole 'killed twenty times'
	[ -z "$(ls -A m.ddpm.train | grep tmp)" ] || fail "$(ls -A m.ddpm.train)"
}

# Room for two checkpoints and a half.
test_train_full_disk() {
	pictures 5
	expect 0 train --steps 1 --holdout 0 -q
	size=$(wc -c <"$(newest)"); rm -r m.ddpm.train m.ddpm
	mkdir m.ddpm.train && mount -t tmpfs -o size=$((size / 1024 * 5 / 2))k none m.ddpm.train 2>/dev/null || skip 'mount is not allowed here'
	trap "umount '$PWD/m.ddpm.train'" EXIT
	expect 74 train --steps 9 --holdout 0 --save-every 1 --keep 5 -q; says 'the last good checkpoint is m.ddpm.train/step-00000000'
	loads; absent m.ddpm
}

# A limit on the size of files instead, between the model's and the checkpoint's.
test_train_file_limit() {
	[ -z "${RUN:-}" ] || skip 'the emulator keeps the limit for itself'
	pictures 5
	( trap '' XFSZ; ulimit -f 100; expect 74 train --steps 2 --holdout 0 -q ) || exit 1
	absent m.ddpm m.ddpm.train/step-000000000.ddpm
	expect 0 train --steps 2 --holdout 0 -q --resume
}

# Images are read again and again: some are gone, one is cut off.
test_train_shrinking_folder() {
	for harm in 'rm d/03.png d/04.png d/05.png' 'cut d/03.png'; do
		pictures 6
		( exec ${RUN:-} "$program" train d -o m.ddpm $small --steps 1000000 --holdout 0 --cache 0 -q >bg.out 2>bg.err ) &
		wait_for m.ddpm.train/log.jsonl
		cut() { head -c 100 "$1" >cut.png; mv cut.png "$1"; }
		$harm
		wait $!
		code=$?
		[ $code -eq 65 ] || [ $code -eq 66 ] || fail "exit code $code, expected 65 or 66: $(cat bg.err)"
		mv bg.err err; [ "$(wc -l <err)" -eq 1 ] || fail "$(cat err)"
		says 'd/0'; says 'the last good checkpoint is m.ddpm.train/step-'
		loads
		rm -r m.ddpm.train
	done
}

# Classes from sub-folders; and the best of a run that does not get better.
test_train_classes() {
	pictures 8
	mkdir d/a d/b && mv d/00.png d/02.png d/04.png d/06.png d/a && mv d/0?.png d/b
	expect 0 train --steps 2 --holdout 2 --set net.classes=2 -q
	expect 0 ddpm sample -m m.ddpm -n 2 --steps 2 --class all -q
	expect 64 train --steps 2 --force --set net.classes=1; says 'have others'
	expect 0 train --force --holdout 3 --until-converged 2 --eval-every 1 --set lr=1e-30 -q
	[ -e m.ddpm.train/best.ddpm ] || fail 'the best was not kept'
	[ "$(grep -c held_out m.ddpm.train/log.jsonl)" -eq 3 ] || fail "$(cat m.ddpm.train/log.jsonl)"
	expect 0 train --force --holdout 0 --time 1s -q
}

# The mean loss of steps 201 to 300 on 512 images.  PyTorch's is 0.0832 and 0.0772 with seeds 0 and 1
# (tests/golden/train_loss.py 2): the mean and five of their standard deviations are 0.1.
test_train_loss() {
	images=/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz
	[ -e "$images" ] || skip "$images is not there: install dataset-fashion-mnist (Debian's name)"
	! grep -q __asan_init "$program" || skip 'with a sanitizer it takes minutes; the shorter trainings run'
	expect 0 ddpm train "$images" -n 512 --holdout 0 -o m.ddpm --set net.widths=16,32 --set batch=16 --set lr=1e-3 --set warmup=0 \
		--steps 300 --grid-every 0 -q
	loss=$(awk -F'[:,]' '$2 > 200 { sum += $4; n++ } END { print sum / n }' m.ddpm.train/log.jsonl)
	awk "BEGIN { exit !($loss < 0.1) }" || fail "the loss is $loss, expected below 0.1"
}

# Each architecture with its own defaults, and what only the other one has refused; a learned variance; v.
test_train_archs() {
	pictures 8
	common='--set net.height=16 --set net.width=16 --set net.widths=8,16 --set batch=2 --set diffusion.steps=8 --grid-every 0 --threads 1 --steps 2 --force -q'
	lucid() { ddpm train d -o m.ddpm $common --set net.arch=lucid "$@"; }
	expect 0 lucid --holdout 2; prints 'bits/dim'
	head -c 2000 m.ddpm | tr -d '\\' | grep -aq '"heads":4,"dim":32,"memory":4,.*"full":\[0,1\]' || fail 'not the defaults of lucidrains'
	expect 0 ddpm sample -m m.ddpm -n 1 --steps 4 --force --variance analytic -q
	printf '{"net":{"memory":2,"arch":"lucid"}}' >c.json
	expect 0 ddpm train d -o m.ddpm $common --set net.dim=4 --config c.json --set diffusion.variance=learned-range --holdout 2
	expect 0 ddpm info m.ddpm; prints 'variance learned-range'
	expect 0 ddpm sample -m m.ddpm -n 1 --steps 4 --force -q
	expect 64 lucid --set net.null_class=true; says 'net.null_class is true but net.classes is 0'
	expect 64 lucid --set net.norm.groups=4; says 'there is no section norm'
	expect 64 lucid --set net.mid=true; says 'mid'
	expect 64 lucid --set net.arch=unet; says 'one of these is expected: ddpm, lucid'
	expect 0 train --force --steps 2 --holdout 2 --set diffusion.variance=learned-range --set diffusion.prediction=v -q
	expect 0 ddpm info m.ddpm; prints 'predicts      v, variance learned-range'; prints 'of 2 images,'
	expect 0 ddpm sample -m m.ddpm -n 1 --steps 4 --force --spacing optimal --variance analytic -q
}

# Training begins with a converted checkpoint of each family, its network, classes, prediction and variance:
# at a rate that is nothing in float32 it stays what it is.
test_train_init_of_each_family() {
	cases=$top/tests/golden/cases
	mkdir d
	for c in 0 1 2 3 4 5 6 7 8 9; do
		mkdir d/$c && tail -c +$((c * 1024 + 5000)) "$program" | head -c 960 | png d/$c/a.png 20 16 3
	done
	begins() {
		for rate in 1e-4 1e-60; do
			expect 0 ddpm train d -o m.ddpm --init i.ddpm --steps 2 --set batch=2 --set lr=$rate --set warmup=0 --holdout 0 --grid-every 0 --threads 1 --force -q
			ddpm info i.ddpm | grep '^id' >a; ddpm info m.ddpm | grep '^id' >b
			if cmp -s a b; then [ $rate = 1e-60 ] || fail 'two steps change nothing'; else [ $rate != 1e-60 ] || fail 'not what it began with'; fi
		done
	}
	expect 0 ddpm convert -q "$cases/A3_scale_shift_classes" -o i.ddpm; begins
	expect 0 ddpm info m.ddpm; prints 'source        ddpm, d'; prints '10 classes'
	expect 0 ddpm convert -q --force "$cases/B3_guided_updown/ema_0.9999_000100.pt" -o i.ddpm --set image_size=16 --set num_channels=32 --set num_res_blocks=1 \
		--set channel_mult=1,1 --set learn_sigma=true --set class_cond=false --set attention_resolutions=8 --set num_heads=4 --set num_head_channels=8 \
		--set use_scale_shift_norm=true --set resblock_updown=true --set diffusion_steps=1000 --set noise_schedule=linear --set rescale_timesteps=false
	begins
	expect 0 ddpm info m.ddpm; prints 'variance learned-range'
	expect 0 ddpm convert -q --force "$cases/C1_pesser/model-790000.ckpt" -o i.ddpm --set resolution=32; begins
	expect 0 ddpm info m.ddpm; prints 'image         32 x 32 pixels (width x height), 3 channels'
	expect 0 ddpm convert -q --force "$cases/D1_unet3/unet.pt" -o i.ddpm --set image_size=32 --set objective=pred_v --set beta_schedule=sigmoid --set timesteps=1000
	begins
	expect 0 ddpm info m.ddpm; prints 'predicts      v'
}

# A training that has ended does nothing where nothing can be written; one that goes on says so first.
test_train_read_only() {
	small_disk
	mount -o remount,size=8m small || skip 'mount is not allowed here'
	pictures 3
	again() { ddpm train d -o small/m.ddpm $small --holdout 0 "$@" >out 2>err; code=$?; }
	again --steps 2; [ $code -eq 0 ] || fail "$(cat err)"
	mount -o remount,ro small || skip 'mount is not allowed here'
	again --steps 2 --resume; [ $code -eq 0 ] || fail "exit code $code, expected 0: $(cat err)"
	says 'nothing to do'
	for how in '--steps 3 --resume' '--steps 2 --force'; do
		again $how; [ $code -eq 73 ] || fail "$how: exit code $code, expected 73: $(cat err)"
		says 'small/m.ddpm: cannot be created'
	done
}
