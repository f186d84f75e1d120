"""One file from the web, in as many attempts as it takes.

What has come is kept beside the target in a part file, so that a broken download goes on
where it stopped. Pooch, which checks the finished file, cannot do that: ``download_file`` is
given to it as its ``downloader``.
"""

import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.data.settings import DataError

if TYPE_CHECKING:
    import requests

#: Seconds to wait for a connection, and for the next bytes.
TIMEOUT = (10.0, 30.0)
#: Seconds before each new attempt after a dropped connection or a fault of the server.
PAUSES = (0.5, 1.0, 2.0, 4.0)
_CHUNK = 1 << 16
_BUSY = (408, 425, 429)


class _TryAgain(Exception):
    """The attempt failed in a way that another one may not."""


def download_file(
    url: str,
    target: str | Path,
    pooch: object = None,
    *,
    size: int,
    part: Path | None = None,
    progress: bool = True,
) -> None:
    """Download a file, going on from the part file that an earlier attempt left.

    The content is not checked here, but for its size: a checksum should be compared afterwards.

    Parameters
    ----------
    url : str
        The address, ``http://`` or ``https://``.
    target : str or pathlib.Path
        Where the whole file is put; what is there is replaced.
    pooch : object, optional
        Ignored; pooch passes itself as the third argument.
    size : int
        The number of bytes that the file must have.
    part : pathlib.Path, optional
        The part file; ``<target>.part`` by default.
    progress : bool, default True
        Whether to show a progress bar on stderr, where that is a terminal.

    Raises
    ------
    DataError
        If the file cannot be had; what has come of it is kept for the next call, unless
        it is of no use.

    Examples
    --------
    >>> download_file("ftp://example.org/mnist.npz", "mnist.npz", size=11_490_434)
    Traceback (most recent call last):
    course_utils.data.settings.DataError: ftp://example.org/mnist.npz could not be downloaded: ...
    """
    part = Path(f"{target}.part") if part is None else part
    try:
        _try_until_whole(url, part, size, progress)
        os.replace(part, target)
    except OSError as error:
        raise disk_error(error, part.parent) from error


def disk_error(error: OSError, folder: Path) -> DataError:
    """Say in plain words why nothing can be written to a folder, and what to do.

    Parameters
    ----------
    error : OSError
        What the system reported.
    folder : pathlib.Path
        Where to was written.

    Returns
    -------
    DataError

    Examples
    --------
    >>> print(disk_error(OSError(errno.ENOSPC, "No space left on device"), Path("data")))
    The disk that holds data is full. Free some space and run the same command again.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(
            f"The disk that holds {folder} is full. Free some space and run the same command again."
        )
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return DataError(
            f"{folder} cannot be written to ({error.strerror}). Give yourself the right to "
            "write there, or set COURSE_DATA to another folder."
        )
    return DataError(f"{folder} cannot be used: {error}. Set COURSE_DATA to another folder.")


def _try_until_whole(url: str, part: Path, size: int, progress: bool) -> None:
    """Repeat attempts until the part file is whole, with growing pauses, or give up."""
    for pause in (0, *PAUSES):
        time.sleep(pause)
        try:
            return _attempt(url, part, size, progress)
        except _TryAgain as error:
            reason = error
    kept = _bytes_in(part)
    advice = (
        f"{kept:,} bytes of it are kept in {part}: run the same command again to go on from there."
        if kept
        else "Check the network connection and run the same command again."
    )
    raise DataError(f"{url} could not be downloaded: {reason}. {advice}") from reason


def _attempt(url: str, part: Path, size: int, progress: bool) -> None:
    """Ask for what the part file lacks and add it."""
    import requests
    import urllib3

    have = _bytes_in(part)
    if have == size and part.exists():
        return
    have = have if have < size else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            start = _start(answer, url, part, have)
            _append(answer, url, part, start, size, progress)
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise _network_error(error, url) from error


def _start(answer: "requests.Response", url: str, part: Path, have: int) -> int:
    """Return the position in the file at which the server's answer begins."""
    status = answer.status_code
    if status == 200:
        return 0
    if status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        return have
    if status in (206, 416):
        part.unlink()  # the next attempt then asks for the whole file
        raise _TryAgain("the server did not send the piece that was asked for")
    if status >= 500 or status in _BUSY:
        raise _TryAgain(f"the server answered {status} {answer.reason}")
    raise DataError(
        f"{url} could not be downloaded: the server answered {status} {answer.reason}. "
        "The file may have moved: look for a newer version of the course, or put the file "
        "in a folder by hand and name it with --from."
    )


def _append(
    answer: "requests.Response", url: str, part: Path, have: int, size: int, progress: bool
) -> None:
    """Write the body of an answer to the part file from a position on."""
    from tqdm import tqdm

    promised = answer.headers.get("Content-Length", "")
    if promised.isdecimal() and have + int(promised) != size:
        raise _wrong_size(url, f"{have + int(promised):,}", size)
    disable = None if progress else True  # None shows it in terminals only
    shown = {"desc": url.rpartition("/")[2], "unit": "B", "unit_scale": True, "disable": disable}
    with open(part, "ab" if have else "wb") as file, tqdm(initial=have, total=size, **shown) as bar:
        # The raw stream: a .gz file must arrive as it is, even if the server calls it an encoding.
        for chunk in answer.raw.stream(_CHUNK, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))
            have += len(chunk)
            if have > size:
                break
    if have > size:
        part.unlink()
        raise _wrong_size(url, f"more than {size:,}", size)
    if have < size:
        raise _TryAgain(f"the connection dropped after {have:,} of {size:,} bytes")


def _wrong_size(url: str, found: str, size: int) -> DataError:
    """Say that the server offers another file than the one expected."""
    return DataError(
        f"{url} is not the file expected: it has {found} bytes instead of {size:,}. It may be "
        "the log-in page of a network: open the address in a browser, or try again later."
    )


def _network_error(error: Exception, url: str) -> Exception:
    """Turn what requests and urllib3 raise into a retry or into a final error."""
    import requests
    from urllib3.exceptions import TimeoutError as StreamTimeout

    if isinstance(error, (requests.Timeout, StreamTimeout, TimeoutError)):
        return _TryAgain(f"the server stayed silent for {TIMEOUT[1]:g} seconds")
    if isinstance(error, requests.exceptions.SSLError):
        return DataError(
            f"{url} could not be downloaded: no secure connection ({error}). Check the clock "
            "of this computer and whether the network asks for a log-in."
        )
    if isinstance(error, requests.ConnectionError):
        return _TryAgain("no connection to the server")
    if isinstance(error, requests.RequestException):
        return DataError(f"{url} could not be downloaded: {error}. Report it to the course.")
    return _TryAgain("the connection dropped")


def _bytes_in(path: Path) -> int:
    """Return the size of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0
