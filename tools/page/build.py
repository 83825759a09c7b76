#!/usr/bin/env python3
"""build.py WASM PAGE: writes the page, one file with everything in it: style, scripts, and the engine as
base64.

A script is an ES module with the modules that it imports before it, each once.  As all of a script then is
one module, a name may be declared in only one of its files.
"""

import base64
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
MOST = 8_000_000  # bytes of the page

IMPORT = re.compile(r'^import \{[^}]*\} from "(\./[^"]+)";\n', re.M)
DECLARED = re.compile(r"^(?:export )?(?:async )?(?:const|let|class|function\*?) (\w+)", re.M)


def modules(path, seen):
    """Returns the texts of a module and of those that it imports, in the order in which they must stand."""
    if path in seen:
        return []
    seen.add(path)
    text = path.read_text()
    needed = [t for name in IMPORT.findall(text) for t in modules((path.parent / name).resolve(), seen)]
    text = IMPORT.sub("", text)
    if re.search(r"^import\b|^export (default|\{)", text, re.M):
        sys.exit(f"{path}: an import or export of a form that build.py does not know")
    return needed + [(path.name, text)]


def script(name):
    """Returns a script with all of its modules."""
    owner = {}
    parts = []
    for file, text in modules(HERE / name, set()):
        for word in DECLARED.findall(text):
            if word in owner:
                sys.exit(f"{file} and {owner[word]} both declare {word}")
            owner[word] = file
        # A worker of a page without a server is no module, so it has no address of its own.
        text = text.replace("import.meta.url", "location.href")
        parts.append(re.sub(r"^export ", "", text, flags=re.M))
    text = "\n".join(parts)
    if "</script" in text or "<!--" in text:
        sys.exit(f"{name}: a script in a page cannot hold </script or <!--")
    return text


def main(wasm, page):
    engine = base64.b64encode(pathlib.Path(wasm).read_bytes()).decode()
    parts = {
        "/* {style} */": (HERE / "page.css").read_text(),
        "<!-- {engine} -->": f'<script id="engine" type="application/wasm">{engine}</script>',
        "<!-- {worker} -->": f'<script id="worker" type="text/plain">\n{script("worker.js")}</script>',
        "<!-- {script} -->": f'<script type="module">\n{script("main.js")}</script>',
    }
    text = (HERE / "page.html").read_text()
    for mark, part in parts.items():
        before, found, after = text.partition(mark)
        if not found:
            sys.exit(f"page.html lacks {mark}")
        text = before + part + after
    data = text.encode()
    if len(data) > MOST:
        sys.exit(f"{page} would have {len(data)} bytes, more than {MOST}")
    pathlib.Path(page).write_bytes(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
