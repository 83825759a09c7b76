"""check_wheel.py PROGRAM WHEEL...: the wheels of `make wheel`, as somebody meets them who has Python alone.

Each wheel asks the system for glibc of the version in its name, zlib and libgcc, and nothing else.  It is
installed in a new virtual environment, and in a root folder that holds only glibc and Python, entered by
chroot or, on an emulated processor, by qemu.  Images have the bits of PROGRAM.
"""

import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile

import check_cases

PROGRAM, WHEELS = os.path.abspath(sys.argv[1]), [os.path.abspath(path) for path in sys.argv[2:]]
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(os.path.dirname(PROGRAM), "wheel", "check")
TOOLS = os.path.join(os.path.dirname(PROGRAM), "wheel", "tools", "bin")
TORCH = os.path.join(os.path.dirname(PROGRAM), "diffusers-venv", "bin", "python")
MOST_BYTES = 12_000_000
PYTHON = "python3.11"

# What the loader may take from the system: glibc's own, and two that every Python has.
SYSTEM = re.compile(r"lib(c|m|dl|rt|pthread)\.so\.\d|ld-linux.*|libz\.so\.1|libgcc_s\.so\.1")
# Debian 12's packages that Python needs for ctypes, and numpy of C++.
BARE = """libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libffi8
    libpython3.11-minimal python3.11-minimal libpython3.11-stdlib"""

# The same three images by the program and by the package.
SAMPLE = "sample -q -n 3 --steps 4 --seed 7 --force".split()
IMAGES = """
import sys
import numpy as np
import ddpm
model = ddpm.Model.default()
images = model.sample(3, steps=4, seed=7)
sys.stdout.buffer.write(images.tobytes())
print(model.engine_class, file=sys.stderr)
"""


def run(*words, **options):
    """Runs a command with no environment of ours and returns what it prints; a failure is an error."""
    options.setdefault("env", {"OMP_WAIT_POLICY": "passive"})
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    assert (
        done.returncode == 0
    ), f"{' '.join(words)[:200]}: {(done.stdout[-500:] + done.stderr[-1000:]).decode(errors='replace')}"
    return done


def machine_of(wheel):
    return re.search(r"manylinux_\d+_\d+_(\w+)\.whl", wheel).group(1)


def unpacked(wheel):
    """Returns a folder with the wheel and numpy for its machine, made once."""
    folder = os.path.join(WORK, machine_of(wheel), "site")
    if not os.path.isdir(folder):
        machine = machine_of(wheel)
        tags = [f"--platform=manylinux{tag}_{machine}" for tag in ("_2_34", "_2_28", "_2_27", "2014")]
        run(
            os.path.join(TOOLS, "pip"),
            "install",
            "-q",
            "--target",
            folder,
            "--only-binary=:all:",
            *tags,
            "--python-version=3.11",
            "--implementation=cp",
            "--abi=cp311",
            "--abi=none",
            wheel,
            env=dict(os.environ),
        )
    return folder


def bare_root(wheel):
    """Returns a root folder with glibc, Python and the unpacked wheel in /site, made once."""
    machine = machine_of(wheel)
    root = os.path.join(WORK, machine, "root")
    if not os.path.isdir(root):
        debs = os.path.join(WORK, machine, "debs")
        os.makedirs(debs)
        foreign = {"x86_64": ":amd64", "aarch64": ":arm64"}[machine]
        run(
            "apt-get",
            "download",
            "-qq",
            *(name + foreign for name in BARE.split()),
            cwd=debs,
            env=dict(os.environ),
        )
        for deb in glob.glob(debs + "/*.deb"):
            run("dpkg", "-x", deb, root)
        shutil.copytree(unpacked(wheel), root + "/site")
        os.makedirs(root + "/tmp")
    return root


def in_root(wheel, program, *words, **environment):
    """Runs a program of the bare root there, with nothing else in its environment."""
    root, machine = bare_root(wheel), machine_of(wheel)
    given = dict({"PYTHONPATH": "/site", "OMP_WAIT_POLICY": "passive", "HOME": "/tmp"}, **environment)
    if machine == platform.machine():
        # The loader asks /proc where a program lies; the root has none.
        given["LD_ORIGIN_PATH"] = "/site/ddpm"
        as_root = [] if os.getuid() == 0 else ["unshare", "--map-root-user"]
        return run(*as_root, shutil.which("chroot") or "/usr/sbin/chroot", root, program, *words, env=given)
    given["PYTHONPATH"] = root + "/site"
    return run(f"/usr/bin/qemu-{machine}", "-L", root, root + program, *words, env=given)


