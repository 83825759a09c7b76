# Other files in a folder of images: none of them is taken, followed, replaced or removed,
# and what is not an image does not count as one.

# In d, 3 images and what they were made by; in all, the same.
made() {
	rm -rf all d && ddpm sample -q -n 3 --steps 2 --outdir all && cp -r all d || fail 'sample'
}
again="sample -n 3 --steps 2 --outdir d"
# line I FILE [SECONDS]: a line of the manifest that says of an image that it is this file.
line() {
	printf '{"i":%s,"file":"%s","sha256":"%s","status":"ok","seconds":%s}\n' "$1" "$2" \
		"$({ sha256sum "d/$2" 2>/dev/null || printf '%064d' 0; } | cut -c1-64)" "${3:-1}"
}

test_names_that_are_taken() {
	for name in '.ddpm-%d.tmp' '.ddpm-1-%d.tmp' 'manifest-%d-of-8.jsonl' 'Manifest-%d-of-8.JSONL' \
		'manifest%d.jsonl' 'resume-%d-of-8.safetensors' 'RESUME-0-of-%d.safetensors' '.DDPM-%d.tmp'; do
		expect 64 ddpm sample -n 2 --steps 1 --outdir d --format png --name "$name"
		says "the program's own files"
	done
	for bytes in '\377%%d.png' '\303%%d.png' '\300\257%%d.png' 'a\355\240\200%%d.png' 'a\001%%d.png' \
		'a\n%%d.png' '%%d\177.png'; do
		expect 64 ddpm sample -n 2 --steps 1 --outdir d --name "$(printf "$bytes")"; says 'UTF-8'
	done
	absent d
	for name in 'manifest-%d.png' 'a"b\%d.png' '%d' "$(printf '\303\244%%03d.png')"; do
		expect 0 ddpm sample -q -n 2 --steps 1 --outdir d --name "$name"
		expect 0 ddpm sample -q -n 3 --steps 1 --outdir d --name "$name"
		[ "$(ls d | wc -l)" -eq 4 ] || fail "$name: $(ls d)"
		rm -r d
	done
	# One image's name is not given to another, whatever pattern gave it.
	expect 0 ddpm sample -q --index 5 --steps 1 --outdir d --name 'x1%d.png'
	expect 73 ddpm sample -q --index 15 --steps 1 --outdir d --name 'x%d.png'; says 'x15.png'
	rm d/x15.png
	expect 73 ddpm sample -q --index 15 --steps 1 --outdir d --name 'x%d.png'; says 'x15.png is image 5'
}

# A folder, a pipe or a link where an image belongs: neither made nor replaced, listed or not.
test_no_image_in_its_place() {
	for kind in 'mkdir' 'mkfifo' 'ln -s ../all/image-000001.png' 'ln -s nowhere' 'ln -s /dev/null'; do
		for how in '' --check-existing --force unlisted; do
			made; rm d/image-000001.png
			[ "$how" != unlisted ] || { sed '/"i":1,/d' all/manifest.jsonl >d/manifest.jsonl; how=; }
			$kind d/image-000001.png || fail "$kind"
			expect 73 ddpm $again $how; says 'image-000001.png'; says 'take it out of the way'
			[ ! -f d/image-000001.png ] || [ -L d/image-000001.png ] || fail "$kind $how: it was replaced"
			same d/image-000000.png all/image-000000.png
			expect 66 ddpm merge -n 3 --outdir d
		done
	done
	expect 0 ddpm verify -q all
}

