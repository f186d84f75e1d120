"""Recorded runs: a training kept with its history, its weights and its provenance.

A run is a folder with three files that any program can read: ``card.json`` (what was trained,
on what, how, and what came out), ``history.json`` (one list for each metric) and, where a
notebook needs them, ``weights.npz`` (those of the layers that were trained, in order, in half
precision).
"""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.backend import keras
from course_utils.data.settings import COURSE_FOLDER

History = dict[str, list[float]]
Test = tuple[np.ndarray, np.ndarray] | Callable[[keras.Model], dict[str, float]]
RUNS_FOLDER = COURSE_FOLDER / "data" / "runs"


class RunError(Exception):
    """A recorded run is missing or broken; the message says what to do."""


@dataclass(frozen=True)
class Run:
    """A recorded run.

    Attributes
    ----------
    name : str
        Its folder's name, for example ``mnist_convnet-real``.
    card : dict
        What was trained, on what, how, and what came out.
    history : dict of str to list of float
        One value for each epoch.
    folder : pathlib.Path, optional
        Where its files are; none of a run that was trained here and not recorded.
    """

    name: str
    card: dict[str, Any]
    history: History
    folder: Path | None = None

    def restore(self, model: keras.Model) -> keras.Model:
        """Load the recorded weights into a model of the same shape, and return it.

        Parameters
        ----------
        model : keras.Model
            Built as in the notebook that recorded the run; what was frozen there is frozen.

        Returns
        -------
        keras.Model
            The same object.

        Raises
        ------
        RunError
            If the run was recorded without weights, if the file is missing or broken, or if
            its arrays do not fit the model. The model is then unchanged.
        """
        if not self.card.get("weights", True):
            raise RunError(
                f"Run {self.name!r} was recorded without weights. Train the net as its notebook "
                "does."
            )
        arrays = _read_weights(self.folder / "weights.npz")
        kept = trained_weights(model)
        expected = [tuple(weight.shape) for weight in kept]
        found = [array.shape for array in arrays]
        if expected != found:
            raise RunError(
                f"The weights of run {self.name!r} do not fit {model.name!r}: "
                f"they have the shapes {found}, the model expects {expected}."
            )
        for weight, array in zip(kept, arrays, strict=True):
            weight.assign(array.astype(np.float32))
        return model

    def sentence(self) -> str:
        """Say in one sentence where the run comes from.

        Returns
        -------
        str
        """
        card = self.card
        kind = "Recorded run" if self.folder else "Trained here:"
        tested = "".join(
            f", {name.replace('_', ' ')} {value:.2%}"
            for name, value in card.items()
            if name.startswith("test_") and isinstance(value, float)
        )
        return (
            f"{kind} {self.name}: {card['epochs']} epochs in {card['seconds']:.0f} s "
            f"on {card['cores']} cores{tested}."
        )


def recall(
    name: str,
    net: keras.Model,
    train: Callable[[keras.Model], History],
    live: bool = False,
    test: Test | None = None,
) -> Run:
    """Bring back a training that was recorded, or train here and now.

    Recorded weights are put into the net, where there are any; a sentence says what was done.

    Parameters
    ----------
    name : str
        Name of the run, for example ``cats_plain-real``.
    net : keras.Model
        As it is before the training.
    train : function
        Compiles the net that it is given, trains it, and returns the history of ``fit``.
    live : bool
        Whether to call `train`, instead of loading what is recorded.
    test : (array, array) or function, optional
        Inputs and targets on which a net that was trained here is measured; or a function that
        measures it, and returns numbers by name.

    Returns
    -------
    Run
        With ``history`` and ``card``.

    Raises
    ------
    RunError
        If there is no such run, or it is broken or does not fit the net.

    Examples
    --------
    >>> net = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    >>> net.add(keras.layers.Dense(512, activation="relu"))
    >>> net.add(keras.layers.Dense(10, activation="softmax"))
    >>> run = recall("mnist_dense-real", net, lambda net: {})
    Recorded run mnist_dense-real: 5 epochs in 17 s on 2 cores, test accuracy 98.23%.
    """
    if live:
        run = trained(name, net, train)
        run.card.update(measured(net, test))
    else:
        run = load(name)
        if run.card.get("weights", True):
            run.restore(net)
    print(run.sentence())
    return run


