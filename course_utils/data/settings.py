"""Where the data lies, and which tier of it to use: two environment variables decide.

``COURSE_DATA`` moves the data folder, ``COURSE_TIER`` forces the ``real`` or the
``embedded`` tier. Without them, what is on disk in the ``data`` folder of the course decides.
"""

import os
from pathlib import Path
from typing import Literal

Tier = Literal["real", "embedded"]

COURSE_FOLDER = Path(__file__).resolve().parent.parent.parent


class DataError(Exception):
    """A data set, or the folder that holds it, cannot be used; the message says what to do."""


def data_folder() -> Path:
    """Return the folder that holds the real data sets.

    Returns
    -------
    pathlib.Path
        The folder that ``COURSE_DATA`` names, else ``data`` in the course's own folder.
        It need not exist yet: the data command makes it.

    Examples
    --------
    >>> data_folder().is_absolute()
    True
    """
    chosen = os.environ.get("COURSE_DATA", "").strip()
    return Path(chosen).expanduser().absolute() if chosen else COURSE_FOLDER / "data"


def made_folder() -> Path:
    """Return the folder for what the course makes itself: prepared photos, drawn pictures.

    This is the data folder, unless it does not exist or is write-protected, as one that a
    whole class shares may be; then it is ``data`` in the course's own folder.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> made_folder() in (data_folder(), COURSE_FOLDER / "data")
    True
    """
    folder = data_folder()
    # The mode is looked at as well, because root may write anywhere and still should not.
    if folder.is_dir() and folder.stat().st_mode & 0o222 and os.access(folder, os.W_OK):
        return folder
    return COURSE_FOLDER / "data"


def forced_tier() -> Tier | None:
    """Return the tier that ``COURSE_TIER`` forces, or None where it leaves the choice open.

    Returns
    -------
    {"real", "embedded"} or None

    Raises
    ------
    DataError
        If ``COURSE_TIER`` is set to anything else.
    """
    chosen = os.environ.get("COURSE_TIER", "").strip().lower()
    if chosen in ("", "auto"):
        return None
    if chosen not in ("real", "embedded"):
        raise DataError(f"COURSE_TIER is {chosen!r}; set it to 'real' or 'embedded', or unset it.")
    return chosen
