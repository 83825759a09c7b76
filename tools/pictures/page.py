"""page.py PAGE: makes page.png beside itself, the top of the page of `make page` as a headless Chromium shows
it once its first images are made."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../tests/page"))

from visitor import Visitor  # noqa: E402

WIDTH, HEIGHT = 1088, 910  # CSS pixels

visitor = Visitor(sys.argv[1])
try:
    visitor.size(WIDTH, HEIGHT)
    visitor.load()
    visitor.rest()
    visitor.screenshot(os.path.join(HERE, "page.png"), HEIGHT)
finally:
    visitor.close()
