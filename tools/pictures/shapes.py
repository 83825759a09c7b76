"""shapes.py data FOLDER [N]: writes N images of 16 x 16 gray pixels with their classes, as IDX files of FOLDER: discs, squares, triangles and
crosses of any size, place and gray, on any ground.
shapes.py picture OUT.png A.npy B.npy ...: a picture with a row for each array [n, 16, 16, 1], whose values are in [-1, 1].

Python's standard library is enough.
"""
import random
import struct
import sys
import zlib

SIDE, SCALE = 16, 3


def inside(kind, x, y, r):
    """Says whether the point (x, y) is in the shape of radius r around (0, 0)."""
    if kind == 0:
        return x * x + y * y < r * r
    if kind == 1:
        return max(abs(x), abs(y)) < 0.85 * r
    if kind == 2:
        return -r < y < 0.8 * r and abs(x) < 0.55 * (y + r)
    return min(abs(x), abs(y)) < 0.3 * r and max(abs(x), abs(y)) < r


def shape(kind):
    r, cx, cy = random.uniform(3.5, 6.5), random.uniform(6, 10), random.uniform(6, 10)
    ground, gray = random.uniform(0, 90), random.uniform(150, 255)
    image = bytearray()
    for y in range(SIDE):
        for x in range(SIDE):
            part = sum(inside(kind, x + u - cx, y + v - cy, r) for u in (0.25, 0.75) for v in (0.25, 0.75)) / 4
            image.append(int(ground + part * (gray - ground)))
    return bytes(image)


def write_data(folder, n):
    random.seed(1)
    kinds = [random.randrange(4) for _ in range(n)]
    with open(f"{folder}/train-images-idx3-ubyte", "wb") as file:
        file.write(struct.pack(">4i", 0x803, n, SIDE, SIDE) + b"".join(map(shape, kinds)))
    with open(f"{folder}/train-labels-idx1-ubyte", "wb") as file:
        file.write(struct.pack(">2i", 0x801, n) + bytes(kinds))


def row(path):
    """The lines of pixels of a row of images, each image with a black line at its right."""
    data = open(path, "rb").read()
    data = data[10 + struct.unpack("<H", data[8:10])[0]:]
    n = len(data) // (4 * SIDE * SIDE)
    x = struct.unpack(f"<{n * SIDE * SIDE}f", data)
    byte = [min(max(round(127.5 * (v + 1)), 0), 255) for v in x]
    lines = []
    for y in range(SIDE):
        line = b""
        for i in range(n):
            at = (i * SIDE + y) * SIDE
            line += b"".join(bytes([v]) * SCALE for v in byte[at:at + SIDE]) + bytes(SCALE)
        lines += [line] * SCALE
    return lines + [bytes(len(lines[0]))] * SCALE


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_picture(out, paths):
    lines = [line for path in paths for line in row(path)]
    header = struct.pack(">2I5B", len(lines[0]), len(lines), 8, 0, 0, 0, 0)
    with open(out, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines), 9)) +
                   chunk(b"IEND", b""))


if sys.argv[1] == "data":
    write_data(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 2000)
else:
    write_picture(sys.argv[2], sys.argv[3:])
