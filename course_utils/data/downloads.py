"""One file from the web, in as many attempts as it takes.

What has come is kept beside the target in a part file, so that a broken download goes on
where it stopped. Pooch, which checks the finished file, cannot do that: ``download`` is
given to it as its ``downloader``.
"""

import errno
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.data.settings import DataError

if TYPE_CHECKING:
    import requests

_CHUNK = 1 << 16
_BUSY = (408, 425, 429)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to try again.

    Attributes
    ----------
    connect, read : float
        Seconds to wait for a connection, and for the next bytes.
    retries : int
        How often to try again after a dropped connection or a fault of the server.
    pause : float
        Seconds before the first retry; each later pause is twice as long.
    """

    connect: float = 10.0
    read: float = 30.0
    retries: int = 4
    pause: float = 0.5


class _TryAgain(Exception):
    """The attempt failed in a way that another one may not."""


def download(
    url: str,
    target: str | Path,
    pooch: object = None,
    *,
    part: Path | None = None,
    size: int | None = None,
    patience: Patience | None = None,
    progress: bool = True,
) -> None:
    """Download a file, going on from the part file that an earlier attempt left.

    The part file is used only if the server still offers the same version of the file:
    a small file beside it, ``<part>.version``, keeps the ETag or the date of that version.

    Parameters
    ----------
    url : str
        The address, ``http://`` or ``https://``.
    target : str or pathlib.Path
        Where the whole file is put; what is there is replaced.
    pooch : object, optional
        Ignored; pooch passes itself as the third argument.
    part : pathlib.Path, optional
        The part file; ``<target>.part`` by default.
    size : int, optional
        The number of bytes that the file must have, where known.
    patience : Patience, optional
        How long to wait and how often to try again.
    progress : bool, default True
        Whether to show a progress bar on stderr, where that is a terminal.

    Raises
    ------
    DataError
        If the file cannot be had; what has come of it is kept for the next call, unless
        it is of no use.

    Examples
    --------
    >>> download("http://127.0.0.1:1/mnist.npz", "mnist.npz", patience=Patience(retries=0))
    Traceback (most recent call last):
    course_utils.data.settings.DataError: http://127.0.0.1:1/mnist.npz could not be downloaded: ...
    """
    part = Path(f"{target}.part") if part is None else part
    try:
        _try_until_whole(url, part, size, patience or Patience(), progress)
        os.replace(part, target)
        _version_file(part).unlink(missing_ok=True)
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


def _try_until_whole(
    url: str, part: Path, size: int | None, patience: Patience, progress: bool
) -> None:
    """Repeat attempts until the part file is whole, with growing pauses, or give up."""
    for attempt in range(patience.retries + 1):
        if attempt:
            time.sleep(patience.pause * 2 ** (attempt - 1))
        try:
            return _attempt(url, part, size, patience, progress)
        except _TryAgain as error:
            reason = error
    kept = _bytes_in(part)
    advice = (
        f"{kept:,} bytes of it are kept in {part}: run the same command again to go on from there."
        if kept
        else "Check the network connection and run the same command again."
    )
    raise DataError(f"{url} could not be downloaded: {reason}. {advice}") from reason


def _attempt(url: str, part: Path, size: int | None, patience: Patience, progress: bool) -> None:
    """Ask for what the part file lacks and add it."""
    import requests
    import urllib3

    have, version = _bytes_in(part), _read_version(part)
    if have and have == size:
        return
    if version is None or (size is not None and have > size):
        have = 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    timeout = (patience.connect, patience.read)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
            if _is_all_there(answer, have) and size is None:
                return
            start = _start(answer, url, part, have, version)
            _append(answer, url, part, start, size, progress)
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise _network_error(error, url, patience) from error


def _is_all_there(answer: "requests.Response", have: int) -> bool:
    """Tell whether the server has nothing to send because the part file is as long as its own."""
    nothing_more = f"bytes */{have}"
    return answer.status_code == 416 and answer.headers.get("Content-Range") == nothing_more


def _start(
    answer: "requests.Response", url: str, part: Path, have: int, version: str | None
) -> int:
    """Return the position in the file at which the server's answer begins."""
    status = answer.status_code
    if status == 200:
        return 0
    if status == 206 and _continues(answer.headers, have, version):
        return have
    if status in (206, 416):
        # The next attempt then asks for the whole file.
        _forget(part)
        raise _TryAgain("the server did not send the piece that was asked for")
    if status >= 500 or status in _BUSY:
        raise _TryAgain(f"the server answered {status} {answer.reason}")
    raise DataError(
        f"{url} could not be downloaded: the server answered {status} {answer.reason}. "
        "The file may have moved: look for a newer version of the course, or put the file "
        "in a folder by hand and name it with --from."
    )


