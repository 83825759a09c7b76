# from.sh: images from pictures: how much noise, pictures of other sizes, several of them, known pixels.  Sourced by run.sh.

test_from_strength() {
	ddpm sample -q -n 1 --steps 4 -o a.png || fail sample
	set -- -n 2 --from a.png --steps 8

	# The part of all steps, 0 to T - 1 = 999: the same images, and the same settings.
	ddpm sample -q "$@" --strength 0.4 -o part.png && ddpm sample -q "$@" --noise-to 399.6 -o step.png || fail sample
	same part.png step.png
	expect 0 ddpm verify part.png --from a.png
	ddpm sample -q "$@" --strength 0 -o least.png && ddpm sample -q "$@" --strength 1 -o most.png || fail sample
	! cmp -s least.png most.png || fail 'no difference between 0 and 1'
	for words in '--strength 1.1' '--strength -0.1' '--strength x' '--strength 0.4 --noise-to 5'; do
		expect 64 ddpm sample "$@" $words
	done
	expect 64 ddpm sample --strength 0.4; says '--strength belongs to --from'
	expect 64 ddpm sample --fit pad; says '--fit belongs to --from'
	expect 64 ddpm sample "$@"; says '--strength S'

	# Where the steps end, whichever option says how much; a mask changes nothing about it.
	half_mask half.png
	expect 64 ddpm sample -q -n 1 --from a.png --fast --strength 0.01; says 't = 9.99 (--noise-to, --strength): the list of steps goes from 170'
	expect 64 ddpm sample "$@" --noise-to 999.001; says 't = 999.001 ('
	expect 64 ddpm sample "$@" --mask half.png --noise-to 5000; says 't = 5000 ('
}

# One image of each picture, resumable: the same bits at once, one by one, in shards, and as a list.
test_from_folder() {
	mkdir f && ddpm sample -q -n 3 --steps 2 --size 24x28 --outdir f && rm f/manifest.jsonl || fail sample
	set -- --strength 0.5 --steps 6
	expect 65 ddpm sample "$@" --from f --outdir d; says 'f/image-00000'; says '--fit resize'
	for fit in pad resize; do
		ddpm sample -q "$@" --from f --fit $fit --outdir $fit || fail $fit
		[ "$(ls $fit/*.png | wc -l)" -eq 3 ] || fail "as many images as pictures: $(ls $fit)"
		expect 0 ddpm verify $fit --from f; [ "$(grep -c 'are the same' out)" -eq 3 ] || fail "$(cat out)"
	done
	! cmp -s pad/image-000000.png resize/image-000000.png || fail 'pad and resize are one'
	expect 64 ddpm sample -q "$@" --from f --fit pad --outdir resize; says 'fit is "resize" there'
	expect 66 ddpm verify pad/image-000001.png --from f/image-000000.png; says 'another image'

	set -- "$@" --fit pad
	for i in 2 0 1; do ddpm sample -q "$@" --from f --index $i --outdir one --batch 1 || fail "image $i"; done
	for i in 0 1; do ddpm sample -q "$@" --from f --outdir shards --shard $i/2 || fail "shard $i"; done
	ddpm sample -q "$@" --from f/image-000000.png,f/image-000001.png,f/image-000002.png --outdir list --threads 1 || fail 'a list'
	for i in 0 1 2; do
		same pad/image-00000$i.png one/image-00000$i.png
		same pad/image-00000$i.png shards/image-00000$i.png
		same pad/image-00000$i.png list/image-00000$i.png
	done

	# Each image is that of its own picture alone, where the settings stand beside the pixels in no file.
	ddpm sample -q "$@" --from f --format npy --outdir arrays || fail arrays
	for i in 0 1 2; do
		ddpm sample -q "$@" --from f/image-00000$i.png --index $i -o alone$i.npy || fail "picture $i"
		tail -c 4096 arrays/image-00000$i.npy >of; tail -c 4096 alone$i.npy >alone
		same of alone "image $i of the folder"
	done

	# Another picture among them is another run.
	cp f/image-000000.png f/image-000009.png
	expect 64 ddpm sample -q "$@" --from f --outdir pad; says 'from is '
	mkdir empty; expect 65 ddpm sample "$@" --from empty; says '0 pictures'
	expect 66 ddpm sample "$@" --from f/image-000000.png,nothing.png; says 'nothing.png'
}

