# Many machines: several runs fill a folder, each with its shard, and merge it.  The folder ends up as one run
# leaves it, however the work is shared, stopped and taken up again.

# same_folder A B: a run left the same files in both, but for the seconds that it took.
same_folder() {
	same_set "$@"
	sed 's/"seconds":.*//' "$1/manifest.jsonl" >found; sed 's/"seconds":.*//' "$2/manifest.jsonl" >wanted
	same found wanted "the manifest of $1"
}
no_job() { env $(env | sed -n 's/^\(SLURM_[A-Z_]*\|JOB_COMPLETION[A-Z_]*\|OMPI_[A-Z_]*\|PMI_[A-Z_]*\)=.*/-u \1/p') "$@"; }

test_shards() {
	expect 0 ddpm sample -q -n 7 --steps 3 --outdir all
	for of in 1 2 3 5 9; do
		number=0 processes=
		while [ $number -lt $of ]; do
			ddpm sample -q -n 7 --steps 3 --batch $((number % 3 + 1)) --outdir d --shard $number/$of 2>err.$number & processes="$processes $!"
			number=$((number + 1))
		done
		for process in $processes; do wait $process || fail "a shard of $of: $(cat err.*)"; done
		[ $of -eq 1 ] || [ "$(ls d | grep -c '^manifest-.-of-.\.jsonl$')" -eq $((of < 7 ? of : 7)) ] || fail "$(ls d)"
		expect 0 ddpm verify -q d
		[ "$(grep -c 'are the same' out)" -eq 7 ] || fail "$(cat out)"
		expect 0 ddpm merge --outdir d; says 'wrote d: 7 images'
		same_folder d all "$of shards"
		expect 0 ddpm merge --json --outdir d; prints '{"wrote":"d","images":7,"lost":0}'
		expect 0 ddpm merge -q -n 7 --outdir d --check-existing
		[ ! -s out ] && [ ! -s err ] || fail "-q is not quiet: $(cat out err)"
		same_folder d all
		rm -r d err.*
	done
	expect 0 ddpm sample --index 1,3-5,0 --steps 3 --outdir d --shard 1/2
	says 'wrote d: 2 of 5 images, shard 1/2'
	[ "$(cd d && ls image* | tr '\n' ' ')" = 'image-000003.png image-000005.png ' ] || fail "$(ls d)"
	expect 0 ddpm sample --json -n 2 --steps 3 --outdir e --shard 4/5; prints '"images":0'
	absent e
}

# A manifest whose first line holds no settings is refused by every command, and nothing is merged over it.
test_shard_without_settings() {
	ddpm sample -q -n 2 --steps 2 --outdir d || fail sample
	for line in hello 5 '[]' '"x"' ''; do
		echo "$line" >d/manifest-0-of-2.jsonl; cp d/manifest.jsonl before
		for how in merge 'sample -n 2 --steps 2' 'sample -n 2 --steps 2 --shard 1/2'; do
			expect 65 ddpm $how --outdir d; says 'manifest-0-of-2.jsonl'
		done
		expect 65 ddpm verify d; says 'manifest-0-of-2.jsonl'
		same d/manifest.jsonl before; rm d/manifest-0-of-2.jsonl
		echo "$line" >d/manifest.jsonl
		expect 65 ddpm merge --outdir d; says 'manifest.jsonl'
		mv before d/manifest.jsonl
	done
}

