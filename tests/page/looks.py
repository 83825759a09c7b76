"""How the page looks: nothing is wider than the window, texts can be read, pixels are whole, and controls
have names."""

import struct

WINDOWS = ((1280, 900, 1), (390, 844, 2))  # CSS pixels, and the screen's pixels for each
CONTRAST = 4.5  # WCAG 2.2, 1.4.3

# The least contrast of a text with its ground, as WCAG defines it, with the text.
LEAST_CONTRAST = """(() => {
  const rgb = (c) => c.match(/[0-9.]+/g).map(Number);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (c) => rgb(c).slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    const c = getComputedStyle(e).backgroundColor;
    return rgb(c)[3] === 0 ? ground(e.parentElement) : c;
  };
  const texts = [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.disabled &&
    [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && !e.closest('svg, script'));
  return texts.map((e) => {
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.textContent.trim().slice(0, 40)];
  }).sort((x, y) => x[0] - y[0])[0];
})()"""


def look(visitor, given, width, height, density, scheme):
    visitor.size(width, height, density)
    visitor.scheme(scheme)
    visitor.wait(f"innerWidth === {width} && matchMedia('(prefers-color-scheme: {scheme})').matches")
    where = f"{width} {scheme}"
    contrast, text = visitor.value(LEAST_CONTRAST)
    assert contrast >= CONTRAST, f"{where}: the contrast of '{text}' is {contrast:.2f}"
    assert visitor.value(
        "document.documentElement.scrollWidth <= innerWidth"
    ), f"{where}: wider than the window"
    for tile in visitor.value(
        "[...document.querySelectorAll('canvas')].map(c => c.getBoundingClientRect().width)"
    ):
        pixels = tile * density / 32
        assert (
            abs(pixels - round(pixels)) < 0.01 and pixels >= 1
        ), f"{where}: {pixels} pixels of the screen for one"
    path = f"{given['folder']}/page-{width}-{scheme}.png"
    visitor.screenshot(path)
    return path


def screenshots(visitor, given):
    """At the width of a desktop and of a telephone, light and dark."""
    visitor.load()
    visitor.rest()
    for width, height, density in WINDOWS:
        paths = [look(visitor, given, width, height, density, scheme) for scheme in ("light", "dark")]
        light, dark = (open(path, "rb").read() for path in paths)
        assert light != dark, "light and dark are the same"
        assert struct.unpack(">I", light[16:20])[0] == width * density, "the screenshot has another width"
    visitor.size(1280, 900)
    visitor.scheme("light")


def names(visitor, given):
    """Whatever takes the focus has a name for those who do not see it."""
    visitor.load()
    visitor.make(steps=1)
    tree = visitor.ask("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "slider", "textbox", "combobox", "radio", "radiogroup", "img", "progressbar", "image")
    seen = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n["ignored"]]
    found = [(role, name) for role, name in seen if role in roles]
    assert len([1 for role, _ in found if role == "radio"]) == 16, found
    assert all(name for _, name in found), [role for role, name in found if not name]


TESTS = [(test.__name__, test) for test in (screenshots, names)]