def _continues(headers: Mapping[str, str], have: int, version: str | None) -> bool:
    """Tell whether a partial answer begins where the part file ends, in the same version."""
    piece = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", "").strip())
    theirs = _version_of(headers)
    return bool(have and piece and int(piece[1]) == have and theirs in (None, version))


def _append(
    answer: "requests.Response",
    url: str,
    part: Path,
    start: int,
    size: int | None,
    progress: bool,
) -> None:
    """Write the body of an answer to the part file from a position on."""
    from tqdm import tqdm

    total = _total(answer.headers, start)
    if size is not None and total is not None and total != size:
        raise _wrong_size(url, f"{total:,}", size)
    with (
        open(part, "ab" if start else "wb") as file,
        tqdm(
            desc=url.rpartition("/")[2],
            initial=start,
            total=size or total,
            unit="B",
            unit_scale=True,
            disable=None if progress else True,
        ) as bar,
    ):
        if not start:
            _version_file(part).write_text(_version_of(answer.headers) or "", "ascii", "replace")
        have = start
        # The raw stream: a .gz file must arrive as it is, even if the server calls it an encoding.
        for chunk in answer.raw.stream(_CHUNK, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))
            have += len(chunk)
            if size is not None and have > size:
                break
    _check_end(url, part, have, size, total)


def _check_end(url: str, part: Path, have: int, size: int | None, total: int | None) -> None:
    """Refuse a body that ended too early or too late."""
    if size is not None and have > size:
        _forget(part)
        raise _wrong_size(url, f"more than {size:,}", size)
    expected = total if size is None else size
    if expected is not None and have < expected:
        raise _TryAgain(f"the connection dropped after {have:,} of {expected:,} bytes")


def _total(headers: Mapping[str, str], start: int) -> int | None:
    """Return how many bytes the whole file has, where the server says so."""
    said = headers.get("Content-Range", "").rpartition("/")[2] if start else ""
    if said.isdecimal():
        return int(said)
    length = headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _wrong_size(url: str, found: str, size: int) -> DataError:
    """Say that the server offers another file than the one expected."""
    return DataError(
        f"{url} is not the file expected: it has {found} bytes instead of {size:,}. It may be "
        "the log-in page of a network: open the address in a browser, or try again later."
    )


def _network_error(error: Exception, url: str, patience: Patience) -> Exception:
    """Turn what requests and urllib3 raise into a retry or into a final error."""
    import requests
    from urllib3.exceptions import TimeoutError as StreamTimeout

    if isinstance(error, (requests.Timeout, StreamTimeout, TimeoutError)):
        return _TryAgain(f"the server stayed silent for {patience.read:g} seconds")
    if isinstance(error, requests.exceptions.SSLError):
        return DataError(
            f"{url} could not be downloaded: no secure connection ({error}). Check the clock "
            "of this computer and whether the network asks for a log-in."
        )
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return _TryAgain("the connection dropped")
    if isinstance(error, requests.ConnectionError):
        return _TryAgain("no connection to the server")
    if isinstance(error, requests.RequestException):
        return DataError(f"{url} could not be downloaded: {error}. Report it to the course.")
    return _TryAgain("the connection dropped")


def _bytes_in(path: Path) -> int:
    """Return the size of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _version_file(part: Path) -> Path:
    """Return the small file that says of which version of the file a part is."""
    return Path(f"{part}.version")


def _read_version(part: Path) -> str | None:
    """Return the version that a part belongs to, None where nothing usable says so."""
    try:
        version = _version_file(part).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return version if version and version.isprintable() else None


def _version_of(headers: Mapping[str, str]) -> str | None:
    """Return what identifies this version of the file byte by byte: a strong ETag, or its date."""
    etag = headers.get("ETag", "").strip()
    if etag and not etag.startswith("W/"):
        return etag
    return headers.get("Last-Modified", "").strip() or None


def _forget(part: Path) -> None:
    """Remove a part that is of no use any more."""
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)
