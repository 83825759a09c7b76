# Steps against time and quality.  No time is expected to have any value: what the report says must be what
# the JSON says, and what is chosen must follow from the rows of the same run.

test_bench() {
	expect 0 ddpm bench --steps 2,4,8 -n 6 --sampler ddpm,ddim --json --spread 1e6 --npy a; mv out one
	[ "$(grep -c '"sampler":' one)" -eq 6 ] || fail "six rows, not $(cat one)"
	for key in '{"settings":' '{"profile":' '{"machine":' '"reference":"6 other images, ddpm, 8 steps"'; do
		grep -qF "$key" one || fail "no $key in $(cat one)"
	done
	# The measured quality does not depend on threads, batch and rounds.
	expect 0 ddpm bench --steps 2,4,8 -n 6 --sampler ddpm,ddim --json --spread 1e6 --threads 1 --batch 4 --rounds 3 --npy b; mv out two
	for file in one two; do
		sed -n 's/.*"sampler":"\([^"]*\)","steps":\([0-9]*\),.*\("bits".*\),"front".*/\1 \2 \3/p' $file >$file.quality
	done
	[ "$(grep -c 'bits' one.quality)" -eq 6 ] || fail 'qualities'
	same one.quality two.quality 'threads, batch and rounds'
	for file in a/*; do same "$file" "b/${file#a/}"; done
	# The arrays are the images of ddpm sample as bytes, and the distance is that of ddpm distance.
	[ "$(ls a | wc -l)" -eq 6 ] || fail "six arrays, not $(ls a)"
	grep -aq "'|u1', 'fortran_order': False, 'shape': (6, 32, 32, 1)" a/ddim-4.npy || fail 'the head of a/ddim-4.npy'
	ddpm sample -q -n 6 --sampler ddim --steps 4 --outdir d || fail 'sample'
	expect 0 ddpm distance d a/ddim-4.npy --json; prints '"distance":0,'
	ddpm sample -q --index 6-11 --steps 8 --outdir e || fail 'sample'
	expect 0 ddpm distance a/ddim-4.npy e --json
	awk -F'[:,]' '{ printf "%.6g\n", $2 }' out >expected
	sed -n 's/.*"sampler":"ddim","steps":4,.*"distance":\([^,]*\),.*/\1/p' one | awk '{ printf "%.6g\n", $1 }' >found
	same found expected 'the distance of distance and bench'
	# Deterministic samplers are compared with their own most steps, the others are not.
	[ "$(grep -c '"rmse":null' one)" -eq 4 ] || fail 'RMSE of ddpm, or none of ddim'
}

test_bench_data() {
	ddpm sample -q -n 5 --steps 3 --seed 9 --outdir d || fail 'sample'
	expect 0 ddpm bench d --steps 3,5 --sampler ddpm -n 4 --json --spread 1e6; prints '"reference":"the data"'; prints '"reference_images":4'; mv out one
	expect 0 ddpm eval d --steps 5 -n 4 --json
	tail -1 out | sed 's/.*"total":\([^,]*\).*/\1/' | awk '{ printf "%.6g\n", $1 }' >expected
	sed -n 's/.*"steps":5,.*"bits":\([^,]*\).*/\1/p' one >found
	same found expected 'bits per dimension'
	expect 0 ddpm bench d --steps 3 --sampler ddpm -n 4; prints 'of 4 images from the data'
	expect 64 ddpm bench d --steps 3 -n 6; says 'holds 5 images'
	expect 66 ddpm bench nowhere --steps 3; says 'nowhere'
}

# The suggestion follows from the rows that are not surely farther than the nearest: the most steps, then the
# least distance, then the least time.
# The model's tuned solvers are rows of the default table, at their own steps, of which --steps may choose some.
test_bench_tuned() {
	small_model # of tune.sh
	expect 0 tune --steps 2,3 -o tuned.ddpm -q
	expect 0 ddpm bench -m tuned.ddpm --steps 1,3 -n 2 --json --spread 1e6
	sed -n 's/.*"sampler":"\([^"]*\)","steps":\([0-9]*\),.*/\1 \2/p' out | tr '\n' ' ' >rows
	[ "$(cat rows)" = 'ddpm 1 ddpm 3 dpmpp 1 dpmpp 3 tuned 3 ' ] || fail "$(cat rows)"
	expect 0 ddpm bench -m tuned.ddpm --sampler tuned -n 2 --json --spread 1e6
	[ "$(grep -c '"sampler":"tuned"' out)" -eq 2 ] || fail "$(cat out)"
	expect 64 ddpm bench --sampler tuned --steps 7; says 'has no tuned solver of 7 steps'
}

