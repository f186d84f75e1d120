from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import checks
from tests.examples import many

YOUR_TURN = "… Your turn: replace the dots by your answer and run the cell again.\n"


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


def said_of(check, *arguments):
    """What a check prints; for Hypothesis, which runs many cases in one `capsys`."""
    with redirect_stdout(StringIO()) as printed:
        check(*arguments)
    return printed.getvalue()


# Values


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (26, 26),
        (26.0, 26),
        (np.int64(26), 26),
        (np.array(26), 26),
        (0.1 + 0.2, 0.3),
        (1e6 + 0.5, 1e6),
        (0, 0.0),
        (1 + 2j, 1 + 2j),
        (True, True),
        ((3, 3), (3, 3)),
        ([3, 3], (3, 3)),
        (np.array([3, 3]), (3, 3)),
        ("valid", "valid"),
        (" Valid ", "valid"),
        ("valid", "VALID"),
    ],
)
def test_a_right_value_is_correct(capsys, answer, expected):
    checks.value(answer, expected, "a hint")
    assert capsys.readouterr().out.startswith("✓ Correct")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (28, 26),
        (26.1, 26),
        (1e6 + 5, 1e6),
        (float("nan"), 26),
        (float("inf"), 26),
        (False, True),
        ((3, 4), (3, 3)),
        ((3,), (3, 3)),
        ((3, 3, 1), (3, 3)),
        (3, (3, 3)),
        ((3, 3), 3),
        ("same", "valid"),
        ("", "valid"),
        (5, "valid"),
        (None, "valid"),
        ("26", 26),
        (None, 26),
        ([], 26),
        ({}, 26),
        (b"26", 26),
        (object(), 26),
        (len, 26),
        ("ab", (3, 3)),
    ],
)
def test_a_wrong_value_is_not_yet_right_and_brings_the_hint(capsys, answer, expected):
    checks.value(answer, expected, "Count the windows.")
    out = capsys.readouterr().out
    assert out.startswith("✗ Not yet: ")
    assert out.endswith(" Count the windows.\n")
    assert out.count("\n") == 1


@pytest.mark.parametrize("answer", [28, 2.5, "same", (3, 4)])
def test_a_short_answer_is_repeated(capsys, answer):
    checks.value(answer, answer)
    checks.value(answer, 12345)
    right, wrong = capsys.readouterr().out.splitlines()
    assert right == f"✓ Correct: {answer}"
    assert wrong.startswith("✗ Not yet: ")
    assert str(answer) in wrong


def test_without_a_hint_there_is_none(capsys):
    checks.value(1, 2)
    assert capsys.readouterr().out == "✗ Not yet: 1 is not it.\n"


@pytest.mark.parametrize(
    "check",
    [
        lambda: checks.value(..., 26, "a hint"),
        lambda: checks.value(..., "word", "a hint"),
        lambda: checks.array(..., np.zeros(3), "a hint"),
        lambda: checks.passes(..., lambda answer: True, "a hint"),
        lambda: checks.passes(..., raises(ValueError), "a hint"),
    ],
)
def test_dots_are_not_yet_answered(capsys, check):
    check()
    assert capsys.readouterr() == (YOUR_TURN, "")


def test_a_tuple_of_words_can_be_right(capsys):
    checks.value(("same", "valid"), ("same", "valid"))
    assert capsys.readouterr().out.startswith("✓ Correct")


# Arrays


@pytest.mark.parametrize(
    "answer",
    [np.eye(3), np.eye(3, dtype=np.uint8), np.eye(3).tolist(), np.eye(3) + 1e-12, np.eye(3) + 0j],
)
def test_a_right_array_is_correct(capsys, answer):
    checks.array(answer, np.eye(3), "a hint")
    assert capsys.readouterr().out == "✓ Correct.\n"


