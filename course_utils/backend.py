"""Keras and TensorFlow, imported without the lines that TensorFlow prints while it starts.

Those lines come from C++ and go straight to file descriptor 2. No environment variable stops
all of them, so the descriptor points to nowhere while the import lasts.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import course_utils  # noqa: F401  (sets TensorFlow's log level)


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Send file descriptor 2 to the null device inside the ``with`` block."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _no_stderr():
    import keras
    import tensorflow as tf

# Remarks such as "triggered retracing" are for its developers, not for a lecture.
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
