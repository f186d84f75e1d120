"""Feedback on exercises: each check prints one line and never raises.

An answer of ``...``, as the notebooks hand them out, counts as not yet answered.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def value(answer: Any, expected: Any, hint: str = "") -> None:
    """Check a number, a word or a tuple.

    Parameters
    ----------
    answer : Any
        The student's answer, or ``...``.
    expected : Any
        The right one. Floats may differ by one part in a million.
    hint : str
        Shown with a wrong answer.

    Examples
    --------
    >>> value(..., 26)
    … Your turn: replace the dots by your answer and run the cell again.
    >>> value(28, 26, "How many positions has a window of 3 on 28 pixels?")
    ✗ Not yet: 28 is not it. How many positions has a window of 3 on 28 pixels?
    >>> value(26, 26)
    ✓ Correct: 26
    """
    if isinstance(answer, str) and not isinstance(expected, str):
        _say_no(f"{answer!r} is text; give a number, without quotation marks.", hint)
    else:
        passes(answer, lambda given: _equal(given, expected), hint)


def array(answer: Any, expected: np.ndarray, hint: str = "") -> None:
    """Check an array, shape first.

    Parameters
    ----------
    answer : array or ...
        The student's answer.
    expected : array
        The right one. Values may differ by one part in a million.
    hint : str
        Shown with a wrong answer.

    Examples
    --------
    >>> array([1, 2], np.zeros(3))
    ✗ Not yet: the shape is (2,), expected (3,).
    >>> array(np.zeros(3), np.zeros(3))
    ✓ Correct.
    """
    shape = None if answer is ... else _shape(answer)
    if answer is not ... and shape != np.shape(expected):
        _say_no(f"the shape is {shape}, expected {np.shape(expected)}.", hint)
    else:
        passes(answer, lambda given: _equal(given, expected), hint)


def passes(answer: Any, test: Callable[[Any], bool], hint: str = "") -> None:
    """Check an answer, or a function that a student wrote, by what it does.

    Parameters
    ----------
    answer : Any
        The student's answer, or ``...``.
    test : callable
        Takes the answer and tells whether it is right.
    hint : str
        Shown with a wrong answer. An error that the answer causes is shown too.

    Examples
    --------
    >>> passes(lambda x: x + 1, lambda f: f(1) == 2)
    ✓ Correct.
    >>> passes(lambda x: x / 0, lambda f: f(1) == 2)
    ✗ Not yet: it stopped with ZeroDivisionError: division by zero.
    """
    if answer is ...:
        print("… Your turn: replace the dots by your answer and run the cell again.")
        return
    try:
        right = bool(test(answer))
    except Exception as error:  # whatever a student's code raises is feedback, not a crash
        _say_no(f"it stopped with {type(error).__name__}: {_text(error)}.", hint)
        return
    text = _text(answer) if isinstance(answer, int | float | str | tuple | np.generic) else ""
    if right:
        print(f"✓ Correct: {text}" if text else "✓ Correct.")
    else:
        _say_no(f"{text or 'this'} is not it.", hint)


def _equal(answer: Any, expected: Any) -> bool:
    """Compare numbers closely, words without regard to capitals, and everything else exactly."""
    if isinstance(expected, str):
        return str(answer).strip().lower() == expected.lower()
    if _shape(answer) != np.shape(expected):
        return False
    numbers = all(np.asarray(side).dtype.kind in "biufc" for side in (answer, expected))
    return np.allclose(answer, expected, rtol=1e-6, atol=1e-9) if numbers else answer == expected


def _shape(answer: Any) -> tuple[int, ...] | None:
    """Find the shape of an answer; None for a ragged list, which has none."""
    try:
        return np.shape(answer)
    except ValueError:
        return None


def _text(answer: Any) -> str:
    """Write an answer or an error in a few words; nothing where it cannot be written."""
    try:
        text = str(answer)
    except Exception:  # a student's class may have a broken __str__
        return ""
    return text if len(text) <= 100 else text[:99] + "…"


def _say_no(reason: str, hint: str) -> None:
    """Print what is wrong, and the hint."""
    print(f"✗ Not yet: {reason} {hint}".rstrip())
