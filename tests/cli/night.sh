# Left alone at night: a folder of images survives kills, signals, loss of power, full disks and second
# starts, and ends up the same. NIGHT=long kills 200 times instead of 60.

# The images of two folders are the same, and nothing else is in the first.
same_set() {
	( cd "$2" && ls ) >wanted; ( cd "$1" && ls -A ) >found
	same found wanted "$1 holds $(cat found)"
	for image in "$2"/image*; do same "$image" "$1/${image##*/}" "${3:-}"; done
}
temporaries() { ls -A "$1" 2>/dev/null | grep -c '^\.ddpm-.*\.tmp$'; }

test_goes_on() {
	expect 0 ddpm sample -q -n 6 --steps 3 --outdir all
	expect 0 ddpm sample -n 2 --steps 3 --outdir d; says '2 images'
	expect 0 ddpm sample -n 6 --steps 3 --batch 1 --threads 1 --outdir d; says '6 images, 4 of them made now'
	same_set d all
	rm d/image-000004.png
	expect 0 ddpm sample --index 4,5 --steps 3 --outdir d; says '2 images, 1 of them made now'
	expect 0 ddpm sample -q -n 6 --steps 3 --outdir d
	[ ! -s out ] && [ ! -s err ] || fail "-q is not quiet: $(cat out err)"
	expect 0 ddpm sample --json -n 6 --steps 3 --outdir d; prints '{"wrote":"d","images":6,"lost":0,"made":0}'
	same_set d all
	for words in '--seed 1' '--sampler ddim' '--eta 1 --sampler ddim' '--conv gemm' '--format npy' \
		'--spacing quad' '--variance beta' '--clip no'; do
		expect 64 ddpm sample -n 9 --steps 3 --outdir d $words; says 'there and'
	done
	expect 64 ddpm sample -n 9 --steps 4 --outdir d; says 'there and'
	expect 64 ddpm sample -n 9 --steps 3 --outdir d --seed 1; says 'seed is "0" there and "1" here'
	same_set d all
	expect 0 ddpm sample -q -n 6 --steps 3 --seed 1 --outdir d --force
	expect 0 ddpm sample -q -n 6 --steps 3 --seed 1 --outdir other
	same_set d other
}

# --force replaces and does not remove: what it would not make again is counted, and nothing is touched.
test_force_replaces_all_or_nothing() {
	expect 0 ddpm sample -q -n 6 --steps 2 --outdir all
	cp -r all d
	for words in '-n 2' '--index 3,9' '-n 5 --seed 1' '-n 6 --name x%d.png' '-n 6 --format npy'; do
		expect 73 ddpm sample --steps 2 --outdir d --force $words; says 'not make again: choose another folder'
		same_set d all "$words"; same d/manifest.jsonl all/manifest.jsonl
	done
	expect 73 ddpm sample -n 4 --steps 2 --outdir d --force; says 'd: holds 2 images that'
	rm d/image-000005.png
	expect 73 ddpm sample -n 4 --steps 2 --outdir d --force; says 'd: holds 1 image that'
	rm d/image-000004.png
	expect 0 ddpm sample -q -n 4 --steps 2 --outdir d --force
	# Those of shards count, and those that a damaged manifest may have listed.
	rm -r d
	expect 0 ddpm sample -q -n 6 --steps 2 --outdir d --shard 1/2
	expect 73 ddpm sample -n 5 --steps 2 --outdir d --force; says 'd: holds 1 image that'
	[ -f d/image-000005.png ] && [ -f d/manifest-1-of-2.jsonl ] || fail "$(ls d)"
	expect 0 ddpm sample -q -n 6 --steps 2 --outdir d --force
	same_set d all
	echo rubbish >d/manifest.jsonl
	expect 73 ddpm sample -n 5 --steps 2 --outdir d --force; says 'damaged, and it holds 1 file that'
	[ "$(cat d/manifest.jsonl)" = rubbish ] || fail 'the manifest was replaced'
	expect 0 ddpm sample -q -n 6 --steps 2 --outdir d --force
	same_set d all
	expect 0 ddpm sample -q -n 2 --steps 2 --outdir hidden --name .x%d.png
	echo rubbish >hidden/manifest.jsonl
	expect 73 ddpm sample -n 1 --steps 2 --outdir hidden --name .x%d.png --force; says 'holds 1 file that'
}

