# Bits per dimension: the same numbers however a run is cut up, and one line for data that cannot be used.  The
# distance of two sets.

test_eval() {
	ddpm sample -q -n 5 --steps 3 --outdir d || fail 'sample'
	expect 0 ddpm eval d --steps 4; prints 'bits/dim, 95 % interval'; prints '5 images, 4 steps'
	expect 0 ddpm eval d --steps 4 --json --threads 1 --batch 1; mv out one
	expect 0 ddpm eval d --steps 4 --json --threads 3 --batch 3; same out one 'threads and batch'
	[ "$(wc -l <one)" -eq 5 ] || fail "a line for each step and one more, not $(cat one)"
	for key in images steps variance prior l0 total interval; do prints "\"$key\":"; done
	expect 0 ddpm eval d --steps 4 --json --seed 1; ! cmp -s out one || fail 'the seed changes nothing'
	expect 0 ddpm eval d --steps 0,5 --variance beta --clip no -n 1 --json; prints '"interval":null'
	for variance in beta beta-tilde; do expect 0 ddpm eval d --steps 3 -n 1 --variance $variance -q; done
	expect 64 ddpm eval d --steps 4 --variance learned; says 'has learned none'
	expect 64 ddpm eval d -n 6; says 'holds 5 images'
	expect 64 ddpm eval d --class 1; says 'no classes'
	expect 64 ddpm eval
}

# The likelihood by the ODE: the same bits for batch, threads and resumption, below the bound of the same images,
# and nearer to itself the smaller the tolerance is.
test_eval_ode() {
	command -v python3 >/dev/null || skip 'python3 is needed'
	ddpm sample -q -n 5 --steps 10 --outdir d || fail 'sample'
	expect 0 ddpm eval d --ode --steps 2; prints 'dequantisation 6.99435'; prints 'ODE with 2 steps, 13 calls'
	expect 0 ddpm eval d --ode --json --tolerance 1e-2 --threads 1 --batch 1; mv out one
	expect 0 ddpm eval d --ode --json --tolerance 1e-2 --threads 3 --batch 3; same out one 'threads and batch'
	for key in images method steps tolerance probe calls prior change dequantisation total interval; do prints "\"$key\":"; done
	expect 0 ddpm eval d --ode --json --tolerance 1e-2 -n 2 --resume state
	expect 0 ddpm eval d --ode --json --tolerance 1e-2 --resume state; says 'after 2 of 5'; same out one 'resumption'
	expect 64 ddpm eval d --ode --tolerance 1e-3 --resume state; says 'tolerance'
	expect 64 ddpm eval d --steps 4 --resume state
	for other in '--seed 1' '--probe gaussian'; do
		expect 0 ddpm eval d --ode --json --tolerance 1e-2 $other; ! cmp -s out one || fail "$other changes nothing"
	done
	expect 0 ddpm eval d --ode --json --steps 12; mv out fine
	expect 0 ddpm eval d --json --steps 100; tail -n 1 out >bound
	python3 - <<-'END' || fail "$(cat one fine bound)"
	import json
	one, fine, bound = (json.load(open(name)) for name in ("one", "fine", "bound"))
	parts = fine["prior"] + fine["change"] + fine["dequantisation"]
	assert abs(fine["total"] - parts) < 1e-9 and fine["calls"] == 6 * 12 + 1, fine
	assert abs(one["total"] - fine["total"]) < 0.05, "the tolerance"
	assert 1 < fine["total"] < bound["total"], "the bound is not above the likelihood"
	END
}

test_eval_ode_refusals() {
	ddpm sample -q -n 1 --steps 3 --outdir d || fail 'sample'
	expect 64 ddpm eval d --tolerance 1e-3; says '--tolerance is a setting of the ODE: add --ode'
	expect 64 ddpm eval d --probe gaussian; says '--probe is a setting of the ODE'
	expect 64 ddpm eval d --ode --steps 10,20; says 'a number of equal steps is expected'
	expect 64 ddpm eval d --ode --steps 4 --tolerance 1e-3; says 'leave one out'
	for option in '--variance beta' '--spacing quad' '--clip no'; do
		expect 64 ddpm eval d --ode $option; says 'settings of the bound'
	done
	expect 64 ddpm eval d --ode --statistics -o new.ddpm; says 'measures the steps of the bound'; absent new.ddpm
	expect 64 ddpm eval d --ode --tolerance 1e-9; says 'tolerance'
	expect 64 ddpm eval d --ode --probe sobol; says 'rademacher'
}

