"""Holds the peers to AVX2 on a processor with AVX-512.  PyTorch has switches (what its compiler makes of plain loops is g++'s choice,
-march=native).  MNN's wheel has no AVX-512 code.  OpenVINO, ONNX Runtime and ncnn have no switch that reaches all of their code (a
released OpenVINO holds only its oneDNN back), so copies of their libraries are made in which every CPUID instruction is an undefined
opcode, and without_avx512.c, preloaded, answers it as an AVX2 processor would.  Their code is otherwise theirs, at full speed; an
emulated processor would be no use, for it changes what an instruction costs.
"""
import glob, importlib.util, os, re, shutil, subprocess

SWITCHES = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "TORCHINDUCTOR_CPP_SIMDLEN": "256"}
PACKAGES = {"openvino": ["libs/libopenvino.so.*", "libs/libopenvino_intel_cpu_plugin.so"], "onnxruntime": ["capi/*.so"], "ncnn": ["*.so"]}


def site(package):
    return os.path.dirname(os.path.dirname(importlib.util.find_spec(package).origin))


def sections(path):
    """[(address, file offset, size)] of a library's parts that hold instructions."""
    text = subprocess.run(["readelf", "-SW", path], check=True, capture_output=True, text=True).stdout
    rows = re.findall(r"\]\s+\S+\s+PROGBITS\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+\S+\s+AX", text)
    return [tuple(int(n, 16) for n in row) for row in rows]


def change(path):
    """Changes the CPUID instructions a disassembler finds; bytes that only look like one, inside of others, stay.  Returns how many."""
    listing = subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE, text=True)
    found = [int(line.split(":")[0], 16) for line in listing.stdout if line.rstrip().endswith("\tcpuid")]
    if listing.wait():
        raise RuntimeError(f"objdump cannot read {path}")
    parts = sections(path)
    with open(path, "r+b") as f:
        for address in found:
            at = next(offset + address - start for start, offset, size in parts if start <= address < start + size)
            f.seek(at)
            if f.read(2) != b"\x0f\xa2":
                raise RuntimeError(f"{path}: no CPUID at {at:#x}")
            f.seek(at)
            f.write(b"\x0f\x04")
    return len(found)


def prepare(folder):
    """Writes the changed packages below folder; returns the environment that makes a process use them."""
    here, preload = os.path.dirname(os.path.abspath(__file__)), os.path.join(folder, "without_avx512.so")
    if not os.path.exists(preload):
        os.makedirs(folder, exist_ok=True)
        for package, libraries in PACKAGES.items():
            for part in glob.glob(os.path.join(site(package), package)) + glob.glob(os.path.join(site(package), package + ".libs")):
                shutil.copytree(part, os.path.join(folder, os.path.basename(part)), dirs_exist_ok=True)
            changed = {path: change(path) for name in libraries for path in glob.glob(os.path.join(folder, package, name))}
            print(package, "CPUID instructions:", ", ".join(f"{os.path.basename(k)} {v}" for k, v in changed.items()))
        subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-o", preload, os.path.join(here, "without_avx512.c")], check=True)
    return dict(SWITCHES, PYTHONPATH=folder, LD_PRELOAD=preload)

