#!/usr/bin/env python3
"""tables.py [--check]: writes the tables of bench/RESULTS.md from bench/results.jsonl.

A line of results.jsonl is one measured value: question, row, column, value, unit, note (spread) or median,
goal, reached, machine, commit (the one that recorded it), date and command. In RESULTS.md the table of a
question stands between <!-- table QUESTION --> and <!-- end -->; <!-- list QUESTION --> makes an item of each
value. --check changes nothing. It fails when the document differs from what would be written, or is too long
or too wide.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(HERE, "RESULTS.md")
LINES, COLUMNS = 120, 110


def unique(items):
    """Returns the items in order of first appearance, each once."""
    return list(dict.fromkeys(items))


def measured():
    """Returns the measured values; a number stays as it was written."""
    with open(os.path.join(HERE, "results.jsonl"), encoding="utf-8") as f:
        return [json.loads(line, parse_float=str, parse_int=str) for line in f]


def amount(m):
    """Returns a value, with its note in brackets if there is one."""
    return f"{m['value']} ({m['note']})" if m.get("note") else m["value"]


def reached(m):
    return {True: "yes", False: "**no**", None: ""}[m["reached"]]


def source(found):
    """Returns one line that says where, at which commits, when and how the values were measured."""
    machines, commits, commands = (unique(m[key] for m in found) for key in ("machine", "commit", "command"))
    dates = sorted(unique(m["date"] for m in found))
    when = " to ".join(unique([dates[0], dates[-1]]))
    return f"{', '.join(machines)}; {', '.join(commits)}; {when}; {', '.join(f'`{c}`' for c in commands)}."


def table(found):
    """Returns a table with the rows and columns of the values; columns without a unit come last."""
    columns = unique(m["column"] for m in sorted(found, key=lambda m: m["unit"] == ""))
    goals = any(m["goal"] for m in found)
    head = [found[0]["question"].replace("-", " ")] + columns + ["goal", "reached"] * goals
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in unique(m["row"] for m in found):
        mine = [m for m in found if m["row"] == row]
        at = {m["column"]: amount(m) for m in mine}
        wanted = [m for m in mine if m["goal"]]
        cells = [row] + [at.get(c, "-") for c in columns]
        if goals:
            goal, verdict = [m["goal"] for m in wanted], unique(map(reached, wanted))
            cells += [", ".join(goal) or "-", ", ".join(verdict) or "-"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines + ["", source(found)]


def listing(found):
    """Returns one item for each value, with its own machine, commit and command."""
    lines = []
    for m in found:
        parts = [f"- {m['row']}: {amount(m)} {m['unit']}".rstrip()]
        if m["goal"]:
            parts += [f"goal {m['goal']}", "reached" if m["reached"] else "**not reached**"]
        lines.append(", ".join(parts) + f" ({m['machine']}, {m['commit']}, `{m['command']}`)")
    return lines


def filled(text, values):
    """Returns the document with every pair of marks filled anew."""
    def fill(match):
        found = [m for m in values if m["question"] == match[2]]
        if not found:
            sys.exit(f"tables.py: RESULTS.md asks for {match[2]}, and results.jsonl has no value of it")
        lines = {"table": table, "list": listing}[match[1]](found)
        return "\n".join([f"<!-- {match[1]} {match[2]} -->", *lines]) + " <!-- end -->"

    missing = set(m["question"] for m in values) - set(re.findall(r"<!-- (?:table|list) (\S+) -->", text))
    if missing:
        sys.exit(f"tables.py: RESULTS.md has no place for {', '.join(sorted(missing))}")
    return re.sub(r"<!-- (table|list) (\S+) -->\n.*?<!-- end -->", fill, text, flags=re.S)


def main():
    with open(DOCUMENT, encoding="utf-8") as f:
        old = f.read()
    new = filled(old, measured())
    if sys.argv[1:] == ["--check"]:
        if new != old:
            sys.exit("tables.py: bench/RESULTS.md differs from results.jsonl; run python3 bench/tables.py")
        lines, columns = len(new.splitlines()), max(map(len, new.splitlines()))
        if lines > LINES or columns > COLUMNS:
            sys.exit(f"tables.py: bench/RESULTS.md has {lines} lines of up to {columns} columns;"
                     f" at most {LINES} of {COLUMNS} are allowed")
    elif sys.argv[1:]:
        sys.exit("usage: tables.py [--check]")
    else:
        with open(DOCUMENT, "w", encoding="utf-8") as f:
            f.write(new)


main()