# Before every operation on files each image is the old or the new one, and what is listed is new.  A start
# without --force goes on.
test_force_interrupted() {
	crash_library
	made_of() { expect 0 ddpm sample -q -n 5 --steps 2 --batch 1 --outdir "$@"; }
	made_of old --seed 1
	made_of all
	cp -r old d; mkdir begun stopped
	expect 0 crash CRASH_TICKS=ticks CRASH_STATES=begun CRASH_FOLDER=d -- \
		sample -q -n 5 --steps 2 --batch 1 --outdir d --force
	same_set d all; rm -r d; cp -r old d
	expect 75 crash CRASH_TICK=$(($(cat ticks) * 5 / 8)) CRASH_STATES=stopped CRASH_FOLDER=d -- \
		sample -q -n 5 --steps 2 --batch 1 --outdir d --force
	says 'the same command without --force goes on'
	goes_on() {
		for image in image-000000.png image-000001.png image-000002.png image-000003.png image-000004.png; do
			cmp -s "$1/$image" "old/$image" || same "$1/$image" "all/$image" "$1"
			grep -q '"seed":"1"' "$1/manifest.jsonl" || ! grep -q "$image" "$1/manifest.jsonl" ||
				same "$1/$image" "all/$image" "$1 lists an old one"
		done
		if grep -q '"seed":"1"' "$1/manifest.jsonl"; then
			made_of "$1" --seed 1
			for image in old/image*; do same "$image" "$1/${image##*/}"; done
			made_of "$1" --force
		fi
		made_of "$1"
	}
	states_give all goes_on begun stopped
	# A file that came into such a place later is none of those that may be replaced.
	echo mine >d/image-000004.png
	expect 73 ddpm sample -n 5 --steps 2 --outdir d; says 'image-000004.png exists already'
	[ "$(cat d/image-000004.png)" = mine ] || fail 'it was replaced'
}

# A manifest cut off anywhere behind its first line is mended; a line that is wrong elsewhere is named.
test_torn_manifest() {
	for format in png npy; do
		expect 0 ddpm sample -q -n 4 --steps 2 --format $format --outdir all
		first=$(head -n 1 all/manifest.jsonl | wc -c) whole=$(wc -c <all/manifest.jsonl)
		for size in $first $((first + 1)) $((first + 30)) $((first + 200)) $((whole - 20)) $((whole - 1)); do
			cp -r all d
			head -c $size all/manifest.jsonl >d/manifest.jsonl
			expect 0 ddpm sample -q -n 4 --steps 2 --format $format --outdir d
			same_set d all "manifest of $size bytes"
			[ "$(wc -l <d/manifest.jsonl)" -eq 5 ] || fail "a manifest of $size bytes was mended to $(cat d/manifest.jsonl)"
			expect 0 ddpm sample -q -n 4 --steps 2 --format $format --outdir d
			rm -r d
		done
		rm -r all
	done
	expect 0 ddpm sample -q -n 4 --steps 2 --outdir d
	cp d/manifest.jsonl before
	printf '\0\0\0\0' >>d/manifest.jsonl
	expect 0 ddpm sample -q -n 5 --steps 2 --outdir d
	[ "$(wc -l <d/manifest.jsonl)" -eq 6 ] || fail "$(cat d/manifest.jsonl)"
	for wrong in rubbish '{"i":0}' '{"i":1,"file":"../x","sha256":"","status":"ok","seconds":0}'; do
		{ head -n 2 before; echo "$wrong"; tail -n 2 before; } >d/manifest.jsonl
		expect 65 ddpm sample -n 5 --steps 2 --outdir d; says 'line 3'
	done
	echo rubbish >d/manifest.jsonl
	expect 65 ddpm sample -n 5 --steps 2 --outdir d; says 'manifest.jsonl'
	head -c 100 before >d/manifest.jsonl
	expect 65 ddpm sample -n 5 --steps 2 --outdir d; says 'is not whole: choose another folder'
	expect 0 ddpm sample -q -n 5 --steps 2 --outdir d --force
	head -n 5 d/manifest.jsonl | sed 's/"seconds":.*//' >a; sed 's/"seconds":.*//' before >b; same a b
}