# A manifest that lists what is not its own: no file of others is removed, replaced or believed.
test_forged_manifest() {
	for file in thesis.txt chapter3.txt manifest.jsonl resume.safetensors .ddpm-1-1.tmp sub \
		../all/image-000001.png image-000002.png; do
		for how in --check-existing --force ''; do
			made; echo thesis >d/thesis.txt; echo chapter >d/chapter3.txt; mkdir d/sub; echo 1 >d/sub/1
			{ sed '/"i":1,/d' all/manifest.jsonl; line 1 "$file"; line 2 image-000002.png; } >new
			mv new d/manifest.jsonl
			ddpm $again $how >out 2>err; code=$?
			[ $code -eq 0 ] || [ $code -eq 65 ] || [ $code -eq 73 ] || fail "$file $how: exit code $code: $(cat err)"
			[ "$(cat d/thesis.txt d/chapter3.txt d/sub/1 2>&1)" = "$(printf 'thesis\nchapter\n1')" ] ||
				fail "$file $how: $(ls d)"
			same d/image-000002.png all/image-000002.png
		done
	done
	# The number may be in a name of others: that file stays, and the image is made in its own place.
	made; echo chapter >d/chapter1.txt; rm d/image-000001.png
	{ sed '/"i":1,/d' all/manifest.jsonl; line 1 chapter1.txt; } >new; mv new d/manifest.jsonl
	expect 0 ddpm $again --check-existing; says '1 of them made now'
	[ "$(cat d/chapter1.txt)" = chapter ] || fail 'it was removed'
	same d/image-000001.png all/image-000001.png
	# Two images in one file, texts of another length, numbers out of range.  (The last line might be torn.)
	made
	for wrong in "$(line 12 image-000002.png)" '{"i":1,"file":"1.png","sha256":"0","status":"ok","seconds":1}' \
		"$(line 1e99 image-000001.png)" "$(line -1 image-000001.png)" "$(line 1 image-000001.png 1e31)" \
		"$(line 1 image-000001.png -1)" "$(line 1 image-000001.png 1e999)" "$(line 2147483648 2147483648.png)" \
		"{\"i\":1,\"file\":\"1.png\",\"status\":\"nan\",\"step\":1e10,\"seed\":\"0\",\"seconds\":1}" \
		'{"i":1,"file":"1.png","status":"nan","step":1,"seed":"123456789012345678901","seconds":1}'; do
		{ head -n 1 all/manifest.jsonl; echo "$wrong"; tail -n 3 all/manifest.jsonl; } >d/manifest.jsonl
		expect 65 ddpm $again; says 'manifest.jsonl'
		expect 65 ddpm merge --outdir d
	done
	# A line may hold the same after a merge.
	{ head -n 3 all/manifest.jsonl; line 2 image-000002.png 1e29; } >d/manifest.jsonl
	for time in first second; do
		head -n 1 all/manifest.jsonl >d/manifest-0-of-2.jsonl
		expect 0 ddpm merge -q --outdir d
		expect 0 ddpm $again; says '0 of them made now'
		grep -q '"seconds":1e+29}' d/manifest.jsonl || fail "$(cat d/manifest.jsonl)"
	done
}

# The manifest and what was saved are files of the folder: nothing is read or written through a link.
test_links_in_the_folder() {
	made; mv d/manifest.jsonl outside; cp outside before
	for kind in 'ln -s ../outside' mkfifo mkdir 'ln -s /dev/zero' 'ln -s nowhere'; do
		for name in manifest.jsonl manifest-0-of-2.jsonl; do
			rm -rf d/manifest*; [ $name = manifest.jsonl ] || cp outside d/manifest.jsonl
			$kind d/$name
			for ask in "$again" 'sample -n 4 --steps 2 --outdir d' 'merge --outdir d' 'verify d'; do
				expect 65 ddpm $ask; says "$name"
			done
			ddpm sample -n 4 --steps 2 --outdir d --shard 0/2 >out 2>err && fail "$kind $name as a shard: $(ls -l d)"
			same outside before
		done
	done
	rm -rf d/manifest*; ln -s ../outside d/manifest.jsonl
	expect 0 ddpm $again --force -q
	[ ! -L d/manifest.jsonl ] || fail 'a link is gone on with'
	same outside before; same_set d all
	crash_library
	ddpm sample -q -n 3 --steps 40 --outdir whole || fail sample
	expect 75 crash CRASH_TICK=2000 -- sample -q -n 3 --steps 40 --outdir saved; says 'interrupted at step'
	for kind in 'ln -s ../state' mkfifo 'ln -s /dev/zero' 'ln -s nowhere'; do
		rm -rf d; cp -r saved d; mv d/resume.safetensors state; cp state state.before
		$kind d/resume.safetensors
		expect 0 ddpm sample -q -n 3 --steps 40 --outdir d; says 'resume.safetensors'; says 'made again'
		same state state.before; same_set d whole "$kind"
	done
	rm -rf d; mkdir -p d/resume.safetensors
	for how in '' --force; do
		expect 73 ddpm sample -q -n 3 --steps 40 --outdir d $how; says 'resume.safetensors'; says 'is a folder'
		[ "$(ls d | grep -c png)" -eq 0 ] || fail "images were made first: $(ls d)"
	done
}

