# Words on the command line: help, mistakes, and the same thing written in several ways.

test_help() {
	expect 0 ddpm; prints 'ddpm sample --show'
	[ "$(wc -l <out)" -le 10 ] || fail "the welcome has $(wc -l <out) lines"
	expect 0 ddpm --help; prints 'Usage: ddpm COMMAND'; prints 'ddpm sample makes a picture'
	commands=$(sed -n 's/^  \([a-z]*\) .*/\1/p' out)
	[ "$(ddpm | sed -n 's/^Commands: \(.*\);.*/\1/p')" = "$(echo $commands)" ] || fail 'the welcome names other commands'
	expect 64 ddpm help smaple; says 'did you mean sample?'
	expect 0 ddpm --version; prints 'built with:'; prints 'CPU:'; prints 'engine class:'
	for command in sample convert info forward schedule verify; do
		expect 0 ddpm $command --help
		cp out asked; expect 0 ddpm help $command; cmp -s out asked || fail "help $command is not $command --help"
		prints "Usage: ddpm $command"; prints 'Examples:'; prints 'Exit codes:'; prints '--quiet'
		expect 0 ddpm $command -h
	done
}

# On a terminal help ends its lines between words, within the window; the words are those of a pipe.
test_help_fits_the_terminal() {
	[ -z "${RUN:-}" ] && script -qec true typescript >/dev/null 2>&1 ||
		skip 'there is no script(1) that gives a terminal'
	for words in '' --help 'sample --help' 'train --help' 'bench --help' 'forward --help'; do
		ddpm $words | tr -d ' \n' >expected
		for columns in 40 80 200; do
			TERM=xterm script -qec "stty cols $columns; '$program' $words" typescript </dev/null |
				tr -d '\r' >seen
			tr -d ' \n' <seen >found; cmp -s found expected || fail "$columns columns: other words: $(cat seen)"
			# Lines that are to be copied, and those of a table, stay whole.
			sed '/^Examples:/,/^Exit/d; /^  [a-z]/d; /^Usage/d; /^ddpm: runs/d' seen |
				awk -v most=$columns 'length($0) > most { print; exit 1 }' >long ||
				fail "'$words' in $columns columns: $(cat long)"
		done
	done
	rm -f typescript seen found expected long
}