def images_of(program, machine):
    """Returns the images of IMAGES as a program makes them."""
    prefix = [] if machine == platform.machine() else [f"/usr/bin/qemu-{machine}"]
    run(*prefix, program, *SAMPLE, "-o", "a.npy")
    with open("a.npy", "rb") as file:
        return file.read()[-3 * 32 * 32 * 4 :]


def built_here(machine):
    """Returns the program as it was built: with oneDNN for this machine, without for another one."""
    other = os.path.join(os.path.dirname(PROGRAM), "wheel", machine, "build", "ddpm")
    return PROGRAM if machine == platform.machine() else other


def test_contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for wanted in "ddpm/py.typed", "man/man1/ddpm.1", "man/man7/ddpm-python.7", "licenses/LICENSE":
        assert any(name.endswith(wanted) for name in names), wanted
    licences = " ".join(name for name in names if "/licences/" in name)
    # The packages whose name is not that of their library.
    package = dict(libquadmath="libgfortran", libcrypto="libssl", libwebpdemux="libwebp", libwebpmux="libwebp")
    for name in names:
        library = re.fullmatch(r"ddpm\.libs/(\w+)-.*\.so.*", name)
        if library:
            wanted = package.get(library.group(1), library.group(1))
            assert f"/{wanted}" in licences, f"{name} has no licence"
    assert os.path.getsize(wheel) <= MOST_BYTES, os.path.getsize(wheel)


def test_takes_only_glibc(wheel):
    """The versions of glibc's symbols are at most that of the name, and README.md says the same."""
    named = tuple(map(int, re.search(r"manylinux_(\d+)_(\d+)", wheel).groups()))
    site, needed = unpacked(wheel), {}
    programs = [site + "/ddpm/ddpm", site + "/ddpm/libddpm.so.0", *glob.glob(site + "/ddpm.libs/*.so*")]
    for path in programs:
        text = run("objdump", "-p", "-T", path).stdout.decode()
        for library in re.findall(r"NEEDED +(\S+)", text):
            inside = os.path.exists(f"{site}/ddpm.libs/{library}")
            assert inside or SYSTEM.fullmatch(library), f"{path} needs {library}"
        for version, symbol in re.findall(r"\(?GLIBC_([\d.]+)\)? +(\S+)", text):
            needed.setdefault(tuple(map(int, version.split("."))), symbol)
    assert max(needed) == named, f"{max(needed)} by {needed[max(needed)]}, named {named}"
    for document in "README.md", "tools/python/README.md", "tools/manual/python.md":
        with open(os.path.join(SOURCE, document)) as file:
            assert f"glibc {named[0]}.{named[1]}" in file.read(), document


def test_bare_root(wheel):
    """Where there is nothing but glibc and Python, the images have the bits of the program built here."""
    machine = machine_of(wheel)
    made = in_root(wheel, "/usr/bin/" + PYTHON, "-c", IMAGES)
    assert f"ddpm {version()}" in made.stderr.decode()
    assert made.stdout == images_of(built_here(machine), machine)

    own = "/tmp/b.npy" if machine == platform.machine() else os.path.abspath("b.npy")
    in_root(wheel, "/site/ddpm/ddpm", *SAMPLE, "-o", own)
    with open(bare_root(wheel) + own if own.startswith("/tmp/b") else own, "rb") as file:
        assert file.read()[-len(made.stdout) :] == made.stdout
    if machine == platform.machine():
        in_root(wheel, "/usr/bin/" + PYTHON, "-m", "ddpm", "info")


def test_virtual_environment(wheel):
    """pip installs it; commands, man pages and the example are there and need no library of ours."""
    venv = os.path.abspath("venv")
    run(sys.executable, "-m", "venv", venv)
    run(venv + "/bin/pip", "install", "-q", wheel, env=dict(os.environ))
    expected = images_of(PROGRAM, machine_of(wheel))
    assert images_of(venv + "/bin/ddpm", machine_of(wheel)) == expected
    assert f"ddpm {version()}" in run(venv + "/bin/python", "-m", "ddpm", "--version").stdout.decode()
    assert os.path.exists(venv + "/share/man/man1/ddpm-sample.1")
    shutil.copy(os.path.join(SOURCE, "tools", "python", "example.py"), ".")
    run(venv + "/bin/python", "-W", "error", "example.py")
    mistake = subprocess.run([venv + "/bin/ddpm", "sample", "--steps", "x"], stderr=subprocess.PIPE)
    assert mistake.returncode == 64
    # DDPM_LIBRARY overrides: the class names the other library's engines.
    other = os.path.join(os.path.dirname(PROGRAM), "libddpm.so.0")
    ask = "import ddpm; print(ddpm.Model.default().engine_class)"
    classes = [
        run(venv + "/bin/python", "-c", ask, env=given).stdout for given in ({}, {"DDPM_LIBRARY": other})
    ]
    with open(other, "rb") as file:
        assert (classes[0] == classes[1]) == (b"libdnnl" not in file.read()), classes