# Images go neither over the pictures nor into their folder, where the next start would take them for pictures.
test_from_place() {
	mkdir f && ddpm sample -q -n 2 --steps 2 --outdir f && rm f/manifest.jsonl && half_mask half.png || fail sample
	ln -s f link; ln f/image-000000.png same.png; cp f/image-000000.png a.png; cksum f/* half.png >before
	set -- --strength 0.5 --steps 4 --force
	for place in '--outdir f' '--outdir f/new/deep' '--outdir link' '-o f/a.png' '-o ./link/a.png'; do
		expect 64 ddpm sample "$@" --from f $place; says 'of which every picture is taken by --from'
	done
	expect 64 ddpm sample "$@" --from f/image-000001.png,a.png --outdir link; says 'f/image-000001.png of --from might be replaced'
	expect 64 ddpm sample "$@" --from f/image-000000.png -o same.png; says 'another name for -o'
	expect 64 ddpm sample "$@" --from a.png --mask half.png -o half.png; says 'half.png of --mask might be replaced'
	for list in a.png, ,a.png a.png,,a.png ,; do
		expect 64 ddpm sample "$@" --from $list; says "--from $list: name"; says 'of the list is empty'
	done
	absent f/new sample.png
	cksum f/* half.png >after; same before after
	expect 0 ddpm sample -q "$@" --from f -o f/a.npy
	expect 0 ddpm sample -q "$@" --from f --outdir f2
}

# half_mask FILE: the right half of 32 x 32 pixels is white.
half_mask() { awk 'BEGIN { for (i = 0; i < 1024; i++) printf "%s", i % 32 < 16 ? "0" : "w" }' | tr 0w '\000\377' | png "$1" 32 32; }
# seam FILE: the mean step of an array's images from column 15 to 16.
seam() {
	tail -c +129 "$1" | od -An -v -tf4 -w4 | awk 'NR % 32 == 16 { left = $1 } NR % 32 == 17 { d = $1 - left; sum += d < 0 ? -d : d; n++ }
		END { printf "%.6f\n", sum / n }'
}

# What is known comes out as it went in, and no bit depends on batch, threads, shards, or a stop.
test_mask_bits() {
	mkdir f && ddpm sample -q -n 2 --steps 4 --outdir f && rm f/manifest.jsonl && half_mask half.png || fail sample
	set -- --from f --mask half.png -n 3 --steps 6 --resample 2 --jump 2
	ddpm sample -q "$@" --outdir a --batch 1 --threads 1 && ddpm sample -q "$@" --outdir b --batch 3 --threads 3 || fail sample
	for i in 0 1; do ddpm sample -q "$@" --outdir c --shard $i/2 || fail "shard $i"; done
	for i in 0 1 2; do
		same a/image-00000$i.png b/image-00000$i.png
		same a/image-00000$i.png c/image-00000$i.png
	done
	expect 0 ddpm verify a --from f --mask half.png; [ "$(grep -c 'are the same' out)" -eq 3 ] || fail "$(cat out)"
	expect 66 ddpm verify a/image-000000.png --from f; says '--mask'
	ddpm sample -q "$@" --format npy --outdir arrays || fail arrays

	# The left half of image 2 is that of the first picture, the right half is not.
	ddpm sample -q --from f --mask half.png --steps 6 --sampler unipc --index 2 -o known.npy || fail unipc
	for file in arrays/image-000002.npy known.npy; do
		tail -c +129 $file | od -An -v -tf4 -w4 | awk '(NR - 1) % 32 < 16' >left
		tail -c +129 arrays/image-000000.npy | od -An -v -tf4 -w4 | awk '(NR - 1) % 32 < 16' >other
		same left other "the known half of $file"
	done
	! cmp -s arrays/image-000002.npy arrays/image-000000.npy || fail 'nothing was painted anew'
}

test_mask_resumed() {
	ddpm sample -q -n 1 --steps 4 -o a.png && half_mask half.png || fail sample
	set -- --from a.png --mask half.png -n 2 --steps 8 --resample 3 --jump 3
	crash_library
	expect 0 crash CRASH_TICKS=ticks -- sample -q "$@" --outdir whole
	for part in 3 5 6; do
		expect 75 crash CRASH_TICK=$(($(cat ticks) * part / 8)) -- sample -q "$@" --outdir d$part
		[ -f d$part/resume.safetensors ] || fail 'the batch under way is not saved'
		expect 0 ddpm sample -q "$@" --threads 1 --outdir d$part
		for i in 0 1; do same whole/image-00000$i.png d$part/image-00000$i.png; done
	done
}

# How often it goes through the chain is that of the sampler which --fast takes.
test_mask_fast() {
	ddpm sample -q -n 1 --steps 4 -o a.png && half_mask half.png || fail sample
	set -- -n 1 --from a.png --mask half.png
	expect 0 ddpm sample "$@" --fast -o fast.png; says 'takes sampler tuned with 4 steps'
	ddpm sample -q "$@" --sampler tuned --steps 4 -o tuned.png || fail tuned
	same fast.png tuned.png
	expect 0 ddpm verify fast.png --from a.png --mask half.png
}

# Settings that no run has, in a picture of somebody else: verify says what is wrong with them.
test_mask_hostile() {
	ddpm sample -q -n 1 --steps 4 -o a.png && half_mask half.png || fail sample
	ddpm sample -q -n 1 --steps 4 --from a.png --mask half.png --resample 1 -o mask.png || fail mask
	for script in 's/"from":"[^"]*"/"from":""/' 's/"encode":false/"encode":true/' 's/"resample":1/"resample":0/' \
		's/"jump":10/"jump":-1/' 's/"keep_steps":1/"keep_steps":1000000/' 's/"noise_to":1000/"noise_to":1001/'; do
		cp mask.png b.png; other_settings b.png "$script" || fail "$script"
		expect 65 ddpm verify b.png --from a.png --mask half.png
	done
	expect 64 ddpm verify mask.png --from a.png, --mask half.png; says 'name 2 of the list is empty'
	expect 66 ddpm verify a.png --from nothing.png; says 'nothing.png'
	expect 66 ddpm verify a.png --mask nothing.png; says 'nothing.png'
}

test_mask_refused() {
	ddpm sample -q -n 1 --steps 4 -o a.png && half_mask half.png || fail sample
	for words in '--mask half.png' '--resample 2' '--from a.png --strength 0.5 --jump 2' '--from a.png --mask half.png --encode --sampler ode' \
		'--from a.png --mask half.png --resample 0' '--from a.png --mask half.png --resample 257' '--from a.png --mask half.png --jump 0' \
		'--from a.png --mask half.png --resample 2 --sampler unipc' '--from a.png --mask half.png --resample 2 --sampler ddim'; do
		expect 64 ddpm sample $words -o b.png
	done
	awk 'BEGIN { for (i = 0; i < 1024; i++) printf "0" }' | tr 0 '\000' | png black.png 32 32
	expect 65 ddpm sample --from a.png --mask black.png -o b.png; says 'no pixel is white'
	expect 66 ddpm sample --from a.png --mask nothing.png -o b.png; says 'nothing.png'
	absent b.png
}

# The edge of the mask: jumps back leave a step across it like that of data; without them it is larger.  The
# excess over the data's step shrinks to less than half.
test_mask_seam() {
	mkdir f && ddpm sample -q -n 16 --steps 20 --sampler unipc --seed 9 --outdir f && rm f/manifest.jsonl &&
		ddpm sample -q -n 16 --steps 20 --sampler unipc --seed 9 -o data.npy && half_mask half.png || fail sample
	set -- --from f --mask half.png --steps 20 --jump 5
	ddpm sample -q "$@" --resample 1 -o once.npy && ddpm sample -q "$@" --resample 5 -o often.npy || fail sample
	awk -v data="$(seam data.npy)" -v once="$(seam once.npy)" -v often="$(seam often.npy)" \
		'BEGIN { print "steps: data " data ", once " once ", often " often; exit !(often - data < (once - data) / 2) }' >steps || fail "$(cat steps)"
}
