# Pictures in and out: 16 bits, channels, formats, and the texts that viewers show.

# text_end FILE: where the chunk behind the header of a PNG of ours, its settings, ends.
text_end() { echo $(($(printf '%d' "0x$(od -An -tx1 -j33 -N4 "$1" | tr -d ' \n')") + 12 + 33)); }

test_16_bits() {
	expect 0 ddpm sample -q -n 3 --steps 2 --format png16 --outdir a
	expect 0 ddpm sample -q -n 3 --steps 2 --format png16 --outdir b --threads 3 --batch 2 --shard 1/2
	expect 0 ddpm sample -q -n 3 --steps 2 --format png16 --outdir b --batch 1
	for file in a/*.png; do same "$file" "b/${file#a/}"; done
	[ "$(od -An -tu1 -j24 -N2 a/image-000000.png | tr -s ' ')" = ' 16 0' ] || fail 'the depth is not 16 bits'
	expect 0 ddpm verify a; prints 'the same'
	expect 0 ddpm info a; prints 'png16'; expect 0 ddpm info a/image-000000.png; prints '1 channel of 16 bits'
	expect 64 ddpm sample -q -n 3 --steps 2 --outdir a; says 'format'
	printf x >>a/image-000001.png
	expect 0 ddpm sample -q -n 3 --steps 2 --format png16 --outdir a --check-existing; same a/image-000001.png b/image-000001.png

	# A picture of 8 bits with the settings of one of 16.
	ddpm sample -q -n 1 --steps 2 -o c.png || fail 'sample'
	wide=$(text_end a/image-000000.png)
	{ head -c 33 c.png; head -c "$wide" a/image-000000.png | tail -c +34; tail -c +$(($(text_end c.png) + 1)) c.png; } >mixed.png
	expect 65 ddpm verify mixed.png; says 'has 8 bits a value and its settings say format png16'
	expect 64 ddpm sample -n 1 --format png16 -o x.npy; says '--format png16 writes no .npy'
	expect 0 ddpm sample -q -n 2 --steps 2 --format png16 --show -o show.png; [ "$(wc -l <out)" -gt 5 ] || fail 'nothing is shown'
	expect 0 ddpm sample -q -n 2 --steps 2 --show -o narrow.png --force; cp out narrow
	expect 0 ddpm sample -q -n 2 --steps 2 --format png16 --show -o show.png --force; same out narrow 'what is shown of 16 and of 8 bits'
}

test_texts_for_viewers() {
	ddpm sample -q -n 1 --steps 2 --seed 7 -o a.png || fail 'sample'
	tr '\000' '\n' <a.png | grep -qa '^ddpm [0-9.]*' || fail 'Software is missing'
	tr '\000' '\n' <a.png | grep -a -A1 'Description$' | grep -qa 'seed 7, sampler ddpm' || fail 'Description is missing'
}

# Two draws of 64 bits are the same once in 2^64 times.
test_seed_random() {
	expect 0 ddpm sample -n 1 --steps 1 --seed random -o a.png
	seed=$(sed -n 's/^ddpm sample: --seed random is --seed \([0-9]*\)$/\1/p' err)
	[ -n "$seed" ] || fail "the seed is not said: $(cat err)"
	expect 0 ddpm info a.png; prints "seed          $seed"
	expect 0 ddpm sample -q -n 1 --steps 1 --seed "$seed" -o b.png; same a.png b.png
	expect 0 ddpm sample -q -n 1 --steps 1 --seed=random -o c.png; [ ! -s err ] || fail '-q is not quiet'
	! cmp -s a.png c.png || fail 'the same seed twice'
	expect 64 ddpm sample --seed rnd; says 'or random'
	expect 0 ddpm sample -q -n 1 --steps 1 --seed random --outdir d
	expect 64 ddpm sample -q -n 2 --steps 1 --seed random --outdir d; says 'seed is'
}

# The pictures of tests/golden/data/pictures, and an array of n x 8 x 8 x c bytes whose last one is given.
pictures_of() { echo "$top/tests/golden/data/pictures"; }
array_of_pictures() {
	{
		printf '\223NUMPY\001\000\166\000'
		printf '%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': ($2, 8, 8, $3), }"
		head -c $(($2 * 64 * $3 - 1)) /dev/zero | tr '\0' '\310'; printf "$4"
	} >"$1"
}

# What gray makes of colours is what a folder's pictures become; an array says what its channels are by the option.
test_gray_and_color() {
	set -- --set net.widths=8 --set net.norm.groups=4 --set batch=2 --set diffusion.steps=4 --holdout 0 --grid-every 0 --steps 1 -q --force
	array_of_pictures rgb.npy 3 3 '\310'; array_of_pictures la.npy 2 2 '\377'; array_of_pictures gray.npy 2 1 '\310'
	expect 0 ddpm train rgb.npy -o gray.ddpm "$@" --gray; expect 0 ddpm info gray.ddpm; prints '8 x 8 pixels (width x height), 1 channel'
	expect 0 ddpm train gray.npy -o color.ddpm "$@" --color; expect 0 ddpm info color.ddpm; prints '3 channels'
	expect 65 ddpm eval -q -m gray.ddpm rgb.npy --steps 2; says '--gray takes them as pictures'
	expect 65 ddpm eval -q -m color.ddpm gray.npy --steps 2; says '--color takes them as pictures'
	expect 0 ddpm eval -m gray.ddpm rgb.npy --steps 2 --gray --json; says '3 pictures in colour are taken as gray'; cp out of_colour
	array_of_pictures same.npy 3 1 '\310'
	expect 0 ddpm eval -m gray.ddpm same.npy --steps 2 --json; same out of_colour 'gray and what is made gray'
	expect 0 ddpm eval -q -m color.ddpm gray.npy --steps 2 --color
	expect 65 ddpm eval -q -m gray.ddpm la.npy --steps 2 --gray; says 'la.npy, image 0: it is transparent in places'
	expect 65 ddpm train la.npy -o x.ddpm "$@" --gray --set net.channels=1; says 'or train with net.channels=2'
	expect 0 ddpm distance -q -m gray.ddpm rgb.npy same.npy --gray
	expect 64 ddpm eval -q -m color.ddpm rgb.npy --steps 2 --gray; says 'those of the model have 3 channels: leave it out, or take --color'
	expect 64 ddpm eval -q -m gray.ddpm rgb.npy --steps 2 --color; says 'or take --gray'
	expect 64 ddpm eval -q -m gray.ddpm rgb.npy --steps 2 --color --gray; says 'opposites'
	expect 64 ddpm train rgb.npy -o x.ddpm "$@" --gray --set net.channels=3; says '--gray makes images gray'
}

# A picture that differs from the model's in nothing but colours.
test_from_gray_and_color() {
	ddpm sample -q -n 1 --steps 2 -o gray.png || fail sample
	head -c 3072 "$top/tools/default.ddpm" | png rgb.png 32 32 3
	set -- -q -n 2 --steps 4 --strength 0.5 --batch 1
	expect 65 ddpm sample "$@" --from rgb.png; says '--gray converts it'
	expect 0 ddpm sample "$@" --from rgb.png --gray --outdir d
	expect 0 ddpm sample -q -n 2 --steps 4 --strength 0.5 --threads 3 --from rgb.png --gray --outdir e
	same d/image-000001.png e/image-000001.png
	expect 0 ddpm verify d --from rgb.png; prints 'the same'
	expect 64 ddpm sample "$@" --from rgb.png --fit resize --outdir d; says 'colors'
	expect 64 ddpm sample "$@" --from gray.png --color; says 'or take --gray'
	expect 64 ddpm sample "$@" --from gray.png --color --gray; says 'opposites'
	expect 64 ddpm sample -n 1 --gray; says '--gray belongs to --from'
}

# The advice of a transparent mask is about the mask.
test_transparent_mask() {
	ddpm sample -q -n 1 --steps 2 --size 9x6 -o a.png 2>/dev/null || ddpm sample -q -n 1 --steps 2 -o a.png || fail sample
	expect 65 ddpm sample -q -n 1 --steps 2 --from a.png --mask "$(pictures_of)/rgba.png" --fit resize
	says 'transparent in places'; says 'flatten it first'; ! grep -q 'net.channels' err || fail "$(cat err)"
}

# The names of classes: from folders into the model, and out of it by --class and info.
test_class_names() {
	mkdir -p d/10 d/2 d/shoe "d/a b"
	for name in 10 2 shoe 'a b'; do { head -c 63 /dev/zero | tr '\0' '\310'; printf '\0'; } | png "d/$name/a.png" 8 8; done
	set -- --set net.widths=8 --set net.norm.groups=4 --set batch=2 --set diffusion.steps=4 --holdout 0 --grid-every 0 --steps 1 -q
	expect 0 ddpm train d -o m.ddpm "$@" --set net.height=8 --set net.width=8 --set net.classes=5 --set class_dropout=0.1
	expect 0 ddpm info m.ddpm; prints 'classes       0 2, 1 10, 2 a b, 3 shoe, 4 4'
	expect 0 ddpm info m.ddpm --json; prints '"class_names":["2","10","a b","shoe","4"]'

	# By name, by number, and several: the same images however they are asked for.
	set -- -q -m m.ddpm --steps 2 --format npy
	ddpm sample "$@" -n 1 --class 3 -o three.npy && ddpm sample "$@" -n 1 --class shoe -o shoe.npy || fail sample
	same three.npy shoe.npy
	ddpm sample "$@" --index 1 --class 'a b' -o name.npy && ddpm sample "$@" --index 1 --class '2' -o two.npy || fail sample
	same name.npy two.npy
	ddpm sample -q -m m.ddpm --steps 2 -n 5 --class 'shoe,a b' --outdir s --batch 1 || fail sample
	ddpm sample -q -m m.ddpm --steps 2 -n 5 --class 3,2 --outdir t --threads 3 --shard 0/2 || fail sample
	ddpm sample -q -m m.ddpm --steps 2 -n 5 --class 3,2 --outdir t || fail sample
	for file in s/*.png; do same "$file" "t/${file#s/}"; done
	expect 0 ddpm info s/image-000000.png --json; prints '"class":[3,2]'
	expect 0 ddpm verify -m m.ddpm s; prints 'the same'
	expect 0 ddpm verify -m m.ddpm t/image-000001.png
	expect 0 ddpm sample "$@" -n 2 --class 'shoe,a b' -o both.npy
	tail -c +129 three.npy >wanted; tail -c +129 both.npy | head -c 256 >found; same found wanted 'image 0 is of the first class'
	tail -c +129 name.npy >wanted; tail -c 256 both.npy >found; same found wanted 'image 1 is of the second class'

	expect 64 ddpm sample "$@" --class shoo -o x.npy; says '--class shoo: no class has this name, did you mean shoe?'
	expect 64 ddpm sample "$@" --class shoe,5 -o x.npy; says '--class 5: this model has classes 0 to 4'
	expect 64 ddpm sample "$@" --class shoe, -o x.npy; says 'no class has this name'
	expect 64 ddpm sample -n 1 --class shoe; says 'no classes'

	# A training that goes on from the model, upon data whose classes have no names, keeps them.
	{ printf '\0\0\010\003\0\0\0\002\0\0\0\010\0\0\0\010'; head -c 128 /dev/zero; } >t-images-idx3-ubyte
	printf '\0\0\010\001\0\0\0\002\001\004' >t-labels-idx1-ubyte
	expect 0 ddpm train t-images-idx3-ubyte -q -o n.ddpm --init m.ddpm --steps 1 --holdout 0 --grid-every 0 --set batch=2
	expect 0 ddpm info n.ddpm; prints '3 shoe, 4 4'
}

# A list in a file, one name a line; what it does not fit is refused.
test_class_names_of_a_file() {
	case=$top/tests/golden/cases/A3_scale_shift_classes
	i=0; while [ $i -lt 10 ]; do printf 'thing %d, of some kind\r\n' $i; i=$((i + 1)); done >names
	expect 0 ddpm convert -q "$case" --set class_names=names -o a.ddpm
	expect 0 ddpm info a.ddpm; prints 'classes       0 thing 0, of some kind, 1 thing 1, of some kind'
	expect 0 ddpm sample -q -m a.ddpm -n 1 --steps 2 --class 'thing 1, of some kind' -o a.png
	expect 0 ddpm sample -q -m a.ddpm -n 1 --steps 2 --class 1 -o b.png; same a.png b.png
	tail -n +2 names >few; expect 65 ddpm convert "$case" --set class_names=few -o b.ddpm; says 'few: too few names'
	{ cat names; echo more; } >many; expect 65 ddpm convert "$case" --set class_names=many -o b.ddpm; says 'many: too many names'
	{ echo; tail -n +2 names; } >empty; expect 65 ddpm convert "$case" --set class_names=empty -o b.ddpm; says 'empty: line 1 has 0 bytes'
	{ printf 'a\000b\n'; tail -n +2 names; } >zero; expect 65 ddpm convert "$case" --set class_names=zero -o b.ddpm; says 'line 1 has a zero byte'
	head -n 1 names >twice; cat twice names | head -n 10 >names2
	expect 0 ddpm convert -q "$case" --set class_names=names2 -o c.ddpm
	expect 64 ddpm sample -q -m c.ddpm --class 'thing 0, of some kind'; says 'classes 0 and 1 have this name'
	expect 66 ddpm convert "$case" --set class_names=nothing -o b.ddpm; says nothing
	absent b.ddpm
}

# What an evaluator reads: the bytes of the pictures, and their classes.
test_npz() {
	ddpm sample -q -n 4 --steps 2 -o a.npz --batch 1 && ddpm sample -q -n 4 --steps 2 -o b.npz --threads 3 || fail sample
	same a.npz b.npz
	ddpm sample -q -n 4 --steps 2 --outdir d && rm d/manifest.jsonl || fail sample
	expect 0 ddpm eval a.npz --steps 2 --json; cp out of_archive
	expect 0 ddpm eval d --steps 2 --json; same out of_archive 'the images of the archive and the pictures'

	expect 0 ddpm convert -q "$top/tests/golden/cases/A3_scale_shift_classes" -o c.ddpm
	ddpm sample -q -m c.ddpm -n 4 --class 7 --steps 2 -o c.npz && ddpm sample -q -m c.ddpm -n 4 --class 7 --steps 2 --outdir e || fail sample
	rm e/manifest.jsonl
	expect 0 ddpm eval -m c.ddpm c.npz --steps 2 --json; cp out of_archive
	expect 0 ddpm eval -m c.ddpm e --class 7 --steps 2 --json
	sed 's/"class":[^,]*,//' out >found; sed 's/"class":[^,]*,//' of_archive >wanted; same found wanted 'its classes'
	expect 0 ddpm eval -m c.ddpm e --class 6 --steps 2 --json; ! cmp -s out of_archive || fail 'any class gives the same'
	ddpm sample -q -m c.ddpm -n 4 --class 7,2 --steps 2 -o two.npz || fail sample
	[ "$(tail -c +1 two.npz | od -An -v -tu1 | tr -s ' \n' ' ' | grep -c ' 7 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0 ')" -eq 1 ] || fail 'the classes are not 7 2 7 2'

	expect 73 ddpm sample -n 1 --steps 1 -o a.npz; says 'a.npz: exists already'
	expect 64 ddpm sample -n 1 --steps 1 --outdir f --format npz; says 'leave out --outdir'
	expect 64 ddpm sample -n 1 --steps 2 --keep-steps 2 -o f.npz; says 'leave out --keep-steps'
	expect 64 ddpm sample -n 1 --steps 1 -o f.png --format npz; says '--format npz writes no .png'
	expect 64 ddpm sample -n 1 --steps 1 -o f.npz --show; says 'leave out the format npz'
	ddpm sample -n 1 --steps 1 --format npz -o - 2>err | cat >out; grep -q 'standard output: an archive is written into a file' err || fail "$(cat err)"
	absent f f.npz f.png
}

test_tiff() {
	ddpm --version | grep -q '^built with:.* tiff' || skip 'built without libtiff'
	mkdir d && cp "$(pictures_of)/rgb.tif" "$(pictures_of)/rgba16.tif" d
	expect 0 ddpm train d/ -q -o m.ddpm --set net.widths=8 --set net.norm.groups=4 --set batch=2 --set diffusion.steps=4 --holdout 0 \
		--grid-every 0 --steps 1 --set net.channels=4 --set net.height=6 --set net.width=8
	mkdir a b && cp "$(pictures_of)/rgba.tif" a && cp "$(pictures_of)/rgba.png" b
	expect 0 ddpm eval -m m.ddpm a --fit resize --steps 2 --json; cp out of_tiff
	expect 0 ddpm eval -m m.ddpm b --fit resize --steps 2 --json; same out of_tiff 'the same picture as TIFF and as PNG'
	expect 0 ddpm sample -q -m m.ddpm -n 1 --steps 2 --from a/rgba.tif --fit resize --strength 0.5 -o x.png
	head -c 200 a/rgba.tif >a/cut.tiff
	expect 65 ddpm eval -m m.ddpm a --fit resize --steps 2; says 'a/cut.tiff: its pixels cannot be read: it is cut off'
}