test_check_existing() {
	expect 0 ddpm sample -q -n 6 --steps 2 --outdir all
	cp -r all d
	head -c 500 all/image-000001.png >d/image-000001.png
	cp all/image-000003.png d/image-000002.png
	sed 's/"seed":"0"/"seed":"7"/' all/image-000004.png >d/image-000004.png
	rm d/image-000005.png
	cp -r d e
	expect 0 ddpm sample -n 6 --steps 2 --outdir e; says '1 of them made now'
	expect 0 ddpm sample -n 6 --steps 2 --outdir e --check-existing; says '3 images are damaged'; says '3 of them made now'
	expect 0 ddpm sample -n 6 --steps 2 --outdir d --check-existing; says '4 of them made now'
	same_set d all; same_set e all
	expect 0 ddpm sample --json -n 6 --steps 2 --outdir d --check-existing; prints '"made":0'
	expect 64 ddpm sample -n 1 --steps 2 --check-existing
	expect 64 ddpm sample -n 1 --steps 2 --outdir d --check-existing --force
}

test_verify_folder() {
	expect 0 ddpm sample -q -n 9 --steps 2 --outdir d
	expect 0 ddpm verify d; says '8 of its 9 images'
	[ "$(grep -c 'are the same' out)" -eq 8 ] || fail "$(cat out)"
	expect 0 ddpm verify -q d --sample 3 --seed 1; cut -d: -f1 out >one
	expect 0 ddpm verify -q d --sample 3 --seed 2; cut -d: -f1 out >two
	[ "$(sort -u one | wc -l)" -eq 3 ] && ! cmp -s one two || fail "the samples are $(cat one two)"
	ddpm sample -q -n 9 --steps 2 --seed 1 --outdir e && cp e/image-000006.png d || fail 'sample'
	expect 1 ddpm verify d --sample 100; says 'image-000006.png is not the file that the manifest lists'
	[ "$(grep -c 'are the same' out)" -eq 8 ] || fail "$(cat out)"
	mkdir empty
	expect 65 ddpm verify empty; says 'manifest.jsonl'
}

# An image lost to NaN is listed with seed and step, stays lost until it is to be tried again, and is 70 as
# long as it is lost.
test_retry_nan() {
	model_with_classes
	expect 0 ddpm sample -q -m model.ddpm -n 12 --steps 2 --class all --outdir good
	cp model.ddpm broken.ddpm
	break_class_3 broken.ddpm
	for i in 1 2; do
		ddpm sample -m broken.ddpm -n 12 --steps 2 --class all --outdir d >out 2>err
		[ $? -eq 70 ] || fail "$(cat err)"
		says '1 image is lost to NaN'; says '--retry-nan'
	done
	grep -q '"i":3,"file":"image-000003.png","status":"nan","step":999,"seed":"0"' d/manifest.jsonl || fail "$(cat d/manifest.jsonl)"
	[ "$(grep -c '"i":3,' d/manifest.jsonl)" -eq 1 ] || fail 'it was tried again without being asked'
	# As if the model had been the whole one, and the others were still to be made.
	sed "1s/$(id_of broken.ddpm)/$(id_of model.ddpm)/; /\"status\":\"ok\"/d" d/manifest.jsonl >renamed
	mv renamed d/manifest.jsonl; rm d/image*
	expect 0 ddpm sample -m model.ddpm -n 12 --steps 2 --class all --outdir d --retry-nan
	says 'wrote d: 12 images'
	same_set d good
	expect 0 ddpm sample -q -m model.ddpm -n 12 --steps 2 --class all --outdir d
}

