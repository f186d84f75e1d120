"""Any picture's bytes as those of an upright RGB JPEG, or a reason why they cannot be used.

A file from the web may be damaged, of another kind than its name says, or made to fill the
memory. So its size is looked at first, and then it is decoded in full.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from course_utils.data.settings import DataError

if TYPE_CHECKING:
    from PIL import Image

# EPS and other kinds that are programs rather than pictures are not opened at all.
_KINDS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF")
# What else people have, by the bytes at a place in the file, and what can be done about it.
_FILM = "a film; save single pictures of it"
_OTHERS = (
    (128, b"DICM", "a DICOM file of a medical device; save it as PNG, say with pydicom"),
    (0, b"%PDF", "a PDF document; save its pages as PNG"),
    (0, b"<svg", "an SVG drawing; save it as PNG"),
    (0, b"PK\3\4", "an archive; unpack it"),
    (4, b"ftypcrx", "the raw data of a camera; save it as JPEG with the camera's program"),
    *((4, b"ftyp" + brand, _FILM) for brand in (b"iso", b"mp4", b"qt", b"M4V", b"3gp", b"avc1")),
    (0, b"\x1aE\xdf\xa3", _FILM),
)
_MOST_PIXELS = 50_000_000
_LEAST_SIDE, _LONGEST_SIDE = 8, 65_500
_EXIF_ORIENTATION = 0x0112
# Several large pictures decoded side by side would need gigabytes.
_LARGE_PIXELS = 4_000_000
_one_large_at_a_time = threading.Lock()


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Let Pillow refuse files that are cut short, and print no warnings.

    These settings count for all threads. At the end of the ``with`` block they are again as the
    user had them.

    Examples
    --------
    >>> from PIL import ImageFile
    >>> with strict_pillow():
    ...     ImageFile.LOAD_TRUNCATED_IMAGES
    False
    """
    from PIL import Image, ImageFile

    _learn_heif()
    Image.init()
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def as_jpeg(content: bytes) -> bytes:
    """Return a picture as an upright RGB JPEG: the bytes themselves where they are one.

    Of an animation, it is the first picture. What is transparent becomes white.

    Parameters
    ----------
    content : bytes
        The file of a JPEG, PNG, GIF, BMP, WebP, TIFF, PPM, JPEG 2000, AVIF or HEIF picture, with 8
        pixels or more in each direction and 50 million at most. Several threads may each have
        one converted, all within one ``strict_pillow`` block.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        If the picture is damaged or cannot be used; the message is a reason, such as "it is
        cut short".
    MemoryError
        If this machine has too little memory for it.

    Notes
    -----
    A JPEG with a few flipped bits may decode without any error, to a picture with a smudge. It
    is returned as it is.

    Examples
    --------
    >>> from PIL import Image
    >>> png = BytesIO()
    >>> Image.new("L", (30, 20), "white").save(png, "PNG")
    >>> Image.open(BytesIO(as_jpeg(png.getvalue())))
    <PIL.JpegImagePlugin.JpegImageFile image mode=RGB size=30x20 at ...>
    >>> as_jpeg(b"This is no picture.")
    Traceback (most recent call last):
    course_utils.data.settings.DataError: it is no picture of a kind that is read here (JPEG, PNG, ...)
    """  # noqa: E501
    with opened(content) as picture:
        _check_size(*picture.size)
        is_large = picture.size[0] * picture.size[1] > _LARGE_PIXELS
        with _one_large_at_a_time if is_large else nullcontext():
            loaded(picture)
            _check_size(*picture.size)
            if (picture.format, picture.mode, _orientation(picture)) == ("JPEG", "RGB", 1):
                return content
            upright = upright_rgb(picture)
            upright.info = {}
            jpeg = BytesIO()
            upright.save(jpeg, "JPEG", quality=95, subsampling="4:4:4")
            return jpeg.getvalue()


def opened(content: bytes) -> "Image.Image":
    """Open a picture by its content, whatever the file is called.

    Parameters
    ----------
    content : bytes
        As for `as_jpeg`, but of any size. To be used within a ``strict_pillow`` block.

    Returns
    -------
    PIL.Image.Image
        Not decoded yet.

    Raises
    ------
    DataError
        If it is no picture, or the course does not read it; the message is a reason.

    Examples
    --------
    >>> opened(bytes(128) + b"DICM")
    Traceback (most recent call last):
    course_utils.data.settings.DataError: it is a DICOM file of a medical device; save it as ...
    """
    from PIL import Image

    with _reasons(content):
        return Image.open(BytesIO(content), formats=_KINDS)


