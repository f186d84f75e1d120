"""What kind of thing an answer is, and whether that is the kind that was asked for.

A function called ``unlike_...`` returns None if it is, else a sentence that says why not.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def strange(answer: Any, wanted: str) -> str | None:
    """Say what is odd about an answer that is no value at all.

    Examples
    --------
    >>> strange(len, "a number")
    'len is a function, and a number is asked for: are the parentheses behind it missing?'
    >>> strange(3, "a number")
    """
    kind = kind_of(answer)
    name = getattr(answer, "__name__", kind)
    if answer is None:
        return (
            f"that is None, nothing at all, and {wanted} is asked for. A function without "
            "`return` gives None, and so does `print`."
        )
    if isinstance(answer, type):
        return f"{name} is a class, and {wanted} is asked for."
    if hasattr(answer, "count_params"):
        return f"that is {kind} of Keras, a net or a layer, and {wanted} is asked for."
    if callable(answer):
        return (
            f"{name} is a function, and {wanted} is asked for: are the parentheses behind it "
            "missing?"
        )
    if isinstance(answer, dict | set | frozenset) or hasattr(answer, "epoch"):
        return f"that is {kind} with several things in it, and {wanted} is asked for."
    return None


def unlike_number(answer: Any) -> str | None:
    """Say why an answer is not one number, if it is not.

    Examples
    --------
    >>> unlike_number([3])
    'that is a list with one number in it; give the number itself, not in brackets.'
    >>> unlike_number(3)
    """
    if problem := strange(answer, "a number"):
        return problem
    kind = kind_of(answer)
    if isinstance(answer, str | bytes):
        return f"{quoted(answer)} is text; a number has no quotation marks."
    if isinstance(answer, bool | np.bool_):
        return f"{answer} is a truth value; a number is asked for."
    shape = shape_of(answer)
    if shape is None or math.prod(shape) != 1:
        return f"that is {kind} of several numbers or of none; a single one is asked for."
    if shape:
        return f"that is {kind} with one number in it; give the number itself, not in brackets."
    if np.asarray(answer).dtype.kind not in "iuf":
        return f"a number is asked for, and that is {kind}."
    if not np.isfinite(answer):
        return f"{answer} comes from a division by 0 or the like; look for it."
    return None


def unlike_row(answer: Any, right: tuple, names: Sequence[str]) -> str | None:
    """Say why an answer is not a row of so many numbers, if it is not.

    Examples
    --------
    >>> unlike_row(6, (2, 3), ["height", "width"])
    'that is one number; 2 are asked for: height, width.'
    """
    wanted = f"{len(right)} are asked for: {', '.join(names)}."
    if problem := strange(answer, "a tuple of numbers"):
        return problem
    if isinstance(answer, str | bytes):
        return f"{quoted(answer)} is text; a tuple of numbers is asked for, as in (2, 3)."
    shape = shape_of(answer)
    if shape is None or len(shape) > 1:
        return f"the numbers are to stand in a single row; {wanted}"
    if shape == ():
        return f"that is one number; {wanted}"
    values = list(answer)
    if values and values[0] is None:
        return "None stands for any number of pictures; leave it out."
    if len(values) > 1 and same(values[1:], right):
        return f"the first number is one too many; {wanted}"
    if same(values, right[1:]):
        return f"the {names[0]} in front: one number is missing; {wanted}"
    if len(values) != len(right):
        return f"{len(values)} numbers are given; {wanted}"
    return None if are_numbers(answer) else f"not all of these are numbers; {wanted}"


def unlike_word(answer: Any) -> str | None:
    """Say why an answer is not a word, if it is not.

    Examples
    --------
    >>> unlike_word(3)
    'a word is asked for, in quotation marks, and that is an int.'
    """
    if isinstance(answer, str):
        return (
            None
            if answer.strip()
            else "that text is empty; write the word between the quotation marks."
        )
    if isinstance(answer, list | tuple) and len(answer) == 1:
        return "that is a list with one thing in it; give the word itself."
    if isinstance(answer, type) or callable(answer):
        return "that is a thing of Python; write its name as text, in quotation marks."
    if problem := strange(answer, "a word"):
        return problem
    return f"a word is asked for, in quotation marks, and that is {kind_of(answer)}."


def unlike_array(answer: Any, shape: tuple[int, ...]) -> str | None:
    """Say why an answer is not an array of numbers of this shape, if it is not.

    Examples
    --------
    >>> unlike_array(np.zeros((3, 2)), (2, 3))
    'the shape is (3, 2), and (2, 3) is asked for: rows and columns are swapped.'
    """
    if problem := strange(answer, "an array"):
        return problem
    if isinstance(answer, str | bytes):
        return f"{quoted(answer)} is text; an array of numbers is asked for."
    given = shape_of(answer)
    if given is None:
        return "its rows are of different lengths, so they do not make an array."
    if not are_numbers(answer):
        return "there is something in it that is not a number."
    asked = f"the shape is {given}, and {shape} is asked for"
    if given == () != shape:
        return f"that is a single number; an array of shape {shape} is asked for."
    if given == shape:
        return None if np.isfinite(answer).all() else "there are values in it that are no numbers."
    if given == shape[::-1]:
        return f"{asked}: rows and columns are swapped."
    if given in [(1, *shape), (*shape, 1)]:
        return f"{asked}: there is an axis of length 1 too many."
    if len(given) != len(shape):
        return f"{asked}: its number of axes is {len(given)}, not {len(shape)}."
    return f"{asked}."


def unlike_function(answer: Any) -> str | None:
    """Say why an answer is not a function, if it is not.

    Examples
    --------
    >>> unlike_function(3)
    'that is an int, not a function. Give its name only, without parentheses behind it.'
    """
    kind = kind_of(answer)
    if isinstance(answer, type):
        return f"{answer.__name__} is a class, and a function is asked for."
    if isinstance(answer, str):
        return f"{quoted(answer)} is text; give the function itself, without quotation marks."
    if answer is None:
        return "that is None, not a function. Give its name only, without parentheses behind it."
    if hasattr(answer, "count_params"):
        return f"that is {kind} of Keras, and a function that you write is asked for."
    if not callable(answer):
        return f"that is {kind}, not a function. Give its name only, without parentheses behind it."
    return None


def unlike_returned(found: Any) -> str | None:
    """Say that a function returned nothing, if it did.

    Examples
    --------
    >>> unlike_returned(None)
    'it returns None; is the `return` missing?'
    """
    return "it returns None; is the `return` missing?" if found is None else None


def kind_of(answer: Any) -> str:
    """Name the type of an answer, with an article.

    Examples
    --------
    >>> kind_of([1]), kind_of(1), kind_of(np.ones(1))
    ('a list', 'an int', 'an array')
    """
    name = type(answer).__name__
    name = {"ndarray": "array", "EagerTensor": "tensor"}.get(name, name)
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def written(value: float) -> str:
    """Write a number with as many digits as are of use.

    Examples
    --------
    >>> written(3453121.0), written(1 / 7)
    ('3453121', '0.1429')
    """
    return f"{value:.10g}" if value % 1 == 0 else f"{value:.4g}"


def quoted(text: str | bytes) -> str:
    """Write a text in quotation marks, cut if it is long.

    Examples
    --------
    >>> quoted("a cat")
    "'a cat'"
    """
    written = repr(text)
    return written if len(written) <= 40 else f"{written[:39]}…"


def alike(one: Any, other: Any) -> bool:
    """Tell whether two arrays or numbers have the same shape and nearly the same values."""
    shapes = shape_of(one), shape_of(other)
    if shapes[0] != shapes[1] or not (are_numbers(one) and are_numbers(other)):
        return one is other
    return np.allclose(one, other, rtol=1e-4, atol=1e-6)


def shape_of(answer: Any) -> tuple[int, ...] | None:
    """Find the shape of an answer; None for a ragged list, which has none."""
    try:
        return tuple(np.shape(answer))
    except ValueError:
        return None


def are_numbers(answer: Any) -> bool:
    """Tell whether something consists of numbers only."""
    return shape_of(answer) is not None and np.asarray(answer).dtype.kind in "biuf"


def same(values: Sequence, others: Sequence) -> bool:
    """Compare two rows of numbers."""
    return are_numbers(values) and alike(np.asarray(values, float), np.asarray(others, float))