# SIGTERM in the middle of the chain of every sampler, twice, then to the same bits; another batch size does
# not matter.
test_stopped_mid_chain() {
	crash_library
	ddpm sample -q -n 1 --steps 8 -o a.png || fail 'sample'
	for words in ddpm 'ddpm --keep-steps 3' ddim 'ddim --eta 1' ddim-diffusers dpmpp 'dpmpp --order 3' dpmpp-diffusers unipc ipndm sde ode langevin \
		'ddim --from a.png --noise-to 900 --encode' 'dpmpp --format npy'; do
		expect 0 crash CRASH_TICKS=ticks -- sample -q -n 3 --steps 10 --sampler $words --outdir all
		for time in first second; do
			expect 75 crash CRASH_TICK=$(($(cat ticks) * 35 / 100)) -- sample -q -n 3 --steps 10 --sampler $words --outdir d
			grep -q 'interrupted at step' err || fail "$words, the $time time: $(cat err)"
			[ -f d/resume.safetensors ] && [ "$(ls d/image* 2>/dev/null)" = '' ] || fail "$words: the folder holds $(ls -A d)"
		done
		expect 0 ddpm sample -q -n 3 --steps 10 --sampler $words --batch 2 --outdir d
		same_set d all "$words"
		rm -r d all
	done
}

test_signals() {
	crash_library
	expect 0 crash CRASH_TICKS=ticks -- sample -q -n 4 --steps 20 --outdir all
	middle=$(($(cat ticks) / 2))
	expect 75 crash --default-signal=HUP CRASH_HUP=$middle -- sample -n 4 --steps 20 --outdir d; says 'interrupted at step'
	echo rubbish >d/resume.safetensors
	expect 0 ddpm sample -n 4 --steps 20 --outdir d; says 'resume.safetensors'
	same_set d all
	# One file: nothing is left.  A hangup beside another signal is not a second one.  A reader who left does no harm.
	expect 75 crash CRASH_TICK=$middle -- sample -n 4 --steps 20 -o x.png; says 'nothing is written'
	[ ! -e x.png ] && [ "$(temporaries .)" -eq 0 ] || fail "left behind: $(ls -A)"
	expect 75 crash --default-signal=HUP CRASH_TICK=$middle CRASH_HUP=$((middle + 1)) -- sample -n 4 --steps 20 -o x.png; says 'nothing is written'
	{ ddpm sample -v -n 4 --steps 20 --outdir p 2>&1; echo $? >code; } | true
	[ "$(cat code)" = 0 ] || fail "with its reader gone it exited with $(cat code)"
	same_set p all
	( trap '' HUP; expect 0 crash CRASH_HUP=$middle -- sample -q -n 4 --steps 20 --outdir h ) || exit 1
	same_set h all
}

test_second_signal() {
	[ -z "${RUN:-}" ] || skip 'the emulator would get the signal'
	"$program" sample -q -n 64 --steps all --sampler ode --batch 64 --threads 1 -o x.png 2>err & process=$!
	for i in $(seq 1200); do [ "$(temporaries .)" -eq 1 ] && break; sleep 0.05; done
	sleep 0.2
	kill -TERM $process; kill -INT $process             # two of one kind could become one on the way
	wait $process; code=$?
	[ $code -eq 75 ] || fail "exit code $code"
	[ ! -e x.png ] && [ "$(temporaries .)" -eq 0 ] || fail "left behind: $(ls -A)"
}

# Killed at random: before an operation on files, most of them between the open of a temporary and its rename,
# or at any time.
test_killed() {
	crash_library
	kills=60 between=0 random=12345
	[ "${NIGHT:-}" != long ] || kills=200
	expect 0 ddpm sample -q -n 8 --steps 4 --batch 3 --outdir all
	rm -rf d
	while [ $kills -gt 0 ]; do
		random=$(((random * 1103515245 + 12345) % 2147483648))
		if [ $((kills % 3)) -eq 0 ]; then
			"$program" sample -q -n 8 --steps 4 --batch 3 --outdir d 2>err & process=$!
			sleep 0.0$((random / 65536 % 9))$((random / 4096 % 10))
			kill -KILL $process 2>/dev/null
			wait $process 2>/dev/null; code=$?
		else
			crash CRASH_KILL=$((random / 65536 % 20 + 1)) -- sample -q -n 8 --steps 4 --batch 3 --outdir d 2>err
			code=$?
		fi
		case $code in
		137) kills=$((kills - 1)); [ "$(temporaries d)" -eq 0 ] || between=$((between + 1)) ;;
		0)   same_set d all "after kills"; rm -r d ;;
		*)   fail "exit code $code: $(cat err)" ;;
		esac
	done 2>/dev/null
	expect 0 ddpm sample -q -n 8 --steps 4 --outdir d
	same_set d all 'at the end'
	echo "  $between of the kills left a temporary"
	[ "${NIGHT:-}" != long ] || [ $between -ge 50 ] || fail "only $between kills hit between open and rename"
}

