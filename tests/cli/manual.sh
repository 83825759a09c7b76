# --help, man pages and completion are three views of one table: they name the same options and the same
# choices.

# help_options COMMAND: what --help lists, "--name" and "-x" a line each; help_choices: "--name a b c".
help_options() { ddpm "$1" --help | sed -n 's/^  \(-[a-zA-Z],\|   \) \(--[a-z0-9-]*\).*/\1\n\2/p' | tr -d ', ' | grep . | LC_ALL=C sort; }
help_choices() { ddpm "$1" --help | sed -n 's/^  ... \(--[a-z0-9-]*\) .*: \([a-z0-9-]*|[a-z0-9|-]*\)$/\1 \2/p' | tr '|' ' '; }
all_commands() { ddpm --help | sed -n 's/^  \([a-z]*\) .*/\1/p'; }

test_man_pages() {
	[ -z "${RUN:-}" ] || skip 'man pages are made on the machine that they are for'
	make_manual
	[ "$(all_commands | wc -l)" -ge 7 ] || fail "commands: $(all_commands)"
	for command in $(all_commands); do
		page=$pages/ddpm-$command.1
		[ -f "$page" ] || fail "there is no page of $command"
		sed -n 's/^\.It //p' "$page" | grep '^Fl' | sed 's/Ar .*//; s/ , /\n/g' | sed 's/Fl /-/; s/\\-/-/; s/ *$//' | LC_ALL=C sort >found
		help_options $command >expected
		[ "$(wc -l <expected)" -gt 7 ] || fail "$command has $(wc -l <expected) options"
		same found expected "$command: $(diff found expected)"
		sed -n 's/^\.It.*Fl \\-\([a-z0-9-]*\).*/\n--\1/p; s/^\.Cm \([^ ]*\) [,.]$/ \1/p' "$page" | tr -d '\n' | sed 's/--/\n--/g' | grep ' ' >found
		echo >>found
		help_choices $command >expected
		awk 'NF > 2' found >found.choices; same found.choices expected "$command: $(diff found.choices expected)"
		grep -q "Xr ddpm-$command 1" "$pages/ddpm.1" || fail "ddpm(1) does not name $command"
	done
	[ "$(ls "$pages"/ddpm-*.1 | wc -l)" -eq "$(all_commands | wc -l)" ] || fail 'a page without a command'
	for name in $(cat "$top/tests/symbols.txt"); do grep -q "$name(" "$pages/libddpm.3" || fail "libddpm(3) lacks $name"; done
	{ grep -oh 'getenv("[A-Z_]*"' "$top"/tools/*.c "$top"/tools/*/*.c "$top"/src/*/*.c; grep -o '"[A-Z]*_[A-Z_]*"' "$top/tools/outdir/shard.c"; } | sed 's/.*"\(.*\)".*/\1/' >variables
	[ "$(sort -u variables | wc -l)" -ge 15 ] || fail "variables: $(cat variables)"
	for name in $(cat variables); do grep -q "^\.It Ev .*\b$name\b" "$pages/ddpm.1" || fail "ddpm(1) does not name $name"; done
	! command -v lowdown >/dev/null || guide_pages
	command -v mandoc >/dev/null || skip 'there is no mandoc'
	for page in "$pages"/*.[137]; do
		mandoc -T lint -W warning "$page" >log 2>&1 || fail "$(cat log)"
	done
}
# command-line.md lists each option of a command, by its letter or its name, in the items that begin with it.
test_command_line_page() {
	awk '/^- `/ { print item; item = $0; next } /^  / { item = item $0; next } { print item; item = "" }' \
		"$top/tools/manual/command-line.md" | sed 's/\. `forward`/.\n- `forward`/' >items
	for command in $(all_commands); do
		grep "^- \`$command\`" items >own || fail "no options of $command are listed"
		ddpm "$command" --help | sed -n 's/^  \(-[a-zA-Z]\|  \)[, ] \(--[a-z0-9-]*\).*/\1 \2/p' >options
		[ -s options ] || fail "$command has no options"
		sed -n '/^## Common options/,/^## Commands/p' "$top/tools/manual/command-line.md" >>own
		while read -r letter name; do
			grep -q -e "\`$letter\`" -e "\`${name:-$letter}[\` ]" own || fail "$command: $letter $name is not listed"
		done <options
	done
}
# A page for each guide, called what the guide is called.
guide_pages() {
	for guide in "$top"/tools/manual/*.md; do
		page=$pages/ddpm-$(basename "$guide" .md).7
		[ -f "$page" ] || fail "there is no page of $guide"
		sed -n '1s/^# //p' "$guide" | tr '[:upper:]' '[:lower:]' | tr -d '`' >expected
		sed -n 's/^ddpm-[a-z-]* \\- //p' "$page" | tr '[:upper:]' '[:lower:]' | tr -d '`' >found
		same found expected "$page: $(diff found expected)"
	done
}
# Two tests need the pages, and may run side by side: the first makes them, the other waits for that.
make_manual() {
	until mkdir "$scratch/manual" 2>/dev/null; do sleep 0.1; done
	( trap 'rmdir "$scratch/manual"' EXIT
	  unset MAKEFLAGS MFLAGS MAKELEVEL; make -s -C "$(dirname "$program")/.." manual >make.log 2>&1 ) || fail "make manual: $(tail -n 3 make.log)"
	pages=$(dirname "$program")/man
}

# complete_with WORD...: what bash offers for the last word.
complete_with() {
	bash -c '. "$1"; shift; COMP_WORDS=(ddpm "$@"); COMP_CWORD=$#; _ddpm; printf "%s\n" "${COMPREPLY[@]}"' bash "$pages/ddpm.bash" "$@" | grep . | LC_ALL=C sort
}
test_completion() {
	[ -z "${RUN:-}" ] || skip 'man pages are made on the machine that they are for'
	command -v bash >/dev/null || skip 'there is no bash'
	make_manual
	{ all_commands; echo --help; echo --version; } | LC_ALL=C sort >expected
	complete_with '' >found; same found expected
	for command in $(all_commands); do
		complete_with $command - >found; help_options $command >expected
		same found expected "$command: $(diff found expected)"
		help_choices $command >choices
		case $command in convert|export|merge|schedule|sheet) ;; *) grep -q -- '^--conv auto ' choices || fail "choices of $command: $(cat choices)" ;; esac
		while read -r option words; do
			printf '%s\n' $words | LC_ALL=C sort >expected
			complete_with $command $option '' >found; same found expected "$command $option"
			complete_with $command $option = '' >found; same found expected "$command $option="
		done <choices
		case $command in convert|export|merge|schedule|sheet) ;; *)
			[ -z "$(complete_with $command --threads '')" ] || fail "$command --threads has nothing to choose from" ;;
		esac
	done
	[ "$(complete_with sa)" = sample ] && [ "$(complete_with sample --sampler uni)" = unipc ] && [ "$(complete_with sample --outd)" = --outdir ] || fail 'a word that has begun'
	[ -z "$(complete_with sample --model '')" ] && [ -z "$(complete_with sample -m '')" ] || fail 'files are for bash to offer'
}
