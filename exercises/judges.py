"""Building blocks of judges.

A judge takes what a student gives. It returns None if that is right, else a sentence that helps:
one for a usual mistake where it recognises one, and where it does not, the question that leads on.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Judge = Callable[..., str | None]


def number(
    right: float, otherwise: str, mistakes: dict[float, str] | None = None, rtol: float = 1e-6
) -> Judge:
    """Make a judge for one number.

    Parameters
    ----------
    right : int or float
        The right number. An int must be met exactly.
    otherwise : str
        What to think of, for whoever gives a number that nobody foresaw.
    mistakes : dict of float to str
        Wrong numbers that are to be expected, and what to say to each.
    rtol : float
        How far a float may be off, relative to its size.

    Returns
    -------
    callable

    Examples
    --------
    >>> judge = number(26, "How many places has the window?", {28: "The border is lost."})
    >>> judge(26)
    >>> judge(28)
    'The border is lost.'
    >>> judge(20)
    '20 is too small. How many places has the window?'
    """

    def judge(answer: Any) -> str | None:
        if problem := unlike_number(answer):
            return problem
        value = float(np.asarray(answer).item())
        if _close(value, right, rtol):
            return None
        for wrong, message in (mistakes or {}).items():
            if _close(value, wrong, 1e-9 if isinstance(wrong, int) else 5e-3):
                return message
        if isinstance(right, int) and value % 1:
            return f"{written(value)} is not a whole number. {otherwise}"
        if isinstance(right, int) and abs(value - right) == 1:
            return f"{written(value)} is off by one. {otherwise}"
        return f"{written(value)} is too {'large' if value > right else 'small'}. {otherwise}"

    return judge


def row(
    right: tuple, names: Sequence[str], otherwise: str, mistakes: dict[tuple, str] | None = None
) -> Judge:
    """Make a judge for a few numbers in a fixed order, such as a shape.

    Parameters
    ----------
    right : tuple
    names : sequence of str
        What each number stands for.
    otherwise, mistakes
        As for `number`.

    Returns
    -------
    callable

    Examples
    --------
    >>> judge = row((150, 200), ["height", "width"], "Measure again.")
    >>> judge((200, 150))
    'the numbers are right, their order is not: it is height, width.'
    >>> judge((150, 250))
    '250 is not right for the width. Measure again.'
    """

    def judge(answer: Any) -> str | None:
        if problem := unlike_row(answer, right, names):
            return problem
        given = tuple(np.ravel(answer).tolist())
        if _same(given, right):
            return None
        for wrong, message in (mistakes or {}).items():
            if _same(given, wrong):
                return message
        if _same(sorted(given), sorted(right)):
            return f"the numbers are right, their order is not: it is {', '.join(names)}."
        values = zip(names, given, right, strict=True)
        name, value = next((n, v) for n, v, wanted in values if not _same([v], [wanted]))
        return f"{written(value)} is not right for the {name}. {otherwise}"

    return judge


def word(
    right: str,
    otherwise: str,
    mistakes: dict[str, str] | None = None,
    choices: Sequence[str] = (),
) -> Judge:
    """Make a judge for a word; capitals and spaces around it do not count.

    Parameters
    ----------
    right : str
    otherwise, mistakes
        As for `number`.
    choices : sequence of str
        The words to choose from, if the question names them.

    Returns
    -------
    callable

    Examples
    --------
    >>> judge = word("same", "Which one keeps the size?", choices=["valid", "same"])
    >>> judge("Same")
    >>> judge("equal")
    "'equal' is none of the words to choose from: valid, same."
    """

    def judge(answer: Any) -> str | None:
        if problem := unlike_word(answer):
            return problem
        given = answer.strip().lower()
        if given == right.lower():
            return None
        if given in (mistakes or {}):
            return mistakes[given]
        if choices and given not in choices:
            return f"{quoted(answer)} is none of the words to choose from: {', '.join(choices)}."
        return f"{quoted(answer)} does not fit. {otherwise}"

    return judge


def array(right: Any, otherwise: str, mistakes: dict[tuple, str] | None = None) -> Judge:
    """Make a judge for an array, shape first.

    Parameters
    ----------
    right : array
        Values may differ by one part in ten thousand.
    otherwise, mistakes
        As for `number`; wrong arrays are written as tuples of tuples.

    Returns
    -------
    callable

    Examples
    --------
    >>> judge = array(np.eye(2), "Ones on the diagonal.", {((1, 1), (1, 1)): "Too many ones."})
    >>> judge([[1, 0], [0, 1]])
    >>> judge(np.ones((2, 2)))
    'Too many ones.'
    >>> judge(np.zeros((2, 2)))
    'the value at [0, 0] is not right. Ones on the diagonal.'
    """
    right = np.asarray(right, dtype=float)

    def judge(answer: Any) -> str | None:
        if problem := unlike_array(answer, right.shape):
            return problem
        given = np.asarray(answer)
        if alike(given, right):
            return None
        for wrong, message in (mistakes or {}).items():
            if alike(given, wrong):
                return message
        if alike(given, right.T):
            return "rows and columns are swapped."
        if alike(-given, right):
            return f"all signs are the wrong way round. {otherwise}"
        place = np.argwhere(~np.isclose(given, right, rtol=1e-4, atol=1e-6))[0].tolist()
        return f"the value at {place} is not right. {otherwise}"

    return judge


def function(
    right: Callable,
    inputs: Sequence[tuple],
    otherwise: str,
    mistakes: dict[Callable, str] | None = None,
) -> Judge:
    """Make a judge for a function that a student writes, by what it returns.

    Parameters
    ----------
    right : callable
        What the function should do.
    inputs : sequence of tuple
        The arguments of each call.
    otherwise : str
        As for `number`.
    mistakes : dict of callable to str
        Functions that do what is usually done wrong, and what to say to each.

    Returns
    -------
    callable

    Examples
    --------
    >>> judge = function(abs, [(1,), (-2,)], "Sizes are never negative.")
    >>> judge(abs)
    >>> judge(int)
    'int is a class, and a function is asked for.'
    >>> judge(round)
    'for the input -2: -2 is too small. Sizes are never negative.'
    """

    def judge(answer: Any) -> str | None:
        if problem := unlike_function(answer):
            return problem
        for arguments in inputs:
            given = copy.deepcopy(arguments)
            found = answer(*given)
            if not all(map(alike, given, arguments)):
                return "it changes what it is given; let it make something new instead."
            if problem := _compare(found, right(*arguments), otherwise):
                for wrong, message in (mistakes or {}).items():
                    if all(_agree(answer, wrong, each) for each in inputs):
                        return message
                return f"for the input {_describe(arguments)}: {problem}"
        return None

    return judge


def each(**judges: Judge) -> Judge:
    """Make a judge for several answers: one judge for each, under its name.

    Parameters
    ----------
    **judges : callable

    Returns
    -------
    callable

    Examples
    --------
    >>> judge = each(rows=number(3, "Count."), columns=number(5, "Count."))
    >>> judge(3, 9)
    'columns: 9 is too large. Count.'
    """

    def judge(*answers: Any) -> str | None:
        for (name, one), answer in zip(judges.items(), answers, strict=True):
            if problem := one(answer):
                return f"{name}: {problem}"
        return None

    return judge


def percent(right: float) -> dict[float, str]:
    """Expect a percentage where a share is asked for.

    Examples
    --------
    >>> number(0.25, "", percent(0.25))(25)
    'that is a percentage; a share lies between 0 and 1, so divide by 100.'
    """
    return {100.0 * right: "that is a percentage; a share lies between 0 and 1, so divide by 100."}


def turns(right: float) -> dict[float, str]:
    """Expect an angle in other units where turns are asked for.

    Examples
    --------
    >>> number(0.5, "", turns(0.5))(180)
    'that is in degrees; here a full turn counts as 1.'
    """
    return {
        360.0 * right: "that is in degrees; here a full turn counts as 1.",
        2 * math.pi * right: "that is in radians; here a full turn counts as 1.",
    } | percent(right)


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
    if len(values) > 1 and _same(values[1:], right):
        return f"the first number is one too many; {wanted}"
    if _same(values, right[1:]):
        return f"the {names[0]} in front: one number is missing; {wanted}"
    if len(values) != len(right):
        return f"{len(values)} numbers are given; {wanted}"
    return None if _numbers(answer) else f"not all of these are numbers; {wanted}"


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
    if not _numbers(answer):
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
    if shapes[0] != shapes[1] or not (_numbers(one) and _numbers(other)):
        return one is other
    return np.allclose(one, other, rtol=1e-4, atol=1e-6)


def shape_of(answer: Any) -> tuple[int, ...] | None:
    """Find the shape of an answer; None for a ragged list, which has none."""
    try:
        return tuple(np.shape(answer))
    except ValueError:
        return None


def _numbers(answer: Any) -> bool:
    """Tell whether something consists of numbers only."""
    return shape_of(answer) is not None and np.asarray(answer).dtype.kind in "biuf"


def _close(value: float, other: float, rtol: float) -> bool:
    """Tell whether two numbers are nearly the same."""
    return math.isclose(value, other, rel_tol=rtol, abs_tol=1e-9)


def _same(values: Sequence, others: Sequence) -> bool:
    """Compare two rows of numbers."""
    return _numbers(values) and alike(np.asarray(values, float), np.asarray(others, float))


def _compare(found: Any, wanted: Any, otherwise: str) -> str | None:
    """Judge what a function returned."""
    if problem := unlike_returned(found):
        return problem
    if np.ndim(wanted) == 0:
        return number(wanted, otherwise, rtol=1e-4)(found)
    return array(wanted, otherwise)(found)


def _agree(one: Callable, other: Callable, arguments: tuple) -> bool:
    """Tell whether two functions return the same."""
    return alike(one(*copy.deepcopy(arguments)), other(*copy.deepcopy(arguments)))


def _describe(arguments: tuple) -> str:
    """Write the arguments of a call in a few words."""
    texts = []
    for argument in arguments:
        text = " ".join(str(np.asarray(argument).tolist()).split())
        texts.append(text if len(text) < 60 else f"of shape {np.shape(argument)}")
    return ", ".join(texts)
