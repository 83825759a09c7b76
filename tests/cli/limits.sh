# Too little memory, too few processes, a network that breaks: a code and a line, no half-made file, no harm
# to others.

# With any limit either the picture is made, or the program exits with 71 before anything is written.  Below
# some limit the program itself does not load.
test_memory_limit() {
	[ -z "${RUN:-}" ] || skip 'the emulator needs the memory for itself'
	( ulimit -v 4000000 && ddpm --version >/dev/null 2>&1 ) || skip 'this build does not run under ulimit -v'
	refused=0 loads=20000
	until ( ulimit -v $loads && ddpm --version >/dev/null 2>&1 ); do loads=$((loads + 2000)); done      # what its libraries take
	for more in 0 1000 2000 4000 8000 16000 32000 64000 128000 256000; do
		limit=$((loads + more))
		( ulimit -v $limit; ddpm sample -n 2 --steps 1 --threads 2 -o x.png ) >out 2>err
		case $? in
		0)  rm x.png ;;
		71) refused=$((refused + 1)); [ "$(wc -l <err)" -eq 1 ] || fail "an error is one line: $(cat err)" ;;
		127) ;;
		*)  fail "ulimit -v $limit: $(cat err)" ;;
		esac
		only
	done
	[ $refused -gt 0 ] || fail 'no limit was refused with 71'
}

# The memory of the program that started this one does not count: a limit that holds from a shell holds from a
# process of 600 MB that becomes the program.
test_memory_of_the_parent() {
	[ -z "${RUN:-}" ] || skip 'the emulator would be what the process becomes'
	cat >large.c <<-'END'
		#include <stdlib.h>
		#include <string.h>
		#include <unistd.h>
		int main(int n, char **word)
		{
		    char *block = malloc(600 << 20);
		    return n > 1 && block && memset(block, 1, 600 << 20) && block[n] == 1 ? execv(word[1], word + 1) : 1;
		}
	END
	${CC:-cc} -o large large.c 2>cc.err || fail "$(cat cc.err)"
	for limit in 500M 250M; do
		expect 0 ddpm sample -n 1 --steps 1 --threads 1 --memory-limit $limit -o shell.png --force; mv err shell.err
		expect 0 ./large "$program" sample -n 1 --steps 1 --threads 1 --memory-limit $limit -o large.png --force
		for file in err shell.err; do sed 's/shell/large/; s/, in .*//' $file >$file.text; done
		same err.text shell.err.text "with $limit: $(cat err)"
		same shell.png large.png
		mkdir -p set && cp shell.png set
		expect 0 ./large "$program" eval set --steps 1 --threads 1 --memory-limit $limit
	done
}

# Threads whose stacks find no room.
test_stack_size() {
	[ -z "${RUN:-}" ] || skip 'the emulator needs the memory for itself'
	( ulimit -v 800000 && ddpm --version >/dev/null 2>&1 ) || skip 'this build does not run under ulimit -v'
	ulimit -v 800000
	expect 71 ddpm sample -n 2 --steps 1 --threads 1000 -o x.png; says 'of 1000 threads could be started'
	expect 0 ddpm sample -n 2 --steps 1 --threads 4 -o x.png
}

test_process_limit() {
	[ -z "${RUN:-}" ] || skip 'the emulator needs the threads for itself'
	ordinary_user || skip 'root is not limited and cannot become another user here'
	mkdir open; chmod 777 open
	# A sanitizer's search for leaks takes a process of its own.
	limited() { as_user env ASAN_OPTIONS=detect_leaks=0 sh -c '{ ulimit -u 2 || ulimit -p 2; } 2>/dev/null; cd open && exec ../ddpm.copy "$@"' sh "$@"; }
	limited --version >/dev/null 2>&1 || skip 'this build does not run under ulimit -u'
	expect 71 limited sample -n 2 --steps 1 --threads 7; says 'thread'
	[ -z "$(ls -A open)" ] || fail "left behind: $(ls -A open)"
}

# A model with classes, as model.ddpm.
model_with_classes() {
	expect 0 ddpm convert -q "$top/tests/golden/cases/A3_scale_shift_classes" -o model.ddpm
}

test_classes() {
	model_with_classes
	expect 64 ddpm sample -m model.ddpm -n 1 --steps 1; says '--class'
	expect 64 ddpm sample -m model.ddpm -n 1 --steps 1 --class 10; says '0 to 9'
	expect 64 ddpm sample -m model.ddpm -n 1 --steps 1 --class 4294967296
	expect 0 ddpm sample -m model.ddpm -n 12 --steps 2 --class all --format npy --outdir all
	expect 0 ddpm sample -m model.ddpm --index 3,11 --steps 2 --class 1 --format npy --outdir one
	same all/image-000011.npy one/image-000011.npy 'class 11 mod 10 is class 1'
	! cmp -s all/image-000003.npy one/image-000003.npy || fail 'class 1 gave what class 3 gives'
	expect 0 ddpm sample -m model.ddpm -n 4 --steps 2 --class all -o all.png
	expect 0 ddpm verify -m model.ddpm all.png
	expect 66 ddpm verify all.png; says '-m'
	only model.ddpm all one all.png
}

# new_id FILE: the model says of itself what its tensors are.  id_of FILE: what it says.
id_of() { head -c 100000 "$1" | LC_ALL=C sed -n 's/.*\\"id\\":\\"\([0-9a-f]*\)\\".*/\1/p' | head -n 1; }
new_id() {
	ddpm info --check "$1" >out 2>err
	new=$(sed -n 's/.*their SHA-256 is \([0-9a-f]\{64\}\), id says.*/\1/p' err)
	[ -n "$new" ] || fail "info --check believes $1: $(cat err)"
	LC_ALL=C sed "s/$(id_of "$1")/$new/" "$1" >new.ddpm && mv new.ddpm "$1"
	expect 0 ddpm info --check "$1"
}

