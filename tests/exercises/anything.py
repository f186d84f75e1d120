"""Things that nobody would ask for, some of them awkward to handle."""

import numpy as np
from hypothesis import strategies as st


class Unprintable:
    """An object whose text cannot be asked for."""

    def __repr__(self):
        raise RuntimeError("no text")

    __str__ = __repr__


class Unspeakable(Exception):
    """An error whose message cannot be asked for."""

    def __str__(self):
        raise RuntimeError("no message")


def raises(error):
    """A function that takes anything and raises an error."""

    def function(*args):
        raise error

    return function


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.just(...)
    | st.builds(object)
    | st.sampled_from([int, len, np.nan, np.float32(1), np.array(["a"]), np.zeros((0, 3))]),
    lambda inner: (
        st.tuples(inner)
        | st.tuples(inner, inner)
        | st.lists(inner, max_size=3)
        | st.dictionaries(st.text(), inner, max_size=2)
        | st.frozensets(st.integers())
    ),
    max_leaves=6,
)

AWKWARD = {
    "a ragged list": [[1], [1, 2]],
    "a ragged tuple": ([1], [1, 2]),
    "a huge number": 10**5000,
    "a tuple without a text": (Unprintable(),),
    "a list without a text": [Unprintable()],
    "an object without a text": Unprintable(),
    "an array of objects": np.array([[1, 2], [None, "a"]], dtype=object),
    "an error": ValueError("no answer"),
    "a generator": (n for n in range(3)),
}