# A loss of power is simulated before every operation on files.  A new start gives the same set from whatever
# it leaves.
test_loss_of_power() {
	crash_library
	expect 0 crash CRASH_TICKS=ticks -- sample -q -n 3 --steps 12 --outdir all
	mkdir begun stopped resumed
	expect 0 crash CRASH_STATES=begun CRASH_FOLDER=d -- sample -q -n 3 --steps 12 --batch 2 --outdir d
	same_set d all; rm -r d
	expect 75 crash CRASH_TICK=$(($(cat ticks) / 3)) CRASH_STATES=stopped CRASH_FOLDER=d -- sample -q -n 3 --steps 12 --batch 2 --outdir d
	expect 0 crash CRASH_STATES=resumed CRASH_FOLDER=d -- sample -q -n 3 --steps 12 --batch 2 --outdir d
	same_set d all
	goes_on() { expect 0 ddpm sample -q -n 3 --steps 12 --outdir "$1"; }
	states_give all goes_on begun stopped resumed
}
# states_give FOLDER RESTART STATES...: each state of crash.c, started again, becomes that folder.
states_give() {
	whole=$1 restart=$2 tried=0 seen=; shift 2
	for state in $(ls -d $(printf '%s/*-* ' "$@")); do
		[ -d "$state" ] || continue
		sum=$(cd "$state" && for file in $(ls -A); do echo "$file"; case $file in .ddpm*) ;; *) cksum <"$file" ;; esac; done | sed 's/^\.ddpm.*/tmp/' | cksum)
		case " $seen " in *" $sum "*) continue ;; esac
		seen="$seen $sum"
		tried=$((tried + 1))
		$restart "$state"
		same_set "$state" "$whole" "after $state"
	done
	echo "  $tried states"
	[ $tried -ge 20 ] || fail "only $tried states were tried"
}

test_one_at_a_time() {
	command -v flock >/dev/null || skip 'there is no flock(1)'
	expect 0 ddpm sample -q -n 2 --steps 1 --outdir d
	flock -F d sleep 60 & holder=$!
	for i in $(seq 3000); do flock -n d true || break; sleep 0.02; done
	expect 75 ddpm sample -n 3 --steps 1 --outdir d; says 'another ddpm'; says '--wait'
	! grep -q FLOCK /proc/locks 2>/dev/null || says "process"
	expect 75 ddpm sample -n 3 --steps 1 --outdir d --wait 200ms
	{ sleep 0.5; kill -KILL $holder; } &
	expect 0 ddpm sample -q -n 3 --steps 1 --outdir d --wait 60s
	wait 2>/dev/null
}

test_closed_folders() {
	ordinary_user || skip 'root may write everywhere and cannot become another user here'
	expect 0 ddpm sample -q -n 2 --steps 1 --outdir d
	chmod 555 d; chmod 444 d/*
	expect 0 as_user ./ddpm.copy sample -q -n 2 --steps 1 --outdir d
	expect 77 as_user ./ddpm.copy sample -n 3 --steps 1 --outdir d
	chmod 755 d
	expect 0 ddpm sample -q -n 3 --steps 1 --outdir d
}

# The folder goes away, or is replaced, while a batch is made.
test_removed_folder() {
	for replace in no yes; do
		ddpm sample -q -n 400 --steps 20 --batch 4 --outdir d 2>err & process=$!
		for i in $(seq 3000); do [ -f d/image-000000.png ] && break; sleep 0.02; done
		mv d gone
		[ $replace = no ] || mkdir d
		wait $process; code=$?
		[ $code -eq 73 ] || fail "exit code $code: $(cat err)"
		[ "$(wc -l <err)" -eq 1 ] || fail "an error is one line: $(cat err)"
		[ $replace = no ] || [ -z "$(ls -A d)" ] || fail "into a folder of others: $(ls -A d)"
		rm -rf d gone
	done
}
