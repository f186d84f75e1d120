"""What a notebook holds when its exercises come, and answers written as students write them."""

import ast
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from course_utils import convolution, filters
from exercises import Exercise, of_notebook

NUMBERS = [exercise.number for n in range(14) for exercise in of_notebook(n)]


def get(number: str) -> Exercise:
    """Find an exercise."""
    (found,) = (each for each in of_notebook(int(number.split(".")[0])) if each.number == number)
    return found


def run(exercise: Exercise, code: str) -> tuple[tuple, dict[str, Any]]:
    """Run a cell whose dots are replaced by an expression or by lines of code.

    Returns
    -------
    (tuple, dict)
        The answers, and the context that the cell passes on.
    """
    *before, dots = exercise.start.splitlines()
    if is_expression(code):
        code = dots.partition(" = ")[0] + " = " + code
    names = {**notebook(int(exercise.number.split(".")[0]))}
    exec("\n".join([*before, code]), names)
    answers = tuple(names[name] for name in exercise.names)
    return answers, {name: names[name] for name in exercise.context}


def is_expression(code: str) -> bool:
    """Tell an expression from lines of code."""
    try:
        ast.parse(code, mode="eval")
    except SyntaxError:
        return False
    return True


@cache
def notebook(number: int) -> dict[str, Any]:
    """Make what the exercises of a notebook may rely on."""
    rng = np.random.default_rng(0)
    names = {"np": np, "convolution": convolution, "conv2d": convolution.conv2d}
    names |= {"filters": filters, "cat": rng.random((300, 451)), "keras": keras, "tf": tf}
    extra = {3: digits, 4: small_data, 6: small_pictures, 7: features}
    return names | extra[number]() if number in extra else names


def digits() -> dict[str, Any]:
    """Make digits like those of notebook 3, from scikit-learn's small ones."""
    pixels, labels = load_digits(return_X_y=True)
    x = np.kron(pixels.reshape(-1, 8, 8), np.ones((3, 3))) / 16
    x = np.pad(x, [(0, 0), (2, 2), (2, 2)])[..., np.newaxis].astype("float32")
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:-450], order[-450:]
    names = {"x_train": x[train], "y_train": labels[train]}
    return names | {"x_test": x[test], "y_test": labels[test]}


def small_data() -> dict[str, Any]:
    """Make the net of notebook 4 and a history of its training."""
    net = keras.Sequential([keras.Input((150, 150, 3))])
    for count in (32, 64, 128, 128):
        net.add(keras.layers.Conv2D(count, 3, activation="relu"))
        net.add(keras.layers.MaxPooling2D(2))
    net.add(keras.layers.Flatten())
    net.add(keras.layers.Dense(512, activation="relu"))
    net.add(keras.layers.Dense(1, activation="sigmoid"))
    history = {
        "accuracy": [0.55, 0.65, 0.72, 0.80, 0.88, 0.95, 0.99, 0.98],
        "val_accuracy": [0.54, 0.62, 0.68, 0.71, 0.74, 0.73, 0.74, 0.72],
        "loss": [0.69, 0.62, 0.54, 0.45, 0.31, 0.18, 0.07, 0.08],
        "val_loss": [0.69, 0.65, 0.58, 0.60, 0.61, 0.70, 0.85, 0.99],
    }
    return {"photo_net": net, "history": history}


def small_pictures() -> dict[str, Any]:
    """Make pictures of two classes, one a little redder than the other, in loud noise."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 2
    x = rng.integers(0, 200, (240, 32, 32, 3))
    x[..., 0] += 6 * y[:, np.newaxis, np.newaxis] * rng.integers(0, 2, (240, 1, 1))
    x = x.astype("uint8")
    train, validation = slice(None, 160), slice(160, None)
    names = {"x_train": x[train], "y_train": y[train]}
    return names | {"x_validation": x[validation], "y_validation": y[validation]}


def features() -> dict[str, Any]:
    """Make feature maps of two classes that lie apart."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    x = rng.random((300, 2, 2, 16)) + 0.4 * y[:, None, None, None] * (np.arange(16) < 4)
    x = x.astype("float32")
    train, validation = slice(None, 200), slice(200, None)
    names = {"features_train": x[train], "y_train": y[train]}
    return names | {"features_validation": x[validation], "y_validation": y[validation]}
