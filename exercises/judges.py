"""Building blocks of judges.

A judge takes what a student gives. It returns None if that is right, else a sentence that helps:
one for a usual mistake where it recognises one, and where it does not, the question that leads on.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from exercises.kinds import (
    alike,
    quoted,
    same,
    unlike_array,
    unlike_function,
    unlike_number,
    unlike_returned,
    unlike_row,
    unlike_word,
    written,
)

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
        if same(given, right):
            return None
        for wrong, message in (mistakes or {}).items():
            if same(given, wrong):
                return message
        if same(sorted(given), sorted(right)):
            return f"the numbers are right, their order is not: it is {', '.join(names)}."
        values = zip(names, given, right, strict=True)
        name, value = next((n, v) for n, v, wanted in values if not same([v], [wanted]))
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


def _close(value: float, other: float, rtol: float) -> bool:
    """Tell whether two numbers are nearly the same."""
    return math.isclose(value, other, rel_tol=rtol, abs_tol=1e-9)


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
