# The files for starts that nobody watches: systemd's units, a crontab, a script for Slurm.

units=$top/tools/unattended

# Installed, the program is where systemd looks for it.
test_unattended_units() {
	systemd-analyze --help 2>/dev/null | grep -q -e '--man' || skip 'there is no systemd-analyze'
	mkdir units
	for unit in "$units"/*.service "$units"/*.timer; do
		sed "s|^ExecStart=ddpm |ExecStart=$program |" "$unit" >"units/${unit##*/}"
	done
	grep -q "^ExecStart=$program sample" units/ddpm-sample@.service || fail 'the service starts something else'
	( cd units && systemd-analyze verify --man=no ./ddpm-sample@.service ./ddpm-sample@.timer ) >out 2>&1 || fail "$(cat out)"
	[ ! -s out ] || fail "$(cat out)"
	sed 's/^MemoryMax=.*/MemoryMux=4G/' units/ddpm-sample@.service >units/wrong@.service
	systemd-analyze verify --man=no ./units/wrong@.service 2>&1 | grep -q MemoryMux || fail 'the validator does not see a misspelt key'
}

test_unattended_crontab() {
	crontab -h 2>&1 | grep -q -e '-n.*syntax' || skip 'there is no crontab that checks syntax'
	crontab -n "$units/ddpm.crontab" >out 2>&1 || fail "$(cat out)"
	! sed 's|^\*/30|*/x|' "$units/ddpm.crontab" | crontab -n - >out 2>&1 || fail 'the validator does not see a wrong minute'
}

# Every option that they give is one of the program's; cron's line as cron runs it, with a model that is not
# there.
test_unattended_commands() {
	sh -n "$units/ddpm.slurm" || fail 'ddpm.slurm is no shell script'
	! command -v shellcheck >/dev/null || shellcheck "$units/ddpm.slurm" >out || fail "$(cat out)"
	mkdir bin home && printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${RUN:-}" "$program" >bin/ddpm && chmod 755 bin/ddpm
	line=$(sed -n 's|^\*/30 [^ ]* \* \* \* ||p' "$units/ddpm.crontab")
	[ -n "$line" ] || fail 'the crontab has no such line'
	env -i HOME="$PWD/home" PATH="$PWD/bin:/usr/bin:/bin" sh -c "$line" >out 2>err
	[ $? -eq 66 ] && [ ! -s out ] && [ ! -s err ] && grep -q 'cifar10.ddpm' home/images.log || fail "$(cat out err home/images.log)"
	OPTIONS='-n 2 --steps 1'
	eval "set -- $(sed -n 's|^ExecStart=ddpm \(.*\)%S/ddpm/%i|\1|p' "$units/ddpm-sample@.service")"
	expect 0 ddpm "$@" service
	env -i PATH="$PWD/bin:/usr/bin:/bin" SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MAX=1 sh "$units/ddpm.slurm" -n 2 --steps 1 --outdir array 2>err ||
		fail "$(cat err)"
	says 'shard 1/2'; same service/image-000001.png array/image-000001.png
}

# The script of a task: SIGTERM puts it back into the queue, and what the program says beside that stays.
test_unattended_requeue() {
	mkdir bin
	printf '#!/bin/sh\necho "$@" >requeued\n' >bin/scontrol
	printf '#!/bin/sh\ntrap "exit 75" TERM\necho >begun\nwhile :; do sleep 0.1; done\n' >bin/ddpm
	chmod 755 bin/*
	( exec env PATH="$PWD/bin:$PATH" SLURM_JOB_ID=17 sh "$units/ddpm.slurm" >bg.out 2>&1 ) & process=$!
	for i in $(seq 1200); do [ -e begun ] && break; sleep 0.05; done
	kill -TERM $process; wait $process || fail "exit code $?"
	[ "$(cat requeued)" = 'requeue 17' ] || fail "it asked for $(cat requeued)"
	rm requeued

	# A signal that comes before the program has begun is not lost.
	printf '#!/bin/sh\nkill -TERM $PPID\nexec sleep 60\n' >bin/ddpm
	( exec env PATH="$PWD/bin:$PATH" SLURM_JOB_ID=18 sh "$units/ddpm.slurm" >bg.out 2>&1 ) || fail "exit code $?"
	[ "$(cat requeued)" = 'requeue 18' ] || fail "it asked for $(cat requeued)"
	rm requeued

	printf '#!/bin/sh\nexit 74\n' >bin/ddpm
	PATH="$PWD/bin:$PATH" sh "$units/ddpm.slurm"; [ $? -eq 74 ] && [ ! -e requeued ] || fail 'a full disk is put back into the queue'
}