test_bench_suggest() {
	expect 0 ddpm bench --steps 2,4,8,16 -n 4 --suggest 10m --json --spread 1e6
	tail -1 out | sed 's/.*"sampler":"\([^"]*\)","steps":\([0-9]*\).*/\1 \2/' >found
	sed -n 's/.*"sampler":"\([^"]*\)","steps":\([0-9]*\),"seconds":\([^,]*\),.*"farther":\([^,]*\),"farther_low":\([^,]*\),.*/\1 \2 \3 \4 \5/p' out |
		sed 's/null/0/g' | awk '$5 <= 0' | sort -k2,2gr -k4,4g -k3,3g | head -1 | cut -d' ' -f1,2 >expected
	same found expected 'the suggestion'
	expect 0 ddpm bench --steps 2,4 --sampler ddpm -n 4 --suggest 60s --spread 1e6; prints 'within 60 s per image: --sampler ddpm --steps'
	expect 1 ddpm bench --steps 2 --sampler ddpm -n 4 --suggest 0.001ms --spread 1e6; says 'nothing takes at most'
	expect 64 ddpm bench --suggest soon; says 'such as 500ms'
	expect 64 ddpm bench --suggest 0s; says 'such as 500ms'
}

# No machine repeats a time exactly, and one round says nothing: neither is ranked.
test_bench_refuses() {
	expect 75 ddpm bench --steps 2,4 --sampler ddpm -n 4 --spread 0 --suggest 1s --json; says 'too noisy: rounds of the same work differ by'
	prints '"noise":'; ! grep -q '"front":true' out || fail 'a front on a noisy machine'
	expect 75 ddpm bench --steps 2 --sampler ddpm -n 2 --rounds 1 --suggest 1s; says 'one round'
	expect 0 ddpm bench --steps 2 --sampler ddpm -n 2 --rounds 1; says 'nothing is ranked'
	expect 64 ddpm bench --steps 2,2; says 'twice'
	expect 64 ddpm bench --steps 0; says 'from 1 to 1000'
	expect 64 ddpm bench --steps 1001; says 'from 1 to 1000'
	expect 64 ddpm bench --steps ,; says 'expected'
	expect 64 ddpm bench --sampler ddmp; says 'did you mean ddpm'
	expect 64 ddpm bench -n 3 --rounds 4; says 'every one of the 4 rounds'
	expect 64 ddpm bench --variance learned; says 'learned'
	mkdir a && : >a/ddpm-2.npy
	expect 73 ddpm bench --steps 2 --sampler ddpm --npy a; says 'exists already'
}

# Numbers of steps that do not fit the time are left out, which is said; at least the fewest steps stay.
test_bench_time() {
	expect 0 ddpm bench --steps 2,1000 --sampler ddpm -n 2 --time 1ms --json --spread 1e6
	says 'distances are from 2 steps, not 1000'
	prints '"left_out":1'; [ "$(grep -c '"sampler":' out)" -eq 1 ] || fail "one row, not $(cat out)"
	# Before that the sets become smaller, all of them alike, and only where nobody says how large they are.
	expect 0 ddpm bench --steps 2,8 --sampler ddpm --time 1ms --json --spread 1e6 --npy a
	prints '"images":32'; says 'distances are from 2 steps'
	grep -aq "'shape': (32, 32, 32, 1)" a/ddpm-2.npy || fail 'the head of a/ddpm-2.npy'
	# With data there are at most as many images as the data has.  A time has a unit as everywhere.
	ddpm sample -q -n 5 --steps 1 --outdir d || fail 'sample'
	expect 0 ddpm bench d --steps 2 --sampler ddpm --time 11d --json --spread 1e6
	prints '"images":5'; prints '"reference_images":5'
	expect 64 ddpm bench d --rounds 6 --time 1m; says 'd holds 5 images: every one of the 6 rounds'
	for time in 90 0s -1s 1e999s 5x; do
		expect 64 ddpm bench "--time=$time"; says 'a time such as 500ms, 90s'
	done
	expect 0 ddpm bench --steps 2 --sampler ddpm --json --spread 1e6; prints '"images":16'
}

