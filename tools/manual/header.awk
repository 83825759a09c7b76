# header.awk ddpm.h PART...: libddpm(3), from the text of the headers: the opening comment of the first is the description, a line /* ---- title ---- */ begins
# a section, and declarations stand as they are, with their comments as text before them.
function roff(s) { gsub(/\\/, "\\e", s); sub(/^[.']/, "\\\\\\&&", s); return s }
function literal(on) { if (on) gap = 0; if (on != open) print on ? ".Bd -literal" : ".Ed"; open = on }
# Text, a line at a time; words are joined until a line is full.
function prose(s,    n, i, word) {
    if (gap) print ".Pp"
    gap = 0
    n = split(s, word, " ")
    for (i = 1; i <= n; i++) {
        if (length(line) + length(word[i]) > 74) flush_line()
        line = line (line == "" ? "" : " ") word[i]
        if (word[i] ~ /[.]$/) flush_line()
    }
}
function flush_line() { if (line != "") print roff(line); line = "" }

BEGIN {
    print ".\\\" Made from include/ddpm.h by tools/manual/header.awk.\n.Dd " date "\n.Dt LIBDDPM 3\n.Os\n.Sh NAME\n.Nm libddpm"
    print ".Nd diffusion models on ordinary CPUs\n.Sh SYNOPSIS\n.In ddpm.h\n.Sh DESCRIPTION"
}
# The opening comment: paragraphs, and the example, which is indented.
NR == 1 { sub(/^\/\* ddpm\.h: /, ""); prose($0); head = 1; next }
head && /^\*\// { flush_line(); literal(0); print ".Sh ERRORS"; head = 0; next }
head && /^   Example\./ { flush_line(); gap = 0; print ".Sh EXAMPLES"; example = 1; prose($0); flush_line(); literal(1); getline; next }
head && example { sub(/^       /, ""); print roff($0); next }
head && /^$/ { flush_line(); gap = 1; next }
head { prose($0); next }
/^\/\* ---- / {
    literal(0)
    gsub(/^\/\* ---- | ---- \*\/$/, "")
    if (!sections++) print ".Sh TYPES AND FUNCTIONS"
    gap = 0
    begun = 1
    print ".Ss " toupper(substr($0, 1, 1)) substr($0, 2)
    next
}
# A part opens with a line about itself, which belongs to nobody who reads the page.
FNR == 1 { next }
/^#|^extern "C"|^}$/ { next }
/^$/ { literal(0); next }
# A comment from the first column is text; it may go on for lines.
/^\/\* / { literal(0); gap = !begun; begun = 0; comment = 1; sub(/^\/\* /, "") }
comment { ends = sub(/ *\*\/$/, ""); prose($0); if (ends) { flush_line(); comment = 0 }; next }
{ begun = 0; literal(1); sub(/^DDPM_API /, ""); print roff($0) }
END { literal(0); print ".Sh SEE ALSO\n.Xr ddpm 1" }