def test_beside_torch(wheel):
    """Torch's OpenMP threads and ours in one process: no crash, the same bits, and no second OpenMP."""
    code = """
import sys
import numpy as np
import torch
import ddpm
model = ddpm.Model.default(threads=2)
alone = model.sample(2, steps=3)
torch.set_num_threads(2)
weights = torch.randn(64, 64, 3, 3)
x = torch.randn(4, 64, 32, 32)
expected = torch.nn.functional.conv2d(x, weights, padding=1)
for _ in range(3):
    assert torch.equal(torch.nn.functional.conv2d(x, weights, padding=1), expected)
    assert np.array_equal(model.sample(2, steps=3), alone)
with open("/proc/self/maps") as file:
    runtimes = {line.split()[-1] for line in file if "gomp" in line}
assert len(runtimes) == 1, runtimes
sys.stdout.buffer.write(alone.tobytes())
"""
    made = run(TORCH, "-c", code, env={"PYTHONPATH": ddpm_alone(wheel), "OMP_WAIT_POLICY": "passive"}).stdout
    run(PROGRAM, "sample", "-q", "-n", "2", "--steps", "3", "-o", "a.npy")
    with open("a.npy", "rb") as file:
        assert file.read()[-len(made) :] == made


def ddpm_alone(wheel):
    """Returns a folder with the package and its libraries, without numpy."""
    folder = os.path.join(WORK, machine_of(wheel), "alone")
    if not os.path.isdir(folder):
        os.makedirs(folder)
        for name in "ddpm", "ddpm.libs":
            os.symlink(os.path.join(unpacked(wheel), name), os.path.join(folder, name))
    return folder


def test_types(wheel):
    """mypy finds the types of an installed package, and the package is right by its strictest rules."""
    with open("user.py", "w") as file:
        file.write(
            "import ddpm\nimport numpy as np\nmodel = ddpm.Model.default()\nreveal_type(model.sample(2))\n"
            "reveal_type(model.eps(np.zeros((1, 1, 8, 8)), 5.0))\nreveal_type(ddpm.distance('a', 'b').low)\n"
            "reveal_type(ddpm.Sampler(model).left)\nmodel.sample('two')\n"
        )
    mypy = os.path.join(TOOLS, "mypy")
    given = dict(os.environ, MYPYPATH="")
    found = subprocess.run(
        [mypy, "--python-executable", user_python(wheel), "user.py"],
        env=given,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    for wanted in (
        "_32Bit",
        'type is "float"',
        'type is "int"',
        'Argument 1 to "sample" of "Model" has incompatible type "str"',
    ):
        assert wanted in found, found
    assert 'type is "Any"' not in found and "missing library stubs" not in found, found
    config = os.path.join(SOURCE, "tools", "python", "pyproject.toml")
    run(
        mypy,
        "--python-executable",
        user_python(wheel),
        "--config-file",
        config,
        os.path.join(SOURCE, "tools", "python", "ddpm"),
        env=dict(os.environ),
    )


def user_python(wheel):
    """Returns the interpreter of an environment in which the wheel is installed."""
    venv = os.path.join(WORK, machine_of(wheel), "user")
    if not os.path.isdir(venv):
        run(sys.executable, "-m", "venv", "--without-pip", venv)
        with open(glob.glob(venv + "/lib/python*/site-packages")[0] + "/wheel.pth", "w") as file:
            file.write(unpacked(wheel) + "\n")
    return venv + "/bin/python"


def version():
    with open(os.path.join(SOURCE, "include", "ddpm.h")) as file:
        return re.search(r'#define DDPM_VERSION "(.*)"', file.read()).group(1)


shutil.rmtree(WORK, ignore_errors=True)
everywhere = [test_contents, test_takes_only_glibc, test_bare_root]
here = [test_virtual_environment, test_beside_torch, test_types]
tests = [
    (f"{test.__name__[5:]}.{machine_of(wheel)}", test, (wheel,))
    for wheel in WHEELS
    for test in everywhere + (here if machine_of(wheel) == platform.machine() else [])
]
check_cases.run("wheel", tests)
