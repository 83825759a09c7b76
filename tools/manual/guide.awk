# guide.awk -v name=NAME: NAME(7), from what lowdown -sTman makes of a guide in Markdown. The title becomes the
# line that whatis(1) shows, and code is bold, since not every formatter has a font for it. A paragraph needs no
# request behind a heading.
BEGIN { print "'\\\" t" }
{ gsub(/\\fC/, "\\fB") }
/^\.SH/ && !titled {
    getline title
    print ".SH NAME\n" name " \\- " tolower(substr(title, 1, 1)) substr(title, 2) "\n.SH DESCRIPTION"
    titled = begins = 1
    next
}
/^\.S[HS]/ { print; getline; gsub(/\\fC/, "\\fB"); print; begins = 1; next }
begins && /^\.[LP]P$/ { next }
{ begins = 0; print }
