"""Broken, odd and hostile pictures, built here, each with what is to become of it."""

import io
import random
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

SIDE = 48
COLOURS = np.array([[(200, 40, 30), (40, 170, 60)], [(40, 60, 190), (150, 150, 150)]], np.uint8)
MODES = [
    *("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"),
    *("I", "F", "I;16", "I;16B", "I;16L"),
]
# The kinds of files that the course reads; the others are left out, whatever they show.
KINDS = {"JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF"}

CUT = "cut short|damaged|no picture"
LARGE = "million pixels|too many pixels"
NONE = "no picture"
OTHER = "no picture|damaged|cut short|too few|; save |; unpack "


@dataclass(frozen=True)
class Picture:
    """A file under the name of a photo.

    ``reason`` is a pattern for why it is left out, None where it must be used, and "" where
    either is right. ``corners`` are the colours expected in the four quarters of a good one,
    shape (2, 2, 3), where they are known; ``same`` says that its bytes are to be kept.
    """

    name: str
    content: bytes
    reason: str | None = None
    corners: np.ndarray | None = None
    same: bool = False


def drawing(colours=COLOURS, side=SIDE) -> Image.Image:
    """Four quarters in four colours, so that a turned or mirrored picture shows."""
    return Image.fromarray(np.kron(colours, np.ones((side // 2, side // 2, 1), np.uint8)))


def photo(seed=0, size=(64, 48), **options) -> bytes:
    """A JPEG with smooth noise in it, different for each seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    return saved(small.resize(size, Image.Resampling.BICUBIC), "JPEG", quality=85, **options)


def noise(size=(320, 240)) -> Image.Image:
    """A picture full of detail."""
    rng = np.random.default_rng(7)
    return Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8))


def saved(picture, kind, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def grey(colours=COLOURS) -> np.ndarray:
    """The luminance of colours, as Pillow computes it (ITU-R 601), in three equal channels."""
    return np.repeat((colours @ [0.299, 0.587, 0.114])[..., None], 3, axis=2)


@cache
def corpus() -> tuple[Picture, ...]:
    """All pictures; the same ones on every call."""
    groups = (
        *(_kinds, _jpegs, _turned, _transparent, _deep, _moving, _cut, _flipped),
        *(_no_pictures, _sizes, _bombs, _tiffs),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow announces which kinds it will drop
        return tuple(picture for group in groups for picture in group())


def in_mode(mode) -> tuple[Image.Image, np.ndarray]:
    """The drawing in a mode, and the colours that it then shows."""
    picture = drawing()
    if mode == "1":
        black_or_white = np.where(grey() > 127, 255, 0)
        return picture.convert("L").point(lambda value: 255 * (value > 127), "1"), black_or_white
    if mode.startswith("I;16"):
        deep = (np.asarray(picture.convert("L")).astype(np.uint16)) * 257
        as_little = Image.frombytes("I;16", picture.size, deep.astype("<u2").tobytes())
        if mode == "I;16B":
            as_big = deep.astype(">u2").tobytes()
            return Image.frombytes("I;16B", picture.size, as_big), grey()
        return (as_little if mode == "I;16" else as_little.convert("I").convert("I;16L")), grey()
    if mode in ("L", "LA", "I", "F"):
        return picture.convert("L").convert(mode), grey()
    if mode in ("P", "PA"):
        return picture.quantize(8).convert(mode), COLOURS
    return (picture.convert("RGBA") if mode == "RGBa" else picture).convert(mode), COLOURS


def _kinds() -> Iterator[Picture]:
    """Every kind of file that Pillow can write, in every mode that it takes."""
    Image.init()
    pillow_heif.register_heif_opener()
    for kind in sorted(Image.SAVE):
        for mode in MODES:
            picture, corners = in_mode(mode)
            try:
                content = saved(picture, kind)
                with Image.open(io.BytesIO(content)) as again:
                    again.load()
                    size = again.size
            except Exception:
                continue  # this kind knows no such mode, or can be written only
            if kind in KINDS:
                assert size == picture.size
                if (
                    mode.startswith("I;16")
                    and kind in ("AVIF", "GIF", "WEBP")
                    or (mode[0], kind) == ("I", "HEIF")
                ):
                    corners = None  # these are written as nothing but white
                same = kind in ("JPEG", "MPO") and mode in ("RGB", "RGBX", "YCbCr")
                yield Picture(f"{mode} as {kind}", content, None, corners, same)
            else:
                yield Picture(f"{mode} as {kind}", content, NONE)


def _jpegs() -> Iterator[Picture]:
    """JPEG files of every make."""
    picture = drawing()
    made = {
        "progressive": {"progressive": True},
        "optimised": {"optimize": True},
        "worst quality": {"quality": 25},
        "best quality": {"quality": 100, "subsampling": 0},
        "subsampled": {"subsampling": "4:2:0"},
        "restart markers": {"restart_marker_blocks": 2},
        "comment": {"comment": b"\xff\xd9 no end"},
        "resolution": {"dpi": (300, 300)},
        "stored as RGB": {"keep_rgb": True},
        "colour profile": {"icc_profile": ImageCms.ImageCmsProfile(srgb()).tobytes()},
        "broken colour profile": {"icc_profile": b"no profile" * 20},
    }
    for name, options in made.items():
        yield Picture(f"JPEG, {name}", saved(picture, "JPEG", **options), None, COLOURS, True)
    plain = saved(picture, "JPEG", quality=95)
    yield Picture("JPEG and other bytes behind", plain + b"more\0" * 99, None, COLOURS, True)
    yield Picture("JPEG and zeros behind", plain + bytes(5000), None, COLOURS, True)
    yield Picture("JPEG behind other bytes", b"more" + plain, NONE)
    yield Picture("JPEG and an archive behind", plain + b"PK\3\4" + bytes(40), None, COLOURS, True)
    flat = saved(Image.new("RGB", (800, 800), "white"), "JPEG", optimize=True)
    assert bytes(64) in flat
    yield Picture("flat JPEG", flat, None, np.full((2, 2, 3), 255), True)
    flat = saved(Image.new("L", (800, 800), "white"), "JPEG", optimize=True)
    yield Picture("flat grey JPEG", flat, None, np.full((2, 2, 3), 255))
    cmyk = saved(picture.convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in cmyk
    yield Picture("CMYK JPEG", cmyk, None, COLOURS)
    start = cmyk.index(b"\xff\xee")
    length = int.from_bytes(cmyk[start + 2 : start + 4])
    without = cmyk[:start] + cmyk[start + 2 + length :]
    yield Picture("CMYK JPEG without Adobe marker", without, None)
    two = saved(picture, "MPO", save_all=True, append_images=[Image.new("RGB", (SIDE, SIDE))])
    yield Picture("two pictures in a JPEG", two, None, COLOURS)


def srgb():
    return ImageCms.createProfile("sRGB")


def _turned() -> Iterator[Picture]:
    """Pictures whose EXIF data says how they are to be turned, and data that says nonsense."""
    turned = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    for orientation, turn in turned.items():
        stored = drawing(np.ascontiguousarray(turn(COLOURS)))
        content = saved(stored, "JPEG", quality=95, exif=exif(orientation))
        yield Picture(f"turned, {orientation}", content, None, COLOURS, orientation == 1)
    sideways = drawing(np.ascontiguousarray(np.rot90(COLOURS)))
    for kind in ("PNG", "WEBP", "TIFF", "AVIF"):
        content = saved(sideways, kind, exif=exif(6))
        yield Picture(f"turned {kind}", content, None, COLOURS)
    content = saved(sideways.convert("L"), "JPEG", quality=95, exif=exif(6))
    yield Picture("turned grey JPEG", content, None, grey())
    good = exif(6).tobytes()
    for name, data in {
        "orientation 0": exif(0),
        "orientation 9": exif(9),
        "orientation 65535": exif(65535),
        "garbage": b"Exif\0\0garbage, garbage",
        "nothing": b"Exif\0\0",
        "no order of bytes": b"Exif\0\0XX" + good[8:],
        "cut": good[:16],
        "a directory that is not there": good[:10] + b"\xff\xff\xff\x7f" + good[14:],
        "ones": b"Exif\0\0II*\0" + b"\xff" * 64,
    }.items():
        content = saved(drawing(), "JPEG", quality=95, exif=data)
        yield Picture(f"EXIF data, {name}", content, None, COLOURS, True)
    thumbnail = exif(1).tobytes() + photo(3)
    yield Picture(
        "EXIF data and a thumbnail",
        saved(drawing(), "JPEG", quality=95, exif=thumbnail),
        None,
        COLOURS,
        True,
    )
    cut = saved(Image.open(io.BytesIO(photo(5, (400, 300)))), "JPEG", quality=95, exif=thumbnail)
    yield Picture("cut short behind a thumbnail", cut[:-2], CUT)


def exif(orientation) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010F] = "a camera"
    return data


def _transparent() -> Iterator[Picture]:
    """Pictures that are transparent in their last quarter, which is to become white."""
    seen = COLOURS.copy()
    seen[1, 1] = 255
    alpha = np.full((SIDE, SIDE), 255, np.uint8)
    alpha[SIDE // 2 :, SIDE // 2 :] = 0
    mask = Image.fromarray(alpha)
    rgba = drawing().convert("RGBA")
    rgba.putalpha(mask)
    for kind, options in {
        "PNG": {},
        "WEBP": {"lossless": True},
        "TIFF": {},
        "JPEG2000": {},
        "GIF": {},
        "AVIF": {"quality": 95},
    }.items():
        yield Picture(f"transparent {kind}", saved(rgba, kind, **options), None, seen)
    la = drawing().convert("LA")
    la.putalpha(mask)
    seen_grey = grey()
    seen_grey[1, 1] = 255
    for kind in ("PNG", "TIFF", "JPEG2000"):
        yield Picture(f"transparent grey {kind}", saved(la, kind), None, seen_grey)
    palette = drawing().quantize(8)
    hidden = palette.getpixel((SIDE - 1, SIDE - 1))
    table = bytes(0 if index == hidden else 255 for index in range(8))
    yield Picture("palette, one hidden", saved(palette, "PNG", transparency=hidden), None, seen)
    yield Picture("palette, table of alpha", saved(palette, "PNG", transparency=table), None, seen)
    yield Picture("GIF, one hidden", saved(palette, "GIF", transparency=hidden), None, seen)
    colour = tuple(int(value) for value in COLOURS[1, 1])
    yield Picture("hidden colour", saved(drawing(), "PNG", transparency=colour), None, seen)
    level = drawing().convert("L").getpixel((SIDE - 1, SIDE - 1))
    content = saved(drawing().convert("L"), "PNG", transparency=level)
    yield Picture("hidden grey", content, None, seen_grey)
    half = drawing().convert("RGBA")
    half.putalpha(128)
    yield Picture("half transparent", saved(half, "PNG"), None, (COLOURS + 255.0) / 2)
    nothing = Image.new("RGBA", (SIDE, SIDE))
    yield Picture("all transparent", saved(nothing, "PNG"), None, np.full((2, 2, 3), 255))


def _deep() -> Iterator[Picture]:
    """Pictures of 16 and 32 bits and of floating point."""
    level = np.asarray(drawing().convert("L")).astype(np.float64)
    rgb = np.asarray(drawing()).astype(">u2") * 257
    yield Picture("16 bits, colour PNG", png16(rgb), None, COLOURS)
    alpha = np.concatenate([rgb, np.full((SIDE, SIDE, 1), 65535, ">u2")], axis=2)
    yield Picture("16 bits, alpha PNG", png16(alpha), None, COLOURS)
    pgm = b"P5 %d %d 65535\n" % (SIDE, SIDE) + (level * 257).astype(">u2").tobytes()
    yield Picture("16 bits, PGM", pgm, None, grey())
    ppm = b"P6 %d %d 65535\n" % (SIDE, SIDE) + rgb.tobytes()
    yield Picture("16 bits, PPM", ppm, None, COLOURS)
    floats = {
        "0 to 1": level / 255,
        "0 to 255": level,
        "0 to 65535": level * 257,
        "nothing but 0": level * 0,
    }
    for name, values in floats.items():
        expected = np.zeros((2, 2, 3)) if name.startswith("nothing") else grey()
        content = saved(Image.fromarray(values.astype(np.float32)), "TIFF")
        yield Picture(f"floats from {name}", content, None, expected)
    stretched = (grey() - grey().min()) * 255 / (grey().max() - grey().min())
    for name, values in {"negative": level - 1000, "huge": level * 1e30}.items():
        content = saved(Image.fromarray(values.astype(np.float32)), "TIFF")
        yield Picture(f"floats, {name}", content, None, stretched)
    broken = level / 255
    broken[0, :3] = np.nan, np.inf, -np.inf
    content = saved(Image.fromarray(broken.astype(np.float32)), "TIFF")
    yield Picture("floats, not all of them numbers", content, None, grey())
    for name, values in {"negative": level - 70_000, "huge": level * 8_000_000}.items():
        content = saved(Image.fromarray(values.astype(np.int32)), "TIFF")
        yield Picture(f"32 bits, {name}", content, None, stretched)
    lab = ImageCms.profileToProfile(
        drawing(), srgb(), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    yield Picture("LAB", saved(lab, "TIFF"), None, COLOURS)


def png16(values) -> bytes:
    """A PNG file of 16 bits a channel, which Pillow cannot write in colour."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    return png(header, zlib.compress(rows))


def png(header, data, *extra) -> bytes:
    chunks = [(b"IHDR", header), *extra, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _moving() -> Iterator[Picture]:
    """Animations, of which the first picture counts."""
    later = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("white", "black")]
    for kind, options in {
        "GIF": {"loop": 0},
        "WEBP": {"lossless": True},
        "PNG": {},
        "TIFF": {},
        "AVIF": {"quality": 95},
    }.items():
        content = saved(drawing(), kind, save_all=True, append_images=later, **options)
        yield Picture(f"several pictures, {kind}", content, None, COLOURS)


def _cut() -> Iterator[Picture]:
    """Files that end too early, at many places."""
    whole = {
        "JPEG": photo(1, (320, 240)),
        "progressive JPEG": photo(2, (320, 240), progressive=True),
    }
    picture = Image.open(io.BytesIO(whole["JPEG"])).convert("RGB")
    for kind in ("PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF"):
        whole[kind] = saved(picture, kind)
    whole["LZW TIFF"] = saved(picture, "TIFF", compression="tiff_lzw")
    for kind, content in whole.items():
        for percent in (1, 5, 10, 25, 50, 75, 90, 97):
            end = len(content) * percent // 100
            yield Picture(f"{kind}, {percent} percent of it", content[:end], CUT)
    for kind in ("JPEG", "progressive JPEG"):
        for missing in (1, 2, 10, 100):
            yield Picture(f"{kind} without {missing}", whole[kind][:-missing], CUT)
        end = len(whole[kind]) // 2
        ended = whole[kind][:end] + b"\xff\xd9"
        yield Picture(f"half a {kind} with an end", ended, "")


def _flipped() -> Iterator[Picture]:
    """Files with a few wrong bits, which may show or not."""
    chance = random.Random(0)
    for kind, content in {
        "JPEG": photo(1),
        "PNG": saved(drawing(), "PNG"),
        "GIF": saved(drawing(), "GIF"),
        "TIFF": saved(drawing(), "TIFF"),
        "WEBP": saved(drawing(), "WEBP"),
        "BMP": saved(drawing(), "BMP"),
    }.items():
        for count in range(8):
            flipped = bytearray(content)
            for _ in range(1 + count % 4):
                # In the header in every other file.
                at = chance.randrange(len(content) if count % 2 else min(200, len(content)))
                flipped[at] ^= 1 << chance.randrange(8)
            yield Picture(f"{kind} with wrong bits, {count}", bytes(flipped), "")


def _no_pictures() -> Iterator[Picture]:
    """Files that are no pictures at all."""
    yield Picture("empty", b"", "empty")
    for name, content in {
        "one byte": b"\xff",
        "text": b"This is no picture.\n" * 50,
        "a web page": b"<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>',
        "EPS": saved(drawing(), "EPS"),
        "PDF": saved(drawing(), "PDF"),
        "ICO": saved(drawing(), "ICO"),
        "an archive": b"PK\5\6" + bytes(18),
        "a pickle": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
        "a script": b"#!/bin/sh\nrm -rf /tmp/nothing\n",
        "random bytes": random.Random(1).randbytes(5000),
        "text in UTF-16": "no picture".encode("utf-16"),
        "the start of a JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF\0",
        "the start of a PNG": b"\x89PNG\r\n\x1a\n",
        "the start of a GIF": b"GIF89a",
        "the start of a TIFF": b"II*\0",
        "the start of a WebP": b"RIFF\x10\0\0\0WEBPVP8 ",
        "the start of a BMP": b"BM" + bytes(12),
        "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
        "a JPEG of 0 x 0": _resized_jpeg(0, 0),
    }.items():
        yield Picture(name, content, OTHER)


def _sizes() -> Iterator[Picture]:
    """Pictures of unusual sizes."""
    for size in ((1, 1), (1, 1000), (1000, 1), (7, 100), (100, 7)):
        for kind in ("JPEG", "PNG"):
            content = saved(Image.new("RGB", size, "red"), kind)
            yield Picture(f"{kind} of {size[0]} x {size[1]}", content, "too few")
    for size in ((8, 8), (9, 1000), (20_000, 8), (8, 20_000), (2600, 2000)):
        content = saved(Image.new("RGB", size, "red"), "PNG")
        red = np.broadcast_to([255, 0, 0], (2, 2, 3))
        yield Picture(f"PNG of {size[0]} x {size[1]}", content, None, red)
    content = saved(Image.new("L", (70_000, 8)), "PNG")
    yield Picture("PNG of 70,000 x 8", content, "in a row")


def _resized_jpeg(width, height) -> bytes:
    """A small JPEG whose header lies about its size."""
    content = bytearray(photo(4))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def _bombs() -> Iterator[Picture]:
    """Small files that claim, or have, so many pixels that they would fill the memory."""
    for side in (8_000, 50_000, 2_000_000_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        yield Picture(f"PNG claims {side:,} a side", png(header, zlib.compress(b"")), LARGE)
    rows = zlib.compress(bytes(20_000 * (1 + 20_000 // 8)), 9)
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    yield Picture("PNG that has 20,000 a side", png(header, rows), LARGE)
    yield Picture("JPEG claims 65,500 a side", _resized_jpeg(65_500, 65_500), LARGE)
    gif = bytearray(saved(drawing(), "GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    yield Picture("GIF claims 65,535 a side", bytes(gif), LARGE)
    bmp = bytearray(saved(drawing(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 2**30, 2**30)
    yield Picture("BMP claims 2**30 a side", bytes(bmp), LARGE)
    yield Picture("PPM claims 99,999 a side", b"P6 99999 99999 255\n" + bytes(100), LARGE)
    tiff = saved(Image.new("1", (10_000, 10_000)), "TIFF", compression="group4")
    yield Picture("TIFF that has 10,000 a side", tiff, LARGE)
    webp = saved(Image.new("RGB", (16_000, 3_200)), "WEBP", lossless=True, method=0)
    yield Picture("WebP that has 16,000 x 3,200", webp, LARGE)
    small = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(8 * 9))
    zeros = zlib.compress(bytes(200 * 2**20), 9)
    bombs = {b"zTXt": b"key\0\0" + zeros, b"iCCP": b"key\0\0" + zeros}
    bombs[b"iTXt"] = b"key\0\1\0\0\0" + zeros
    for name, body in bombs.items():
        yield Picture(f"PNG with a bomb in {name.decode()}", png(small, pixels, (name, body)), "")
    yield Picture("PNG with a bomb of pixels", png(small, zeros), "")


def _tiffs() -> Iterator[Picture]:
    """TIFF files packed in several ways, and broken inside."""
    for method in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        content = saved(drawing(), "TIFF", compression=method)
        yield Picture(f"TIFF, {method}", content, None, COLOURS)
    content = bytearray(saved(drawing(), "TIFF"))
    for name, at in {"far away": 2**31, "in itself": 4, "at 0": 0}.items():
        content[4:8] = struct.pack("<I", at)
        yield Picture(f"TIFF with a directory {name}", bytes(content), CUT)
    many = b"II*\0\x08\0\0\0" + b"\xff\xff" + b"\x01\x01\x03\0\x01\0\0\0\1\0\0\0" * 1000
    yield Picture("TIFF with a huge directory", many, CUT)
