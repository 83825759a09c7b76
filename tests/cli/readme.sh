# The words of the README and of the guides: their commands run on small files of the same names, and errors
# say what they say that errors say.

# Under the names that the README uses: a small network of each kind, pictures, CIFAR-10's format.
readme_checkpoints() {
	cp -r "$tree/A3_scale_shift_classes" google-ddpm-cifar10-32
	cp "$guided" cifar10_uncond_50M_500K.pt
	cp "$pesser" "$lucid" .
	cp "$top/tests/golden/cases/D4_guided/unet.pt" guided.pt
	foreign=$shared/reference/checkpoints
	[ ! -d "$foreign/C2_ermon_ema" ] || {
		cp "$foreign/C2_ermon_ema/ckpt.pth" "$foreign/D2_trainer_pred_v/model-7.pt" .
		( cp "$foreign/C2_ermon_ema/case.json" . && flags_as_json | sed '/"config_yaml"/d' | awk '{ line[NR] = $0 } END { for (i = 1; i < NR; i++) print line[i] }' ) >config.json
		rm case.json
	}
}
# readme_commands WORD: the lines of the code blocks of the README and the guides that begin with this, each
# once, continued ones as one, without remarks.
readme_commands() {
	for file in "$top/README.md" "$top"/tools/manual/*.md; do
		awk '/^```/ { code = !code; next } code' "$file" | sed -e ':more' -e '/\\$/N; s/\\\n//; tmore'
	done | sed -n "s/ *#.*//; s/^\(build\/\)\{0,1\}$1/$1/p" | awk '!seen[$0]++'
}

test_readme_converts() {
	readme_checkpoints
	noisy_checkpoint; mv c.safetensors 64x64_classifier.pt
	readme_commands 'ddpm convert' | grep -v -e '--dry-run' |
		sed '/classifier/ s/image_size=64/image_size=16 --set num_head_channels=8/' >commands        # the one here is smaller
	[ "$(wc -l <commands)" -eq 8 ] || fail "eight commands, not $(cat commands)"
	ran=0
	while read -r line; do
		set -- $line
		[ -e "$3" ] || continue
		expect 0 "$@"
		expect 0 ddpm info "$5"; prints 'parameters'
		ran=$((ran + 1))
	done <commands
	[ $ran -eq 8 ] || [ ! -d "$foreign" ] && [ $ran -ge 6 ] || fail "$ran of them could be run"
}

# The commands run as they are printed, but for what takes time: numbers of images and of steps, the data's
# size.
test_readme_commands() {
	readme_checkpoints
	expect 0 ddpm convert -q model-790000.ckpt --set resolution=32 -o cifar10.ddpm
	expect 0 ddpm convert -q guided.pt -o guided.ddpm --set image_size=16 --set objective=pred_v --set beta_schedule=cosine --set timesteps=1000
	noisy_classifier classifier.ddpm linear
	mv plain.ddpm uncond.ddpm
	mkdir cifar-10-batches-bin photos
	for i in 1 2 3 4; do head -c 3073 "$top/tools/default.ddpm" | tr '\000-\377' '\001'; done >cifar-10-batches-bin/test_batch.bin
	ddpm sample -q -m cifar10.ddpm -n 4 --steps 2 --seed 3 --outdir photos || fail 'sample'
	rm photos/manifest.jsonl
	half_mask half.png
	cp -r photos ten-steps
	cp -r photos twenty-steps
	{ for c in tune 'train photos' sample verify schedule eval distance bench info export sheet; do readme_commands "ddpm $c"; done
	  readme_commands 'ddpm convert' | grep -e '--dry-run'; } |
		sed -e 's/ -n 1*0*0 / -n 3 /; s/ -n 1000/ -n 3/; s/ -n 256/ -n 2/; s/ -n 64/ -n 4/; s/ -n 40/ -n 2 --steps 2/' \
		    -e 's/--steps 250/--steps 5/; s/--steps 50/--steps 3/; s/--steps 100/--steps 3/' \
		    -e 's/--steps 4,6,8 -o/--steps 6 -n 16 --iterations 1 -o/' \
		    -e 's/--steps 20 -o/--steps 3 -o/; s/--steps 10,50,250/--steps 2,3/' \
		    -e 's/-o painted/--steps 12 -o painted/; s/ --ode/ --ode --steps 1/; s/-o three.png/--steps 3 &/' \
		    -e 's/-m cifar10.ddpm \(.*--statistics\)/-m photos.ddpm \1/' \
		    -e 's/--time 8h/--steps 1 --set batch=2 --set diffusion.steps=20/' \
		    -e 's/--time 2h/--steps 1 --set batch=2 --holdout 0/' \
		    -e 's/^ddpm bench$/& --time 1s/; s/^ddpm bench --[rs].*/& --time 1s --spread 1e6/; s/200ms/10m/' \
		    -e 's/--outdir images/& --steps 3/; s/^ddpm sample$/& --force/' >commands
	[ "$(wc -l <commands)" -ge 28 ] || fail "commands: $(cat commands)"
	command -v gnuplot >/dev/null || sed -i '/--report/d' commands
	sed -i '/--shard/d; /ddpm merge/d; /--deadline/d; /--max-time/d' commands          # whole folders: night.sh
	sed 's/ddpm distance \(.*\) images /ddpm distance \1 photos /' commands >again && mv again commands
	while read -r line; do expect 0 $line; done <commands
	[ -s sample.png ] && [ -s four.png ] && [ -s way.png ] && [ -s images/image-000002.png ] && [ -s arrays/ddpm-3.npy ] || fail 'a file is missing'
}