# By the clock of the tests a step takes the same time everywhere: more time gives more images, in proportion.
test_bench_uses_its_time() {
	crash_library
	for seconds in 75 150; do
		expect 0 crash CRASH_CLOCK=0.02 -- bench --steps 1,2 --sampler ddpm --time ${seconds}s --json --spread 1e6
		sed -n 's/^{"settings":.*"images":\([0-9]*\),.*/\1/p' out >>images
	done
	awk '{ n[NR] = $1 } END { exit !(n[1] > 32 && n[2] > 1.8 * n[1] && n[2] < 2.2 * n[1]) }' images ||
		fail "$(cat images)"
}

# A machine that gets busy after the warm-up, a sixteenth of the run: with half of its speed it makes fewer
# images and keeps to the time.  Without a second plan all would take almost twice as long.
test_bench_on_a_busy_machine() {
	crash_library
	words='bench --steps 1,2 --sampler ddpm --time 150s --json --spread 1e6'
	expect 0 crash CRASH_CLOCK=0.02 CRASH_TICKS=ticks -- $words; mv out idle
	expect 0 crash CRASH_CLOCK=0.02 CRASH_LOAD=$(($(cat ticks) / 16)):2 CRASH_TIME=seconds -- $words
	cat idle out | sed -n 's/^{"settings":.*"images":\([0-9]*\),.*/\1/p' | cat - seconds >found
	awk '{ n[NR] = $1 } END { exit !(n[2] < 0.8 * n[1] && n[2] > 0.5 * n[1] && n[3] < 1.25 * 150) }' found ||
		fail "images when idle, when busy, and seconds: $(cat found)"
}

# Rows that may be equally near are not ranked, whatever the seed, and a number of images is named.  Rows that
# are surely apart are ranked.
test_bench_overlaps() {
	command -v python3 >/dev/null || skip 'python3 is needed'
	cat >check.py <<-'END'
	import json, sys
	lines = [json.loads(line) for line in open("out")]
	rows, machine = [l for l in lines if "sampler" in l], next(l["machine"] for l in lines if "machine" in l)
	front = sorted((r for r in rows if r["front"]), key=lambda r: r["seconds"])
	nearest = next(r for r in rows if r["farther"] is None)
	assert all(r is nearest or 0 <= r["farther"] <= r["farther_high"] and r["farther_low"] <= r["farther"] for r in rows), rows
	faster = [r for r in rows if r is not nearest and r["seconds"] <= nearest["seconds"]]
	assert not front or nearest["front"] == all(r["farther_low"] > 0 for r in faster), rows
	away = lambda r: r["farther"] or 0
	assert all(away(b) < away(a) and b["seconds"] > a["seconds"] for a, b in zip(front, front[1:])), rows
	assert len(front) != 1 and (len(front) > 2 or not any(r["knee"] for r in rows)), rows
	assert bool(front) == (machine["refusal"] == "") and (not front or machine["images_needed"] is None), machine
	assert front or machine["images_needed"] is None or machine["images_needed"] > rows[0]["images"], machine
	assert sys.argv[1:] != ["none"] or not front
	END
	for seed in 0 1; do
		expect 0 ddpm bench --steps 2,4 --sampler ddpm -n 4 --json --spread 1e6 --seed $seed
		python3 check.py none || fail "seed $seed"
		says 'nothing is ranked: no row is surely nearer than a faster one, with 4 images a set'
		grep -Eq '; (about [1-9][0-9]?0*,? .* faster, and take about [0-9 a-z]*|the fastest row.*)$' err ||
			fail "numbers that nobody estimates so exactly: $(cat err)"
	done
	expect 0 ddpm bench --steps 1,4 --sampler ddpm -n 32 --json --spread 1e6
	python3 check.py || fail '32 images'
	expect 0 ddpm bench --steps 2,4 --sampler ddpm,ddim-diffusers -n 4 --spread 1e6; prints 'SSIM'
	awk '!/^distance/ && length($0) > 80 { print; exit 1 }' out >long || fail "over 80 columns: $(cat long)"
	ddpm sample -q -n 4 --steps 1 --outdir data
	expect 0 ddpm bench --steps 2,4 --sampler ddpm,ddim-diffusers -n 4 --spread 1e6 data; prints 'bits/dim'
	awk '!/^distance/ && length($0) > 80 { print; exit 1 }' out >long || fail "over 80 columns: $(cat long)"
	expect 0 ddpm bench --steps 2 --sampler ddpm -n 4 --spread 1e6
	! grep -q ranked err || fail "a single row: $(cat err)"
	! grep -q 'PSNR\|bits/dim' out || fail "empty columns: $(cat out)"
}

