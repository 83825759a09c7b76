# Files of results: nothing is overwritten, nothing half-made stays behind, and a full or forbidden place has
# its exit code.

# A file system of 8 kB in the folder small.
small_disk() {
	mkdir small
	[ "$(id -u)" -eq 0 ] || skip 'mounting a small file system takes root'
	mount -t tmpfs -o size=8k none small 2>/dev/null || skip 'mount is not allowed here'
	trap "umount '$PWD/small'" EXIT
}

test_one_file() {
	expect 0 ddpm sample -n 1 --steps 1; only sample.png
	cp sample.png before.png
	expect 73 ddpm sample -n 1 --steps 1 --seed 2; says 'sample.png'; says '--force'
	same sample.png before.png
	expect 0 ddpm sample -n 1 --steps 1 --seed 2 --force
	! cmp -s sample.png before.png || fail '--force changed nothing'
	expect 73 ddpm sample -n 1 --steps 1 -o no/such/folder.png; says 'its folder does not exist'
	expect 74 ddpm sample -n 1 --steps 1 -o /dev/full; says '/dev/full: cannot be written'
	expect 73 ddpm sample -n 1 --steps 1 --force -o .
	expect 66 ddpm sample -n 1 -m nothing.ddpm -o x.png; says 'nothing.ddpm'
	echo rubbish >rubbish.ddpm
	expect 65 ddpm sample -n 1 -m rubbish.ddpm -o x.png; says 'rubbish.ddpm'
	expect 64 ddpm sample -n 1 --steps 1 -o a.JPG; says 'a.JPG: images are written as .png, .npy or .npz'
	expect 64 ddpm sample -n 1 --steps 1 --outdir d --name '%d.bmp'; says 'written as .png, .npy or .npz'
	expect 0 ddpm sample -n 1 --steps 1 -o a.jpg --format png; rm a.jpg
	for name in a.pkl a.pt a.bin a.safetensors a.tar.gz a.v2; do
		expect 64 ddpm sample -n 1 --steps 1 -o $name; says 'written as .png, .npy or .npz'
	done
	expect 64 ddpm sample -n 1 --steps 1 -o a.png --format npy; says 'writes no .png'
	expect 64 ddpm sample -n 1 --steps 1 -o a.NPY --format png; says 'writes no .NPY'
	expect 0 ddpm sample -n 1 --steps 1 -o eta0.5; same eta0.5 before.png; rm eta0.5
	only sample.png before.png rubbish.ddpm
}

# No rename may replace devices, pipes, or files that a process holds open, by whatever links.
test_devices() {
	expect 0 ddpm sample -q -n 1 --steps 1 -o ref.png
	ddpm sample -q -n 1 --steps 1 -o - >a.png; same a.png ref.png 'standard output by -'
	ln -s /proc/self/fd/1 out1; ln -s out1 out2; ln -s /dev/null null
	mkfifo pipe; ln -s pipe way; mkdir d; ln -s d folder
	for force in '' --force; do
		ddpm sample -q -n 1 --steps 1 -o out2 $force >a.png; same a.png ref.png 'a file by a link to /proc/self/fd'
		ddpm sample -q -n 1 --steps 1 -o out1 $force | cat >a.png
		same a.png ref.png 'a pipe by a link to /proc/self/fd'
		echo before >a.png; ddpm sample -q -n 1 --steps 1 -o out1 $force >>a.png
		tail -c +8 a.png >b.png; same b.png ref.png 'behind what is there'
		timeout 60 cat pipe >a.png &
		expect 0 ddpm sample -q -n 1 --steps 1 -o way $force; wait; same a.png ref.png 'a pipe'
		expect 0 ddpm sample -q -n 1 --steps 1 -o null $force
		expect 73 ddpm sample -n 1 --steps 1 -o folder $force
		for name in null out1 pipe way; do
			expect 73 ddpm convert "$top/tests/golden/cases/A3_scale_shift_classes" -o $name $force
			says 'never replaced'
		done
	done
	expect 73 ddpm sample -n 1 --steps 1 -o pipe; says 'no program reads from'
	expect 64 ddpm sample -n 1 --steps 1 -o - --json; says 'leave out --json'
	[ -p pipe ] || fail "the pipe was replaced: $(ls -l)"
	for name in null out1 out2 way folder; do [ -L $name ] || fail "$name was replaced: $(ls -l)"; done
	rm -r out1 out2 null pipe way d folder; only ref.png a.png b.png
}

