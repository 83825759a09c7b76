"""How the page is used: by the keyboard alone, stopped at any time, for long, without SIMD and without a
network."""

import re
import time

from images import recipe_of

LEAK = 2_000_000  # bytes of JavaScript by which a page and its worker may differ after 200 images
STOPPED = "document.getElementById('phase').textContent === 'Stopped'"


def stop(visitor, given):
    """A run of 1000 steps is stopped by its button, and by a new setting; nothing moves afterwards."""
    visitor.load()
    visitor.begin(steps=1000)
    visitor.wait("/^Step .* of 1000/.test(document.getElementById('phase').textContent)")
    visitor.click("make")
    visitor.wait(STOPPED, 5)
    frozen = visitor.value("document.querySelector('.tile canvas').toDataURL()")
    time.sleep(0.5)
    assert visitor.value("document.querySelector('.tile canvas').toDataURL()") == frozen
    visitor.begin()
    visitor.click("make")
    visitor.wait("/^Step .* of 1000/.test(document.getElementById('phase').textContent)")
    visitor.make(steps=2)
    assert visitor.text("phase") == "16 images in 2 steps", visitor.text("phase")


def stop_of_what_hangs(visitor, given):
    """A step that does not end is stopped by a new worker, in which images are made as before."""
    visitor.load()
    visitor.make(steps=2)
    worker(visitor, "model.run = () => { for (;;); }")
    visitor.begin(seed=8)
    time.sleep(0.5)
    visitor.click("make")
    visitor.make(seed=9)
    assert visitor.text("phase") == "16 images in 2 steps", visitor.text("phase")


def worker(visitor, expression):
    """Returns the value of an expression in the worker of the page."""
    return visitor.in_worker("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]


def heap(visitor):
    """Returns the bytes of WebAssembly's memory, and those of JavaScript in page and worker."""
    used = 0
    for ask in (visitor.ask, visitor.in_worker):
        ask("HeapProfiler.collectGarbage")
        used += ask("Runtime.getHeapUsage")["usedSize"]
    return worker(visitor, "engine.memory"), used


def memory(visitor, given):
    """The engine's memory does not grow over 200 images, and that of the page hardly.  Each run stops the
    comparison that follows the one before."""
    visitor.load()
    visitor.make(steps=1)
    sizes = [heap(visitor)]
    for run in range(13):
        visitor.make(seed=100 + run)
    sizes.append(heap(visitor))
    assert sizes[0][0] == sizes[1][0] and sizes[1][1] - sizes[0][1] < LEAK, sizes


def tab(visitor, wanted):
    """Presses Tab until the element is reached; its focus can be seen."""
    for _ in range(30):
        visitor.key("Tab", number=9)
        if visitor.value("document.activeElement.id || document.activeElement.className") == wanted:
            width = visitor.value("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
            assert width >= 2, f"the focus of {wanted} is not seen"
            return
    raise AssertionError(f"{wanted} is not reached by Tab")


def keyboard(visitor, given):
    """Steps, sampler, seed, stop, choice of an image and saving, by keys alone."""
    visitor.load()
    tab(visitor, "tile")
    visitor.key("ArrowRight", number=39)
    visitor.key("ArrowDown", number=40)
    assert (
        visitor.value("document.querySelector('[aria-checked=true]').getAttribute('aria-label')") == "Image 5"
    )
    tab(visitor, "steps")
    visitor.begin()
    visitor.key("Home", number=36)
    visitor.key("ArrowRight", number=39)
    visitor.rest()
    assert visitor.text("phase") == "16 images in 2 steps", visitor.text("phase")
    assert "Image 5 of seed 0" in visitor.text("strip-text"), visitor.text("strip-text")

    tab(visitor, "sampler")
    visitor.begin()
    visitor.key("ArrowDown", number=40)
    visitor.rest()
    tab(visitor, "seed")
    visitor.begin()
    visitor.key("a", "KeyA", 65, modifiers=2)
    visitor.ask("Input.insertText", text="42")
    visitor.rest()
    visitor.begin()
    visitor.key("Enter", "Enter", 13, "\r")
    visitor.key("Escape", number=27)
    visitor.wait(STOPPED, 5)
    visitor.begin()
    visitor.key("Enter", "Enter", 13, "\r")
    visitor.rest()
    tab(visitor, "save")
    saved = visitor.saved(lambda: visitor.key(" ", "Space", 32, " "))
    assert recipe_of(saved)["seed"] == "42" and recipe_of(saved)["sampler"] == "dpmpp", recipe_of(saved)


def wrong_numbers(visitor, given):
    """A field that is wrong says so, and no images are made of it."""
    visitor.load()
    visitor.make(steps=2)
    for name, value in (
        ("steps", "0"),
        ("steps", "1001"),
        ("steps", "x"),
        ("seed", "18446744073709551616"),
        ("seed", ""),
    ):
        visitor.begin(**{name: value})
        field = {"steps": "steps-number"}.get(name, name)
        assert visitor.value(f"document.getElementById({field!r}).getAttribute('aria-invalid')") == "true", (
            name,
            value,
        )
        visitor.begin(steps=2, seed=7)
    visitor.rest()
    assert visitor.text("phase") == "16 images in 2 steps"


def without_simd(visitor, given):
    """A browser that refuses a module with vectors is told so."""
    script = visitor.ask(
        "Page.addScriptToEvaluateOnNewDocument", source="WebAssembly.validate = () => false"
    )["identifier"]
    visitor.open(visitor.page)
    visitor.wait("document.readyState === 'complete' && !document.getElementById('notice').hidden")
    assert "SIMD" in visitor.text("notice")
    visitor.ask("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


def alone(visitor, given):
    """The page is one file of at most 8 MB, names no other and asks for none."""
    text = open(given["page"], encoding="utf-8").read()
    assert len(text.encode()) <= 8_000_000
    addresses = set(re.findall(r"""https?://[^"'\s)]+""", text)) - {"http://www.w3.org/2000/svg"}
    assert not addresses, addresses
    visitor.ask("Network.enable")
    visitor.events.clear()
    visitor.load()
    asked = [
        e["params"]["request"]["url"] for e in visitor.events if e["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith(("blob:", "data:"))] == [visitor.page], asked
    assert not visitor.errors(), visitor.errors()
    visitor.ask("Network.disable")


TESTS = [
    (test.__name__, test)
    for test in (stop, stop_of_what_hangs, memory, keyboard, wrong_numbers, without_simd, alone)
]
