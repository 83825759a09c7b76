#!/bin/sh
# check_slurm.sh: job arrays on a real Slurm of this machine's own, two nodes on the loopback interface, in a folder that goes afterwards.
# BUILD is where ddpm is.  The last line is `N passed, N failed, N skipped`.
set -u
src=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${BUILD:-build}" && pwd)
root=$(mktemp -d "${TMPDIR:-/tmp}/ddpm-slurm-XXXXXX")
started=
# A slurmd whose controller went first may wait for it, so some are told twice.
stop() {
	all="$started $(cat "$root/munge.pid" 2>/dev/null)"
	for process in $all; do kill "$process" 2>/dev/null; done
	sleep 2
	for process in $all; do kill -KILL "$process" 2>/dev/null; done
	wait
	rm -rf "$root"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM
PATH=$build:$PATH:/usr/sbin:/sbin
SLURM_CONF=$root/slurm.conf
export PATH SLURM_CONF
cd "$root" || exit 1

fail() { echo "  FAILED: $*"; return 1; }
nothing() { echo slurm.array; echo "  skipped: $*"; echo '0 passed, 0 failed, 1 skipped'; exit 0; }

# Each daemon on ports that may be taken: then others are tried.
configure() {
	cat >slurm.conf <<-END
		ClusterName=ddpm
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=$port
		SlurmUser=$user
		SlurmdUser=$user
		AuthType=auth/munge
		AuthInfo=socket=$root/munge.socket,cred_expire=6
		StateSaveLocation=$root/state
		SlurmdSpoolDir=$root/spool.%n
		SlurmctldPidFile=$root/slurmctld.pid
		SlurmdPidFile=$root/slurmd.%n.pid
		SlurmctldLogFile=$root/slurmctld.log
		SlurmdLogFile=$root/slurmd.%n.log
		SlurmdParameters=config_overrides
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		MpiDefault=none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		SchedulerParameters=sched_interval=5,bf_interval=5
		MailProg=/bin/true
		ReturnToService=2
		NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=2
		NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=2
		PartitionName=all Nodes=one,two Default=YES State=UP
	END
	rm -rf state && mkdir state
	slurmctld -D >log.controller 2>&1 & started="$started $!"
	for node in one two; do slurmd -D -N $node >log.$node 2>&1 & started="$started $!"; done
	for i in $(seq 300); do
		[ "$(sinfo -h -N -t idle 2>/dev/null | wc -l)" -eq 2 ] && return
		sleep 0.2
	done
	return 1
}
open_cluster() {
	host=$(hostname -s) user=$(id -un) port=$((20000 + $$ % 20000))
	for program in munged slurmctld slurmd sbatch srun; do command -v $program >/dev/null || nothing "there is no $program: install slurm-wlm and munge"; done
	( umask 077; head -c 32 /dev/urandom >munge.key )
	munged --force --key-file="$root/munge.key" --socket="$root/munge.socket" --pid-file="$root/munge.pid" --log-file="$root/munge.log" \
		--seed-file="$root/munge.seed" >log.munge 2>&1 || nothing "munged does not start here: $(tail -n 1 log.munge)"
	for try in 1 2 3; do
		configure && return
		for process in $started; do kill "$process" 2>/dev/null; done
		started= port=$((port + 777))
	done
	nothing "Slurm does not start here: $(grep -h -i -E 'fatal|error' log.controller log.one | tail -n 1)"
}

# The files that one run leaves, without the seconds that it took.
same_folder() {
	( cd "$1" && ls -A ) >found; ( cd "$2" && ls -A ) >wanted
	cmp -s found wanted || { fail "$1 holds $(cat found)"; return; }
	for file in "$2"/image*; do cmp -s "$file" "$1/${file##*/}" || { fail "$1/${file##*/} is another image"; return; }; done
	for folder in "$1" "$2"; do sed 's/"seconds":.*//' "$folder/manifest.jsonl" >"$folder.list"; done
	cmp -s "$1.list" "$2.list" || fail "the manifest of $1: $(cat "$1.list")"
}

# The script that is shipped; one of its tasks is told to stop in the middle and put back into the queue.
test_array() {
	what='-n 10 --steps 300 --seed 3'
	ddpm sample -q $what --outdir all || { fail 'one run'; return; }
	job=$(sbatch --parsable --cpus-per-task=1 --mem=0 --output=task.%a "$src/tools/unattended/ddpm.slurm" -v $what --batch 2 --outdir array) || { fail 'sbatch'; return; }
	for i in $(seq 3000); do [ -s array/manifest-1-of-4.jsonl ] && break; sleep 0.1; done
	scancel --signal=TERM --batch "${job}_1"
	timeout 900 sbatch -W --dependency=afterok:"$job" --kill-on-invalid-dep=yes --output=merge --wrap 'ddpm merge --outdir array' >log.merge 2>&1 ||
		{ fail "the merge: $(cat log.merge merge task.* 2>&1)"; return; }
	grep -q 'interrupted at step' task.1 && [ "$(grep -c 'shard 1/4, as SLURM_ARRAY_TASK_ID=1 says' task.1)" -eq 2 ] || { fail "the task that was stopped: $(cat task.1)"; return; }
	same_folder array all
}

# The processes of srun are shards; a batch script alone, whatever it may start, is none.
test_steps() {
	what='-n 5 --steps 4'
	ddpm sample -q $what --outdir one || { fail 'one run'; return; }
	srun --quiet -n 3 ddpm sample --shard auto $what --outdir steps 2>log.srun &&
		ddpm merge -q --outdir steps || { fail "$(cat log.srun)"; return; }
	grep -q 'shard 2/3, as SLURM_PROCID=2 says' log.srun || { fail "$(cat log.srun)"; return; }
	same_folder steps one || return
	timeout 900 sbatch -W -n 3 --output=batch --wrap "ddpm sample $what --outdir batch.d" >/dev/null || { fail "$(cat batch)"; return; }
	! grep shard batch || { fail "$(cat batch)"; return; }
	same_folder batch.d one
}

open_cluster
passed=0 failed=0
for test in array steps; do
	echo "slurm.$test"
	if "test_$test"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