def loaded(picture: "Image.Image") -> "Image.Image":
    """Decode a picture that was opened; raise a DataError with a reason if it is damaged."""
    with _reasons():
        picture.load()
    return picture


@contextmanager
def _reasons(content: bytes = b"") -> Iterator[None]:
    """Turn what Pillow raises for a file that it cannot read into a reason."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except MemoryError:
        raise  # this machine's trouble, which says nothing about the picture
    except UnidentifiedImageError as error:
        known = (what for at, start, what in _OTHERS if content[at : at + len(start)] == start)
        kind = next(known, "no picture of a kind that is read here (JPEG, PNG, ...)")
        raise DataError(f"it is {kind}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError("it has too many pixels") from error
    except Exception as error:  # Pillow raises a dozen kinds of exception for a damaged file
        cut = "truncated" in str(error)
        raise DataError("it is cut short" if cut else "it is damaged") from error


@cache
def _learn_heif() -> None:
    """Let Pillow read the pictures of telephones."""
    from pi_heif import register_heif_opener

    register_heif_opener()


def upright_rgb(picture: "Image.Image") -> "Image.Image":
    """Decode a picture of any mode to an upright one in RGB, 8 bits for each channel.

    Parameters
    ----------
    picture : PIL.Image.Image
        As Pillow opens it, so with the EXIF data that says which side is up. Of an animation,
        the current picture is taken.

    Returns
    -------
    PIL.Image.Image
        Another picture, of mode "RGB". What is transparent is white. Grey values of 16 or 32
        bits, or of floating point, are scaled to 0 to 255: white is the first of 1 (floating
        point only), 255 and 65,535 that no value exceeds, else the largest value.

    Raises
    ------
    DataError
        If the file is damaged; the message is a reason.

    Examples
    --------
    >>> from PIL import Image
    >>> upright_rgb(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0))
    (255, 255, 255)
    >>> upright_rgb(Image.new("I;16", (1, 1), 39321)).getpixel((0, 0))
    (153, 153, 153)
    """
    loaded(picture)  # some kinds of file have their EXIF data at the end
    return _turned(_rgb(picture), _orientation(picture))


def _check_size(width: int, height: int) -> None:
    """Refuse a picture by the size in its header, before memory is spent on it."""
    if width * height > _MOST_PIXELS:
        raise DataError(f"it has more than {_MOST_PIXELS // 10**6} million pixels")
    if min(width, height) < _LEAST_SIDE:
        raise DataError(f"it has {width} x {height} pixels, too few to show anything")
    if max(width, height) > _LONGEST_SIDE:
        raise DataError(f"it has {width} x {height} pixels, too many in a row for a JPEG")


def _orientation(picture: "Image.Image") -> int:
    """Return the EXIF orientation, 1 (upright) to 8; 1 where the EXIF data is damaged."""
    try:
        said = picture.getexif().get(_EXIF_ORIENTATION, 1)
        return said if said in range(1, 9) else 1
    except Exception:
        return 1


def _turned(picture: "Image.Image", orientation: int) -> "Image.Image":
    """Turn a picture upright."""
    from PIL.Image import Transpose as T

    # ImageOps.exif_transpose also writes the EXIF data anew, which fails where it is damaged.
    turns = [T.FLIP_LEFT_RIGHT, T.ROTATE_180, T.FLIP_TOP_BOTTOM, T.TRANSPOSE]
    turns += [T.ROTATE_270, T.TRANSVERSE, T.ROTATE_90]
    return picture.transpose(turns[orientation - 2]) if orientation > 1 else picture


def _rgb(picture: "Image.Image") -> "Image.Image":
    """Convert a picture of any mode to RGB."""
    from PIL import Image

    if picture.mode == "F" or picture.mode.startswith("I"):
        picture = Image.fromarray(_eight_bits(np.asarray(picture)))
    with _reasons():
        if not picture.has_transparency_data:
            return picture.convert("RGB")
        picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Scale grey values of 16 or 32 bits, or of floating point, to 0 to 255.

    A file of these kinds need not say which value is white. It is taken to be the first of
    1 (floating point only), 255 and 65,535 that no value exceeds; else, black is the smallest
    value and white the largest.
    """
    whites = (255, 65_535) if values.dtype.kind in "iu" else (1, 255, 65_535)
    values = np.nan_to_num(values.astype(np.float32), copy=False, posinf=0, neginf=0)
    black, high = 0.0, float(values.max())
    white = next((white for white in whites if high <= white), None)
    if white is None or values.min() < 0:
        black, white = float(values.min()), high
    values -= black
    values *= 255 / ((white - black) or 1)
    return np.rint(values, out=values).astype(np.uint8)