# Names that would drive a terminal or end a line do neither, in errors and in what is said on the way.
test_names_in_messages() {
	odd=$(printf 'a\033[31m\nb'); mkdir "$odd.d"
	ddpm sample -q -n 2 --steps 2 -o "$odd.png" && cp "$odd.png" "$odd.d/1.png" && cp "$odd.png" "$odd.d/2.png"
	one_line() {
		[ "$(tr -d '\n' <err | LC_ALL=C tr -d '\040-\176' | wc -c)" -eq 0 ] || fail "control characters: $(cat err)"
		[ "$(grep -vc '^ddpm' err)" -eq 0 ] || fail "a broken line: $(cat err)"
	}
	expect 64 ddpm "$odd"; says 'unknown command'; one_line
	expect 66 ddpm info "$odd"; one_line
	expect 0 ddpm sample -n 2 --steps 2 --outdir "$odd.o"; says 'wrote a?'; one_line
	echo >>"$odd.o/image-000000.png"
	expect 1 ddpm verify "$odd.o"; says 'is not the file'; one_line
	tiny='--set net.widths=4 --set net.norm.groups=4 --set batch=1 --set diffusion.steps=8 --holdout 0'
	tiny="$tiny --grid-every 0"
	expect 0 ddpm train "$odd.d" -o "$odd.ddpm" $tiny --steps 1; says 'in a?'; one_line
	expect 0 ddpm train "$odd.d" -o "$odd.ddpm" $tiny --steps 1 --force; says 'is kept in a?'; one_line
}

# A pipe that nobody writes to is refused wherever a file is to be read; nothing waits for its writer.
test_pipes_as_inputs() {
	mkfifo pipe && mkdir d && mkfifo d/a.png t-labels-idx1-ubyte model_index.json
	printf '\0\0\010\003\0\0\0\002\0\0\0\001\0\0\0\001ab' >t-images-idx3-ubyte
	while read -r words; do
		timeout 60 "$program" $words >out 2>err </dev/null
		code=$?
		[ $code -ge 64 ] && [ $code -lt 100 ] && [ "$(wc -l <err)" -eq 1 ] ||
			fail "$words exited with $code: $(cat err)"
	done <<-END
		sample -m pipe -o x.png
		sample --from pipe --noise-to 3 -o x.png
		sample --noise pipe -o x.png
		info pipe
		forward pipe pipe
		schedule -m pipe
		convert pipe -o x
		convert t-images-idx3-ubyte --config pipe -o x
		verify pipe
		eval pipe
		eval d
		distance d pipe
		distance pipe d
		train pipe -o x --steps 1
		train d -o x --steps 1
		train t-images-idx3-ubyte -o x --steps 1
		train t-images-idx3-ubyte -o x --steps 1 --init pipe
		train t-images-idx3-ubyte -o x --steps 1 --config pipe
		bench -m pipe
		convert . -o x
	END
	rm -r d; only pipe t-labels-idx1-ubyte t-images-idx3-ubyte model_index.json
}

# A socket has no bytes to read; a standard output that is closed has no place for them.
test_sockets_and_closed_streams() {
	command -v python3 >/dev/null || skip 'python3 is needed'
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
	for words in 'info socket' 'sample -m socket -o x.png' 'eval socket' 'train socket -o x --steps 1'; do
		expect 65 ddpm $words; says 'socket: is a socket'
	done
	ddpm sample -q -n 1 --steps 1 -o - >&- 2>err; code=$?
	[ $code -eq 73 ] || fail "exit code $code, expected 73"
	says 'standard output: is closed'
	rm socket
	bad=$(printf 'lu\377cid'); mkdir d; ddpm sample -q -n 2 --steps 1 --outdir d || fail sample
	for key in net.arch diffusion.schedule schedule; do
		expect 64 ddpm train d -o x --steps 1 --set "$key=$bad"; says "--set $key="; says 'no valid UTF-8'
	done
	absent x x.train
}

# info of what sample made: the settings, and how much of it is there; of a picture from elsewhere it says so.
test_info_of_images() {
	expect 0 ddpm sample -q -n 3 --steps 0,500,999 --seed 77 --sampler ddim --eta 0.5 --scale 1 -o a.png
	expect 0 ddpm info a.png; prints 'made by ddpm with these settings'; prints 'index 0, 1, 2'
	for line in 'seed          77' 'sampler       ddim' 'eta           0.5' 'steps         0,500,999'; do
		prints "$line"
	done
	expect 0 ddpm info --json a.png; prints '"seed":"77"'; prints '"width":64'
	expect 64 ddpm info a.png --nodes; says 'a.png is no model'
	expect 0 ddpm sample -q -n 3 --steps 2 --seed 78 --outdir d; rm d/image-000001.png
	expect 0 ddpm info d; prints '2 made of 3 listed'; prints 'seed          78'
	expect 0 ddpm info --json d; prints '"made":2,"listed":3,"lost":0'
	expect 0 ddpm sample -q -n 9 --steps 2 --shard 1/3 --outdir e
	expect 0 ddpm info e; prints '3 made of 9 asked for'
	printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\001\0\0\0\001\010\0\0\0\0\072\176\233\125' >other.png
	printf '\0\0\0\012IDATx\234\143\140\0\0\0\002\0\001\110\257\244\161\0\0\0\0IEND\256\102\140\202' >>other.png
	mkdir photos
	expect 65 ddpm info photos; says 'one is made by ddpm convert of a checkpoint, or by ddpm train of pictures'
	expect 65 ddpm info other.png; says 'other.png: is a PNG picture that holds no settings of ddpm'
	sed -i '1s/"seed":"78"/"seed":"\\u001b[2J"/' d/manifest.jsonl
	expect 0 ddpm info d; prints 'seed          ?[2J'
	echo rubbish >d/manifest.jsonl; expect 65 ddpm info d; says 'd/manifest.jsonl'
	rm -r a.png d e other.png photos; only
}

