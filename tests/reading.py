#!/usr/bin/env python3
"""reading.py FOLDER...: how C sources read, in numbers; a column for each folder.

For every .c and .h file below a folder it counts

  lines a function           median and 90th percentile of the lines between the braces of a function
  lines over 100 columns     of all lines, in percent
  blank lines in bodies      of the lines between the braces of functions, in percent
  comment lines in bodies    of the same lines, those that hold nothing but a comment, in percent
  lines with two ?           lines with two or more question marks of code, a thousand
  clipped sentences          sentences of comments that open with Of, What, Whether, Which or Where, percent

It needs nothing but Python, so that other projects can be measured the same way.
"""
import re
import sys
from pathlib import Path

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
CLIPPED = re.compile(r"(Of|What|Whether|Which|Where)\b")


def blank_out(text, keep_newlines=True):
    """Replaces a token by spaces, so that places in the file stay what they were."""
    return "".join(c if c == "\n" and keep_newlines else " " for c in text)


def split(source):
    """Returns the code without comments and strings, and the list of comments, both with places unchanged."""
    comments = []

    def replace(match):
        if match.group()[0] == "/":
            comments.append(match.group())
        return blank_out(match.group())

    return TOKEN.sub(replace, source), comments


def bodies(code):
    """Yields the first and last line, both exclusive, between the braces of every function."""
    depth = line = begin = 0
    before = ""
    for c in code:
        if c == "\n":
            line += 1
        elif c == "{":
            if depth == 0:
                begin = line if before == ")" else None
            depth += 1
        elif c == "}":
            depth = max(depth - 1, 0)
            if depth == 0 and begin is not None:
                yield begin, line
        if not c.isspace():
            before = c


def sentences(comments):
    """Yields every sentence of the comments."""
    for comment in comments:
        text = re.sub(r"^\s*(/\*+|\*+/?|//+)|\*/", " ", comment, flags=re.M)
        for sentence in re.split(r"(?<=[.:;!?])\s+(?=[A-Z])|\n\s*\n", " ".join(text.split())):
            if len(sentence.split()) > 2:
                yield sentence


def measure(folder):
    """Returns the numbers of one folder, as texts, in the order of the table."""
    lengths, lines, wide, body, blank, comment, questions, said, clipped = [], 0, 0, 0, 0, 0, 0, 0, 0
    for path in sorted(Path(folder).rglob("*.[ch]")):
        source = path.read_text(encoding="utf-8", errors="replace")
        code, comments = split(source)
        source_lines, code_lines = source.split("\n"), code.split("\n")
        lines += len(source_lines)
        wide += sum(len(text) > 100 for text in source_lines)
        questions += sum(text.count("?") > 1 for text in code_lines)
        for first, last in bodies(code):
            inside = range(first + 1, last)
            lengths.append(len(inside))
            body += len(inside)
            blank += sum(not source_lines[i].strip() for i in inside)
            comment += sum(bool(source_lines[i].strip()) and not code_lines[i].strip() for i in inside)
        for sentence in sentences(comments):
            said += 1
            clipped += bool(CLIPPED.match(sentence))
    lengths.sort()
    percent = lambda part, whole: f"{100 * part / max(whole, 1):.1f}"
    return [f"{lengths[len(lengths) // 2]}, {lengths[len(lengths) * 9 // 10]}" if lengths else "-",
            percent(wide, lines), percent(blank, body), percent(comment, body),
            f"{1000 * questions / max(lines, 1):.1f}", percent(clipped, said)]


def main():
    folders = sys.argv[1:] or ["src", "tools"]
    rows = ["lines a function: median, p90", "lines over 100 columns, %", "blank lines in function bodies, %",
            "comment lines in bodies, %", "lines with two or more ?, per 1000",
            "sentences that open with Of/What/Whether/Which/Where, %"]
    print("| | " + " | ".join(folders) + " |")
    print("|---" * (len(folders) + 1) + "|")
    for row in zip(rows, *map(measure, folders)):
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
