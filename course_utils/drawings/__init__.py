"""Drawn cats and dogs in cluttered scenes, whose head boxes and landmarks are known exactly.

Every picture has its own random generators, so that any of them can be drawn alone, at any
size, and always looks the same. What tells a cat from a dog is shape alone; colours,
patterns, surroundings and places are drawn alike for both.
"""

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from course_utils.data.atomic_folder import make_once
from course_utils.data.photo_archives import CLASS_NAMES
from course_utils.data.settings import DataError
from course_utils.drawings.others import ANIMALS, OBJECTS

if TYPE_CHECKING:
    from course_utils.drawings.composition import Plan, Streams

CATS_AND_DOGS: tuple[str, ...] = CLASS_NAMES
#: Twelve animals and eight things, none of which could pass for a cat or a dog.
OTHER_KINDS: tuple[str, ...] = (*ANIMALS, *OBJECTS)
#: Stands among the kinds for pictures by `draw_group`.
GROUP = "group"
#: Left and right as the viewer sees an upright animal.
LANDMARKS: tuple[str, ...] = ("left eye", "right eye", "nose", "left ear tip", "right ear tip")
_COUNTS = {"train": 1000, "validation": 500, "test": 500}
SPLITS: tuple[str, ...] = tuple(_COUNTS)

_ANNOTATIONS = "annotations.json"
_PICTURES_A_TASK = 25
# Kept with every set: to be counted up whenever the same numbers give other pictures.
_VERSION = 1


@dataclass(frozen=True)
class Scene:
    """How hard the pictures are: the dials of everything that is not the animal's shape.

    A number of things is an average: 2.5 stands for two of them in one half of the pictures
    and three in the other.

    Attributes
    ----------
    rotation : float
        Largest tilt of the head to either side in degrees, from 0 to 180.
    head_size : pair of float
        Smallest and largest side of the head's box, as a share of the picture's side, up to
        0.9. The side is the root of the box's area. A head too long for the picture is made
        smaller, so that it just fits.
    off_centre : float
        Share of the pictures in which the head keeps clear of the picture's centre, from 0
        to 1. A head too large for that lies anywhere.
    clutter : float
        Number of things that lie about behind the animal.
    stray_parts : float
        Number of loose parts of the faces of cats and dogs behind the animal.
    occluders : float
        Number of things before the animal. Each hides at most a quarter of the head's box,
        and hardly any of it where a part lies.
    lie : float
        Share of the cats and dogs, from 0 to 1, that have one of ears, eyes, nose and
        whiskers from the other kind.
    stretch : float
        Largest relative stretching of the head in any direction, from 0 to 1.
    texture : float
        Strength of the background's texture, from 0 (one plain colour) to 1.
    light : float
        Largest relative change of brightness and contrast, from 0 to 1.
    blur : float
        Largest standard deviation of the blur, as a share of the picture's side, from 0 to 0.2.
    noise : float
        Largest standard deviation of the noise, from 0 to 1 (the step from black to white).

    Raises
    ------
    ValueError
        If a field is out of its range.

    Examples
    --------
    >>> Scene(rotation=30).rotation, Scene(noise=2)
    Traceback (most recent call last):
    ValueError: noise is 2; expected 0 to 1.
    """

    rotation: float = 115.0
    head_size: tuple[float, float] = (0.34, 0.56)
    off_centre: float = 0.8
    clutter: float = 4.0
    stray_parts: float = 2.0
    occluders: float = 0.5
    lie: float = 0.5
    stretch: float = 0.12
    texture: float = 1.0
    light: float = 0.3
    blur: float = 0.012
    noise: float = 0.05

    def __post_init__(self):
        largest = {"rotation": 180, "clutter": 100, "stray_parts": 100, "occluders": 10}
        for name, value in asdict(self).items():
            most = largest.get(name, 0.2 if name == "blur" else 1)
            if name != "head_size" and not 0 <= value <= most:
                raise ValueError(f"{name} is {value}; expected 0 to {most}.")
        low, high = self.head_size
        if not 0.1 <= low <= high <= 0.9:
            raise ValueError(f"head_size is {self.head_size}; expected 0.1 <= low <= high <= 0.9.")
        # A list, as JSON gives it back, would make equal scenes differ.
        object.__setattr__(self, "head_size", (low, high))