# A model under another format's name would mislead whoever opens it, and it goes to no standard output.
test_names_of_models() {
	cp "$top/tools/default.ddpm" m.ddpm; expect 0 ddpm sample -q -n 2 --steps 1 --outdir d
	for name in a.pt a.bin a.CKPT a.npz a.png -; do
		expect 64 ddpm export -m m.ddpm --to ddpm -o $name; says "$name: "
		expect 64 ddpm convert "$top/tests/golden/cases/A3_scale_shift_classes" -o $name; says "$name: "
		expect 64 ddpm train d --steps 1 -o $name; says "$name: "
		expect 64 ddpm eval d --statistics -o $name; says "$name: "
		expect 64 ddpm forward m.ddpm none -o $name; says "$name: "
	done
	expect 0 ddpm export -m m.ddpm --to ddpm -o m.v2 -q; rm m.v2
	ln -s /dev/null null; expect 73 ddpm export -m m.ddpm -o null --force
	[ -L null ] && rm -r null d m.ddpm; only
}

test_folder() {
	expect 0 ddpm sample --index 3,7 --steps 2 --outdir d
	[ "$(ls d | tr '\n' ' ')" = 'image-000003.png image-000007.png manifest.jsonl ' ] || fail "the folder holds $(ls d)"
	[ "$(wc -l <d/manifest.jsonl)" -eq 3 ] || fail 'the manifest has three lines'
	grep -q '"i":7,"file":"image-000007.png","sha256":"[0-9a-f]*","status":"ok"' d/manifest.jsonl || fail "$(cat d/manifest.jsonl)"
	expect 64 ddpm sample --index 7,9 --steps 3 --outdir d; says 'steps is "0,999" there and "0,500,999" here'
	absent d/image-000009.png
	mkdir e && echo mine >e/image-000000.png
	expect 73 ddpm sample -n 2 --steps 2 --outdir e; says 'image-000000.png'
	[ "$(ls -A e)" = image-000000.png ] || fail "the folder of others holds $(ls -A e)"
	rm -r e
	expect 0 ddpm sample --index 9 --steps 2 --outdir e --name 'x%d.png' --force
	[ -f e/x9.png ] || fail 'x9.png is missing'
	rm -r e
	expect 73 ddpm sample -n 1 --steps 1 --outdir no/such
	echo >file
	expect 73 ddpm sample -n 1 --steps 1 --outdir file
	only d file
}

# Root may write everywhere: it becomes another user.
test_no_permission() {
	ordinary_user || skip 'root may write everywhere and cannot become another user here'
	mkdir closed && chmod 555 closed
	for where in '-o closed/x.png' '--outdir closed' '--outdir closed/d'; do
		expect 77 as_user ${RUN:-} ./ddpm.copy sample -n 1 --steps 1 $where; says closed
	done
	cp "$top/tools/default.ddpm" secret.ddpm && chmod 000 secret.ddpm
	expect 77 as_user ${RUN:-} ./ddpm.copy info secret.ddpm; says secret.ddpm
	only closed ddpm.copy secret.ddpm
	[ -z "$(ls -A closed)" ] || fail "left behind: $(ls -A closed)"
}