# Five channels are more than a PNG has; that is no reason not to measure, nor to name an option of another
# command.
test_bench_five_channels() {
	head -c $((8 * 8 * 5 * 4)) "$top/tools/default.ddpm" >pixels
	form="{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 8, 5), }"
	printf '\223NUMPY\001\0v\0%-117s\n' "$form" >five.npy
	cat pixels >>five.npy
	expect 0 ddpm train five.npy -o five.ddpm --preset tiny --steps 1 --set net.height=8 --set net.width=8 \
		--set net.widths=16 --set net.norm.groups=8 --set batch=2 --set diffusion.steps=20 \
		--holdout 0 --grid-every 0 -q
	expect 0 ddpm bench -m five.ddpm --steps 2 -n 2 --spread 1e6 --npy a
	grep -aq "'shape': (2, 8, 8, 5)" a/ddpm-2.npy || fail 'the array'
}

test_bench_report() {
	command -v gnuplot >/dev/null && command -v python3 >/dev/null || skip 'gnuplot and python3 are needed'
	ddpm sample -q -n 4 --steps 3 --seed 9 --outdir d || fail 'sample'
	expect 0 ddpm bench d --steps 2,4,8 -n 4 --sampler ddpm,ddim --json --spread 1e6 --suggest 1m --report r
	says 'wrote r/report.html and report.csv'
	cat >check.py <<-'END'
	import csv, json, re, sys
	from html.parser import HTMLParser
	rows, other = [], {}
	for line in open("out"):
	    o = json.loads(line)
	    rows.append(o) if "sampler" in o else other.update(o)
	class Tables(HTMLParser):
	    def __init__(self):
	        super().__init__(); self.tables, self.name, self.cell, self.tags, self.links = {}, None, None, set(), []
	    def handle_starttag(self, tag, attributes):
	        a = dict(attributes); self.tags.add(tag); self.links += [v for k, v in attributes if k in ("src", "href", "xlink:href")]
	        if tag == "table": self.name = a.get("id", "sheet"); self.tables.setdefault(self.name, [])
	        if tag == "tr": self.tables[self.name].append([])
	        if tag in ("td", "th"): self.cell = ""
	    def handle_data(self, data):
	        if self.cell is not None: self.cell += data
	    def handle_endtag(self, tag):
	        if tag in ("td", "th"): self.tables[self.name][-1].append(self.cell); self.cell = None
	page = open("r/report.html").read()
	p = Tables(); p.feed(page)
	text = lambda v, form: "" if v is None else v if isinstance(v, str) else form % v
	short = lambda v: text(v, "%.0f" if isinstance(v, (int, float)) and abs(v) >= 100 else "%.3g")
	def equal(cell, v):
	    assert cell == short(v), (cell, v)
	names = "sampler steps seconds spread images_per_second network memory bits distance low high farther farther_low farther_high images rmse psnr ssim discarded lost".split()
	assert len(p.tables["rows"]) == 1 + len(rows) == 7
	some = lambda n: any(row[n] if n in ("discarded", "lost") else row[n] is not None for row in rows)
	shown = [n for n in names if some(n)]
	assert len(p.tables["rows"][0]) == len(shown) + 1 and "lost" not in shown
	for cells, row in zip(p.tables["rows"][1:], rows):
	    for cell, name in zip(cells, shown): equal(cell, row[name])
	    assert cells[-1] == ("knee" if row["knee"] else "front" if row["front"] else "")
	for name in "settings", "machine", "suggestion":
	    assert [c[0] for c in p.tables[name]] == list(other[name])
	    for cells in p.tables[name]: equal(cells[1], other[name][cells[0]])
	slowest = sorted(other["profile"], key=lambda l: -l["microseconds"])[:25]
	assert len(p.tables["profile"]) == 26 and len({l["name"] for l in other["profile"]}) > 25
	for cells, layer in zip(p.tables["profile"][1:], slowest): equal(cells[3], layer["microseconds"])
	for cells, row in zip(csv.DictReader(open("r/report.csv")), rows):
	    for name in names: assert cells[name] == text(row[name], "%.6g"), (cells, row)
	    assert bool(int(cells["front"])) == row["front"] and bool(int(cells["knee"])) == row["knee"]
	assert "script" not in p.tags and p.links and all(l.startswith(("data:image/png;base64,", "#")) for l in p.links)
	assert sum(l.startswith("data:") for l in p.links) == 6 * 4 and page.count("<svg") == 2 and "prefers-color-scheme: dark" in page
	assert not re.search(r"rgb\( *1, *2, *3\)", page)
	facts = dict(p.tables["facts"])
	assert list(facts) == "model processor threads version date command".split() and all(facts.values())
	assert facts["command"].startswith("ddpm bench d --steps 2,4,8") and facts["date"][:2] == "20"
	assert page.count("same noise under") == 1 and page.count("do not correspond") == 1      # ddim, ddpm
	for svg in re.findall(r"<svg\b.*?</svg>", page, re.S):
	    boxes, there = [], (r'translate\(([\d.]+),([\d.]+)\)( rotate)?[^>]*font-size="([\d.]+)"[^>]*'
	                        r'text-anchor="(\w+)"[^>]*>'
	                        r'\s*<text><tspan[^>]*>([^<]*)<')
	    for x, y, turned, size, anchor, text in re.findall(there, svg):
	        x, y, size = float(x), float(y), float(size)
	        width = 0.55 * size * len(text.strip())
	        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
	        if turned:                                      # the title of y, read from below
	            boxes.append((x - 0.7 * size, x, y + x - left - width, y + x - left, text))
	        else:
	            boxes.append((left, left + width, y - 0.7 * size, y, text))
	    # Two names of samplers, three ticks and the title of x; how many ticks y has depends on the times, at least two.
	    assert len(boxes) >= 2 + 4 + 2 and max(b[3] for b in boxes) < 396, svg
	    assert sum(b[3] - b[2] > 100 for b in boxes) == 1, boxes
	    for i, a in enumerate(boxes):
	        for b in boxes[:i]:
	            assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2], (a, b)
	END
	python3 check.py || fail 'the report is not what the JSON says'
	expect 73 ddpm bench --steps 2 -n 2 --report r; says 'exists already'
	expect 0 ddpm bench --steps 2 -n 2 --sampler ddpm -q --report r --force
	rm -r r d a 2>/dev/null; only check.py
}

