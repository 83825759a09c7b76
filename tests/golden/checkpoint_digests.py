"""Expected digests of tests/golden/checkpoints.c: every checkpoint read by Python's standard library alone (zipfile, pickle, json, struct).
A digest is the SHA-256 over, for each tensor in order of names: name, '\\0', the values in row-major order as little-endian float32.

    python checkpoint_digests.py SHARED
"""
import collections, hashlib, io, json, os, pickle, struct, sys, zipfile

SIZE = {"F64": ("d", 8), "F32": ("f", 4), "F16": ("e", 2), "I64": ("q", 8), "U8": ("B", 1), "BOOL": ("B", 1)}
STORAGE = {"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "LongStorage": "I64", "ByteStorage": "U8", "BoolStorage": "BOOL"}


def safetensors(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    out = {}
    for name, e in header.items():
        letter, size = SIZE[e["dtype"]]
        begin, end = e["data_offsets"]
        out[name] = list(struct.unpack("<%d%s" % ((end - begin) // size, letter), data[8 + n + begin:8 + n + end]))
    return out


class Storage:
    def __init__(self, kind, key, count):
        self.letter, self.size = SIZE[STORAGE[kind]]
        self.key, self.count, self.data = key, count, None


def rebuild(storage, offset, size, stride, *rest):
    return ("tensor", storage, offset, size, stride)


class Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils":
            return {"_rebuild_tensor_v2": rebuild, "_rebuild_parameter": lambda t, *rest: t}[name]
        return name

    def persistent_load(self, pid):
        return self.storages.setdefault(pid[2], Storage(pid[1], pid[2], pid[4]))


def values(t):
    _, s, offset, size, stride = t
    index = [offset]
    for n, step in zip(size, stride):
        index = [i + k * step for i in index for k in range(n)]
    return [struct.unpack_from("<" + s.letter, s.data, i * s.size)[0] for i in index]


def torch(path):
    f = open(path, "rb")
    if f.read(2) == b"PK":
        z = zipfile.ZipFile(path)
        folder = z.namelist()[0].split("/")[0]
        r = Reader(io.BytesIO(z.read(folder + "/data.pkl")))
        r.storages = {}
        top = r.load()
        for s in r.storages.values():
            s.data = z.read(folder + "/data/" + s.key)
        return top
    f.seek(0)
    storages = {}
    parts = []
    for _ in range(5):
        r = Reader(f)
        r.storages = storages
        parts.append(r.load())
    for key in parts[4]:
        s = storages[key]
        assert struct.unpack("<q", f.read(8))[0] == s.count
        s.data = f.read(s.count * s.size)
    return parts[3]


def strip(d, prefix):
    return {k[len(prefix):]: v for k, v in d.items() if k.startswith(prefix)}


def lucidrains(d, parent):
    """The U-Net (model.) and the schedule's buffers beside it."""
    inner = strip(d, parent)
    return {**strip(inner, "model."), **{k: v for k, v in inner.items() if "." not in k}}


def digest(tensors):
    h, count = hashlib.sha256(), 0
    for name in sorted(tensors):
        v = tensors[name]
        v = values(v) if isinstance(v, tuple) else v
        count += len(v)
        h.update(name.encode() + b"\0" + struct.pack("<%df" % len(v), *v))
    return len(tensors), count, h.hexdigest()


def main(shared):
    root = shared + "/reference/checkpoints/"
    for case in sorted(os.listdir(root)):
        c = root + case + "/"
        files = sorted(os.path.join(d, f) for d, _, fs in os.walk(c) for f in fs)
        weights = [f for f in files if f.endswith((".pt", ".pth", ".ckpt", ".bin", ".safetensors")) and not f.endswith("io.safetensors")]
        if case == "bad" or not os.path.isdir(c):
            continue
        if weights[0].endswith("safetensors"):
            sets = {"": {k: v for w in weights for k, v in safetensors(w).items()}}
        else:
            top = torch(weights[0])
            if isinstance(top, list):
                sets = {"ema": top[4], "raw": strip(top[0], "module.")}
            elif "ema" in top:
                sets = {"ema": lucidrains(top["ema"], "ema_model."), "raw": lucidrains(top["model"], "")}
            else:
                sets = {"": top}
        for want, tensors in sets.items():
            file = "" if case[0] == "A" else "/" + os.path.basename(weights[0])
            print('    { "%s%s", "%s", %d, %d, "%s" },' % ((case, file, want) + digest(tensors)))


main(sys.argv[1])
