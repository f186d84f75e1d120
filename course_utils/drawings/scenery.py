"""What surrounds a drawn animal: backgrounds, things that lie about, occluders and light."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from course_utils.drawings.coats import any_colour, mixed
from course_utils.drawings.shapes import Shape, bend, ellipse, ribbon, smooth, turned


def background(rng: np.random.Generator, canvas: int, texture: float) -> Image.Image:
    """Paint soft clouds of colour and, more or less strongly, a texture over them.

    Parameters
    ----------
    rng : numpy.random.Generator
    canvas : int
        Side in pixels.
    texture : float
        From 0, one plain colour, to 1.

    Returns
    -------
    PIL.Image.Image
    """
    base, other = any_colour(rng), any_colour(rng)
    shares = rng.random((3, 3, 1)) * texture
    clouds = np.array(base) + (np.array(other) - base) * shares
    image = Image.fromarray(np.rint(clouds).astype(np.uint8))
    image = image.resize((canvas, canvas), Image.Resampling.BICUBIC)
    ink = mixed(base, any_colour(rng), 0.6 * texture)
    kind = rng.integers(6)
    if texture > 0:
        brush = ImageDraw.Draw(image)
        for points in (_nothing, _floor, _bands, _dots, _tiles, _grass)[kind](rng):
            brush.polygon((points * canvas).ravel().tolist(), fill=ink)
    return image


def _nothing(rng: np.random.Generator) -> list[np.ndarray]:
    """Leave the clouds as they are."""
    return []


def _floor(rng: np.random.Generator) -> list[np.ndarray]:
    """Draw a floor, with its edge anywhere and a little askew."""
    left, right = rng.uniform(0.45, 0.85) + rng.normal(0, 0.05, 2)
    return [np.array([(0, left), (1, right), (1, 1), (0, 1)])]


def _bands(rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the bands of a wallpaper, in any direction."""
    gap, angle = rng.uniform(0.08, 0.2), rng.uniform(0, np.pi)
    line = np.array([(-0.8, 0.0), (0.8, 0.0)])
    bands = [ribbon(line + (0, y), gap * 0.25, gap * 0.25) for y in np.arange(-0.8, 0.8, gap)]
    return [turned(band, angle) + 0.5 for band in bands]


def _dots(rng: np.random.Generator) -> list[np.ndarray]:
    """Draw dots on a slanting grid."""
    gap, angle = rng.uniform(0.12, 0.2), rng.uniform(0, np.pi)
    steps = np.arange(-0.75, 0.75, gap)
    places = turned(np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2), angle) + 0.5
    seen = places[((places > -0.1) & (places < 1.1)).all(axis=1)]
    size = gap * rng.uniform(0.16, 0.3)
    dot = ellipse(0, 0, size, size, 0.0, 14)
    return [dot + place for place in seen]


def _tiles(rng: np.random.Generator) -> list[np.ndarray]:
    """Draw a slanting chequerboard."""
    gap, angle = rng.uniform(0.14, 0.24), rng.uniform(0, np.pi)
    steps = np.arange(-6, 6)
    square = np.array([(0, 0), (gap, 0), (gap, gap), (0, gap)])
    tiles = [square + (i * gap, j * gap) for i in steps for j in steps if (i + j) % 2]
    return [turned(tile, angle) + 0.5 for tile in tiles if np.abs(tile).max() < 0.9]


def _grass(rng: np.random.Generator) -> list[np.ndarray]:
    """Draw blades that stand about."""
    places = rng.uniform(0, 1.1, (44, 2))
    heights = rng.uniform(0.05, 0.13, 44)
    leans = rng.normal(0, 0.03, 44)
    return [
        np.array([(x - 0.012, y), (x + lean, y - high), (x + 0.012, y)])
        for (x, y), high, lean in zip(places, heights, leans, strict=True)
    ]


def distractor(rng: np.random.Generator) -> list[Shape]:
    """Draw something that may lie about, about two units wide and centred at 0, 0.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    list of Shape
    """
    things = (_ball, _box, _cushion, _lamp, _bone, _fish, _leaves, _book, _fruit)
    return things[int(rng.integers(len(things)))](rng)


def _ball(rng: np.random.Generator) -> list[Shape]:
    """Draw a ball with a band."""
    band = ribbon(bend((-0.95, 0.2), (0, rng.uniform(-0.4, 0.8)), (0.95, 0.2)), 0.16, 0.16)
    return [Shape(ellipse(0, 0, 1, 1), "collar"), Shape(band, "light", 0.0)]


def _box(rng: np.random.Generator) -> list[Shape]:
    """Draw a box with a lid."""
    high = rng.uniform(0.5, 0.9)
    side = np.array([(-0.9, -high), (0.9, -high), (0.9, high), (-0.9, high)])
    lid = np.array([(-1, -high), (1, -high), (1, -high + 0.34), (-1, -high + 0.34)])
    return [Shape(side, "coat"), Shape(lid, "second")]


def _cushion(rng: np.random.Generator) -> list[Shape]:
    """Draw a cushion with pulled corners."""
    corners = [(-1, -0.8), (0, -0.6), (1, -0.8), (0.85, 0), (1, 0.8), (0, 0.6)]
    corners += [(-1, 0.8), (-0.85, 0)]
    return [Shape(smooth(corners), "coat"), Shape(ellipse(0, 0, 0.1, 0.1, 0.0, 8), "nose", 0.0)]


def _lamp(rng: np.random.Generator) -> list[Shape]:
    """Draw a lamp with a shade."""
    shade = np.array([(-0.4, -1), (0.4, -1), (0.75, 0), (-0.75, 0)])
    foot = np.array([(-0.08, 0), (0.08, 0), (0.1, 0.9), (0.4, 1), (-0.4, 1), (-0.1, 0.9)])
    return [Shape(foot, "nose"), Shape(shade, "iris")]