def trained(name: str, net: keras.Model, train: Callable[[keras.Model], History]) -> Run:
    """Train a net here and now, and describe how that went.

    Parameters
    ----------
    name, net, train
        As for `recall`.

    Returns
    -------
    Run
    """
    start = time.perf_counter()
    history = {key: [float(v) for v in values] for key, values in train(net).items()}
    card = {"epochs": len(history["loss"]), "seconds": round(time.perf_counter() - start, 1)}
    card |= {"parameters": net.count_params(), "optimizer": _optimizer(net), **machine()}
    return Run(name, {"name": name, **card}, history)


def measured(net: keras.Model, test: Test | None) -> dict[str, float]:
    """Measure a net on its test part as its card keeps it; nothing without a test part."""
    if test is None:
        return {}
    if callable(test):
        found = test(net)
    else:
        found = net.evaluate(*test, batch_size=100, verbose=0, return_dict=True)
        found = {"accuracy": found["accuracy"]}
    return {f"test_{name}": round(float(value), 4) for name, value in found.items()}


def _optimizer(net: keras.Model) -> dict[str, Any]:
    """Describe how the weights of a net were changed, in plain numbers and words."""
    rate = net.optimizer.get_config()["learning_rate"]
    rate = rate["config"] if isinstance(rate, dict) else {"learning_rate": float(rate)}
    return {"name": type(net.optimizer).__name__, **rate}


def trained_weights(model: keras.Model) -> list[keras.Variable]:
    """List the weights of the layers that training may change: those that a run keeps.

    Parameters
    ----------
    model : keras.Model
        Frozen layers, such as those of a pretrained base, are left out.

    Returns
    -------
    list of keras.Variable
        In the order of the layers.

    Examples
    --------
    >>> net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    >>> net.layers[0].trainable = False
    >>> [tuple(weight.shape) for weight in trained_weights(net)]
    [(3, 1), (1,)]
    """
    found: list[keras.Variable] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += trained_weights(layer)
        elif layer.trainable:
            found += layer.weights
    return found


def load(name: str, folder: Path = RUNS_FOLDER) -> Run:
    """Load the card and history of a recorded run.

    Parameters
    ----------
    name : str
        Name of the run, for example ``mnist_convnet-real``.
    folder : pathlib.Path
        Folder that holds the runs.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If there is no such run, or a file of it is not readable.

    Examples
    --------
    >>> load("mnist_convnet-real").card["epochs"]
    5
    """
    home = folder / name
    if not (home / "card.json").is_file():
        known = sorted(path.parent.name for path in folder.glob("[!.]*/card.json"))
        raise RunError(f"No run {name!r} in {folder}. There are: {', '.join(known) or 'none'}.")
    return Run(name, _read_json(home / "card.json"), _read_json(home / "history.json"), home)


def accuracies(
    name: str, folder: Path = RUNS_FOLDER, measure: str = "test_accuracy"
) -> list[float]:
    """Return the test accuracies of all trainings that differ from a run in the seed alone.

    Parameters
    ----------
    name : str
        Name of the run with the first seed, for example ``cats_plain-embedded``.
    folder : pathlib.Path
        Folder that holds the runs.
    measure : str
        What else to return instead: another entry of the cards.

    Returns
    -------
    list of float
        The first seed's, and then those of the others that were recorded.

    Examples
    --------
    >>> accuracies("cats_plain-embedded")
    [0.762, 0.723, 0.77]
    """
    others = sorted(path.name for path in folder.glob(f"{name}-seed*"))
    return [load(run, folder).card[measure] for run in (name, *others)]


def _read_weights(path: Path) -> list[np.ndarray]:
    """Read the arrays of a weights file in order; pickles are refused."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = [archive[f"arr_{number}"] for number in range(len(archive.files))]
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("it holds weights that are not finite")
        return arrays
    except Exception as error:  # a broken archive can raise almost anything
        raise _unreadable(path, error) from error


def _read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise _unreadable(path, TypeError("it holds no JSON object"))
    return content


def _unreadable(path: Path, error: Exception) -> RunError:
    """Say which file of a run is broken, and how to get it back."""
    return RunError(
        f"{path} is not readable ({error}): restore it with `git checkout -- data/runs`, "
        "or record the run again with `make record`."
    )


def machine() -> dict[str, Any]:
    """Describe what a run was trained with."""
    packages = ("keras", "tensorflow", "numpy")
    return {
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "cores": os.cpu_count(),
    }
