"""The images of the page are those of the program, and their time and their settings are shown."""

import json
import subprocess


def verified(given, path, *words):
    """Returns what ddpm verify says of a picture.  It accepts two levels between engine classes."""
    done = subprocess.run(
        [given["program"], "verify", "--json", *words, path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def recipe_of(path):
    """Returns the settings in a picture: the text of its chunk tEXt under the keyword ddpm."""
    data = open(path, "rb").read()
    at = data.index(b"tEXtddpm\0")
    size = int.from_bytes(data[at - 4 : at], "big")
    return json.loads(data[at + 9 : at + 4 + size])


def made_by_program(given, path, *words):
    subprocess.run([given["program"], "sample", "-q", "-o", path, *words], check=True)
    return path


def same_pixels(visitor, given):
    """Seed 7 at the sampler and the 20 steps that the page begins with."""
    visitor.load()
    visitor.make(seed=7)
    saved = visitor.saved()
    found = verified(given, saved)
    assert found["values"] == 512 * 512 and found["other_class"], found

    ours = recipe_of(made_by_program(given, "ours.png", "--seed", "7", "--steps", "20", "--sampler", "unipc"))
    theirs = recipe_of(saved)
    del ours["engine_class"], theirs["engine_class"]
    assert ours == theirs, (ours, theirs)


def same_pixels_of_each_sampler(visitor, given):
    """Each sampler that the page offers, with a seed of 64 bits."""
    visitor.load()
    for sampler in visitor.value("[...document.getElementById('sampler').options].map(o => o.value)"):
        visitor.make(steps=3, seed=18446744073709551615, sampler=sampler)
        found = verified(given, visitor.saved())
        assert found["largest"] <= 2, (sampler, found)


def classes_and_guidance(visitor, given):
    """A model with classes and a null class; the page says of it what ddpm info says."""
    case = given["source"] + "/golden/cases/D4_guided/unet.pt"
    subprocess.run(
        [
            given["program"],
            "convert",
            "-q",
            case,
            "-o",
            "guided.ddpm",
            "--set",
            "image_size=16",
            "--set",
            "objective=pred_v",
            "--set",
            "beta_schedule=cosine",
            "--set",
            "timesteps=1000",
        ],
        check=True,
    )
    visitor.load()
    assert visitor.value("document.getElementById('class-field').hidden")
    assert visitor.take("guided.ddpm") == ""
    info = subprocess.run(
        [given["program"], "info", "guided.ddpm"], capture_output=True, text=True, check=True
    ).stdout
    shown = visitor.text("info")
    for line in info.splitlines():
        if not line.startswith(("memory", "convolutions", "engine class")):
            assert line in shown.splitlines(), (line, shown)

    for classes, guidance in (("all", 1), ("3", 2.5), ("none", 1)):
        visitor.make(steps=4, **{"class": classes, "guidance": guidance})
        saved = visitor.saved()
        found = recipe_of(saved)
        assert str(found["class"]) == classes and found.get("guidance", 1) == guidance, found
        verified(given, saved, "-m", "guided.ddpm")
    visitor.begin()
    visitor.click("embedded")
    visitor.rest()
    assert visitor.value(
        "document.getElementById('class-field').hidden && document.getElementById('embedded').hidden"
    )


def calls_are_counted(visitor, given):
    """Heun's method calls the network twice a step but for the last, the multistep solvers once."""
    visitor.load()
    for sampler, calls in (("unipc", 5), ("ode", 9)):
        visitor.make(steps=5, sampler=sampler)
        assert visitor.text("result-calls") == f"{calls} an image", (sampler, visitor.text("result-calls"))


def comparison_and_plot(visitor, given):
    """The strip has 4 to 64 steps, and each run is a point of the plot and a row of the table."""
    visitor.load()
    visitor.make(steps=2, sampler="ddim")
    visitor.rest()
    visitor.wait("document.querySelectorAll('#strip figure').length === 5")
    words = visitor.value("[...document.querySelectorAll('#strip figcaption')].map(c => c.innerText)")
    assert [w.split()[0] for w in words] == ["4", "8", "16", "32", "64"], words
    assert all(w.split()[-1] in ("s", "ms") for w in words), words
    points = visitor.value("document.querySelectorAll('#plot .mark').length")
    rows = visitor.value("[...document.querySelectorAll('#tried tbody tr')].map(r => r.textContent)")
    assert points == len(rows) and sum(r.startswith("DDIM") for r in rows) == 6, rows


TESTS = [
    (test.__name__, test)
    for test in (
        same_pixels,
        same_pixels_of_each_sampler,
        classes_and_guidance,
        calls_are_counted,
        comparison_and_plot,
    )
]
