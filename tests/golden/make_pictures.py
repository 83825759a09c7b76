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

# TIFF: strips and tiles, planes, palettes, and bits that libtiff converts.
def tiff(name, values, side=0, planes=False, order="<", extra=2, kind=None, expect=None):
    """Writes values [h, w, c] without compression, which Pillow does for some of them alone: one strip, or
    tiles of side x side; channel by channel with planes.  extra: what alpha is, 1 associated, 2 not.
    kind: 0, white is 0."""
    h, w, c = values.shape
    parts = [values[..., k:k + 1] for k in range(c)] if planes else [values]
    if side:
        pad = [np.pad(p, ((0, -h % side), (0, -w % side), (0, 0))) for p in parts]
        parts = [p[y:y + side, x:x + side] for p in pad for y in range(0, h, side) for x in range(0, w, side)]
    parts = [p.astype(p.dtype.newbyteorder(order)).tobytes() for p in parts]
    tags = {256: [w], 257: [h], 258: [8 * values.itemsize] * c, 259: [1], 277: [c],
            262: [(2 if c > 2 else 1) if kind is None else kind], 284: [2 if planes else 1]}
    tags.update({322: [side], 323: [side]} if side else {278: [h]})
    if c % 2 == 0:
        tags[338] = [extra]
    at, offsets = 8, []
    for p in parts:
        offsets.append(at)
        at += len(p)
    tags[324 if side else 273], tags[325 if side else 279] = offsets, [len(p) for p in parts]
    lists, entries = b"", b""
    for tag in sorted(tags):
        data = struct.pack(order + "%dH" % len(tags[tag]), *tags[tag])
        if len(data) > 4:
            data, lists = struct.pack(order + "I", at + len(lists)), lists + data
        entries += struct.pack(order + "HHI", tag, 3, len(tags[tag])) + data.ljust(4, b"\0")
    with open(os.path.join(folder, name), "wb") as f:
        f.write((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, at + len(lists)))
        f.write(b"".join(parts) + lists + struct.pack(order + "H", len(tags)) + entries + b"\0\0\0\0")
    raw(name, values if expect is None else expect)


save("gray.tif", gray, compression="tiff_lzw")
save("rgb.tif", rgb, compression="tiff_adobe_deflate")
save("rgba.tif", alpha)
save("two.tif", Image.fromarray(np.stack([gray, 255 - gray], axis=2), "LA"))
save("bits.tif", Image.fromarray(gray).convert("1"), "L", compression="group4")
save("palette.tif", Image.fromarray(rgb).quantize(16), "RGB", compression="packbits")
save("cmyk.tif", Image.fromarray(rgb).convert("CMYK"), "RGB")
save("jpeg.tif", rgb, compression="jpeg", quality=95)
save("exif6.tif", rgb, tiffinfo={0x0112: 6})
wide = (alpha.astype(np.uint16) << 8) + 55
tiff("gray16.tif", ((gray.astype(np.uint16) << 8) + 3 * gray)[..., None])
tiff("rgb16.tif", wide[..., :3], order=">")
tiff("rgba16.tif", wide, side=16, planes=True)
tiff("negative.tif", 255 - gray[..., None], kind=0, expect=gray[..., None])
tiff("planes.tif", rgb, planes=True)
tiff("tiles.tif", rgb, side=16)
# Half of every colour at an alpha of one half, where 255 / 128 of it is what was meant.
half = np.concatenate([rgb // 2, np.full_like(rgb[..., :1], 128)], axis=2)
whole = np.minimum(255, (half.astype(int)[..., :3] * 255 + 64) // 128)
tiff("multiplied.tif", half, extra=1, expect=np.concatenate([whole, half[..., 3:]], axis=2).astype(np.uint8))
