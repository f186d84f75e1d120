"""Read the tensors in a file that PyTorch wrote, without PyTorch, and without running anything.

Such a file is a chain of pickles, and a pickle may call any function that it names. So it is
read by an unpickler that knows tensors, and refuses every other name.
"""

import pickle
from collections import OrderedDict
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from course_utils.data.settings import DataError

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


def read_tensors(content: bytes) -> dict[str, np.ndarray]:
    """Return the tensors of a file in PyTorch's older layout, by name, in the order of the file.

    The layout: a magic number, the version of the protocol, a description of the machine, a
    dictionary of tensors, a list of the keys of their storages; each of these is a pickle. Then,
    for each key, a count and so many raw numbers. A tensor says in which storage it lies, where
    it begins there, and its **strides**: how many numbers further the next row, column and so
    on is.

    Parameters
    ----------
    content : bytes
        As ``torch.save(net.state_dict(), path, _use_new_zipfile_serialization=False)`` writes.

    Returns
    -------
    dict of str to ndarray
        float32 or int64, of the shapes in the file.

    Raises
    ------
    DataError
        If it is no such file, is cut short, or names anything else than tensors.

    Examples
    --------
    >>> read_tensors(pickle.dumps(print))
    Traceback (most recent call last):
    course_utils.data.settings.DataError: it names builtins.print, which is no tensor
    """
    file = BytesIO(content)
    try:
        start = [_TensorsOnly(file).load() for _ in range(2)]
        if start != [_MAGIC, _PROTOCOL]:
            raise DataError("it is no file of PyTorch's older layout")
        _, tensors, keys = (_TensorsOnly(file).load() for _ in range(3))
        dtypes = {storage[2]: _DTYPES[storage[1]] for storage, *_ in tensors.values()}
        storages = {key: _storage(file, dtypes[key]) for key in keys}
        return {name: _tensor(storages, *parts) for name, parts in tensors.items()}
    except DataError:
        raise
    except Exception as error:  # broken pickles raise almost anything
        raise DataError(f"it is damaged ({type(error).__name__}: {error})") from error


class _TensorsOnly(pickle.Unpickler):
    """An unpickler that makes dictionaries of descriptions of tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Answer for the few names that a dictionary of tensors needs."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in _DTYPES:
            return name
        raise DataError(f"it names {module}.{name}, which is no tensor")

    def persistent_load(self, pid: tuple) -> tuple:
        """Keep the description of a storage: "storage", its type, key, device and count."""
        return pid


def _storage(file: BinaryIO, dtype: str) -> np.ndarray:
    """Read the numbers of one storage."""
    count = int.from_bytes(file.read(8), "little")
    numbers = np.frombuffer(file.read(count * np.dtype(dtype).itemsize), dtype)
    if len(numbers) != count:
        raise DataError("it is cut short")
    return numbers


def _tensor(
    storages: dict[str, np.ndarray],
    storage: tuple,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
) -> np.ndarray:
    """Pick the numbers of one tensor out of its storage."""
    places = np.full(shape, offset)
    for axis, (length, stride) in enumerate(zip(shape, strides, strict=True)):
        along = (-1, *[1] * (len(shape) - axis - 1))
        places += (np.arange(length) * stride).reshape(along)
    return storages[storage[2]][places]