# Each message of the table comes from a command here; "..." stands for what varies.
test_readme_troubles() {
	readme_checkpoints
	said() { "$@" >>said 2>&1 </dev/null; }
	said ddpm sample -m "$pesser"; said ddpm sample my.ddpm
	printf 'version https://git-lfs.github.com/spec/v1\n' >lfs.pt; said ddpm convert lfs.pt -o a.ddpm
	said ddpm convert google/ddpm-cifar10-32 -o a.ddpm
	said ddpm convert "$pesser" --weights ema -o a.ddpm
	names vae.safetensors unet.conv_in.weight:4 unet.down_blocks.0.x:1 vae.x:1 vae.decoder.x:1
	said ddpm convert vae.safetensors -o a.ddpm
	said ddpm convert "$pesser" -o a.ddpm
	said ddpm convert "$tree/C1_pesser/io.safetensors" -o a.ddpm
	said ddpm convert "$pesser" --set resolution=32 --set ch=64 -o a.ddpm
	head -c 100000 "$top/tools/default.ddpm" >cut.ddpm; said ddpm info cut.ddpm
	said ddpm convert google-ddpm-cifar10-32 -o classes.ddpm
	said ddpm convert google-ddpm-cifar10-32 -o classes.ddpm
	said ddpm sample -m classes.ddpm
	said ddpm sample -m classes.ddpm --class 1 --variance analytic; said ddpm sample -m classes.ddpm --class 1 --guidance 2
	noisy_classifier cosine.ddpm cosine; said ddpm sample -m plain.ddpm --classifier cosine.ddpm --class 1
	said ddpm sample -n 1 -o a.jpg; said ddpm sample -n 1 -n 2
	said ddpm sample -q -n 1 --steps 2 --outdir f; said ddpm sample -q -n 1 --steps 3 --outdir f
	command -v flock >/dev/null || skip 'there is no flock(1)'
	( flock 9; said ddpm sample -q -n 2 --steps 2 --outdir f ) 9<f
	said ddpm eval "$top/tests/golden/data" --fit pad
	( ulimit -v 300000; said ddpm sample -m classes.ddpm --class 1 --batch 4096 -n 4096 --steps 2 -o b.png )
	case $(ddpm info) in *avx*) other=neon ;; *) other=avx2 ;; esac
	said ddpm info --cpu $other
	ddpm sample -q -n 1 --steps 2 --cpu ref -o c.png; said ddpm verify c.png
	said ddpm bench --steps 2 -n 2 --sampler ddpm --spread 0
	said ddpm sample -n 1 --steps 15 --sampler dpmpp --order 3 -o d.png
	mkdir bin; said env PATH="$PWD/bin" ${RUN:+$(command -v ${RUN%% *})} "$program" bench --report r
	arrays=$top/tests/golden/data/arrays
	said ddpm eval "$arrays/cifar.bin"; said ddpm eval "$arrays/cube.npy"
	mkdir color color/a color/b; printf 'BM' >color/b/b.png; said ddpm eval color
	cp "$top/tests/golden/data/pictures/rgb.png" color/a; rm color/b/b.png
	said ddpm eval color -m classes.ddpm --fit pad
	pictures 3; said train --steps 1 --holdout 0; said train --steps 2 --holdout 0 --resume --set lr=1
	flip "$(newest)" 20000; said ddpm sample -m "$(newest)"
	sed -n 's/^- `\([^`]*\)`$/\1/p' "$top/tools/manual/troubleshooting.md" >messages
	[ "$(wc -l <messages)" -ge 15 ] || fail "messages: $(cat messages)"
	while IFS= read -r message; do
		case $message in
		*'(its statistics)'*)                      # only of a bad model
			printf '%s\n' "$message" | sed 's/ \.\.\. /\n/g; s/: some/:\nsome/' | while IFS= read -r words; do
				grep -qF -e "${words# }" "$top"/tools/sample/generator*.c || { echo "$words"; break; }
			done >lacking
			[ ! -s lacking ] || fail "tools/sample does not say $(cat lacking)"
			continue ;;
		'out of memory:') setting LDFLAGS | grep -q sanitize && continue ;;         # has its own words
		esac
		pattern=$(printf '%s' "$message" | sed 's/[][*.^$\\]/\\&/g; s/\\\.\\\.\\\./.*/g')
		grep -q -e "$pattern" said || fail "no command says \"$message\": $(cat said)"
	done <messages
}