# A folder of the user's: nothing in it is touched but the files that are written, and these only with --force.
test_bench_into_a_full_folder() {
	command -v gnuplot >/dev/null || skip 'gnuplot is needed'
	mkdir r other; echo mine | tee r/notes.txt r/report.htm r/ddpm-3.npy other/page >r/index.html; mkdir r/report
	for own in report.html report.csv ddpm-2.npy; do
		cp -R r before; echo mine >r/$own
		expect 73 ddpm bench --steps 2 -n 2 --sampler ddpm -q --report r --npy r; says "r/$own: exists already"
		[ "$(cat r/$own)" = mine ] || fail "$own was replaced without --force"
		rm r/$own; diff -r before r >out || fail "$(cat out)"
		rm -r before
	done
	ln -s ../other/page r/report.csv; cp -R r before
	expect 0 ddpm bench --steps 2 -n 2 --sampler ddpm -q --report r --npy r --force
	[ "$(cat other/page)" = mine ] && [ -f r/report.csv ] && [ ! -L r/report.csv ] || fail 'a link was followed'
	rm r/report.html r/report.csv r/ddpm-2.npy before/report.csv
	diff -r before r >out || fail "$(cat out)"
}

# Said before anything is run or made.
test_bench_without_gnuplot() {
	mkdir bin
	expect 69 env PATH="$PWD/bin" ${RUN:+$(command -v ${RUN%% *})} "$program" bench --report r; says 'apt-get install gnuplot-nox'; absent r
}