# Every flipped bit of a saved batch, and numbers that are none, cost time and not an image.
test_damaged_state() {
	crash_library
	ddpm sample -q -n 2 --steps 20 --sampler dpmpp --outdir all || fail sample
	expect 75 crash CRASH_TICK=1000 -- sample -q -n 2 --steps 20 --sampler dpmpp --outdir saved
	says 'interrupted at step'
	size=$(wc -c <saved/resume.safetensors)
	for part in 0 1 2 3 4 5 6 7 8 9 10 11; do
		at=$(((size - 1) * part / 11)); cp -r saved d
		byte=$(od -An -tu1 -j $at -N 1 d/resume.safetensors)
		printf "\\$(printf %o $((byte ^ 1 << part % 8)))" |
			dd of=d/resume.safetensors bs=1 seek=$at conv=notrunc 2>/dev/null
		expect 0 ddpm sample -q -n 2 --steps 20 --sampler dpmpp --outdir d
		says 'resume.safetensors'; says 'made again'
		same_set d all "a bit of byte $at"
		rm -r d
	done
	cp -r saved d
	expect 0 ddpm sample -q -n 2 --steps 20 --sampler dpmpp --outdir d
	[ ! -s err ] || fail "a whole state is not believed: $(cat err)"
	same_set d all
}

# Into a folder that it did not begin nothing is put, unless it is asked to; what was there stays.
test_folder_of_others() {
	mkdir d && echo notes >d/notes.txt && echo p >d/photo.png
	for how in '' '--shard 0/2' '--name x%d.png' '--check-existing' '--format npy'; do
		expect 73 ddpm $again $how; says 'notes.txt'; says '--force'
		[ "$(ls -A d | tr '\n' ' ')" = 'notes.txt photo.png ' ] || fail "$how: $(ls -A d)"
	done
	expect 0 ddpm $again --force -q
	[ "$(cat d/notes.txt d/photo.png)" = "$(printf 'notes\np')" ] || fail '--force removed what was there'
	expect 0 ddpm $again; says '0 of them made now'
	for how in '' '--format npy'; do
		expect 73 ddpm sample -n 1 --steps 3 --outdir d --force $how; says 'not make again'
		[ "$(ls d | wc -l)" -eq 6 ] || fail "$(ls d)"
	done
	expect 0 ddpm sample -q -n 3 --steps 3 --outdir d --force
	[ "$(ls d | wc -l)" -eq 6 ] || fail "$(ls d)"
	[ "$(cat d/notes.txt d/photo.png)" = "$(printf 'notes\np')" ] || fail 'they were changed'
	# Hidden files are not looked at; temporaries of others stay.
	mkdir e e/lost+found && touch e/.keep e/.ddpm-notes.tmp e/.ddpm-1-.tmp
	expect 0 ddpm sample -q -n 1 --steps 1 --outdir e
	[ "$(ls -A e | wc -l)" -eq 6 ] || fail "$(ls -A e)"
}

# A folder that has everything is done, even where nothing can be written.
test_read_only_folder() {
	small_disk
	mount -o remount,size=1m small || skip 'mount is not allowed here'
	expect 0 ddpm sample -q -n 3 --steps 2 --outdir small/d
	expect 0 ddpm sample -q -n 4 --steps 2 --outdir small/s --shard 0/2
	mount -o remount,ro small || skip 'mount is not allowed here'
	for how in '--steps 2' '--steps 2 --check-existing' '--steps 2 --max-time 1h' \
		'--steps auto --max-time 1h'; do
		expect 0 ddpm sample -n 3 --outdir small/d $how; says '3 images, 0 of them made now'
	done
	expect 0 ddpm sample -q -n 4 --steps 2 --outdir small/s --shard 0/2
	expect 0 ddpm merge --outdir small/d
	expect 73 ddpm sample -n 4 --steps 2 --outdir small/d; says 'small/d'
	expect 0 ddpm verify -q small/d
}
