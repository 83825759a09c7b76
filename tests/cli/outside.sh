# The program makes the same files, and says no word with -q, whoever starts it and from where.  (A clock that
# is set is test_clocks, modes of floating point and a comma locale of a program that asks for one are
# tests/property/outside_test.c.)

# started WHAT...: three images, by the shell function or command WHAT, that have to be those of `all`.
started() {
	"$@" sample -q -n 3 --steps 4 --outdir "$PWD/d" >out 2>err
	code=$?
	[ $code -eq 0 ] && [ ! -s out ] && [ ! -s err ] || fail "$*: exit code $code: $(cat out err)"
	same_set d all "$*"
	sed 's/"seconds":.*//' d/manifest.jsonl >a; sed 's/"seconds":.*//' all/manifest.jsonl >b; same a b "$*"
	modes=$(stat -c %a d d/* | sort -u | tr '\n' ' ')
	rm -r d
}
bare()    { env -i ${RUN:-} "$program" "$@"; }
german()  { env LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 LANGUAGE=de TZ=Asia/Kathmandu ${RUN:-} "$program" "$@"; }
at_root() { ( cd / && ddpm "$@" ); }
mute()    { ddpm "$@" <&- >&- 2>&-; }
nobodys() { ( umask 077 && ddpm "$@" ); }
ours()    { ( umask 027 && ddpm "$@" ); }
no_home() { ( unset HOME TMPDIR PATH; ${RUN:-} "$program" "$@" ); }

test_surroundings() {
	( umask 022 && expect 0 ddpm sample -q -n 3 --steps 4 --outdir all ) || exit 1
	for how in bare german at_root mute; do started $how; done
	[ -n "${RUN:-}" ] || started no_home
	# Files are 0666 and folders 0777 less the umask, as with any other program: nobody else's under cron's 077.
	started nobodys; [ "$modes" = '600 700 ' ] || fail "umask 077 leaves $modes"
	started ours; [ "$modes" = '640 750 ' ] || fail "umask 027 leaves $modes"
	( umask 077 && ddpm sample -q -n 1 --steps 1 -o x.png && ddpm convert -q "$top/tests/golden/cases/A3_scale_shift_classes" -o m.ddpm ) || fail 'a file'
	[ "$(stat -c %a x.png m.ddpm | sort -u)" = 600 ] || fail "files get $(stat -c %a x.png m.ddpm)"
}

# Between what one image at a time takes and what 16 take, fewer go at a time, the process stays below, and
# the images are the same.
test_batch_by_memory() {
	crash_library
	for batch in 1 16; do
		expect 0 crash CRASH_MEMORY=held-$batch -- sample -q -n 16 --steps 2 --batch $batch --outdir all --force
	done
	least=$(cut -d. -f1 held-1) most=$(cut -d. -f1 held-16)
	[ $((most - least)) -ge 8 ] || skip "16 images take no more than one: $least and $most MB"
	for part in 3 5 7; do
		limit=$((least + (most - least) * part / 8))
		expect 0 crash CRASH_MEMORY=held -- sample -n 16 --steps 2 --memory-limit ${limit}M --outdir d; says 'images at a time, not 16: --memory-limit is'
		awk -v held="$(cat held)" -v limit=$limit 'BEGIN { exit !(held <= limit) }' || fail "it held $(cat held) MB, allowed were $limit: $(cat err)"
		same_set d all; rm -r d
	done
	expect 71 ddpm sample -n 16 --batch 16 --memory-limit ${limit}M --outdir d; says 'fits'
	expect 71 ddpm sample -n 16 --memory-limit $((least / 2))M --outdir d; says 'a single image takes'
	# The same of eval.
	for batch in 1 16; do
		expect 0 crash CRASH_MEMORY=held-$batch -- eval all --steps 2 --batch $batch --json; mv out said-$batch
	done
	same said-1 said-16
	limit=$((($(cut -d. -f1 held-1) + $(cut -d. -f1 held-16)) / 2))
	expect 0 crash CRASH_MEMORY=held -- eval all --steps 2 --memory-limit ${limit}M --json; says 'images at a time, not 16: --memory-limit is'
	awk -v held="$(cat held)" -v limit=$limit 'BEGIN { exit !(held <= limit) }' || fail "it held $(cat held) MB, allowed were $limit: $(cat err)"
	same out said-1
	expect 71 ddpm eval all --steps 2 --batch 16 --memory-limit ${limit}M; says 'fits'
	for bad in 5 0M -1G 1T 1Gi big; do expect 64 ddpm sample "--memory-limit=$bad"; says '500M'; done
	absent d
}