# break_class_3 FILE: makes the embedding of class 3 so large that sums overflow.
break_class_3() {
	length=$(printf '%d' "0x$(od -An -tx8 -N8 "$1" | tr -d ' ')")
	entry=$(head -c $((8 + length)) "$1" | tail -c $length | sed -n 's/.*"class_embedding.weight":{\([^}]*\)}.*/\1/p')
	at=$(echo "$entry" | sed 's/.*"data_offsets":\[\([0-9]*\),.*/\1/')
	width=$(echo "$entry" | sed 's/.*"shape":\[10,\([0-9]*\)\].*/\1/')
	for i in $(seq $width); do printf '\377\377\177\177'; done | dd "of=$1" bs=1 seek=$((8 + length + at + 4 * 3 * width)) conv=notrunc 2>/dev/null
	new_id "$1"
}

# The embedding of class 3 becomes so large that sums overflow: images 3 and 13 are lost, each other one stays
# what it was.
test_nan() {
	model_with_classes
	expect 0 ddpm sample -q -m model.ddpm -n 15 --steps 2 --class all --outdir good
	break_class_3 model.ddpm
	ddpm sample -m model.ddpm -n 15 --steps 2 --class all --outdir bad >out 2>err
	code=$?
	[ $code -eq 70 ] || fail "exit code $code, expected 70: $(cat err)"
	says 'image 3 and others are lost at step t = 999'; says 'time_emb_proj (conv)'; says 'image 13'
	absent bad/image-000003.png bad/image-000013.png
	grep -q '"i":13,"file":"image-000013.png","status":"nan"' bad/manifest.jsonl || fail "$(cat bad/manifest.jsonl)"
	for file in bad/*.png; do
		tail -c 40 "$file" >a; tail -c 40 "good/${file#bad/}" >b; same a b "$file"
	done
	[ "$(ls bad/*.png | wc -l)" -eq 13 ] || fail "$(ls bad)"
	ddpm sample -m model.ddpm -n 15 --steps 2 --class all -o grid.png >out 2>err
	[ $? -eq 70 ] && [ -f grid.png ] || fail "the grid: $(cat err)"
}

# A model whose tensors are not those that its id stands for: no folder is gone on with, none is begun, and no
# picture gets the id.
test_changed_model() {
	model_with_classes
	expect 0 ddpm sample -q -m model.ddpm -n 2 --steps 2 --class 1 --outdir d
	cp model.ddpm other.ddpm
	printf '\001' | dd of=other.ddpm bs=1 seek=$(($(wc -c <model.ddpm) - 400)) conv=notrunc 2>/dev/null
	expect 65 ddpm info --check other.ddpm; says 'other.ddpm'
	expect 65 ddpm sample -m other.ddpm -n 3 --steps 2 --class 1 --outdir d
	says 'other.ddpm: the tensors have changed'
	expect 65 ddpm sample -m other.ddpm -n 3 --steps 2 --class 1 --outdir e --shard 0/2
	expect 65 ddpm sample -m other.ddpm -n 3 --steps 2 --class 1 -o x.png
	expect 65 ddpm verify -m other.ddpm d
	[ "$(ls d | wc -l)" -eq 3 ] || fail "$(ls d)"
	[ ! -d e ] || [ -z "$(ls -A e)" ] || fail "$(ls -A e)"
	absent x.png
	new_id other.ddpm
	expect 64 ddpm sample -m other.ddpm -n 3 --steps 2 --class 1 --outdir d; says 'model is'
}

# --background: the lowest priority of processor (policy 5 is SCHED_IDLE) and disk, and the same images.
test_background() {
	[ -z "${RUN:-}" ] && [ -r /proc/self/stat ] || skip 'there is no /proc, or another program runs this one'
	"$program" sample -q --background -n 4 --steps 1000 -o slow.png 2>slow.err & process=$!
	for i in $(seq 200); do
		policy=$(awk '{ print $41 }' "/proc/$process/stat" 2>/dev/null)
		[ "$policy" != 5 ] || break
		sleep 0.05
	done
	disk=$(ionice -p $process 2>/dev/null)
	kill $process; wait $process 2>/dev/null
	[ "$policy" = 5 ] || fail "policy $policy"
	case $disk in idle*|'') ;; *) fail "the disk's class is $disk" ;; esac

	# A session of its own is the lowest of sessions; a session of others stays as it is.
	[ ! -r /proc/self/autogroup ] || {
		before=$(cat /proc/self/autogroup)
		case $before in *'nice 19') ;; *)
			setsid -w "$program" sample -q --background -n 4 --steps 1000 -o slow.png 2>slow.err & process=$!
			sleep 0.2
			for i in $(seq 200); do
				leader=$(pgrep -P $process || echo $process)
				session=$(cat "/proc/$leader/autogroup" 2>/dev/null)
				case $session in *'nice 19') break ;; esac
				sleep 0.05
			done
			kill $leader; wait $process 2>/dev/null
			case $session in *'nice 19') ;; *) fail "its session: $session" ;; esac
			[ "$(cat /proc/self/autogroup)" = "$before" ] || fail "the session of others: $(cat /proc/self/autogroup)"
		esac
	}

	expect 0 ddpm sample -q --background -n 2 --steps 2 --seed 3 -o a.png
	expect 0 ddpm sample -q -n 2 --steps 2 --seed 3 -o b.png
	same a.png b.png 'another priority'
	expect 64 ddpm schedule --background; says 'ddpm schedule does not take long'
}
