"""Writes data/pictures: small pictures of every kind that is read; beside each NAME.raw has its values as
Pillow reads them.

    python make_pictures.py          # needs numpy and Pillow

NAME.raw is [h, w, c] without a head, uint8 or little-endian uint16.  Pillow reads colours of 16 bits as 8:
PNGs of 16 bits are written here by zlib, and the values are those that went in."""
import os, struct, zlib
import numpy as np
from PIL import Image, ImageOps

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "pictures")
os.makedirs(folder, exist_ok=True)
y, x = np.mgrid[0:6, 0:9]
rgb = np.stack([x * 28, y * 50, 255 - 14 * (x + y)], axis=2).astype(np.uint8)
gray = (x * 17 + y * 19).astype(np.uint8)
alpha = np.concatenate([rgb, (40 * y + 5 * x)[..., None].astype(np.uint8)], axis=2)


def keep(name, mode=None):
    picture = ImageOps.exif_transpose(Image.open(os.path.join(folder, name)))
    raw(name, np.asarray(picture.convert(mode) if mode else picture))


def raw(name, values):
    values.astype(values.dtype.newbyteorder("<")).tofile(os.path.join(folder, name + ".raw"))


def save(name, values, mode=None, **how):
    picture = values if isinstance(values, Image.Image) else Image.fromarray(values)
    picture.save(os.path.join(folder, name), **how)
    keep(name, mode)


def png16(name, values, colour, more=b""):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    h, w = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", w, h, 16, colour, 0, 0, 0)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more)
        f.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    raw(name, values)


png16("gray16.png", (gray.astype(np.uint16) << 8) + 3 * gray, 0)
png16("rgb16.png", (rgb.astype(np.uint16) << 8) + 77, 2)
save("gray.png", gray)
save("bits.png", Image.fromarray(gray).convert("1"), "L")
save("two.png", Image.fromarray(np.stack([gray, 255 - gray], axis=2), "LA"))
save("rgb.png", rgb)
save("rgba.png", alpha)
save("palette.png", Image.fromarray(rgb).quantize(16), "RGB")
save("clear.png", Image.fromarray(rgb).quantize(16), "RGBA", transparency=3)
save("exif6.png", rgb, exif=(lambda e: (e.__setitem__(0x0112, 6), e)[1])(Image.Exif()))
save("rgb.jpg", rgb, quality=90)
save("gray.jpg", gray, quality=90)
save("progressive.jpg", rgb, quality=90, progressive=True)
save("cmyk.jpg", Image.fromarray(rgb).convert("CMYK"), "RGB", quality=95)
save("lossless.webp", rgb, lossless=True)
save("lossy.webp", rgb, quality=80)
save("alpha.webp", alpha, lossless=True, exact=True)
for o in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    save(f"exif{o}.jpg", rgb, quality=95, subsampling=0, exif=exif)
    if o == 5:
        save("exif5.webp", rgb, lossless=True, exif=exif)
