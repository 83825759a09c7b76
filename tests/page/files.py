"""Files that a visitor gives to the page: pictures whose settings come back, models, and what is neither."""

import os
import subprocess

from images import made_by_program, recipe_of

HOSTILE = 24  # inputs of the fuzzer of model files that are tried


def fields(visitor):
    names = ("sampler", "steps-number", "seed")
    return [visitor.value(f"document.getElementById({name!r}).value") for name in names]


def settings_come_back(visitor, given):
    """From a picture of the page and from one of the program, by the button and by dropping it."""
    visitor.load()
    visitor.make(steps=3, seed=11, sampler="dpmpp")
    saved = visitor.saved()
    visitor.make(steps=2, seed=12, sampler="ddim")
    assert visitor.take(saved) == "" and fields(visitor) == ["dpmpp", "3", "11"], fields(visitor)

    ours = made_by_program(given, "ours.png", "--steps", "0,300,999", "--seed", "5", "--index", "2,9,4")
    visitor.begin()
    visitor.drop(ours)
    visitor.rest()
    assert fields(visitor) == ["ddpm", "3", "5"], fields(visitor)
    labels = visitor.value("[...document.querySelectorAll('.tile')].map(t => t.getAttribute('aria-label'))")
    assert labels == ["Image 2", "Image 9", "Image 4"], labels
    again, first = recipe_of(visitor.saved()), recipe_of(ours)
    del again["engine_class"], first["engine_class"]
    assert again == first, (again, first)
    visitor.click("reset")
    visitor.wait("document.querySelectorAll('.tile').length === 16")


def settings_without_a_field(visitor, given):
    """What the form does not have is taken along too, until another sampler is chosen."""
    visitor.load()
    words = "--sampler ddim --eta 0.5 --steps 4 --seed 9 --clip no --spacing quad --size 48x32".split()
    ours = made_by_program(given, "ours.png", *words)
    assert visitor.take(ours) == "" and "eta 0.5" in visitor.text("sampler-note"), visitor.text(
        "sampler-note"
    )
    again, first = recipe_of(visitor.saved()), recipe_of(ours)
    del again["engine_class"], first["engine_class"]
    assert again == first, (again, first)
    sides = "[...document.querySelectorAll('.tile canvas')].map(c => `${c.width}x${c.height}`)"
    assert visitor.value(sides) == ["48x32"] * 16, visitor.value(sides)
    visitor.make(sampler="unipc")
    assert recipe_of(visitor.saved())["eta"] == 0


def pictures_that_are_refused(visitor, given):
    """One line says what is wrong with a picture, and the settings stay."""
    whole = open(made_by_program(given, "ours.png", "--steps", "1", "--sampler", "ddim"), "rb").read()
    made_by_program(given, "many.png", "-n", "257", "--steps", "1", "--sampler", "ddim")
    at = whole.index(b"tEXtddpm")
    text = whole[at - 4 : at + 8 + int.from_bytes(whole[at - 4 : at], "big")]
    bad = {
        "cut.png": whole[: at + 40],
        "none.png": whole.replace(text, b""),
        "seed.png": whole.replace(b'"seed":"0"', b'"seed":"x"'),
        "model.png": whole.replace(b'"model":"2', b'"model":"3'),
    }
    for name, data in bad.items():
        open(name, "wb").write(data)

    visitor.load()
    visitor.make(steps=2, seed=3)
    for name in ["many.png", *bad]:
        line = visitor.take(name)
        assert line.startswith(name + ": ") and "\n" not in line, (name, line)
        print(f"  {line}")
        assert fields(visitor)[1:] == ["2", "3"], fields(visitor)


def hostile_models(visitor, given):
    """One line for each file that is no model, and the page goes on to make images."""
    visitor.load()
    model = open(os.path.join(given["source"], "../tools/default.ddpm"), "rb").read()
    bad = {
        "empty.ddpm": b"",
        "noise.ddpm": os.urandom(100000),
        "half.ddpm": model[: len(model) // 2],
        "head.ddpm": b"\xff" * 8 + model[8:],
        "json.ddpm": model.replace(b'"F16"', b'"F19"', 1),
    }
    for name, data in bad.items():
        open(name, "wb").write(data)
    with open("large.ddpm", "wb") as large:
        large.truncate(200_000_001)
    subprocess.run(["sh", given["source"] + "/fuzz/corpus.sh", "unpack", "corpus"], check=True)
    inputs = sorted(os.scandir("corpus/fuzz_model"), key=lambda entry: entry.name)
    chosen = inputs[:: max(1, len(inputs) // HOSTILE)][:HOSTILE]

    seen = "document.getElementById('file-error').getBoundingClientRect().bottom <= innerHeight"
    for path in [*bad, "large.ddpm"]:
        line = visitor.take(path)
        assert path in line and "\n" not in line and visitor.value(seen), (path, line)
        print(f"  {line}")
    for entry in chosen:
        line = visitor.take(entry.path)  # some of them are models
        assert "\n" not in line, (entry.path, line)
    if not visitor.value("document.getElementById('embedded').hidden"):
        visitor.begin()
        visitor.click("embedded")
        visitor.rest()
    visitor.make(steps=2, seed=4)
    assert not visitor.errors(), visitor.errors()


TESTS = [
    (test.__name__, test)
    for test in (settings_come_back, settings_without_a_field, pictures_that_are_refused, hostile_models)
]
