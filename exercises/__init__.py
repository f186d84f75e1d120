"""The exercises: what they ask, how an answer is judged, and what helps to find one.

A notebook names an exercise and hands over an answer, and so never shows the right one. Each
notebook has a module here, whose list ``EXERCISES`` is the only place where they are written;
``python -m tools.exercises`` puts them into the notebooks.
"""

import io
from collections import Counter
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from exercises.exercise import Exercise

__all__ = ["Exercise", "check", "hint", "of_notebook", "verdict"]

YOUR_TURN = "… Your turn: replace the dots by your answer and run the cell again."

_hints_given: Counter[str] = Counter()


def check(number: str, *answers: Any, **context: Any) -> None:
    """Say in one line whether an exercise is solved, whatever is given as the answer.

    Parameters
    ----------
    number : str
        Which exercise, for example "5.1".
    *answers : Any
        One or several; ``...`` stands for an answer that is still to come.
    **context : Any
        What the exercise needs of the notebook, under its own name.

    Examples
    --------
    >>> check("0.1", ...)
    … Your turn: replace the dots by your answer and run the cell again.
    >>> check("0.1", "a cat")
    ✗ Not yet: 'a cat' is text; a tuple of numbers is asked for, as in (2, 3).
    """
    exercise = _find(number)
    print(exercise if isinstance(exercise, str) else _verdict(exercise, answers, context))


def hint(number: str) -> None:
    """Print the first hint for an exercise; when called again, the second.

    Parameters
    ----------
    number : str
        Which exercise, for example "5.1".

    Examples
    --------
    >>> hint("0.7")
    There is no exercise 0.7. Those of this notebook: 0.1, 0.2, 0.3, 0.4, 0.5.
    """
    exercise = _find(number)
    if isinstance(exercise, str):
        print(exercise)
        return
    place = min(_hints_given[exercise.number], 1)
    _hints_given[exercise.number] += 1
    print(f"Hint {place + 1} of 2: {exercise.hints[place]}")


def of_notebook(number: int) -> list[Exercise]:
    """List the exercises of a notebook; an empty list where it has none.

    Parameters
    ----------
    number : int
        0 for the start page, 1 for the first lecture, and so on.

    Returns
    -------
    list of Exercise

    Examples
    --------
    >>> [exercise.title for exercise in of_notebook(0)][:2]
    ['Shapes', 'Slices']
    """
    modules = [path.stem for path in Path(__file__).parent.glob(f"n{number:02d}_*.py")]
    return import_module(f"exercises.{modules[0]}").EXERCISES if modules else []


def verdict(number: str, names: dict[str, Any]) -> str:
    """Judge an exercise by what a notebook holds, as ``make grade`` does.

    Parameters
    ----------
    number : str
        Which exercise, for example "5.1".
    names : dict of str to Any
        All variables of the notebook.

    Returns
    -------
    str
        What ``check`` would print.

    Examples
    --------
    >>> verdict("0.1", {})
    '… Your turn: replace the dots by your answer and run the cell again.'
    """
    exercise = _find(number)
    if isinstance(exercise, str):
        return exercise
    answers = tuple(names.get(name, ...) for name in exercise.names)
    context = {name: names[name] for name in exercise.context if name in names}
    return _verdict(exercise, answers, context)


def _find(number: Any) -> Exercise | str:
    """Find an exercise by its number, or say which ones there are."""
    number = str(number) if isinstance(number, str | int | float) else ""
    notebook, _, place = number.partition(".")
    if not (notebook.isdecimal() and place.isdecimal()) or len(number) > 9:
        return 'Name the exercise by its number, in quotation marks, as in check("5.1", answer).'
    exercises = {exercise.number: exercise for exercise in of_notebook(int(notebook))}
    if not exercises:
        return f"Notebook {notebook} has no exercises."
    missing = f"There is no exercise {number}. Those of this notebook: {', '.join(exercises)}."
    return exercises.get(number, missing)


def _verdict(exercise: Exercise, answers: tuple, context: dict[str, Any]) -> str:
    """Judge answers, and write what was found in one line."""
    if any(answer is ... for answer in answers):
        return YOUR_TURN
    missing = [name for name in exercise.context if name not in context]
    if len(answers) != len(exercise.names) or missing:
        return f"✗ Not yet: call it as in the beginning, {exercise.call}."
    context = {name: context[name] for name in exercise.context}
    try:
        with redirect_stdout(io.StringIO()):  # what a student's function prints on its way
            problem = exercise.judge(*answers, **context)
    except (Exception, SystemExit) as error:  # whatever a student's code raises is feedback
        problem = f"it stopped with {type(error).__name__}{_text(error)}"
    return "✓ Correct." if problem is None else f"✗ Not yet: {' '.join(problem.split())}"


def _text(error: BaseException) -> str:
    """Write the message of an error behind a colon; a full stop where it has none."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # a student's class may have a broken __str__
        text = ""
    short = text if len(text) <= 200 else f"{text[:199]}…"
    return f": {short}" if text else "."
