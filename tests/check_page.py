"""check_page.py PROGRAM PAGE FOLDER [TEST]...: the page of `make page` in a headless Chromium, as a visitor
meets it.

Images have the pixels of PROGRAM within two levels, as those of any other engine class.  Screenshots stay in
FOLDER.
"""

import os
import sys

SOURCE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(SOURCE, "page"))

import browser  # noqa: E402
import check_cases  # noqa: E402
import files  # noqa: E402
import images  # noqa: E402
import looks  # noqa: E402
import use  # noqa: E402
from visitor import Visitor  # noqa: E402

program, page, folder = (os.path.abspath(word) for word in sys.argv[1:4])
wanted = sys.argv[4:]
if not browser.program():
    print("page.in_a_browser\n  skipped: there is no Chromium\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)
os.makedirs(folder, exist_ok=True)
visitor = Visitor(page)
given = {"program": program, "page": page, "folder": folder, "source": SOURCE}
tests = [
    (name, test, (visitor, given))
    for part in (images, files, use, looks)
    for name, test in part.TESTS
    if not wanted or name in wanted
]
check_cases.run("page", tests, visitor.close)
