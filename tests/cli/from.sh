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

	# Another picture among them is another run.
	cp f/image-000000.png f/image-000009.png
	expect 64 ddpm sample -q "$@" --from f --outdir pad; says 'from is '
	mkdir empty; expect 65 ddpm sample "$@" --from empty; says '0 pictures'
	expect 66 ddpm sample "$@" --from f/image-000000.png,nothing.png; says 'nothing.png'
}
