"""Right and wrong answers to every exercise, written as students write them."""

import ast
import re
import subprocess
import sys
from functools import cache

import keras
import numpy as np
import pytest

import exercises
from exercises import of_notebook
from exercises.n06_callbacks import epochs_until_stop, wrong_stop
from tests.exercises.answers import NUMBERS, get, run
from tests.exercises.wrong_answers import WRONG
from tools.execute import ROOT

# Answers that have to be trained, and many wrong ones that have to be called, take some seconds.
TRAINED = ("3.6", "4.6", "6.6", "7.5")
CALLED = ("3.5", "5.6", "7.6", "8.5", "9.6", "10.6", "11.6", "12.1", "13.5")


def each(*slow):
    """All numbers, some of them marked as slow."""
    marks = {number: pytest.mark.slow for number in slow}
    return [pytest.param(number, marks=marks.get(number, ())) for number in NUMBERS]


@cache
def verdict(number, code):
    """Run a cell with this answer, and judge it."""
    exercise = get(number)
    answers, context = run(exercise, code)
    return exercises._verdict(exercise, answers, context)


# The list


def test_there_are_sixty_exercises_and_more_numbered_in_their_order():
    assert len(NUMBERS) >= 60
    for notebook in range(14):
        found = [exercise.number for exercise in of_notebook(notebook)]
        assert found == [f"{notebook}.{n + 1}" for n in range(len(found))]
        assert len(found) >= 5


def test_from_notebook_3_on_one_asks_for_five_lines_of_keras():
    for notebook in range(3, 14):
        lengths = [
            len(each.solution.splitlines())
            for each in of_notebook(notebook)
            if re.search(r"\b(keras|tf)\.", each.solution)
        ]
        assert max(lengths) >= 5, notebook


