"""Calls of ``check`` and ``hint``, whatever is given to them."""

from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import exercises
from exercises import check, hint
from tests.examples import many
from tests.exercises.answers import NUMBERS, get, run
from tests.exercises.wrong_answers import NEVER
from tests.test_checks import ANYTHING, AWKWARD, Unspeakable, raises

YOUR_TURN = "… Your turn: replace the dots by your answer and run the cell again.\n"


def said_of(function, *arguments, **context):
    """What a call prints."""
    with redirect_stdout(StringIO()) as printed:
        function(*arguments, **context)
    return printed.getvalue()


@pytest.fixture(autouse=True)
def no_hint_was_given():
    exercises._hints_given.clear()


def test_a_right_and_a_wrong_answer_and_none_at_all(capsys):
    check("1.1", 30)
    check("1.1", [30])
    check("1.1", ...)
    right, wrong, dots = capsys.readouterr().out.splitlines(keepends=True)
    assert right == "✓ Correct.\n"
    assert wrong.startswith("✗ Not yet: that is a list with one number in it")
    assert dots == YOUR_TURN


@pytest.mark.parametrize("number", NUMBERS)
def test_each_cell_as_it_is_handed_out_says_your_turn(number):
    exercise = get(number)
    answers, context = run(exercise, ", ".join(["..."] * len(exercise.names)))
    assert said_of(check, number, *answers, **context) == YOUR_TURN


def test_dots_beside_an_answer_are_not_yet_answered():
    assert said_of(check, "6.1", 8, ...) == YOUR_TURN


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("5.9", "There is no exercise 5.9. Those of this notebook: 5.1, 5.2, 5.3, 5.4, 5.5, 5.6."),
        ("77.1", "Notebook 77 has no exercises."),
        (5.9, "There is no exercise 5.9. Those"),
        ("five", "Name the exercise by its number, in quotation marks"),
        (None, "Name the exercise by its number"),
        ("1" * 9999 + ".1", "Name the exercise by its number"),
    ],
)
def test_an_unknown_number_is_told_with_those_that_there_are(number, said):
    assert said_of(check, number, 1).startswith(said)
    assert said_of(hint, number).startswith(said)


@pytest.mark.parametrize(
    ("number", "answers"), [("1.1", ()), ("1.1", (1, 2)), ("6.1", (8,)), ("4.3", (5,))]
)
def test_a_call_with_too_little_or_too_much_is_told_how_to_call(number, answers):
    said = said_of(check, number, *answers)
    assert said == f"✗ Not yet: call it as in the beginning, {get(number).call}.\n"


def test_what_a_function_of_a_student_prints_is_not_shown():
    def negative(image):
        print("here I am")
        return 1 - image

    assert said_of(check, "0.3", negative) == "✓ Correct.\n"


@pytest.mark.parametrize(
    "error",
    [ValueError("a bad\nshape"), KeyError("loss"), Unspeakable(), RecursionError(), SystemExit(1)],
)
def test_what_a_function_of_a_student_raises_is_feedback(error):
    said = said_of(check, "0.3", raises(error))
    assert said.startswith(f"✗ Not yet: it stopped with {type(error).__name__}")
    assert said.count("\n") == 1


def test_a_long_error_is_cut():
    assert len(said_of(check, "0.3", raises(ValueError("long " * 1000)))) < 300


def test_hints_come_in_two_steps():
    first, second, third = (said_of(hint, "5.1") for _ in range(3))
    assert first == "Hint 1 of 2: A full turn has 360 degrees.\n"
    assert second == "Hint 2 of 2: Divide the 90 degrees by a full turn.\n"
    assert third == second
    assert said_of(hint, "5.2").startswith("Hint 1 of 2: ")


# Anything at all

SOME = st.sampled_from([number for number in NUMBERS if get(number).names])


@many(1000)
@given(SOME, st.lists(ANYTHING, min_size=3, max_size=3))
def test_no_answer_makes_a_check_raise_or_pass(number, answers):
    exercise = get(number)
    context = run(exercise, ", ".join(["..."] * len(exercise.names)))[1]
    answers = answers[: len(exercise.names)]
    said = said_of(check, number, *answers, **context)
    assert said == YOUR_TURN or said.startswith(("✗ Not yet: ", "✓ Correct."))
    assert said.count("\n") == 1


@pytest.mark.parametrize("number", NUMBERS)
def test_what_nothing_asks_for_is_never_accepted(number):
    exercise = get(number)
    context = run(exercise, ", ".join(["..."] * len(exercise.names)))[1]
    awkward = [*AWKWARD.values(), *(eval(code, dict(run_names())) for code in NEVER)]
    for answer in awkward:
        said = said_of(check, number, *[answer] * len(exercise.names), **context)
        assert said.startswith("✗ Not yet: "), answer
        assert len(said) > 30, answer


def run_names():
    import keras

    return {"np": np, "keras": keras}
