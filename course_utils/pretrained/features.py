"""Run a base over pictures once, and keep the feature maps on disk.

They lie in the folder ``features``, each array under a name that is computed from everything
it depends on: base, weights, preprocessing, and every byte of the pictures. So a change of any
of these gives other features, never old ones. The folder may be deleted at any time.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.backend import keras
from course_utils.data.kept_arrays import keep, read_kept
from course_utils.data.settings import made_folder
from course_utils.pretrained import bases

# To be raised when this module computes features in another way than before.
_EDITION = 2


def extract(
    base: keras.Model,
    pictures: np.ndarray,
    preprocessing: keras.layers.Layer | None = None,
    batch_size: int = 32,
    folder: Path | None = None,
    progress: bool = True,
) -> np.ndarray:
    """Return the feature maps of pictures, computed by a base, or read where they were before.

    It stands for ``base.predict(preprocessing(pictures / 255))``, and ``np.save`` and ``np.load``.
    A file that is broken is never used: its features are computed again, with a message. Where
    they cannot be kept, they are returned all the same, with a message.

    Parameters
    ----------
    base : keras.Model
        As `bases.build` builds it, or any other functional or sequential model.
    pictures : ndarray of uint8, shape (N, H, W, 3)
        Of the height and width that the base was built for.
    preprocessing : keras.layers.Layer, optional
        What belongs in front, for pixels from 0 to 1; by default, that of the base of this name.
    batch_size : int
        Pictures that the base gets at a time: more need more memory.
    folder : pathlib.Path, optional
        Where to keep the features; if not given, ``features`` among what the course makes.
    progress : bool
        Whether to show a progress bar, in a terminal or a notebook.

    Returns
    -------
    ndarray of float32, shape (N, h, w, C)
        What the base computes when it is used, not trained, rounded to half precision, in which
        they are kept (up to 65,504): the same numbers come from disk as from the base.

    Raises
    ------
    ValueError
        If there is no picture, dtype or shape do not fit, or it is not known what belongs in
        front.

    Examples
    --------
    >>> import tempfile
    >>> base = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.MaxPooling2D(3)])
    >>> pictures = np.full((5, 6, 6, 3), 255, np.uint8)
    >>> as_they_are = keras.layers.Rescaling(1)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     maps = extract(base, pictures, as_they_are, folder=Path(place))
    >>> maps.shape, maps.max()
    ((5, 2, 2, 3), np.float32(1.0))
    """
    pictures = np.asarray(pictures)
    _check(base, pictures)
    prepare = bases.preprocessing(base) if preprocessing is None else preprocessing
    folder = made_folder() / "features" if folder is None else folder
    path = folder / f"{key(base, pictures, prepare)}.npz"
    kept = read_kept(path, [tuple(base.compute_output_shape(pictures.shape))])
    if kept is None:
        kept = [_compute(base, prepare, pictures, batch_size, progress)]
        keep(path, kept)
    return kept[0].astype(np.float32)


def key(base: keras.Model, pictures: np.ndarray, preprocessing: keras.layers.Layer) -> str:
    """Return the name under which features are kept.

    Parameters
    ----------
    base : keras.Model
    pictures : ndarray of uint8, shape (N, H, W, 3)
    preprocessing : keras.layers.Layer

    Returns
    -------
    str
        BLAKE2, in 64 hexadecimal digits, over the layers of the base and how they are
        connected, its weights, the preprocessing, and the pictures. The names of the layers do
        not count, nor whether they may be trained.
    """
    parts = [type(preprocessing).__name__, *map(_architecture, (preprocessing, base))]
    about = [_EDITION, parts, pictures.shape, str(pictures.dtype)]
    digest = hashlib.blake2b(json.dumps(about, default=str).encode(), digest_size=32)
    for weight in base.get_weights():
        digest.update(f"{weight.dtype} {weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight))
    digest.update(np.ascontiguousarray(pictures))
    return digest.hexdigest()


def _check(base: keras.Model, pictures: np.ndarray) -> None:
    """Refuse what the base cannot take."""
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or not len(pictures):
        raise ValueError(
            f"The pictures are {pictures.dtype} of shape {pictures.shape}; expected uint8 "
            "(N, H, W, 3), with N at least 1."
        )
    expected, found = base.input_shape[1:], pictures.shape[1:]
    if len(expected) != 3 or any(a not in (None, b) for a, b in zip(expected, found, strict=True)):
        raise ValueError(
            f"The pictures have the shape {found}, but {base.name!r} takes {expected}: read "
            "the pictures in the size of the base, or build the base in that of the pictures."
        )


def _architecture(base: keras.layers.Layer) -> Any:
    """Describe a base without the names of its layers, for which Keras counts up in a session."""
    numbers: dict[str, int] = {}
    holders = ("name", "keras_history", "input_layers", "output_layers")

    def nameless(value, holder=""):
        """Put numbers in the place of names, at any depth."""
        if holder == "dtype":  # has a name too, which counts
            return value
        if isinstance(value, dict):
            return {k: nameless(v, k) for k, v in value.items() if k != "trainable"}
        if isinstance(value, (list, tuple)):
            return [nameless(item, holder) for item in value]
        if isinstance(value, str) and holder in holders:
            return numbers.setdefault(value, len(numbers))
        return value

    return nameless(base.get_config())


def _compute(
    base: keras.Model,
    prepare: keras.Layer,
    pictures: np.ndarray,
    batch_size: int,
    progress: bool,
) -> np.ndarray:
    """Run the base over the pictures, batch by batch."""
    from tqdm.auto import tqdm

    net = keras.Sequential([keras.Input(pictures.shape[1:]), prepare, base])
    hidden = None if progress else True  # None shows it in notebooks and terminals only
    starts = range(0, len(pictures), batch_size)
    maps = []
    for start in tqdm(starts, desc="Features", leave=False, disable=hidden):
        pixels = pictures[start : start + batch_size] / np.float32(255)
        maps.append(net.predict_on_batch(pixels).clip(-65_504, 65_504).astype(np.float16))
    return np.concatenate(maps)