# Other numbers of shards, none, and more images: each start makes what no other has listed.
test_shared_out_anew() {
	expect 0 ddpm sample -q -n 10 --steps 2 --outdir all
	expect 0 ddpm sample -n 6 --steps 2 --outdir d --shard 1/3; says 'wrote d: 2 of 6 images'
	expect 0 ddpm sample -n 6 --steps 2 --outdir d --shard 0/2
	says 'wrote d: 3 of 6 images, shard 0/2, 2 of them made now'
	expect 66 ddpm merge --outdir d; says 'of 6 images 2 are missing: 3, 5'
	expect 66 ddpm merge -n 7 --outdir d; says 'of 7 images 3 are missing: 3, 5, 6'
	expect 0 ddpm sample -n 6 --steps 2 --outdir d; says '6 images, 2 of them made now'
	expect 0 ddpm sample --json -n 6 --steps 2 --outdir d --shard 1/3; prints '"made":0'
	expect 0 ddpm merge -q --outdir d
	expect 0 ddpm sample -n 10 --steps 2 --outdir d --shard 1/4
	says 'wrote d: 3 of 10 images, shard 1/4, 1 of them made now'
	for number in 0 2 3; do expect 0 ddpm sample -q -n 10 --steps 2 --outdir d --shard $number/4; done
	rm d/image-000009.png; cp d/image-000002.png d/image-000001.png
	expect 66 ddpm merge --outdir d; says 'of 10 images 1 are missing: 9'
	expect 66 ddpm merge --outdir d --check-existing; says '2 are missing or damaged: 1, 9'
	expect 0 ddpm sample -n 10 --steps 2 --outdir d --shard 1/4 --check-existing; says '2 of them made now'
	expect 0 ddpm merge -q --outdir d
	same_folder d all
	expect 64 ddpm sample -n 3 --steps 2 --outdir d --shard 0/2 --seed 1; says 'seed is "0" there and "1" here'
	expect 0 ddpm sample -q -n 10 --steps 2 --outdir d --shard 0/3; same_folder d all 'after a shard with nothing to do'
}

# Shards that were asked for different images are merged to all of them, in whichever order they are named.
test_shards_of_different_images() {
	expect 0 ddpm sample -q -n 7 --steps 1 --outdir all
	for lists in '0-1 0-6' '0-6 0-1' '0,2-3,6 1,4-5'; do
		set -- $lists
		expect 0 ddpm sample -q --index "$1" --steps 1 --outdir d --shard 0/2
		expect 0 ddpm sample -q --index "$1" --steps 1 --outdir d --shard 1/2
		for number in 0 1 2; do expect 0 ddpm sample -q --index "$2" --steps 1 --outdir d --shard $number/3; done
		expect 0 ddpm info d; prints 'images        7 made of 7 asked for'
		mv d/image-000001.png one
		expect 66 ddpm merge --outdir d; says 'of 7 images 1 are missing: 1;'
		mv one d/image-000001.png
		expect 0 ddpm merge --outdir d; says 'wrote d: 7 images'
		same_folder d all "$lists"
		rm -r d
	done
}