def _bone(rng: np.random.Generator) -> list[Shape]:
    """Draw a bone."""
    knobs = [ellipse(x, y, 0.26, 0.26, 0.0, 12) for x in (-0.75, 0.75) for y in (-0.2, 0.2)]
    shaft = np.array([(-0.7, -0.18), (0.7, -0.18), (0.7, 0.18), (-0.7, 0.18)])
    return [*(Shape(knob, "light") for knob in knobs), Shape(shaft, "light", 0.0)]


def _fish(rng: np.random.Generator) -> list[Shape]:
    """Draw a fish."""
    tail = np.array([(0.5, 0), (1.1, -0.45), (0.95, 0), (1.1, 0.45)])
    return [
        Shape(tail, "second"),
        Shape(ellipse(-0.15, 0, 0.85, 0.45), "coat"),
        Shape(ellipse(-0.6, -0.1, 0.1, 0.1, 0.0, 8), "pupil", 0.0),
    ]


def _leaves(rng: np.random.Generator) -> list[Shape]:
    """Draw the leaves of a plant in a pot."""
    pot = np.array([(-0.4, 0.3), (0.4, 0.3), (0.28, 1), (-0.28, 1)])
    leaves = [
        turned(ellipse(0, -0.6, 0.17, 0.62), angle, (0, 0.3)) for angle in rng.normal(0, 0.6, 5)
    ]
    return [*(Shape(leaf, "iris") for leaf in leaves), Shape(pot, "coat")]


def _book(rng: np.random.Generator) -> list[Shape]:
    """Draw a book."""
    cover = np.array([(-0.7, -0.95), (0.7, -0.95), (0.7, 0.95), (-0.7, 0.95)])
    label = np.array([(-0.35, -0.6), (0.45, -0.6), (0.45, -0.2), (-0.35, -0.2)])
    return [Shape(cover, "tongue"), Shape(label, "white", 0.0)]


def _fruit(rng: np.random.Generator) -> list[Shape]:
    """Draw an apple with its leaf."""
    apple = [(0, -0.6), (0.6, -0.8), (0.95, -0.1), (0.5, 0.85), (0, 0.75), (-0.5, 0.85)]
    apple += [(-0.95, -0.1), (-0.6, -0.8)]
    return [
        Shape(smooth(apple), "tongue"),
        Shape(ellipse(0.25, -0.95, 0.3, 0.13, -0.5, 12), "iris"),
    ]


def occluder(rng: np.random.Generator) -> list[Shape]:
    """Draw something that may stand before the animal; its long side goes up and down.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    list of Shape
        The first shape is the whole outline; its inner edge lies at x = 0, the rest to the right.
    """
    kind = rng.integers(4)
    if kind == 0:  # a post
        wide = rng.uniform(0.25, 0.5)
        outline = np.array([(0, -9), (wide, -9), (wide, 9), (0, 9)], float)
        return [Shape(outline, "coat")]
    if kind == 1:  # a leaf
        outline = np.concatenate([bend((1, -2), (-1, 0), (1, 2)), bend((1, 2), (3, 0), (1, -2))])
        return [Shape(outline, "iris"), Shape(np.array([(1, -1.7), (1, 1.7)]), None, 0.08)]
    if kind == 2:  # a large ball
        return [
            Shape(ellipse(1.6, 0, 1.6, 1.6), "collar"),
            Shape(ellipse(1.6, 0, 0.8, 0.8), "light", 0.0),
        ]
    outline = np.array([(0, -1.4), (2.6, -1.4), (2.6, 1.4), (0, 1.4)])
    return [Shape(outline, "second"), Shape(outline * (1, 0.3), "light", 0.0)]


def lit(
    picture: np.ndarray, rng: np.random.Generator, light: float, blur: float, noise: float
) -> np.ndarray:
    """Light a picture from one side, tint it, blur it and add noise.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, H, 3)
    rng : numpy.random.Generator
    light : float
        Largest relative change of brightness and contrast.
    blur : float
        Largest standard deviation of the blur, as a share of the side.
    noise : float
        Largest standard deviation of the noise, where 1 is the range from black to white.

    Returns
    -------
    ndarray of uint8, shape (H, H, 3)
    """
    side = len(picture)
    gain, slope = 1 + light * rng.uniform(-1, 1), light * rng.uniform(0, 1)
    angle, lift = rng.uniform(0, 2 * np.pi), light * rng.uniform(-0.5, 0.5)
    tint = 1 + 0.4 * light * rng.uniform(-1, 1, 3)
    radius, grain = blur * rng.uniform(0, 1) * side, noise * rng.uniform(0.2, 1)
    if radius > 0:
        soft = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius))
        picture = np.asarray(soft)
    values = picture.astype(np.float32)
    across = np.linspace(-1, 1, side, dtype=np.float32)
    ramp = 1 + slope * (np.cos(angle) * across + np.sin(angle) * across[:, None])
    values = (values - 128) * (gain * ramp[..., None] * tint).astype(np.float32)
    values += 128 * (1 + lift)
    if grain > 0:
        values += 255 * grain * _grain(rng, side)
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _grain(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return the same noise at any size: it is drawn for 64 pixels, and enlarged or reduced."""
    noise = rng.standard_normal((64, 64, 3), dtype=np.float32)
    if side == 64:
        return noise
    channels = [
        Image.fromarray(noise[..., i]).resize((side, side), Image.Resampling.BILINEAR)
        for i in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
