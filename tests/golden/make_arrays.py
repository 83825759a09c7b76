"""Makes files of images by numpy, for tests/unit/data_files.c and as seeds of fuzz_dataset.

    python make_arrays.py DATA CORPUS

Pixel v of image n at y, x in channel c is (37 n + 11 y + 5 x + 83 c) mod 256; classes are (3 n) mod 10.  Floats are v / 127.5 - 1.
"""
import gzip, os, sys
import numpy as np

data, corpus = sys.argv[1:3]


def pixels(n, h, w, c):
    i, y, x, k = np.meshgrid(np.arange(n), np.arange(h), np.arange(w), np.arange(c), indexing="ij")
    return ((37 * i + 11 * y + 5 * x + 83 * k) % 256).astype(np.uint8)


def idx(a):
    return bytes([0, 0, 8, a.ndim]) + b"".join(int(s).to_bytes(4, "big") for s in a.shape) + a.tobytes()


def save(folder, name, text):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(text)


def npy(folder, name, array, **how):
    with open(os.path.join(folder, name), "wb") as f:
        np.lib.format.write_array(f, array, **how)


bytes3 = pixels(3, 5, 4, 3)
floats = (bytes3 / 127.5 - 1).astype(np.float32)
cifar = b"".join(bytes([3 * n % 10]) + a.transpose(2, 0, 1).tobytes() for n, a in enumerate(pixels(2, 32, 32, 3)))
npy(data, "bytes.npy", bytes3)
npy(data, "gray.npy", bytes3[..., 0].copy())
npy(data, "floats.npy", floats)
npy(data, "version2.npy", floats, version=(2, 0))
npy(data, "doubles.npy", floats.astype(np.float64))
npy(data, "columns.npy", np.asfortranarray(bytes3))
npy(data, "large.npy", floats * 2)
planes = bytes3.transpose(0, 3, 1, 2)
npy(data, "planes.npy", planes.copy())
npy(data, "columns_of_planes.npy", np.asfortranarray(planes.astype(np.float32) / 127.5 - 1))
npy(data, "halves.npy", floats.astype(np.float16))
npy(data, "big_endian.npy", floats.astype(">f4"))
npy(data, "longs.npy", bytes3.astype(np.int64))
npy(data, "wide.npy", bytes3.astype(np.uint16) * np.uint16(257))
npy(data, "unit.npy", bytes3.astype(np.float32) / 255)
npy(data, "levels.npy", bytes3.astype(np.float64))
npy(data, "truth.npy", bytes3 > 127)
npy(data, "seventeen.npy", bytes3.astype(np.float32) / 15)
npy(data, "binary.npy", (bytes3 > 127).astype(np.int64))
npy(data, "negative.npy", bytes3.astype(np.int16) - 128)
npy(data, "cube.npy", pixels(3, 8, 8, 8))
npy(data, "one.npy", pixels(1, 8, 8, 3)[0])
npy(data, "complex.npy", bytes3.astype(np.complex64))
np.savez_compressed(os.path.join(data, "set.npz"), bytes3, 3 * np.arange(3) % 10)
np.savez(os.path.join(data, "named.npz"), pictures=floats)
np.savez(os.path.join(data, "parts.npz"), x_train=bytes3, x_test=bytes3)
save(data, "cifar.bin", cifar)
save(data, "rgb.idx", idx(bytes3))
for name in ("bytes.npy", "gray.npy", "floats.npy", "version2.npy", "planes.npy", "halves.npy", "longs.npy",
             "set.npz", "cifar.bin", "rgb.idx"):
    with open(os.path.join(data, name), "rb") as f:
        save(corpus, name, f.read())
save(corpus, "gray.idx.gz", gzip.compress(idx(bytes3[..., 0].copy()), mtime=0))