_DIALS = ("rotation", "clutter", "stray_parts", "occluders", "lie", "stretch")
_DIALS += ("texture", "light", "blur", "noise")
#: An upright animal before a plain wall, and nothing else.
CLEAN = Scene(**dict.fromkeys(_DIALS, 0.0))
#: Several smaller animals in one picture, upright or askew, all parts of each its own.
GROUPS = Scene(rotation=40, head_size=(0.2, 0.4), off_centre=0, occluders=0.1, lie=0)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture and what is known about it.

    Attributes
    ----------
    picture : ndarray of uint8, shape (size, size, 3)
        Red, green and blue.
    kind : str
        What is drawn.
    box : ndarray of float64, shape (4,)
        x_min, y_min, x_max, y_max in pixels, where the first pixel reaches from 0 to 1. It is
        tight around the head with its ears, without whiskers and tongue, or around the
        whole thing, also where something hides a part of it.
    landmarks : ndarray of float64, shape (5, 2)
        x, y in pixels of ``LANDMARKS``; NaN where the kind has no such part.
    """

    picture: np.ndarray = field(repr=False)
    kind: str
    box: np.ndarray
    landmarks: np.ndarray


def draw(
    kind: str, seed: int, split: str, index: int, size: int = 64, scene: Scene | None = None
) -> Drawing:
    """Draw one picture.

    Parameters
    ----------
    kind : str
        One of ``CATS_AND_DOGS`` or ``OTHER_KINDS``.
    seed : int
        At least 0. Every seed gives another world of pictures.
    split : {"train", "validation", "test"}
    index : int
        Number of the picture of this kind within the split, from 0.
    size : int
        Side in pixels, at least 16. It is the same scene at every size.
    scene : Scene, optional
        How hard the picture is; ``Scene()`` by default.

    Returns
    -------
    Drawing
        The same arguments always give the same pixels.

    Raises
    ------
    ValueError
        If an argument is unknown or out of range.

    Examples
    --------
    >>> drawing = draw("cat", seed=0, split="train", index=0)
    >>> drawing.picture.shape, drawing.box.shape, drawing.landmarks.shape
    ((64, 64, 3), (4,), (5, 2))
    """
    from course_utils.drawings.composition import plan

    _check(kind, seed, split, index, size)
    scene = scene or Scene()
    return _drawn([plan(kind, scene, _streams(kind, seed, split, index))], scene, size)[0]


def draw_group(
    seed: int, split: str, index: int, size: int = 96, scene: Scene | None = None
) -> list[Drawing]:
    """Draw one to three cats and dogs in one picture, and up to two other things among them.

    In a third of the pictures most heads overlap, up to an IoU of 0.35 or so; all bodies lie
    behind all heads.

    Parameters
    ----------
    seed, split, index, size
        As for `draw`.
    scene : Scene, optional
        ``GROUPS`` by default.

    Returns
    -------
    list of Drawing
        One for each cat and dog, from back to front, all of them with the same picture.

    Raises
    ------
    ValueError
        If an argument is unknown or out of range.

    Examples
    --------
    >>> [drawing.kind for drawing in draw_group(seed=0, split="train", index=2)]
    ['dog', 'dog']
    """
    _check(GROUP, seed, split, index, size, (GROUP,))
    scene = scene or GROUPS
    drawings = _drawn(_plan_group(seed, split, index, scene), scene, size)
    return [drawing for drawing in drawings if drawing.kind in CATS_AND_DOGS]


def make_set(
    folder: str | Path,
    size: int = 64,
    counts: Mapping[str, int] | None = None,
    kinds: Sequence[str] = CATS_AND_DOGS,
    seed: int = 0,
    scene: Scene | None = None,
    processes: int = 2,
    progress: bool = True,
) -> Path:
    """Draw a set of pictures once, into class folders such as ``folder/train/cat/cat.0.png``.

    ``folder/annotations.json`` says what is where in every picture. The folder gets its name
    when all of it is there. One that is already there is left as it is.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where the set shall be.
    size : int
        Side of the pictures in pixels, at least 16.
    counts : dict of str to int, optional
        Pictures of each kind in each split; by default 1,000 to train, 500, and 500 to test.
    kinds : sequence of str
        Different names out of ``CATS_AND_DOGS`` and ``OTHER_KINDS``; ``GROUP`` for groups.
    seed : int
        At least 0.
    scene : Scene, optional
        ``Scene()`` by default.
    processes : int
        How many processes draw; 1 stands for this one alone.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ValueError
        If an argument is unknown or out of range.
    DataError
        If the folder holds anything but just this set, or the disk cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     made = make_set(Path(place) / "set", 16, {"train": 1}, processes=1, progress=False)
    ...     read_annotations(made, "train").files
    ['train/cat/cat.0.png', 'train/dog/dog.0.png']
    """
    folder, scene = Path(folder).expanduser().absolute(), scene or Scene()
    settings = _settings(size, counts, kinds, seed, scene)
    if processes < 1:
        raise ValueError(f"processes is {processes}; expected at least 1.")
    make_once(
        folder,
        lambda: _is_there(folder, settings),
        lambda staging: _fill(staging, settings, scene, processes, progress),
    )
    return folder


class Annotations(NamedTuple):
    """What is where in a drawn set: an entry for each animal or thing.

    Attributes
    ----------
    files : list of str
        Names such as ``train/cat/cat.0.png``, relative to the folder; that of a group once for
        each cat and dog in it.
    pictures : ndarray of int, shape (N,)
        Number of the picture, from 0 in the order of the files.
    kinds : list of str
    boxes : ndarray of float64, shape (N, 4)
        x_min, y_min, x_max, y_max in pixels.
    landmarks : ndarray of float64, shape (N, 5, 2)
        x, y in pixels of ``LANDMARKS``; NaN where a kind has no such part.
    """

    files: list[str]
    pictures: np.ndarray
    kinds: list[str]
    boxes: np.ndarray
    landmarks: np.ndarray


def read_annotations(folder: str | Path, split: str) -> Annotations:
    """Read what is where in the pictures of one split of a drawn set.

    Parameters
    ----------
    folder : str or pathlib.Path
        A folder that ``make_set`` made.
    split : str

    Returns
    -------
    Annotations

    Raises
    ------
    DataError
        If the annotations are missing or broken, or have no such split.

    Examples
    --------
    >>> read_annotations("nowhere", "train")
    Traceback (most recent call last):
    course_utils.data.settings.DataError: nowhere holds no drawn set: there is no annotations...
    """
    folder = Path(folder).expanduser()
    try:
        splits = dict(_read(folder)["splits"])
        if split not in splits:
            known = ", ".join(splits)
            raise DataError(f"The set in {folder} has no split {split!r}, only {known}.")
        rows = splits[split]
        files, kinds = ([str(row[name]) for row in rows] for name in ("file", "kind"))
        boxes = np.array([row["box"] for row in rows], float).reshape(len(rows), 4)
        landmarks = np.array([row["landmarks"] for row in rows], float).reshape(len(rows), 5, 2)
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(folder, f"an entry of {split!r} is not as it should be") from error
    if not np.isfinite(boxes).all():
        raise _broken(folder, f"a box of {split!r} is not a number")
    order = {file: number for number, file in enumerate(dict.fromkeys(files))}
    return Annotations(files, np.array([order[f] for f in files], int), kinds, boxes, landmarks)


def _check(
    kind: str,
    seed: int,
    split: str,
    index: int,
    size: int,
    known: Sequence[str] = CATS_AND_DOGS + OTHER_KINDS,
) -> None:
    """Refuse wrong arguments with a message that says what is expected."""
    if kind not in known:
        raise ValueError(f"There is no kind {kind!r}; known are {', '.join(known)}.")
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; expected one of {', '.join(SPLITS)}.")
    for name, value, least in (("seed", seed, 0), ("index", index, 0), ("size", size, 16)):
        _check_whole(name, value, least)


def _check_whole(name: str, value: int, least: int) -> None:
    """Refuse what is not a whole number, or too small."""
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}.")


def _streams(kind: str, seed: int, split: str, index: int) -> "Streams":
    """Return the picture's random generators, one for each part of the drawing."""
    from course_utils.drawings.composition import STREAMS

    key = (seed, SPLITS.index(split), zlib.crc32(kind.encode()), index)
    return {name: np.random.default_rng((*key, i)) for i, name in enumerate(STREAMS)}


