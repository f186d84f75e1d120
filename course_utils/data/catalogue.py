"""What each real data set is: its files, where they come from, how large they are, its licence.

The weights of pretrained networks are sets of one file. ``catalogue.toml`` is the only place
that says so: ``datasets`` and ``pretrained`` read the files that it names and ``download``
brings them.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Download:
    """One file on the web: its address, its bytes and, where one is known, its checksum."""

    url: str
    size: int
    checksum: str | None = None

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Source:
    """A data set, or a file of weights, that can be fetched.

    Attributes
    ----------
    name, title : str
        The name that commands and loaders take, and the name for people.
    images, licence : str
        How many images of which size (or how many weights), and the terms of use, in words.
    files : tuple of str
        The files, or the folder, that the data folder holds once the set is fetched.
    downloads : tuple of Download
        What is downloaded to make them.
    content : dict of str to str
        The SHA-256 of each array's bytes in an ``.npz`` file, where known: it tells a
        good copy whatever program wrote the file. Where empty, the checksum of the
        download of the same name decides.
    class_names : tuple of str
        What the labels 0, 1, 2, ... stand for.
    image_shape : tuple of int or None
        The shape of every image, for the sets that ``datasets.load`` reads.
    keras : str or None
        The folder inside Keras's own cache where Keras keeps the same files.
    """

    name: str
    title: str
    images: str
    licence: str
    files: tuple[str, ...]
    downloads: tuple[Download, ...]
    content: dict[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    keras: str | None = None

    @property
    def size(self) -> int:
        """How many bytes are downloaded in all."""
        return sum(download.size for download in self.downloads)


def _source(name: str, entry: dict[str, Any]) -> Source:
    """Make a source of an entry of the catalogue; its lists become tuples."""
    downloads = [Download(**item) for item in entry.pop("downloads")]
    entry = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    return Source(name=name, downloads=tuple(downloads), **entry)


_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
SOURCES: dict[str, Source] = {name: _source(name, entry) for name, entry in _TABLE.items()}


def how_to_get(name: str, force: bool = False) -> str:
    """Return the commands that fetch a set, with make and without it.

    Parameters
    ----------
    name : str
        The name of the set, such as ``"mnist"``.
    force : bool
        Whether the commands replace files that are already there.

    Examples
    --------
    >>> how_to_get("mnist")
    '`make data SET=mnist` (or `python -m course_utils.data.download mnist`)'
    """
    with_make, without = (" FORCE=1", " --force") if force else ("", "")
    command = f"python -m course_utils.data.download {name}{without}"
    return f"`make data SET={name}{with_make}` (or `{command}`)"
