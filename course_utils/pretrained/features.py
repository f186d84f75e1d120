"""Run a base over pictures once, and keep the feature maps on disk.

They lie in the folder ``features``, each array under a name that is computed from everything
it depends on: base, weights, preprocessing, and every byte of the pictures. So a change of any
of these gives other features, never old ones. The folder may be deleted at any time.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.backend import keras
from course_utils.data.http_download import disk_error
from course_utils.data.settings import made_folder
from course_utils.pretrained import bases

# To be raised when this module computes features in another way than before.
_EDITION = 1


def extract(
    base: keras.Model,
    pictures: np.ndarray,
    preprocessing: str | None = None,
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
    preprocessing : str, optional
        A mode of `bases.Preprocessing`; that of the base of this name, if not given.
    batch_size : int
        Pictures that the base gets at a time: more need more memory.
    folder : pathlib.Path, optional
        Where to keep the features; if not given, ``features`` among what the course makes.
    progress : bool
        Whether to show a progress bar, in a terminal or a notebook.

    Returns
    -------
    ndarray of float32, shape (N, h, w, C)
        What the base computes when it is used, not trained. They are kept in single precision
        too: the same numbers come from disk as from the base.

    Raises
    ------
    ValueError
        If there is no picture, dtype or shape do not fit, or the preprocessing is unknown.

    Examples
    --------
    >>> import tempfile
    >>> base = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.MaxPooling2D(3)])
    >>> pictures = np.full((5, 6, 6, 3), 255, np.uint8)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     maps = extract(base, pictures, "none", folder=Path(place))
    >>> maps.shape, maps.max()
    ((5, 2, 2, 3), np.float32(1.0))
    """
    pictures = np.asarray(pictures)
    _check(base, pictures)
    prepare = _preprocessing(base, preprocessing)
    folder = made_folder() / "features" if folder is None else folder
    path = folder / f"{key(base, pictures, prepare.mode)}.npz"
    shape = tuple(base.compute_output_shape(pictures.shape))
    kept = _read(path, shape)
    if kept is None:
        kept = _compute(base, prepare, pictures, batch_size, progress)
        _write(path, kept)
    return kept


def key(base: keras.Model, pictures: np.ndarray, preprocessing: str) -> str:
    """Return the name under which features are kept.

    Parameters
    ----------
    base : keras.Model
    pictures : ndarray of uint8, shape (N, H, W, 3)
    preprocessing : str
        A mode of `bases.Preprocessing`.

    Returns
    -------
    str
        SHA-256, in 64 hexadecimal digits, over the layers of the base and how they are
        connected, its weights, the preprocessing, and the pictures. The names of the layers do
        not count, nor whether they may be trained.
    """
    about = [_EDITION, preprocessing, _architecture(base), pictures.shape, str(pictures.dtype)]
    digest = hashlib.sha256(json.dumps(about, default=str).encode())
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


def _preprocessing(base: keras.Model, mode: str | None) -> bases.Preprocessing:
    """Make the layer that belongs in front of the base."""
    if mode is None and base.name not in bases.BASES:
        raise ValueError(
            f"{base.name!r} is the name of no base: say which preprocessing it was trained with, "
            f"one of {', '.join(bases.MODES)}."
        )
    return bases.preprocessing(base) if mode is None else bases.Preprocessing(mode)


def _architecture(base: keras.Model) -> Any:
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


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Read features; where the file is broken, say so."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            features = archive["features"]  # the archive holds a checksum, which is compared
        if features.shape != shape or features.dtype != np.float32:
            raise ValueError(f"it holds {features.dtype} {features.shape}, not float32 {shape}")
        return features
    except FileNotFoundError:
        return None
    except Exception as error:  # a broken archive can raise almost anything
        _note(f"{path} is broken ({error}): the features are computed again.")
        return None


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
    maps = [
        net.predict_on_batch(pictures[start : start + batch_size] / np.float32(255))
        for start in tqdm(starts, desc="Features", leave=False, disable=hidden)
    ]
    return np.concatenate(maps, dtype=np.float32)


def _write(path: Path, features: np.ndarray) -> None:
    """Write features under another name, and rename the file when it is complete."""
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            np.savez(file, features=features)
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        reason = disk_error(error, path.parent)
        _note(f"The features are not kept, and computed again the next time. {reason}")


def _note(text: str) -> None:
    """Tell the user something on the way."""
    print(text, file=sys.stderr, flush=True)