def _plan_group(seed: int, split: str, index: int, scene: Scene) -> "list[Plan]":
    """Choose who is in a picture, and place one after the other."""
    from course_utils.drawings.composition import plan

    rng = _streams(GROUP, seed, split, index)["pose"]
    pets = rng.choice(CATS_AND_DOGS, rng.integers(1, 4))
    kinds = rng.permutation([*pets, *rng.choice(OTHER_KINDS, rng.integers(0, 3))])
    overlap = (0.05, 0.35) if rng.random() < 1 / 3 else (0.0, 0.02)
    plans: list[Plan] = []
    for number, kind in enumerate(kinds):
        streams = _streams(f"{GROUP} {number}", seed, split, index)
        plans.append(plan(str(kind), scene, streams, plans, overlap))
    return plans


def _drawn(plans: "list[Plan]", scene: Scene, size: int) -> list[Drawing]:
    """Paint what is planned, and say of each animal and thing where it is."""
    from course_utils.drawings.composition import painted
    from course_utils.drawings.scenery import lit
    from course_utils.drawings.shapes import placed

    factor = max(2, -(-176 // size))  # painted larger, so that edges come out smooth
    image, rng = painted(plans, scene, size * factor).reduce(factor), plans[0].streams["light"]
    picture = lit(np.asarray(image), rng, scene.light, scene.blur, scene.noise)
    return [
        Drawing(picture, plan.kind, plan.box * size, landmarks * size)
        for plan in plans
        for landmarks in [placed(plan.figure.landmarks, plan.matrix)]
    ]


def _settings(
    size: int, counts: Mapping[str, int] | None, kinds: Sequence[str], seed: int, scene: Scene
) -> dict[str, Any]:
    """Check what is asked for, and return it as the annotations keep it."""
    counts = dict(_COUNTS if counts is None else counts)
    if isinstance(kinds, str) or not kinds or len(set(kinds)) < len(kinds):
        raise ValueError(f"kinds is {kinds!r}; expected different names, such as ('cat', 'dog').")
    if not counts:
        raise ValueError("counts is empty; expected a number for each split.")
    for split, count in counts.items():
        _check_whole(f"counts[{split!r}]", count, 0)
        for kind in kinds:
            _check(kind, seed, split, 0, size, (*CATS_AND_DOGS, *OTHER_KINDS, GROUP))
    settings = {
        "version": _VERSION,
        "size": int(size),
        "seed": int(seed),
        "kinds": list(kinds),
        "counts": {split: int(count) for split, count in counts.items()},
        "scene": asdict(scene),
    }
    return json.loads(json.dumps(settings))  # with lists for tuples, as it will be read back


def _is_there(folder: Path, settings: dict[str, Any]) -> bool:
    """Tell whether the set is there; refuse anything else that has its name."""
    if not os.path.lexists(folder):
        return False
    found = _read(folder)
    wrong = [
        f"{name} is {found.get(name)}, not {value}"
        for name, value in settings.items()
        if found.get(name) != value
    ]
    if wrong:
        raise DataError(
            f"{folder} holds a set that was drawn otherwise: {'; '.join(wrong)}. "
            "Move it away, or choose another folder."
        )
    _check_pictures(folder, settings)
    return True


def _check_pictures(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse a set that has lost pictures, or got some that were not drawn for it."""
    for split, count in settings["counts"].items():
        for kind in settings["kinds"]:
            found = len(list((folder / split / kind).glob(f"{kind}.*.png")))
            if found != count:
                raise DataError(
                    f"{folder} is not as it was drawn: {split}/{kind} holds {found} pictures, "
                    f"not {count}. Move it away, or choose another folder."
                )


def _read(folder: Path) -> dict[str, Any]:
    """Read the annotations, or say why not."""
    path = folder / _ANNOTATIONS
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{folder} holds no drawn set: there is no {_ANNOTATIONS}. Draw it with make_set, "
            "after moving away what has this name."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise _broken(folder, "it is no JSON object") from error


def _broken(folder: Path, reason: str) -> DataError:
    """Say that the annotations are broken, and what to do."""
    return DataError(
        f"{folder / _ANNOTATIONS} is broken: {reason}. Move {folder} away and draw the set again."
    )


def _fill(
    staging: Path, settings: dict[str, Any], scene: Scene, processes: int, progress: bool
) -> None:
    """Draw all pictures of a set, and write what is where in them."""
    from joblib import Parallel, delayed
    from tqdm.auto import tqdm

    for split in settings["counts"]:
        for kind in settings["kinds"]:
            (staging / split / kind).mkdir(parents=True)
    tasks = _tasks(settings)
    work = delayed(partial(_draw_some, staging, settings["size"], settings["seed"], scene))
    # Helpers end when they have been idle for so long, also those of a process that was killed.
    parallel = Parallel(processes, backend="loky", return_as="generator", idle_worker_timeout=3)
    total = sum(stop - start for *_, start, stop in tasks)
    hidden = None if progress else True  # None shows it in notebooks and terminals only
    splits: dict[str, list] = {split: [] for split in settings["counts"]}
    with tqdm(total=total, desc="Drawing", leave=False, disable=hidden) as bar:
        for (split, _, start, stop), rows in zip(tasks, parallel(map(work, tasks)), strict=True):
            splits[split] += rows
            bar.update(stop - start)
    text = json.dumps({**settings, "splits": splits})
    (staging / _ANNOTATIONS).write_text(text, encoding="utf-8")


_Task = tuple[str, str, int, int]


def _tasks(settings: dict[str, Any]) -> list[_Task]:
    """Cut the work into pieces: split, kind, first index, and the one after the last."""
    return [
        (split, kind, start, min(start + _PICTURES_A_TASK, count))
        for split, count in settings["counts"].items()
        for kind in settings["kinds"]
        for start in range(0, count, _PICTURES_A_TASK)
    ]


def _draw_some(staging: Path, size: int, seed: int, scene: Scene, task: _Task) -> list[dict]:
    """Draw and save some pictures, and return what is known about them."""
    from PIL import Image

    split, kind, start, stop = task
    rows = []
    for index in range(start, stop):
        if kind == GROUP:
            drawings = draw_group(seed, split, index, size, scene)
        else:
            drawings = [draw(kind, seed, split, index, size, scene)]
        file = f"{split}/{kind}/{kind}.{index}.png"
        Image.fromarray(drawings[0].picture).save(staging / file)
        rows += [_row(file, drawing) for drawing in drawings]
    return rows


def _row(file: str, drawing: Drawing) -> dict:
    """Return what is known about an animal or a thing as JSON can hold it."""
    box = [round(value, 2) for value in drawing.box.tolist()]
    # JSON has no NaN; null stands for it.
    places = [
        [None if np.isnan(value) else round(value, 2) for value in place]
        for place in drawing.landmarks.tolist()
    ]
    return {"file": file, "kind": drawing.kind, "box": box, "landmarks": places}