# whole COMMAND TEXT: the last error says this and no more.
whole() { [ "$(cat err)" = "ddpm $1: $2" ] || fail "not \"$2\" but $(cat err)"; }
test_mistakes_of_options() {
	expect 64 ddpm sampel; says 'did you mean sample?'
	for command in sample convert info forward schedule verify; do
		expect 64 ddpm $command --no-such-thing; whole "$command" "unknown option --no-such-thing; ddpm $command --help lists all"
		expect 64 ddpm $command -Z; says '-Z'
		expect 64 ddpm $command --quiet=1; says 'takes no value'
	done
	for command in sample info forward verify eval train bench; do
		expect 64 ddpm $command --threads 0; says '--threads 0'; says 'from 1 to 1024'
		expect 64 ddpm $command --threads 1025; says 'from 1 to 1024'
		expect 64 ddpm $command --threads 1 --threads=2; says '--threads is given twice'
		expect 64 ddpm $command --threads 3x; says '--threads 3x'
		expect 64 ddpm $command --threads 99999999999999999999; says 'from 1 to'
		expect 64 ddpm $command --threads; says 'needs a value'
		expect 64 ddpm $command --threads=; says 'empty'
		expect 64 ddpm $command --cpu avx3; says 'avx512'
		expect 64 ddpm $command --conv winnograd; whole "$command" "--conv winnograd: did you mean winograd? choose from auto, dnnl, winograd, gemm, ref"
	done
	for command in sample bench schedule 'eval .'; do
		expect 64 ddpm $command --schedule quad; says 'unknown option --schedule; did you mean --spacing?'
	done
	# One suggestion, and only where at most a third of the letters are wrong, or the name was not written to its end.
	for mistake in '--stpes steps' '--varience variance' '--check check-existing' '-steps steps' '--noise_to noise-to'; do
		set -- $mistake
		expect 64 ddpm sample $1; whole sample "unknown option $1; did you mean --$2?"
	done
	for mistake in --width --num-images --s --scheduler; do
		expect 64 ddpm sample $mistake; whole sample "unknown option $mistake; ddpm sample --help lists all"
	done
	# A command does not take an option that means nothing to it.
	for words in 'schedule --conv gemm' 'schedule --threads=2' 'convert --cpu avx2' 'convert --memory low'; do
		set -- $words; option=${2%%=*}
		expect 64 ddpm $words; whole $1 "unknown option $option: ddpm $1 makes no network"
	done
	expect 64 ddpm info -v; whole info 'unknown option -v: ddpm info has no more to say'
	expect 64 ddpm info -qv; whole info 'unknown option -qv: ddpm info has no more to say'
	expect 64 ddpm sample --sampler ddmp; says 'did you mean ddpm?'
	expect 64 ddpm sample --steps --seed 3; says '--steps needs a value'
	expect 64 ddpm sample more; says 'one too many'
	# A model among the arguments belongs behind -m.
	: >weights.safetensors
	for words in 'sample foo.ddpm' 'sample weights.safetensors' 'schedule foo.ddpm' 'bench foo.ddpm' 'eval foo.ddpm' 'eval foo.ddpm data' \
		'eval data foo.ddpm' 'verify foo.ddpm a.png' 'sample -n 1 FOO.DDPM'; do
		model=$(printf '%s\n' $words | grep -i -e ddpm -e weights)
		expect 64 ddpm $words; says "argument $model: did you mean -m $model?"
	done
	mkdir data.ddpm; expect 65 ddpm eval data.ddpm; rmdir data.ddpm; rm weights.safetensors
	expect 64 ddpm forward one; says 'MODEL IO'
	expect 64 ddpm verify; says 'FILE'
	only
}

# A second value would silently win; what may be given several times, and a flag, is not refused.
test_given_twice() {
	for twice in '-o a.png -o b.png' '-o a.png --output=b.png' '-n1 -n 1' '--seed 1 --seed 2' '--eta 0 --eta 1' \
		'--clip yes --clip no' '--max-time 1m --max-time 2m' '--memory-limit 1G --memory-limit 2G' \
		'--outdir d --outdir e'; do
		expect 64 ddpm sample -n 1 --steps 1 $twice; says 'is given twice'
		only
	done
	expect 0 ddpm sample -n 1 --steps 1 -q -q --quiet
	expect 0 ddpm convert "$top/tests/golden/cases/A3_scale_shift_classes" --set variance_type=fixed_small \
		--set clip_sample=true --dry-run
}

