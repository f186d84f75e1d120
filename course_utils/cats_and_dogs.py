"""Cats and dogs: photos where they are on disk, else drawings, each in three parts.

Both are class folders on disk, made at the first use: see ``picture_folders`` for your own.
"""

from pathlib import Path

import numpy as np

from course_utils import drawings, picture_folders
from course_utils.data import prepared_photos
from course_utils.data.catalogue import how_to_get
from course_utils.data.settings import DataError, Tier, forced_tier, made_folder
from course_utils.datasets import Dataset


def load(photo_size: int = 150, drawing_size: int = 64, tier: Tier | None = None) -> Dataset:
    """Return cats and dogs in three parts, for training, validation and test.

    Photos that are on disk but not prepared yet are prepared first; pictures that are not
    drawn yet are drawn first. Either happens once.

    Parameters
    ----------
    photo_size, drawing_size : int
        Height and width in pixels of the photos, and of the drawings.
    tier : {"real", "embedded"}, optional
        Photos or drawings; what is on disk decides if not given.

    Returns
    -------
    Dataset
        Colour pictures, with a validation part; class 0 is "cat", class 1 is "dog".

    Raises
    ------
    DataError
        If the photos are asked for, here or by ``COURSE_TIER=real``, and are not on disk, or if
        files are broken.
    """
    where, tier = _locate(drawing_size, tier)
    if tier == "real":
        return _as_dataset(where, "dogs_vs_cats", "Dogs vs Cats (photos)", tier, photo_size)
    return _as_dataset(where, "drawn_cats_and_dogs", "Drawn cats and dogs", tier, drawing_size)


def tier() -> Tier:
    """Return which pictures `load` takes: photos where they are on disk, else drawings.

    Like `load`, it first prepares photos that are on disk but not prepared yet, or draws the
    pictures that are not drawn yet, which may take minutes. Either happens once.

    Returns
    -------
    {"real", "embedded"}

    Raises
    ------
    DataError
        As `load`.
    """
    return _locate(64)[1]


def folder(drawing_size: int = 64, tier: Tier | None = None) -> Path:
    """Return the folder of the cats and dogs that `load` takes, made first if need be.

    Parameters
    ----------
    drawing_size : int
        Height and width in pixels of the drawings, where there are no photos.
    tier : {"real", "embedded"}, optional
        Photos or drawings; what is on disk decides if not given.

    Returns
    -------
    pathlib.Path
        It holds ``train``, ``validation`` and ``test``, each with a folder for each class.

    Raises
    ------
    DataError
        As `load`.
    """
    return _locate(drawing_size, tier)[0]


def _locate(drawing_size: int, tier: Tier | None = None) -> tuple[Path, Tier]:
    """Find the folder of photos, else that of drawings, and say which it is."""
    if tier not in ("real", "embedded", None):
        raise ValueError(f"tier is {tier!r}; expected 'real' or 'embedded'.")
    asked, tier = tier, tier or forced_tier()
    photo_folder = prepared_photos.ensure() if tier != "embedded" else None
    if photo_folder is not None:
        return photo_folder, "real"
    if tier == "real":
        why, otherwise = ("tier", "leave it out") if asked else ("COURSE_TIER", "unset it")
        raise DataError(
            f"{why} is 'real', but there are no photos of cats and dogs on disk. "
            f"Run {how_to_get('dogs_vs_cats')}, or {otherwise}."
        )
    target = made_folder() / f"drawn-cats-and-dogs-{drawing_size}"
    return drawings.make_set(target, drawing_size), "embedded"


def drawn(
    split: str, count: int, size: int = 64, groups: bool = False
) -> tuple[np.ndarray, drawings.Annotations]:
    """Return drawings, and where in them the heads of cats and dogs are.

    They are drawn at the first use. Those with one animal are the same as `load` has, and as
    many more as are asked for.

    Parameters
    ----------
    split : {"train", "validation", "test"}
    count : int
        Drawings of each kind; with `groups`, of all.
    size : int
        Height and width of the drawings in pixels.
    groups : bool
        Whether to put up to three cats and dogs in a picture, and other things among them.

    Returns
    -------
    pictures : ndarray of uint8, shape (N, size, size, 3)
        With one animal each: all cats, then all dogs.
    found : drawings.Annotations
        ``kinds``, ``boxes`` and ``landmarks`` of each cat and dog, and the number of its picture.

    Raises
    ------
    ValueError
        If an argument is out of range.
    DataError
        If files are broken, or the disk cannot be written to.
    """
    if count < 1:
        raise ValueError(f"count is {count}; expected 1 drawing or more.")
    kinds = (drawings.GROUP,) if groups else drawings.CATS_AND_DOGS
    where = made_folder() / f"drawn-{'groups' if groups else 'heads'}-{size}-{split}-{count}"
    scene = drawings.GROUPS if groups else None
    drawings.make_set(where, size, {split: count}, kinds, scene=scene)
    found = drawings.read_annotations(where, split)
    return picture_folders.read(where / split, size, kinds).x, found


def _as_dataset(folder: Path, name: str, title: str, tier: Tier, size: int) -> Dataset:
    """Read the three parts of a set."""
    classes = prepared_photos.CLASS_NAMES
    parts = [
        picture_folders.read(folder / part, size, classes) for part in prepared_photos.PER_CLASS
    ]
    for part in parts:
        for path, why in part.left_out.items():
            # Files of other kinds do no harm beside the pictures.
            if path.suffix in (".jpg", ".png"):
                raise DataError(
                    f"{path}, a picture of {title}, cannot be read: {why}. "
                    f"Move {folder} away; it is then made again."
                )
    train, validation, test = ((part.x, part.y) for part in parts)
    return Dataset(name, title, tier, *train, *test, classes, *validation)
