# Checkpoints of the original implementations, with their outputs: through convert and forward as a user
# would, under every engine and instruction set, within the tolerance that comes with each.  Some lie in the
# tree (golden/cases), all in ../shared.
cases=$shared/reference/checkpoints
[ -d "$cases" ] || cases=$top/tests/golden/cases

# top KEY: a number or text at the top of case.json.
top_of() { sed -n "s/^ \"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" case.json; }

# The settings that a user has to give beside the file: as JSON, and as a line KEY=VALUE each.
flags_as_json() {
	awk '/^ "converter_flags": [{][}]/ { print "{}" } /^ "converter_flags": [{]$/ { print "{"; inside = 1; next }
	     inside && /^ [}]/ { print "}"; exit } inside' case.json
}
flags_as_lines() {
	flags_as_json | awk 'NR == 1 || /^[}]/ { next }
		{ sub(/^ */, ""); sub(/,$/, ""); key = value = $0; sub(/^"/, "", key); sub(/": .*/, "", key); sub(/^"[^"]*": /, "", value) }
		list != "" && $0 == "]" { print path list "=[" items "]"; list = ""; next }
		list != "" { items = items (items == "" ? "" : ",") $0; next }
		$0 == "}" { sub(/[^.]*[.]$/, "", path); next }
		value == "{" { path = path key "."; next }
		value == "[" { list = key; items = ""; next }
		{ gsub(/^"|"$/, "", value); print path key "=" value }'
}
# lucidrains' files do not say how large the images are, nor do their flags: what the user knows is the size
# of x.
size_as_line() {
	case $family in
	D)  echo "image_size=$(sed -n '/^  "x": \[/,/\]/p' case.json | sed -n '4,5s/[^0-9]//gp' | tr '\n' 'x' | sed 's/x$//')" ;;
	esac
}

# convert_case FOLDER ARGUMENT...: twice, by --config and by --set, to the same bytes; leaves model.ddpm and
# io.safetensors.
convert_case() {
	from=$1; shift
	cp "$from/case.json" "$from/io.safetensors" .
	family=$(top_of family) name=$(top_of name) tolerance=$(top_of tolerance_max_abs) file=$(top_of file)
	flags_as_json >flags.json
	{ flags_as_lines; size_as_line; } >flags.txt
	set -- "$from${file:+/$file}" "$@"
	expect 0 ddpm convert -q --force "$@" --config flags.json $(size_as_line | sed 's/^/--set /') -o model.ddpm
	while IFS= read -r line; do set -- "$@" --set "$line"; done <flags.txt
	expect 0 ddpm convert -q --force "$@" -o again.ddpm
	same model.ddpm again.ddpm "$name by --config and by --set"
}

# forward_case: under every engine of the build and instruction set of the machine; more threads change no
# bit, see sameness.sh.
forward_case() {
	for forced in ref-ref ref-gemm ref-winograd avx2-ref avx2-gemm avx2-winograd avx2-dnnl avx512-ref avx512-gemm avx512-winograd avx512-dnnl \
	              neon-ref neon-gemm neon-winograd neon-dnnl; do
		cpu=${forced%-*} engine=${forced#*-}
		ddpm info -q --cpu $cpu >/dev/null 2>&1 || continue
		expect 0 ddpm forward model.ddpm io.safetensors --tolerance "$tolerance" --cpu $cpu --conv $engine --threads 1 --json
		prints '"max_abs"'
		case $forced in
		*-gemm|*-ref) grep -q "\"engines\":{\"$engine\":[0-9]*}" out || fail "$name: $forced left layers to others: $(cat out)" ;;
		*-winograd)   prints '"winograd":' ;;
		avx*-dnnl)    ! ddpm --version | grep -q 'built with:.* dnnl' || prints '"dnnl:' ;;
		esac
	done
}

# default_case: with no engine forced, no layer is left to the reference.
default_case() {
	expect 0 ddpm forward model.ddpm io.safetensors --tolerance "$tolerance" --json
	prints '"engines":{"'
	! grep -q '"ref":' out || fail "$name: $(cat out)"
}

# every PATTERN: all cases so called; and the raw weights where the original gives their output too.
every() {
	count=0
	for case in "$cases"/$1; do
		[ -f "$case/case.json" ] || continue
		convert_case "$case"; forward_case; default_case
		count=$((count + 1))
		grep -q '"out_raw": \[' "$case/case.json" || continue
		convert_case "$case" --weights raw
		expect 1 ddpm forward model.ddpm io.safetensors --tolerance "$tolerance"
		# The same file with out_raw called out; a header may hold spaces.
		LC_ALL=C sed 's/"out":{/"___":{/; s/"out_raw":{/"out":{    /' "$case/io.safetensors" >io.safetensors
		forward_case
	done
	[ $count -gt 0 ] || fail "there is no case $1 in $cases"
}

test_cases_diffusers()  { every 'A*'; }
test_cases_openai()     { every 'B*'; }
test_cases_ho()         { every 'C*'; }
test_cases_lucidrains() { every 'D*'; }

# Sizes that no network was trained at, square and other: the originals' outputs (golden/make_sizes.py), within
# the tolerance of the network's own case.
test_cases_sizes() {
	count=0
	for name in A3_scale_shift_classes B3_guided_updown C1_pesser D1_unet3; do
		convert_case "$top/tests/golden/cases/$name"
		for sized in "$top/tests/golden/sizes/$name"-*.safetensors; do
			for engine in auto gemm winograd; do
				expect 0 ddpm forward model.ddpm "$sized" --tolerance "$tolerance" --conv $engine
				prints 'within'
			done
			count=$((count + 1))
		done
	done
	[ $count = 12 ] || fail "$count files of golden/sizes"
}
