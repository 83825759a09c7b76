"""from_report.py REPORT.html FOLDER: pictures for a README out of a report of ddpm bench, as SVG files that hold all they show.

steps.svg is the contact sheet, rows images and columns numbers of steps, a block for each sampler; time.svg and quality.svg are the report's plots.
Text and axes are dark on white, or light on a dark ground where the reader prefers that: their own ground, since the page may prefer otherwise.
"""
import os
import re
import sys

INK = ("<style>svg { color: #1a1a1a; background: #fff; font: 13px sans-serif } svg g { color: inherit } svg use[color=white] { color: #fff }\n"
       "@media (prefers-color-scheme: dark) { svg { color: #e6e6e6; background: #0d1117 } svg use[color=white] { color: #0d1117 } }</style>\n")
ROWS, SIDE, GAP, HEAD = 6, 48, 4, 40


def plots(page):
    """The report's <svg> elements: a style of their own instead of the page's."""
    for svg in re.findall(r"<svg\b.*?</svg>", page, re.S):
        end = svg.index(">") + 1
        yield svg[:end] + "\n" + INK + svg[end:]


def sheet(page):
    """All samplers side by side, each with a column for every number of steps."""
    found = re.findall(r'<img alt="([^",]*), (\d+) steps, image (\d+)" src="([^"]*)">', page)
    columns = list(dict.fromkeys((sampler, steps) for sampler, steps, _, _ in found))
    rows = min(ROWS, 1 + max(int(image) for _, _, image, _ in found))
    parts, left, last = [], GAP, None
    for sampler, steps in columns:
        if sampler != last:
            left += 0 if last is None else 4 * GAP
            parts.append(f'<text x="{left}" y="15" fill="currentColor">{sampler}</text>')
        parts.append(f'<text x="{left + SIDE / 2}" y="{HEAD - 7}" text-anchor="middle" fill="currentColor">{steps}</text>')
        for _, _, image, data in (f for f in found if f[:2] == (sampler, steps) and int(f[2]) < rows):
            parts.append(f'<image x="{left}" y="{HEAD + int(image) * (SIDE + GAP)}" width="{SIDE}" height="{SIDE}" style="image-rendering: pixelated" href="{data}"/>')
        left, last = left + SIDE + GAP, sampler
    width, height = left, HEAD + rows * (SIDE + GAP)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n{INK}' + "\n".join(parts) + "\n</svg>"


def main():
    with open(sys.argv[1]) as file:
        page = file.read()
    time, quality = plots(page)
    for name, svg in ("steps.svg", sheet(page)), ("time.svg", time), ("quality.svg", quality):
        with open(os.path.join(sys.argv[2], name), "w") as file:
            file.write('<?xml version="1.0" encoding="utf-8"?>\n' + svg + "\n")


main()