# Names of files hold any bytes; results are valid JSON all the same.
test_invalid_names() {
	name=$(printf 'b\377\303(\355\240\200')
	expect 0 ddpm sample --json -n 1 --steps 1 -o "$name.png"; cp out line
	expect 0 ddpm verify --json "$name.png"; cat out >>line
	expect 0 ddpm convert "$top/tests/golden/cases/A3_scale_shift_classes" --json -o "$name"; cat out >>line
	[ "$(wc -l <line)" -eq 3 ] || fail "three lines, not $(cat line)"
	iconv -f utf-8 -t utf-8 line >valid 2>err || fail "no UTF-8: $(cat err)"
	mkdir "$name.d"; ddpm sample -q -n 2 --steps 1 --outdir d || fail sample; cp d/*.png "$name.d"
	expect 0 ddpm train "$name.d" -o "$name.ddpm" -q --steps 1 --holdout 0 --set net.widths=8 \
		--set net.norm.groups=8 --set batch=1 --set diffusion.steps=3
	expect 0 ddpm info --json "$name.ddpm"
	iconv -f utf-8 -t utf-8 out >valid 2>err || fail "no UTF-8: $(cat err)"
	prints '"file":"b??(???.d"'
	cp -r d "$(printf 'd\033[2J')"
	expect 0 ddpm train "$(printf 'd\033[2J')" -o m.ddpm -q --steps 1 --holdout 0 --set net.widths=8 \
		--set net.norm.groups=8 --set batch=1 --set diffusion.steps=3
	expect 0 ddpm info m.ddpm; prints 'd?[2J'
	# ESC, U+009B (in UTF-8, and as a byte) would begin a sequence of the terminal's; é is text.
	odd=$(printf 'a\033[1m\302\233m\233m\303\251'); plain=$(printf 'a?[1m??m?m\303\251')
	cp d/image-000000.png "$odd.png"
	expect 0 ddpm verify "$odd.png"; prints "$plain.png: all"
	expect 66 ddpm verify "$odd"; says "$plain: cannot be opened"
	expect 0 ddpm sample -n 1 --steps 1 -o "$odd.png" --force; says "wrote $plain.png"
	expect 0 ddpm sample -n 1 --steps 1 --outdir "$odd.d" -q; expect 0 ddpm verify "$odd.d"; prints "$plain.d/image-000000.png: all"
}

test_values_of_sample() {
	for bad in '--seed -1' '--seed 18446744073709551616' '--seed 1.5' '--eta 0.5' '--sampler ddim --eta 1.5' '--sampler ddim --eta nan' \
		'-n 0' '-n -3' '-n 1e3' '--index 3-1' '--index 1,,2' '--index 5,5' '--index 4294967296' '--index x' '--index -1' '--class x' '--class -1' \
		'--class 0' '--class all' '--name a%d.png' '--outdir d --name a.png' '--outdir d --name a%d%d.png' '--outdir d --name a%s.png' \
		'--outdir d --name ../%d.png' '--outdir d --name %0999d' '-o a.png --outdir d' '-n 3 --index 0' '--format gif' '--clip maybe' \
		'--keep-steps 0' '--keep-steps 52' '--sampler ddim --variance beta' '--variance learned' '--batch 0' \
		'--order 2' '--order 0' '--order 4' '--order 5' '--sampler ipndm --order 5' '--sampler ipndm --eta 1' '--sampler ddim --order 1' '--sampler dpmpp --order 0' '--sampler dpmpp --order 4' '--sampler unipc --order 3' \
		'--sampler ode --order 3' '--sampler ode --eta 0.5' '--sampler unipc --eta 1' '--sampler dpmpp --eta 1.5' '--sampler dpmpp-diffusers --eta 1' '--sampler sde --variance beta' \
		'--sampler dpmpp --corrector 1' '--corrector -1' '--snr 0.2' '--corrector 1 --snr 1' '--corrector 1 --snr 0' \
		'--sampler langevin --noise /dev/null'; do
		expect 64 ddpm sample $bad
		only
	done
}

# A missing file is named before anything else that would be needed.
test_missing_input_first() {
	for words in 'convert absent' 'export -m absent' 'export -m absent --to ddpm -o a.txt' \
		'train absent' 'sample --from absent' 'sample -m absent --encode' \
		'sample --noise absent --sampler langevin' 'sample -m absent --steps auto' \
		'sample --from absent --noise-to 5000'; do
		expect 66 ddpm $words; says 'absent: cannot be opened'
	done
	expect 66 ddpm convert owner/name; says 'hf download owner/name'
	only
}

test_steps() {
	for bad in 0 -1 1001 5,3 3,3 0,1000 -1,5 1.5 all,3 '' abc iddpm: iddpm:0 iddpm:1001 nosuch:10 , 10,,; do
		expect 64 ddpm sample "--steps=$bad"
		expect 64 ddpm schedule "--steps=$bad"
		only
	done
	expect 64 ddpm sample --spacing nosuch; says 'iddpm'
}

test_ways_to_write() {
	ddpm sample -n4 --steps=3 -qo a.png || fail 'joined'
	ddpm sample -n 4 --steps 3 -q -o b.png -- || fail 'apart'
	ddpm sample --images=4 --steps 3 --quiet --output=c.png || fail 'long'
	same a.png b.png; same a.png c.png
	expect 66 ddpm verify -q -- -n; says '-n'
	expect 0 ddpm schedule --timesteps 7 --steps 4 --csv
	[ "$(sed 1d out | cut -d, -f2 | tr '\n' ' ')" = '0 2 4 6 ' ] || fail "C = $(cut -d, -f2 out)"
	for words in '--steps 20' '--betas cosine --timesteps 4000' '--timesteps 65535 --betas linear:1e-7,1e-5 --steps 20'; do
		expect 0 ddpm schedule $words
		awk 'length($0) > 80 || NF != 9 { print; exit 1 }' out >long || fail "$words, over 80 columns: $(cat long)"
	done
	expect 64 ddpm schedule --timesteps 65536
	says 'expected a whole number from 1 to 65535'
	expect 0 ddpm schedule --timesteps 65535 --steps 3 --csv
	awk -F, 'NR > 1 { q = $5 / (NR > 2 ? before : 1); before = $5; r = $4 / q - 1 }
		r > 1e-9 || r < -1e-9 { exit 1 }' out ||
		fail "alpha is not alpha_bar_i / alpha_bar_(i-1): $(cat out)"
}

# The x0 at t = 999 of a model of eps that was trained briefly is garbage.  A sampler that trusts it warns,
# another one is silent.  The v of the embedded model is good there.
test_x0_warning() {
	local folder=$shared/checkpoints/fashion32
	reference "$folder"
	expect 0 ddpm convert "$folder" -o plain.ddpm -q
	expect 0 ddpm sample -n 1 --steps 2 --outdir images -q
	expect 0 ddpm eval images -m plain.ddpm --statistics -o brief.ddpm -q
	expect 0 ddpm sample -m brief.ddpm -n 1 --steps 3 --sampler ddim -o a.png; says 'x0 at t = 999 is off by'; says 'sampler ddim '
	for words in ddpm ddim-diffusers 'ddim-diffusers --eta 0.5' 'ddim --variance analytic' ipndm; do
		expect 0 ddpm sample -m brief.ddpm -n 1 --steps 3 --sampler $words -o a.png --force
		! grep -q 'off by' err || fail "$words warns"
	done
	expect 0 ddpm sample -m brief.ddpm -n 1 --steps 0,10,40 --sampler unipc -o a.png --force; ! grep -q 'off by' err || fail 'x0 is good at t = 40'
	expect 0 ddpm sample -n 1 --steps 3 --sampler ddim -o a.png --force; ! grep -q 'off by' err || fail 'the embedded model is good at t = 999'
	expect 0 ddpm sample -n 1 --steps 5 -v -o b.png; says 'variance analytic'
	expect 0 ddpm verify b.png
}

# Statistics that a model does not have, and lists that a sampler cannot take: one line that says what to do,
# and no file.
test_chains_refused() {
	case=$top/tests/golden/cases/A3_scale_shift_classes
	ddpm convert "$case" -o plain.ddpm -q || fail 'convert'
	for words in '--variance analytic' '--sampler ddim --variance analytic' '--spacing optimal'; do
		expect 64 ddpm sample -m plain.ddpm --class 0 --steps 5 $words; says 'ddpm eval DATA --statistics -o NEW'
	done
	expect 0 ddpm sample -m plain.ddpm --class 0 --steps 5 -n 1 -v -o a.png; says 'variance beta-tilde'
	ddpm convert "$case" --set prediction_type=v_prediction --set rescale_betas_zero_snr=true -o zero.ddpm -q || fail 'convert'
	for sampler in sde ode langevin; do
		expect 64 ddpm sample -m zero.ddpm --class 0 --steps 5 --sampler $sampler; says 't = 999, where alpha_bar is 0'
	done
	expect 0 ddpm sample -m zero.ddpm --class 0 --steps 5 -n 1 --sampler dpmpp -o b.png
	only plain.ddpm zero.ddpm a.png b.png
}