def test_notebooks_without_keras_do_not_import_it():
    code = (
        "import sys, exercises; [exercises.of_notebook(n) for n in (0, 1, 2)];"
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


@pytest.mark.parametrize("number", NUMBERS)
def test_texts_are_complete(number):
    exercise = get(number)
    first, second = exercise.hints
    assert first != second
    assert min(len(first), len(second)) > 20
    assert len(exercise.question) > 40
    assert exercise.title[0].isupper()
    assert set(exercise.context).isdisjoint(exercise.names)
    assert re.search(r"^\w.* = (?:\.\.\.(?:, )?)+$", exercise.start.splitlines()[-1])


# Right answers


@pytest.mark.parametrize("number", each(*TRAINED))
def test_the_solution_is_accepted(number):
    assert verdict(number, get(number).solution) == "✓ Correct."


ALSO_RIGHT = {
    "0.1": [
        "[32, 150, 200, 3]",
        "np.zeros((32, 150, 200, 3)).shape",
        "np.array([32, 150, 200, 3])",
    ],
    "0.4": ["lambda p: tuple(p[..., c].mean() for c in range(3))"],
    "0.5": ["lambda p: np.array([p[..., None]])", "lambda p: p.reshape(1, *p.shape, 1)"],
    "1.1": ["30.0", "np.int64(30)", "np.array(30)", "convolution.output_size(64, 5, 2)"],
    "1.3": ["[[-1, 2, -1]] * 3", "np.array([[0, 0, 0], [-0.5, 1, -0.5], [0, 0, 0]])"],
    "1.5": ["lambda image: image.reshape(-1, 2, 2, 2).transpose(0, 2, 1, 3).min(axis=(2, 3))"],
    "1.6": ["lambda image, kernel, stride: conv2d(image, kernel)[::stride, ::stride]"],
    "2.1": ["4", "4.0"],
    "2.3": ["(0.125, np.pi / 6, 2)", "(1 / 8, 0.52, 3.5)", "(1 / 8, np.pi / 6 + np.pi, 5)"],
    "3.3": ["2.3", "2.30", "np.log(10)", "2.303"],
    "3.4": ["' Categorical_Crossentropy '"],
    "3.5": ["lambda net, picture: net.predict(np.array([picture]), verbose=0)[0].argmax()"],
    "5.3": ["[[1, 0, 0], [0, -1, 4], [0, 0, 1]]"],
    "5.5": ["[0.3, 0.1]", "0.3, 0.1"],
    "6.4": ["lambda epoch, rate: 0.002 * (epoch + 1) if epoch < 5 else 0.01 * 0.9 ** (epoch - 4)"],
    "7.1": [
        "keras.applications.VGG16(weights=None, include_top=False,"
        " input_shape=(224, 224, 3)).output.shape[1:]"
    ],
    "9.2": ["lambda maps: len(maps[0, 0]) - np.count_nonzero(maps.max(axis=(0, 1)))"],
    "9.3": ["0.0", "0"],
    "9.5": ["lambda maps: [k for k in range(maps.shape[-1]) if not maps[..., k].any()]"],
    "10.4": ["[2.0, -3.0]", "(2, -3)"],
    "11.2": ["-np.array([0.5, -2, 1.5])"],
    "11.4": ["0.09375", "3 / 32"],
    "13.1": ["0.2", "1 / 5"],
    "13.2": ["[0.5] * 4", "np.array([320, 240, 320, 240]) / (640, 480, 640, 480)"],
    "13.4": ["lambda s, right, t: np.mean(np.array(right)[np.array(s) >= t])"],
    "13.5": [
        "lambda shape, classes: keras.Sequential([keras.Input(shape),"
        " keras.layers.Conv2D(64, 3, padding='same', activation='relu'),"
        " keras.layers.Conv2D(5 + classes, 1)])",
        "lambda shape, classes: keras.Sequential([keras.Input(shape),"
        " keras.layers.Conv2D(64, 3, padding='same', activation='relu'),"
        " keras.layers.Dense(5 + classes)])",
    ],
}


@pytest.mark.parametrize(
    ("number", "code"), [(number, code) for number, codes in ALSO_RIGHT.items() for code in codes]
)
def test_the_same_answer_in_another_form_is_accepted(number, code):
    assert verdict(number, code) == "✓ Correct."


FUNCTIONAL = """
inputs = keras.Input((32, 32, 3))
inside = keras.Sequential([keras.layers.RandomFlip("horizontal")])
x = keras.layers.RandomRotation(0.1, fill_mode="nearest")(inside(inputs))
x = keras.layers.MaxPooling2D()(keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(x)))
x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
augmented_net = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
"""
HEAD = """
def with_head(base):
    base.trainable = False
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
    model.compile("rmsprop", "binary_crossentropy")
    return model
"""
THAW = """
def thaw(base, first):
    base.trainable = True
    names = [layer.name for layer in base.layers]
    for layer in base.layers[: names.index(first)]:
        layer.trainable = False
    for layer in base.layers:
        if "norm" in layer.name:
            layer.trainable = False
    return base
"""
READ = """
def read(folder):
    return keras.utils.image_dataset_from_directory(
        folder, image_size=(96, 96), batch_size=8, validation_split=0.25, seed=7, subset="both"
    )
"""


@pytest.mark.parametrize(
    ("number", "code"), [("5.6", FUNCTIONAL), ("7.6", HEAD), ("8.5", THAW), ("12.1", READ)]
)
def test_what_counts_is_what_a_net_or_a_function_does(number, code):
    assert verdict(number, code) == "✓ Correct."


# Wrong answers


@pytest.mark.parametrize("number", each(*TRAINED, *CALLED))
def test_wrong_answers_of_four_kinds_get_a_message_that_helps(number):
    messages = [verdict(number, code) for code in WRONG[number]]
    for code, message in zip(WRONG[number], messages, strict=True):
        assert message.startswith("✗ Not yet: "), code
        assert len(message) > len("✗ Not yet: ") + 20, code
        assert "is not it" not in message, code
        assert "\n" not in message, code
    kinds = {re.sub(r"[\d.]+", "", message) for message in messages}
    assert len(kinds) >= 4


def tokens(code):
    """List the numbers and words in some code, those in texts too."""
    return set(re.findall(r"-?\d+(?:\.\d+)?|[a-z]\w+", code))


VALUES = [
    number for number in NUMBERS if not re.search("def |class |Sequential", get(number).solution)
]


@pytest.mark.parametrize("number", VALUES)
def test_no_message_gives_a_number_or_a_word_away(number):
    exercise = get(number)
    values = [v for v in run(exercise, exercise.solution)[0] if isinstance(v, int | float | str)]
    secrets = {f"{v:g}" if isinstance(v, float) else str(v) for v in values}
    secrets -= tokens(exercise.question)
    for code in WRONG[number]:
        assert not secrets & (tokens(verdict(number, code)) - tokens(code)), code


# Cells


@pytest.mark.parametrize("number", NUMBERS)
def test_no_cell_holds_its_answer(number):
    exercise = get(number)
    assert "lambda" not in exercise.start
    assert "expected" not in exercise.start
    constants = [
        n.value for n in ast.walk(ast.parse(exercise.start)) if isinstance(n, ast.Constant)
    ]
    if number in VALUES:
        for answer in run(exercise, exercise.solution)[0]:
            if isinstance(answer, int | float | str | tuple):
                assert answer not in constants
    solution = exercise.solution.splitlines()[-1].partition(" = ")[2]
    assert not solution or solution not in exercise.start


def test_code_is_in_the_house_style(tmp_path):
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    for number in NUMBERS:
        exercise = get(number)
        code = f"{exercise.start}\n{exercise.call}\n"
        (tmp_path / f"start_{number}.py").write_text(code, "utf-8")
        (tmp_path / f"solution_{number}.py").write_text(exercise.solution + "\n", "utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--diff", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert max(len(get(number).call) for number in NUMBERS) <= 100


# Answers that were worked out by hand, against Keras


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([1.0, 0.9, 0.95, 0.95, 0.95], None),
        (np.linspace(1, 0.5, 30).tolist(), None),
        ([1.0, 0.9, 0.95], "too soon"),
        ([1.0, 0.9, *[0.95] * 5, *np.linspace(0.8, 0.5, 23).tolist()], "it went on for 25 more"),
    ],
)
def test_6_6_knows_when_a_training_should_have_stopped(losses, message):
    said = wrong_stop(losses)
    assert said is None if message is None else message in said