test_full_disk() {
	small_disk
	expect 74 ddpm sample -n 16 --steps 1 --keep-steps 2 -o small/x.png
	[ -z "$(ls -A small)" ] || fail "left behind: $(ls -A small)"
	expect 74 ddpm sample -n 16 --steps 1 --outdir small/d; says 'are free'
	[ -z "$(ls -A small/d)" ] || fail "left behind: $(ls -A small/d)"
	expect 74 ddpm sample -n 3 --steps 1 --batch 1 --outdir small/d; says 'small/d/'
	! ls -A small/d | grep -q tmp || fail "left behind: $(ls -A small/d)"
	for file in small/d/*.png; do expect 0 ddpm verify "$file"; done
	mount -o remount,size=1m small
	expect 0 ddpm sample -n 4 --steps 1 --batch 1 --outdir small/d; says '4 images'
	expect 0 ddpm sample -q -n 4 --steps 1 --outdir d
	for file in d/*.png; do same "$file" "small/$file"; done
	head -c 2000000 /dev/zero 2>/dev/null >small/fill
	expect 74 ddpm sample -n 1 --steps 1 --outdir small/d2
}

# A limit on the size of files fails a write as a full disk does, and needs no root.
test_file_limit() {
	[ -z "${RUN:-}" ] || skip 'the emulator keeps the limit for itself'
	limited() { ( trap '' XFSZ; ulimit -f 1; ddpm "$@" ); }
	for where in '-o x.png' '-o x.npy' '--outdir d'; do
		expect 74 limited sample -n 16 --steps 1 --keep-steps 2 $where
		[ ! -d d ] || [ "$(ls -A d)" = manifest.jsonl ] || fail "left behind: $(ls -A d)"
		rm -rf d; only
	done
}

test_standard_output() {
	[ -c /dev/full ] || skip 'there is no /dev/full'
	for command in info schedule --version --help; do
		ddpm $command >/dev/full 2>err
		[ $? -eq 74 ] || fail "$command > /dev/full exited with another code than 74"
		says 'standard output'
		ddpm $command >&- 2>err
		[ $? -eq 74 ] || fail "$command with standard output closed exited with another code than 74"
	done
	ddpm sample -n 1 --steps 1 -o x.png >&- 2>&- || fail 'sample needs no standard streams'
	expect 0 ddpm verify x.png
}

test_quiet_and_json() {
	expect 0 ddpm sample -q -n 1 --steps 1 -o a.png
	[ ! -s out ] && [ ! -s err ] || fail "-q is not quiet: $(cat out err)"
	expect 0 ddpm sample -n 1 --steps 1 -o b.png
	[ ! -s out ] || fail "talk belongs to standard error: $(cat out)"
	expect 0 ddpm sample --json -q -n 1 --steps 1 -o c.png; prints '{"wrote":"c.png","images":1,"lost":0}'
	expect 0 ddpm sample -v -n 1 --steps 0,500,999 -o d.png; says '0,500,999'
	expect 0 ddpm info --json --nodes
	[ "$(grep -c '^{.*}$' out)" -eq "$(wc -l <out)" ] || fail 'one object per line'
}

# A bar only on a terminal, colours only without NO_COLOR; elsewhere not a word but the result's.
test_terminal() {
	[ -z "${RUN:-}" ] && script -qec true typescript >/dev/null 2>&1 || skip 'there is no script(1) that gives a terminal'
	bar='[##' color=$(printf '\033[36m')
	terminal() {
		TERM=xterm script -qec "'$program' sample -n 4 --steps 60 --threads 1 --batch 1 $1" typescript >seen </dev/null || fail "in a terminal: $(cat seen)"
	}
	NO_COLOR= terminal '-o a.png'
	grep -qF "$bar" seen && grep -qF "$color" seen && grep -qF 'images' seen || fail "no bar in colours on a terminal: $(cat seen)"
	NO_COLOR=1 terminal '-o b.png'
	grep -qF "$bar" seen && ! grep -qF "$color" seen || fail "NO_COLOR: $(cat seen)"
	terminal '-q -o c.png'
	[ ! -s seen ] || fail "-q on a terminal: $(cat seen)"
	same a.png b.png
	expect 0 ddpm sample -n 4 --steps 60 --threads 1 -o d.png
	sed 's/[0-9][0-9.]* s/T/g' err >told
	[ "$(cat told)" = 'ddpm sample: wrote d.png: 4 images, in T, T an image' ] || fail "$(cat err)"
}

test_arrays() {
	expect 0 ddpm sample -n 3 --steps 2 -o a.npy
	head -c 128 a.npy | grep -qa "'descr': '<f4', 'fortran_order': False, 'shape': (3, 32, 32, 1), }" || fail 'the head of a.npy'
	[ "$(wc -c <a.npy)" -eq $((128 + 4 * 3 * 1024)) ] || fail "a.npy has $(wc -c <a.npy) bytes"
	expect 0 ddpm sample -n 3 --steps 2 --outdir d --format npy
	[ "$(wc -c <d/image-000002.npy)" -eq $((128 + 4 * 1024)) ] || fail 'the size of an image'
	tail -c 4096 a.npy >last; tail -c 4096 d/image-000002.npy >image; same last image
	expect 65 ddpm verify a.npy; says 'not a PNG'
}

test_way_there() {
	expect 0 ddpm sample -n 2 --steps 5 --keep-steps 6 -o way.png
	expect 0 ddpm verify way.png
	expect 0 ddpm sample -n 2 --steps 5 --keep-steps 3 -o way.npy
	expect 0 ddpm sample -n 2 --steps 5 -o end.npy
	tail -c 4096 way.npy >last; tail -c 4096 end.npy >image; same last image
}
