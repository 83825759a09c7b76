# between.sh: the way from one image to another.  Sourced by run.sh.

# The ends are the images themselves, and no bit depends on batch, threads, shards, or where the frames are.
test_between_bits() {
	set -- --between 3,7 --steps 4 --frames 5
	ddpm sample -q "$@" --sampler unipc --outdir a --batch 1 --threads 1 && ddpm sample -q "$@" --sampler unipc --outdir b --batch 3 --threads 3 || fail sample
	for i in 0 1; do ddpm sample -q "$@" --sampler unipc --outdir c --shard $i/2 || fail "shard $i"; done
	for i in 0 1 2 3 4; do
		same a/image-00000$i.png b/image-00000$i.png
		same a/image-00000$i.png c/image-00000$i.png
	done
	expect 0 ddpm verify a; [ "$(grep -c 'are the same' out)" -eq 5 ] || fail "$(cat out)"
	ddpm sample -q "$@" --sampler unipc --format npy --outdir arrays || fail arrays
	for end in 0:3 4:7; do
		ddpm sample -q --steps 4 --sampler unipc --index ${end#*:} --force -o end.npy || fail 'an end'
		tail -c 4096 end.npy >of; tail -c 4096 arrays/image-00000${end%:*}.npy >frame
		same of frame "the frame at the end $end"
	done

	# One file: all frames in a row.
	expect 0 ddpm sample "$@" --scale 1 -o strip.png; says 'takes sampler ddim'
	expect 0 ddpm info strip.png; prints 'pixels        160 x 32'; prints 'between       3,7'; prints 'frames        5'
	expect 0 ddpm verify strip.png
	expect 64 ddpm sample -q --between 3,8 --steps 4 --frames 5 --sampler unipc --outdir a; says 'between is "3,7" there'
	expect 64 ddpm sample -q --between 3,7 --steps 4 --frames 6 --sampler unipc --outdir a; says 'frames is 5 there'
}

# A picture is carried to its noise by the sampler: where the way ends there, its image is the picture again.
test_between_pictures() {
	ddpm sample -q -n 2 --steps 50 --sampler ddim --outdir f && rm f/manifest.jsonl || fail sample
	set -- --frames 3 --steps 50
	ddpm sample -q "$@" --between f/image-000000.png,7 --outdir d || fail 'a picture and an image'
	ddpm sample -q "$@" --between f/image-000000.png,f/image-000001.png -o pictures.npy || fail 'two pictures'
	ddpm sample -q "$@" --between 7,f/image-000001.png -o last.npy || fail 'an image and a picture'
	expect 0 ddpm verify d --from f/image-000000.png; [ "$(grep -c 'are the same' out)" -eq 3 ] || fail "$(cat out)"
	expect 66 ddpm verify d/image-000001.png; says 'name it with --from'
	expect 66 ddpm verify d/image-000001.png --from f/image-000001.png; says 'another image'
	expect 66 ddpm verify d/image-000001.png --from f; says '2 pictures are given, and 1 of the ends'

	# What an end becomes beside a second one does not depend on that one.
	ddpm sample -q "$@" --between f/image-000000.png,7 -o first.npy || fail first
	values() { tail -c +129 $1 | od -An -v -tf4 -w4 | sed -n "$(($2 * 1024 + 1)),$(($2 * 1024 + 1024))p"; }
	values first.npy 0 >a; values pictures.npy 0 >b; same a b 'the first picture'
	values last.npy 2 >a; values pictures.npy 2 >b; same a b 'the second picture'

	# The way there and back with 50 steps of order 1 leaves less than a tenth of the distance to another image.
	ddpm sample -q -n 2 --steps 50 --sampler ddim -o images.npy || fail images
	distance() { paste "$1" "$2" | awk '{ d = $1 - $2; s += d * d } END { printf "%.0f\n", 1e6 * sqrt(s / NR) }'; }
	values images.npy 0 >x; values images.npy 1 >y; values pictures.npy 0 >a
	[ $((10 * $(distance x a))) -lt $(distance x y) ] || fail "$(distance x a) from the picture, $(distance x y) between both"
}

test_between_resumed() {
	ddpm sample -q -n 1 --steps 4 -o a.png || fail sample
	set -- --between a.png,5 --frames 3 --steps 8 --batch 2
	crash_library
	expect 0 crash CRASH_TICKS=ticks -- sample -q "$@" --outdir whole
	for part in 1 4 6; do
		expect 75 crash CRASH_TICK=$(($(cat ticks) * part / 8)) -- sample -q "$@" --outdir d$part
		expect 0 ddpm sample -q "$@" --threads 1 --outdir d$part
		for i in 0 1 2; do same whole/image-00000$i.png d$part/image-00000$i.png; done
	done
}

test_between_refuses() {
	ddpm sample -q -n 1 --steps 4 -o a.png && ddpm sample -q -n 1 --steps 4 --size 24x28 -o small.png && mkdir f || fail sample
	for words in 3 3,4,5 ,3 3, ,; do expect 64 ddpm sample --between "$words"; says 'expected two images A,B'; done
	for words in '-n 4' '--index 3' '--from a.png --strength 0.5' '--noise a.png'; do
		expect 64 ddpm sample --between 3,4 $words; says "leave out ${words%% *}"
	done
	for words in ddpm sde langevin 'ddim --eta 0.5' 'ddim --variance analytic' 'ode --corrector 1'; do
		expect 64 ddpm sample --between 3,4 --sampler $words; says 'adds no noise'
	done
	for words in '--fast' '--sampler unipc' '--sampler ddim-diffusers'; do
		expect 64 ddpm sample --between 3,a.png $words; says 'take ode or ddim'
	done
	expect 66 ddpm sample --between 3,absent.png; says 'absent.png'
	for end in 2147483648 -1 1.5 ' 6'; do
		expect 64 ddpm sample --between "5,$end"; says "--between: $end is neither a picture nor an index"
	done
	expect 64 ddpm sample --between f,3; says 'f is a folder'
	expect 65 ddpm sample --between small.png,3; says '--fit resize'
	expect 64 ddpm sample --between 4,3 --fit pad; says 'both ends of --between are of the seed'
	expect 64 ddpm sample --frames 3; says '--frames belongs to --between'
	expect 64 ddpm sample --between 4,3 --frames 1
	expect 64 ddpm sample --between 4,3 --steps auto --max-time 1m; says 'with --between'
	expect 64 ddpm sample --between a.png,3 -o a.png --force; says 'a.png of --between might be replaced'
	ddpm convert -q "$tree/A3_scale_shift_classes" -o classes.ddpm || fail convert
	for class in all 0,1; do expect 64 ddpm sample -m classes.ddpm --between 4,3 --class $class; says 'takes one class for all frames'; done
	expect 0 ddpm sample -q -m classes.ddpm --between 4,3 --class 1 --steps 2 --frames 2 -o class.png
	absent sample.png
	expect 0 ddpm sample -q --between small.png,3 --fit pad --steps 3 --frames 2 -o pad.png
	expect 0 ddpm verify pad.png --from small.png
	expect 0 ddpm sample -q --between 3,4 --fast --frames 2 -o fast.png

	# Settings that no run has, in a picture of somebody else.
	for script in 's/"between":"[^"]*"/"between":"3,4"/' 's/"between":"[^"]*"/"between":"x"/' 's/"frames":2/"frames":1/' \
		's/"from":"[^"]*"/"from":""/' 's/"indices":\[0,1]/"indices":[0,2]/' 's/"encode":false/"encode":true/' \
		's/"class":"none"/"class":"all"/' 's/"sampler":"ddim"/"sampler":"sde"/' 's/"sampler":"ddim"/"sampler":"unipc"/'; do
		cp pad.png b.png; other_settings b.png "$script" || fail "$script"
		expect 65 ddpm verify b.png --from small.png
	done
}