def test_the_patience_of_6_1_is_that_of_keras():
    losses = [0.69, 0.66, 0.64, 0.65, 0.63, 0.64, 0.66, 0.67, 0.61, 0.60]
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    stopper = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    stopper.set_model(net)
    stopper.on_train_begin()
    net.stop_training = False
    for epoch, loss in enumerate(losses):
        stopper.on_epoch_end(epoch, {"val_loss": loss})
        if net.stop_training:
            break
    assert (epoch + 1, stopper.best_epoch + 1) == (8, 5)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_the_rate_of_6_5_is_that_of_keras():
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    net.compile(keras.optimizers.SGD(0.01), "mse")
    plateau = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2)
    plateau.set_model(net)
    plateau.on_train_begin()
    for epoch, loss in enumerate([0.90, 0.80, 0.85, 0.82, 0.81, 0.83, 0.70, 0.75]):
        plateau.on_epoch_end(epoch, {"val_loss": loss})
    assert np.isclose(float(net.optimizer.learning_rate), 0.0025)


def test_the_arrays_of_8_1_and_the_parameters_of_8_4_are_those_of_keras():
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    for layer in base.layers:
        layer.trainable = layer.name.startswith("block5")
    dense = [keras.layers.Dense(8), keras.layers.Dense(1)]
    assert len(keras.Sequential([base, keras.layers.Flatten(), *dense]).trainable_weights) == 10
    frozen = keras.layers.Dense(32, trainable=False)
    net = keras.Sequential([keras.Input((10,)), frozen, keras.layers.Dense(1)])
    assert sum(int(np.prod(weight.shape)) for weight in net.trainable_weights) == 33


def test_made_up_trainings_stop_when_a_callback_says_so():
    assert epochs_until_stop(keras.callbacks.Callback(), [0.5, 0.9]) is None
