"""Arrays that took a while to compute, kept in a file until they are needed again.

Such a file may be deleted at any time. It is written under another name and renamed when it is
complete; one that is broken is never used.
"""

import os
import sys
from pathlib import Path

import numpy as np

from course_utils.data.http_download import disk_error


def read_kept(path: Path, shapes: list[tuple[int, ...]]) -> list[np.ndarray] | None:
    """Read arrays that were kept; where the file is broken, say so.

    Parameters
    ----------
    path : pathlib.Path
    shapes : list of tuple of int
        What the arrays must have.

    Returns
    -------
    list of ndarray, or None
        As `keep` got them. None if the file is missing or broken: then compute them again.
    """
    try:
        # The archive holds a checksum of each array, which is compared.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = [archive[f"arr_{number}"] for number in range(len(archive.files))]
        if [array.shape for array in arrays] != shapes or any(a.dtype.kind != "f" for a in arrays):
            raise ValueError("it holds other arrays than expected")
        return arrays
    except FileNotFoundError:
        return None
    except Exception as error:  # a broken archive can raise almost anything
        note(f"{path} is broken ({error}): what it held is computed again.")
        return None


def keep(path: Path, arrays: list[np.ndarray]) -> None:
    """Write arrays to a file, or say why they cannot be kept.

    Parameters
    ----------
    path : pathlib.Path
        Ends in ``.npz``. A file that is there is replaced.
    arrays : list of ndarray of floating point

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "ones.npz"
    ...     keep(path, [np.ones(3, np.float32)])
    ...     print(read_kept(path, [(3,)]))
    [array([1., 1., 1.], dtype=float32)]
    """
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            np.savez(file, *arrays)
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        note(
            f"{path.name} is not kept, and computed again the next time. "
            f"{disk_error(error, path.parent)}"
        )


def note(text: str) -> None:
    """Tell the user something on the way."""
    print(text, file=sys.stderr, flush=True)