test_shard_refusals() {
	for wrong in 4/4 x 1 1/ /4 1/0 -1/4 1/4x 0x1/4 1/99999999999 '1 /4'; do
		expect 64 ddpm sample -n 4 --steps 1 --outdir d --shard "$wrong"; says '--shard'
	done
	expect 64 ddpm sample -n 4 --steps 1 --shard 0/2; says '--outdir'
	expect 64 ddpm merge; says '--outdir'
	expect 64 ddpm sample --merge --outdir d; says 'ddpm merge --outdir DIR'
	expect 64 ddpm merge --outdir d -n 2 --index 0; says 'leave one out'
	expect 64 ddpm sample -n 4 --steps 1 --outdir d --shard 0/2 --force; says 'choose another folder'
	expect 64 ddpm sample -n 4 --outdir d --shard 0/2 --steps auto --max-time 1h; says 'give one'
	expect 64 ddpm merge --outdir d --shard 0/2; says 'unknown option --shard'
	expect 66 ddpm merge --outdir d; says 'no such folder'
	mkdir d
	expect 66 ddpm merge --outdir d; says 'no manifest'
	expect 0 ddpm sample -q -n 4 --steps 1 --outdir d --shard 0/2
	expect 64 ddpm sample -n 4 --steps 2 --outdir d --shard 1/2; says 'manifest-0-of-2.jsonl'
	expect 64 ddpm sample -n 4 --steps 2 --outdir d; says 'manifest-0-of-2.jsonl'
	[ "$(ls d | tr '\n' ' ')" = 'image-000000.png image-000002.png manifest-0-of-2.jsonl ' ] || fail "$(ls d)"
	expect 0 ddpm sample -q -n 4 --steps 1 --outdir e --shard 1/2; cp e/*.png d
	sed 's/"seed":"0"/"seed":"7"/' e/manifest-1-of-2.jsonl >d/manifest-1-of-2.jsonl
	expect 64 ddpm merge --outdir d; says 'seed is'
	{ cat e/manifest-1-of-2.jsonl; echo '{"asked":"rubbish"}'; } >d/manifest-1-of-2.jsonl
	expect 65 ddpm merge --outdir d; says 'no list of images'
	{ echo rubbish; cat e/manifest-1-of-2.jsonl; } >d/manifest-1-of-2.jsonl
	expect 65 ddpm merge --outdir d; says 'manifest-1-of-2.jsonl'
	expect 0 ddpm sample -q -n 4 --steps 1 --outdir d --force
	[ "$(ls d | grep -c manifest)" -eq 1 ] || fail "--force leaves $(ls d)"
}

# Two lines about one image are settled by the hash of its file; an image with neither hash is damaged.
test_contradicting_manifests() {
	expect 0 ddpm sample -q -n 4 --steps 1 --outdir all
	expect 0 ddpm sample -q -n 4 --steps 1 --outdir d --shard 0/2
	expect 0 ddpm sample -q -n 4 --steps 1 --outdir d --shard 1/2
	line=$(grep image-000002 d/manifest-0-of-2.jsonl)
	wrong=$(echo "$line" | sed 's/"sha256":"......../"sha256":"01234567/')
	for order in 1-of-2 0-of-2; do
		cp -r d e
		if [ $order = 1-of-2 ]; then echo "$wrong" >>e/manifest-1-of-2.jsonl; else
			sed -i '/image-000002/d' e/manifest-0-of-2.jsonl; echo "$wrong" >>e/manifest-0-of-2.jsonl; echo "$line" >>e/manifest-1-of-2.jsonl
		fi
		cp -r e f
		expect 0 ddpm merge -q --outdir e; same_folder e all "the wrong line in $order"
		cp f/image-000000.png f/image-000002.png
		expect 66 ddpm merge --outdir f; says 'of 4 images 1 are missing or damaged: 2'
		rm -r e f
	done
	# Another --name is for new images.
	expect 0 ddpm sample -n 5 --steps 1 --outdir all --name x%d.png; says 'all: 4 images are there under other names, and keep them'
	[ -f all/x4.png ] && [ ! -f all/x3.png ] || fail "$(ls all)"
}

# The variables of job arrays and launchers: shard FROM VARIABLE=VALUE...: this is what they mean.
test_shard_of_a_job() {
	sample() { no_job env "$@" ${RUN:-} "$program" sample --index 0 --steps 1 --outdir d --shard auto; }
	shard() {
		wanted=$1; shift
		expect 0 sample "$@"; says "$wanted"
		expect 0 no_job env "$@" ${RUN:-} "$program" sample -q --index 0 --steps 1 --outdir d --shard auto
		[ ! -s err ] || fail "-q is not quiet: $(cat err)"
	}
	array='SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=3'
	shard 'shard 2/4, as SLURM_ARRAY_TASK_ID=2 says' SLURM_ARRAY_TASK_ID=2 $array
	shard 'shard 1/3, as SLURM_ARRAY_TASK_ID=12' SLURM_ARRAY_TASK_ID=12 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_MAX=14
	shard 'shard 6/8, as JOB_COMPLETION_INDEX=6' JOB_COMPLETION_INDEX=6 JOB_COMPLETIONS=8
	shard 'shard 3/5, as OMPI_COMM_WORLD_RANK=3' OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=5 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=2
	shard 'shard 1/2, as PMI_RANK=1' PMI_RANK=1 PMI_SIZE=2 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2
	shard 'shard 1/3, as SLURM_PROCID=1' SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=3
	shard 'shard 7/12, as SLURM_ARRAY_TASK_ID=2, SLURM_PROCID=1 says' SLURM_ARRAY_TASK_ID=2 $array SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=3
	for alone in 'SLURM_PROCID=0 SLURM_NTASKS=4' 'SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_COUNT=1' 'OMPI_COMM_WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=0' \
		'JOB_COMPLETION_INDEX='; do
		expect 0 sample $alone
		! grep -q shard err || fail "$alone: $(cat err)"
	done
	expect 0 sample SLURM_ARRAY_TASK_ID=2 $array
	expect 0 no_job env SLURM_ARRAY_TASK_ID=2 $array ${RUN:-} "$program" sample --index 0,1 --steps 1 --outdir e --shard 1/2; says 'shard 1/2'
	[ "$(ls e | tr '\n' ' ')" = 'image-000001.png manifest-1-of-2.jsonl ' ] || fail "--shard does not win: $(ls e)"
	expect 0 no_job env SLURM_ARRAY_TASK_ID=2 $array ${RUN:-} "$program" sample -q --index 0 --steps 1 -o one.png
	for bad in 'SLURM_ARRAY_TASK_ID=x SLURM_ARRAY_TASK_COUNT=2' 'SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=5' \
		'SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=4' \
		"SLURM_ARRAY_TASK_ID=9 $array" JOB_COMPLETION_INDEX=3 'JOB_COMPLETION_INDEX=3 JOB_COMPLETIONS=3' 'PMI_RANK=4 PMI_SIZE=4' \
		"SLURM_ARRAY_TASK_ID=2 $array PMI_RANK=1 PMI_SIZE=999999"; do
		expect 64 sample $bad; says '--shard'
	done
}

# Sharing out that only a variable asks for is said even with -q, and a part of the images is neither
# called nor counted as all of them.
test_sharing_nobody_asked_for() {
	start() { no_job env "$@"; }
	ask="${RUN:-} $program sample -q -n 7 --steps 1"
	for job in 'SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=4' 'JOB_COMPLETION_INDEX=1 JOB_COMPLETIONS=4' \
		'OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4' \
		'PMI_RANK=1 PMI_SIZE=4' 'SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=4'; do
		expect 75 start $job $ask --outdir d
		says "shard 1/4, as ${job%% *} says: 2 of 7 images"; says '--shard 0/1'; says '--shard auto'
		start $job ${RUN:-} "$program" sample -n 7 --steps 1 --outdir d 2>err; says 'wrote d: 2 of 7 images'
		start $job $ask --json --outdir d >out 2>err; prints '"images":2,"lost":0,"of":7'
		expect 75 start $job ${RUN:-} "$program" sample -q -n 1 --steps 1 --outdir none
		says '0 of 1 images'; absent none
		expect 0 start $job $ask --outdir e --shard auto
		[ ! -s err ] || fail "--shard auto is asked for: $(cat err)"
		expect 0 start $job $ask --outdir f --shard 0/1
		[ ! -s err ] && [ "$(ls f/image* | wc -l)" -eq 7 ] || fail "--shard 0/1 makes $(ls f): $(cat err)"
		rm -r d e f
	done
	# Who makes the last image has the whole; so has who comes later.
	for task in 2 0 1; do
		[ $task -eq 1 ] && code=0 || code=75
		expect $code start SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=3 $ask --outdir d
	done
	expect 0 start SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 $ask --outdir d
	rm d/image-000003.png
	expect 75 start SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 $ask --outdir d
	expect 0 ddpm sample -q -n 7 --steps 1 --outdir d
	expect 0 ddpm merge -q -n 7 --outdir d
}

# A shard belongs to one run, the folder to shards or to one run; stopped and killed shards go on.
test_shard_locks() {
	crash_library
	command -v flock >/dev/null || skip 'there is no flock(1)'
	expect 0 crash CRASH_TICKS=ticks -- sample -q -n 6 --steps 8 --outdir all
	expect 75 crash CRASH_TICK=$(($(cat ticks) / 4)) -- sample -q -n 6 --steps 8 --outdir d --shard 1/2
	[ -f d/resume-1-of-2.safetensors ] || fail "$(ls d)"
	expect 75 crash CRASH_TICK=$(($(cat ticks) / 4)) -- sample -q -n 6 --steps 8 --outdir d --shard 0/2
	flock -s d/manifest-0-of-2.jsonl sleep 60 & holder=$!
	for i in $(seq 3000); do flock -n d/manifest-0-of-2.jsonl true || break; sleep 0.02; done
	expect 75 ddpm sample -n 6 --steps 8 --outdir d --shard 0/2; says 'manifest-0-of-2.jsonl: another ddpm'
	expect 0 ddpm sample -q -n 6 --steps 8 --outdir d --shard 1/2
	absent d/resume-1-of-2.safetensors
	{ sleep 0.5; kill -KILL $holder; } &
	expect 0 ddpm sample -q -n 6 --steps 8 --outdir d --shard 0/2 --wait 60s
	flock -s -F d sleep 60 & holder=$!
	for i in $(seq 3000); do flock -n d true || break; sleep 0.02; done
	expect 75 ddpm sample -n 6 --steps 8 --outdir d; says 'd: another ddpm'
	expect 75 ddpm merge --outdir d --wait 100ms
	kill -KILL $holder; wait $holder 2>/dev/null
	expect 0 ddpm merge -q --outdir d
	same_folder d all
	# Killed before every operation on files, beside a shard that is done.
	rm -r d all; kills=0
	expect 0 ddpm sample -q -n 2 --steps 2 --outdir all
	expect 0 ddpm sample -q -n 2 --steps 2 --outdir d --shard 1/2
	while :; do
		kills=$((kills + 1))
		cp -r d e
		crash CRASH_KILL=$kills -- sample -q -n 2 --steps 2 --outdir e --shard 0/2 2>err; end=$?
		[ $end -eq 0 ] || expect 0 ddpm sample -q -n 2 --steps 2 --outdir e --shard 0/2
		crash CRASH_KILL=$kills -- merge -q --outdir e 2>err || expect 0 ddpm merge -q --outdir e
		same_folder e all "killed before operation $kills"
		rm -r e
		[ $end -eq 137 ] || break
	done 2>/dev/null
	[ $kills -gt 12 ] || fail "there were only $kills operations"
}

# A loss of power is simulated in a shard that begins, in one beside another, and in a merge.
test_shard_loss_of_power() {
	crash_library
	expect 0 ddpm sample -q -n 3 --steps 2 --outdir all
	mkdir first second merged
	expect 0 crash CRASH_STATES=first CRASH_FOLDER=d -- sample -q -n 3 --steps 2 --batch 1 --outdir d --shard 0/2
	expect 0 crash CRASH_STATES=second CRASH_FOLDER=d -- sample -q -n 3 --steps 2 --outdir d --shard 1/2
	expect 0 crash CRASH_STATES=merged CRASH_FOLDER=d -- merge -q --outdir d
	same_folder d all
	goes_on() {
		for shard in 0/2 1/2; do expect 0 ddpm sample -q -n 3 --steps 2 --outdir "$1" --shard $shard; done
		expect 0 ddpm merge -q -n 3 --outdir "$1"
	}
	states_give all goes_on first second merged
}

# An image lost to NaN in a shard is listed after the merge too, and 70 as long as it is lost.
test_shard_nan() {
	model_with_classes
	expect 0 ddpm sample -q -m model.ddpm -n 8 --steps 2 --class all --outdir good
	cp model.ddpm broken.ddpm; break_class_3 broken.ddpm
	expect 0 ddpm sample -q -m broken.ddpm -n 8 --steps 2 --class all --outdir d --shard 0/2
	ddpm sample -m broken.ddpm -n 8 --steps 2 --class all --outdir d --shard 1/2 2>err; [ $? -eq 70 ] || fail "$(cat err)"
	for time in first second; do
		ddpm merge --outdir d 2>err; code=$?
		[ $code -eq 70 ] || fail "exit code $code after the $time merge: $(cat err)"
		says 'wrote d: 7 images'; says '1 image is lost to NaN'
	done
	grep -q '"i":3,"file":"image-000003.png","status":"nan","step":999,"seed":"0"' d/manifest.jsonl || fail "$(cat d/manifest.jsonl)"
	# As if the model had been the whole one, and the others were still to be made.
	sed "1s/$(id_of broken.ddpm)/$(id_of model.ddpm)/; /\"status\":\"ok\"/d" d/manifest.jsonl >renamed
	mv renamed d/manifest.jsonl; rm d/image*
	for shard in 0/2 1/2; do
		expect 0 ddpm sample -q -m model.ddpm -n 8 --steps 2 --class all --outdir d --retry-nan --shard $shard
	done
	expect 0 ddpm merge -q --outdir d
	same_folder d good
}