# A number in the file that has changed is found, wherever it is, and the file stays as it is.
test_eval_damaged_state() {
	command -v python3 >/dev/null || skip 'python3 is needed'
	ddpm sample -q -n 3 --steps 3 --outdir d || fail 'sample'
	expect 0 ddpm eval d --steps 4 -n 2 --resume state
	cat >flip.py <<-'END'
	import sys
	data = bytearray(open("state", "rb").read())
	place = int(sys.argv[1])
	data[place] ^= 1 << place % 8
	open("flipped", "wb").write(data)
	END
	size=$(wc -c <state)
	for back in 1 20 44 60 79 80 100 150 200 239; do
		python3 flip.py $((size - back)); cp flipped before
		expect 65 ddpm eval d --steps 4 --resume flipped; says 'is damaged'; says 'another --resume file'
		cmp -s flipped before || fail 'the damaged file was replaced'
	done
	expect 0 ddpm eval d --steps 4 --resume state; says 'after 2 of 3'
}

# The mean of the images that the file of --resume lists, and Student's 97.5 % quantiles by scipy.  What
# cannot be negative is not.
test_eval_interval() {
	command -v python3 >/dev/null || skip 'python3 is needed'
	ddpm sample -q -n 5 --steps 3 --outdir d || fail 'sample'
	printf '\0\0\010\003\0\0\0\002\0\0\0\040\0\0\0\040' >two.idx
	head -c 1024 /dev/zero >>two.idx; head -c 1024 d/image-000000.png >>two.idx
	cat >check.py <<-'END'
	import json, math, struct, sys
	data = open("state", "rb").read()
	head = int.from_bytes(data[:8], "little")
	entry = json.loads(data[8:8 + head])["images"]
	first, last = entry["data_offsets"]
	values = struct.unpack("<%dd" % ((last - first) // 8), data[8 + head + first:8 + head + last])[2::5]
	n, mean = len(values), sum(values) / len(values)
	error = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
	t = {2: 12.706204736174694, 5: 2.7764451051977934}[n]
	lines = [json.loads(line) for line in open("out")]
	low, high = lines[-1]["interval"]
	assert math.isclose(high, mean + t * error, rel_tol=1e-12), (high, mean + t * error)
	assert math.isclose(low, max(0, mean - t * error), rel_tol=1e-9), (low, mean - t * error)
	assert all(v >= 0 for line in lines for v in line.values() if isinstance(v, (int, float))), lines
	assert len(lines) > 2 or lines[-1]["between"] == 0, lines
	if sys.argv[1:] == ["zero"]:
	    assert low == 0 and mean < t * error, "this test wants images further apart"
	END
	expect 0 ddpm eval d --steps 4 --json --resume state; python3 check.py || fail 'five images'
	rm state; expect 0 ddpm eval d --steps 1 --json --resume state; python3 check.py || fail 'a single step'
	rm state; expect 0 ddpm eval two.idx --steps 2 --json --resume state
	python3 check.py zero || fail 'an interval that ends at 0'
	expect 0 ddpm eval two.idx --steps 2; prints ', 95 % interval 0 to '
}

test_eval_resumed() {
	ddpm sample -q -n 7 --steps 3 --outdir d || fail 'sample'
	expect 0 ddpm eval d --steps 5 --json; mv out whole
	expect 0 ddpm eval d --steps 5 --json -n 3 --batch 2 --resume state
	expect 0 ddpm eval d --steps 5 --json --batch 4 --resume state; says 'after 3 of 7'; same out whole 'two pieces'
	expect 0 ddpm eval d --steps 5 --json --resume state; same out whole 'nothing left to do'
	expect 64 ddpm eval d --steps 5 --seed 1 --resume state; says 'seed "0", not "1"'
	expect 64 ddpm eval d --steps 6 --resume state; says 'steps 5, not 6'
	expect 64 ddpm eval d --steps 5 -n 3 --resume state; says '7 images already'
	mv d/image-000006.png d/image-000000.png
	expect 64 ddpm eval d --steps 5 -n 6 --resume state; says 'more than'
	ddpm sample -q -n 7 --steps 3 --seed 2 --outdir e || fail 'sample'
	expect 64 ddpm eval e --steps 5 --resume state; says 'image 0 differs'
	head -c 200 state >cut
	expect 65 ddpm eval e --steps 5 --resume cut; says 'cut'
	expect 64 ddpm eval e --steps 5 --resume -; says 'name one'; [ ! -e ./- ] || fail 'a file is called -'
	expect 73 ddpm eval e --steps 2 --resume no/state; says 'no'
}

# Without --resume an interruption says that nothing is kept, and how to keep it.
test_eval_interrupted_for_nothing() {
	ddpm sample -q -n 2 --steps 3 --outdir d || fail 'sample'
	( exec ${RUN:-} "$program" eval d -v --threads 1 >out 2>err ) &
	for i in $(seq 6000); do grep -q variance err && break; sleep 0.01; done
	kill -TERM $! 2>/dev/null
	wait $!
	code=$?
	[ $code -eq 75 ] || fail "exit code $code, expected 75"
	says 'and nothing is kept: add --resume FILE'; [ ! -s out ] || fail "an interrupted run printed $(cat out)"
}

# A run that was interrupted goes on to the same bits.  One that had ended is begun again.
test_eval_interrupted() {
	ddpm sample -q -n 4 --steps 3 --outdir d || fail 'sample'
	expect 0 ddpm eval d --steps 60 --json; mv out whole
	code=0
	for attempt in 1 2 3 4 5 6 7 8 9 10; do
		rm -f state
		expect 0 ddpm eval d --steps 60 --json -n 1 --resume state
		( exec ${RUN:-} "$program" eval d --steps 60 --json -v --threads 1 --batch 3 --resume state >out 2>err ) &
		for i in $(seq 6000); do grep -q variance err && break; sleep 0.01; done
		kill -TERM $! 2>/dev/null
		wait $!
		code=$?
		[ $code -eq 0 ] || break
	done
	[ $code -eq 75 ] || fail "exit code $code, expected 75"
	says 'interrupted after 1 of 4'
	[ ! -s out ] || fail "an interrupted run printed $(cat out)"
	expect 0 ddpm eval d --steps 60 --json --resume state; same out whole 'interrupted'
	rm -r d; only whole state
}

test_eval_bad_data() {
	ddpm sample -q -n 3 --steps 1 --outdir d || fail 'sample'
	expect 66 ddpm eval nowhere; says 'nowhere'
	mkdir empty && expect 65 ddpm eval empty; says 'holds no image'
	head -c 100 d/image-000001.png >d/image-000001b.png
	expect 65 ddpm eval d --steps 2; says 'd/image-000001b.png: its pixels cannot be read: it is cut off'
	expect 0 ddpm eval d --steps 2 --skip-bad --json; says 'image-000001b.png'; prints '"skipped":1'; prints '"images":3'
	rm d/image-00000?.png
	expect 65 ddpm eval d --steps 2; says 'd/image-000001b.png'
	ddpm sample -q -n 1 --steps 1 -o one.npy && expect 0 ddpm eval one.npy --steps 2
	printf '\0\0\010\003\0\0\0\002\0\0\0\002\0\0\0\003abcdefghijkl' >small.idx
	expect 65 ddpm eval small.idx --steps 2; says '3 x 2 pixels (width x height)'; says '--fit pad'
	expect 65 ddpm eval small.idx --steps 2 --fit crop; says '--fit pad'
	expect 0 ddpm eval small.idx --steps 2 --fit pad --json; prints '"images":2'; mv out plain
	expect 64 ddpm eval small.idx --fit pad --statistics; says 'go together'
	expect 64 ddpm eval small.idx --fit pad --steps 2 --statistics -o new.ddpm; says 'all 1000 steps'
	expect 73 ddpm eval small.idx --fit pad --statistics -o small.idx; says 'exists already'
	gzip -k small.idx && expect 0 ddpm eval small.idx.gz --steps 2 --fit pad --json; same out plain 'compressed'
	for n in 3 10 16 17 27; do
		head -c $n small.idx >cut.idx; expect 65 ddpm eval cut.idx --fit pad; says 'cut.idx'
		head -c $n small.idx.gz >cut.idx; expect 65 ddpm eval cut.idx --fit pad; says 'cut.idx'
	done
	mkdir flat && : | png flat/a.png 0 4 2>png.err; rm png.err
	expect 65 ddpm eval flat --fit resize; says 'flat/a.png: its pixels cannot be read'
	head -c 3073 /dev/zero >batch.bin; expect 65 ddpm eval batch.bin; says '3 channels'
	head -c 3072 /dev/zero >other; expect 65 ddpm eval other; says 'no data set'
}

# Sub-folders are classes; another size is scaled.
test_eval_folders() {
	mkdir d; ddpm sample -q -n 2 --steps 1 --outdir d/b && ddpm sample -q -n 2 --steps 1 --seed 1 --outdir d/a && mkdir d/empty || fail 'sample'
	expect 0 ddpm eval d --steps 2 --json; prints '"images":4'
	ddpm sample -q -n 4 --steps 1 --scale 1 -o grid.png || fail 'sample'
	mkdir e && mv grid.png e
	expect 65 ddpm eval e --steps 2; says '--fit crop'
	expect 0 ddpm eval e --steps 2 --fit resize --json; prints '"images":1'
}

# Two sets by the middle of the network.  A set is at 0 from itself, in an interval that 12 images leave wide.
# Sets that cannot be compared are refused in one line.
test_distance() {
	ddpm sample -q -n 12 --steps 3 --outdir d || fail 'sample'
	ddpm sample -q -n 6 --steps 3 --seed 1 --outdir e || fail 'sample'
	expect 0 ddpm distance d d; prints 'sliced Wasserstein distance 0, 95 % interval 0 to '
	prints 'Frechet distance 0, 95 % interval 0 to '; prints '12 and 12 images, '; prints 'at t = 100'
	expect 0 ddpm distance d e --json --threads 1 --batch 5; mv out one; grep -q '"images":\[12,6\]' one || fail 'counts'
	expect 0 ddpm distance d e --json --threads 3; same out one 'threads and batch'
	expect 0 ddpm distance d e -n 4 --json; prints '"images":[4,4]'
	expect 64 ddpm distance d e -n 1; says 'at least 2'
	expect 64 ddpm distance d e --steps 5; says 'unknown option --steps'
	expect 64 ddpm distance d; expect 64 ddpm distance d e d
	expect 64 ddpm eval d --against e; says '--against is a command of its own: ddpm distance A B'
	expect 66 ddpm distance d nowhere; says 'nowhere'
	expect 66 ddpm distance nowhere d; says 'nowhere'
	head -c 3073 /dev/zero >batch.bin; expect 65 ddpm distance d batch.bin; says '3 channels'
	head -c 100 d/image-000001.png >e/bad.png
	expect 65 ddpm distance d e; says 'e/bad.png'
	expect 0 ddpm distance d e --skip-bad --json; says 'e/bad.png'; prints '"images":[12,6],"skipped":[0,1]'
}

# Of two sets one is nearer to the data; a set is not nearer than itself.  The order of A and B only turns the
# answer round, and more than one line is never printed with --json.
test_distance_against() {
	ddpm sample -q -n 24 --steps 2 --outdir far || fail 'sample'
	ddpm sample -q -n 24 --steps 12 --outdir near || fail 'sample'
	ddpm sample -q --index 24-63 --steps 12 --outdir data || fail 'sample'
	expect 0 ddpm distance far near --against data; prints 'B is nearer by '; prints '24 pairs of images, 40 of the data, '
	prints 'A: sliced Wasserstein distance '; prints '% of 200 draws'
	expect 0 ddpm distance near far --against data; prints 'A is nearer by '
	expect 0 ddpm distance near near --against data; prints "not told apart: A's distance less B's is 0, 95 % interval 0 to 0, and A is nearer in 0 % of 200 draws"
	expect 0 ddpm distance far near --against data --json --threads 1 --batch 5; mv out one
	grep -q '"share":0,"nearer":"B","images":\[24,24,40\],"skipped":\[0,0,0\]' one || fail "$(cat one)"
	expect 0 ddpm distance far near --against data --json --threads 3; same out one 'threads and batch'
	[ "$(wc -l <one)" -eq 1 ] || fail 'one line'
	# Its distances are those of two sets.
	expect 0 ddpm distance near data --json
	[ "$(sed 's/{"distance":\([^,]*\),.*/\1/' out)" = "$(sed 's/{"distance":\[[^,]*,\([^]]*\)\].*/\1/' one)" ] || fail "$(cat out one)"
	mkdir a b && cp far/* a && cp near/* b && rm a/manifest.jsonl b/manifest.jsonl || fail copy
	: >a/image-000005.png; : >b/image-000009.png
	expect 0 ddpm distance a b --against data --skip-bad; prints '23 and 23 images, not in pairs, 40 of the data, '
	rm far/image-000005.png
	expect 0 ddpm distance far near --against data; prints '23 and 24 images, not in pairs, 40 of the data, '
	expect 66 ddpm distance far near --against nowhere; says 'nowhere'
	mkdir single && cp near/image-000001.png single
	expect 64 ddpm distance far near --against single; says 'single: a distance needs at least 2 images'
}

# The activations of the embedded model do not tell training data from other data of the same kind.  They see more
# noise, more blur and fewer classes as a larger distance.
test_distance_of_noise() {
	mnist=/usr/share/datasets/fashion-mnist
	[ -f $mnist/t10k-images-idx3-ubyte.gz ] && command -v python3 >/dev/null || skip 'dataset-fashion-mnist and python3 are needed'
	cat >changed.py <<-'END'
	import gzip, random
	folder, n, size = "/usr/share/datasets/fashion-mnist/t10k-", 128, 784
	pixels = gzip.open(folder + "images-idx3-ubyte.gz").read(16 + 8 * n * size)[16:]
	labels = gzip.open(folder + "labels-idx1-ubyte.gz").read(8 + 8 * n)[8:]
	head = "{'descr': '|u1', 'fortran_order': False, 'shape': (128, 28, 28, 1), }".ljust(117) + "\n"
	def save(name, values):
	    with open(name + ".npy", "wb") as file:
	        file.write(b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head.encode())
	        file.write(bytes(min(255, max(0, round(v))) for v in values))
	images = pixels[:n * size]
	draw = random.Random(1)
	noise = [draw.gauss(0, 1) for _ in images]
	for level in 0, 8, 16, 32, 64:
	    save(f"noise-{level}", (v + level * z for v, z in zip(images, noise)))
	# A mean with the pixel to the right, then with the pixel below, as often as the level says.
	blurred = list(images)
	for level in range(1, 7):
	    for step in 1, 28:
	        blurred = [(a + b) / 2 for a, b in zip(blurred, blurred[step:] + blurred[:step])]
	    if level in (2, 6):
	        save(f"blur-{level}", blurred)
	for classes in 7, 5:
	    those = [i for i, label in enumerate(labels) if label < classes][:n]
	    save(f"classes-{classes}", b"".join(pixels[i * size:(i + 1) * size] for i in those))
	END
	python3 changed.py || fail 'changed.py'
	for set in noise-0 noise-8 noise-16 noise-32 noise-64 blur-2 blur-6 classes-7 classes-5; do
		expect 0 ddpm distance $mnist/train-images-idx3-ubyte.gz $set.npy --fit pad -n 128 --json; cat out >>all
	done
	head -n 1 all | grep -q '"interval":\[0,.*"frechet_interval":\[0,' || fail "data against data: $(head -n 1 all)"
	for key in distance frechet; do
		sed "s/.*[{,]\"$key\":\([^,]*\),.*/\1/" all >values
		awk 'NR > 1 && NR < 6 && $1 <= before { exit 1 } { before = $1 }' values || fail "$key, noise: $(cat values)"
		awk '{ v[NR] = $1 } END { exit !(v[1] < v[6] && v[6] < v[7] && v[1] < v[8] && v[8] < v[9]) }' values ||
			fail "$key, blur or classes: $(cat values)"
	done
	sed -n '5p;7p;9p' all | grep -q '"interval":\[0,' && fail "much noise, blur or half of the classes is not seen: $(cat all)"
	true
}