@pytest.mark.parametrize(
    "answer", [np.zeros((3, 3)), np.eye(3) + 1e-3, np.full((3, 3), np.nan), np.full((3, 3), "a")]
)
def test_a_wrong_array_brings_the_hint(capsys, answer):
    checks.array(answer, np.eye(3), "Look at the corner.")
    out = capsys.readouterr().out
    assert out.startswith("✗ Not yet: ")
    assert out.endswith(" Look at the corner.\n")


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        (np.eye(2), "(2, 2)"),
        (np.zeros((3, 3, 1)), "(3, 3, 1)"),
        (np.zeros(9), "(9,)"),
        (1, "()"),
        ("eye", "()"),
        (None, "()"),
        ([], "(0,)"),
        (np.eye, "()"),
    ],
)
def test_a_wrong_shape_is_told_with_the_right_one(capsys, answer, shape):
    checks.array(answer, np.eye(3), "Use padding.")
    expected = f"✗ Not yet: the shape is {shape}, expected (3, 3). Use padding.\n"
    assert capsys.readouterr().out == expected


# Functions


def test_a_function_is_checked_by_what_it_does(capsys):
    checks.passes(lambda x: x + 1, lambda f: f(1) == 2)
    checks.passes(lambda x: x + 2, lambda f: f(1) == 2, "Add one.")
    right, wrong = capsys.readouterr().out.splitlines()
    assert right == "✓ Correct."
    assert wrong == "✗ Not yet: this is not it. Add one."


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a bad shape"), "ValueError: a bad shape."),
        (KeyError("loss"), "KeyError: 'loss'."),
        (AssertionError(), "AssertionError: ."),
        (RecursionError("too deep"), "RecursionError: too deep."),
        (NotImplementedError("later"), "NotImplementedError: later."),
    ],
)
def test_an_error_in_the_answer_is_shown_with_the_hint(capsys, error, text):
    checks.passes(raises(error), lambda f: f(1) == 2, "Add one.")
    assert capsys.readouterr().out == f"✗ Not yet: it stopped with {text} Add one.\n"


def test_an_answer_that_is_no_function_is_an_error_that_is_shown(capsys):
    checks.passes(5, lambda f: f(1) == 2)
    assert "TypeError: 'int' object is not callable" in capsys.readouterr().out


def test_a_test_may_answer_with_a_numpy_bool_but_not_with_an_array(capsys):
    checks.passes(np.eye(3), lambda answer: (answer >= 0).all())
    checks.passes(np.eye(3), lambda answer: answer >= 0)
    right, wrong = capsys.readouterr().out.splitlines()
    assert right == "✓ Correct."
    assert wrong.startswith("✗ Not yet: it stopped with ValueError: The truth value of an array")


# Anything at all


def is_regular(answer):
    """Tell whether NumPy finds a shape; what has none has a test of its own below."""
    try:
        np.shape(answer)
    except ValueError:
        return False
    return True


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


@many(500)
@given(ANYTHING.filter(is_regular), st.sampled_from([26, 0.5, "word", (3, 3), ("a", "b"), True]))
def test_no_answer_makes_a_check_raise(answer, expected):
    said = [
        said_of(checks.value, answer, expected, "a hint"),
        said_of(checks.array, answer, np.eye(2), "a hint"),
        said_of(checks.passes, answer, lambda given: given == expected, "a hint"),
        said_of(checks.passes, answer, lambda given: given(1), "a hint"),
    ]
    assert {text[0] for text in said} <= set("✓✗…")
    assert all(text.endswith("\n") for text in said)


@many(200)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9))
def test_every_number_is_right_where_it_is_expected(number):
    assert said_of(checks.value, number, number).startswith("✓")
    assert said_of(checks.value, number, number + abs(number) / 2 + 1).startswith("✗")


AWKWARD = {
    "a ragged list": [[1], [1, 2]],
    "a ragged tuple": ([1], [1, 2]),
    "a huge number": 10**5000,
    "a tuple without a text": (Unprintable(),),
    "a list without a text": [Unprintable()],
    "an object without a text": Unprintable(),
    "an array of objects": np.array([[1, 2], [None, "a"]], dtype=object),
}


@pytest.mark.parametrize("name", list(AWKWARD))
@pytest.mark.parametrize("check", ["value", "array"])
def test_awkward_answers_are_wrong_and_raise_nothing(capsys, check, name):
    getattr(checks, check)(AWKWARD[name], np.eye(2) if check == "array" else 26, "a hint")
    assert capsys.readouterr().out.startswith("✗ Not yet: ")


def test_an_error_without_a_message_raises_nothing(capsys):
    checks.passes(raises(Unspeakable()), lambda f: f(1))
    assert "Unspeakable" in capsys.readouterr().out
