"""Keep trained nets as recorded runs, which ``course_utils.runs`` brings back.

`recorder` takes the place of ``runs.recall`` while ``make record`` runs a notebook.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import runs
from course_utils.backend import keras
from course_utils.data.atomic_folder import make_once
from course_utils.data.settings import DataError
from course_utils.runs import RUNS_FOLDER, History, Run, RunError, load, trained_weights


def recorder(folder: str | Path, only: list[str]) -> Callable[..., Run]:
    """Return a function that trains what ``runs.recall`` would recall, and keeps it in a folder.

    Where some runs are named in `only`, without their tier, all others are recalled.
    """
    recall = runs.recall

    def record_instead(name, net, train, live=False, test=None) -> Run:
        if only and name.rpartition("-")[0] not in only or not (live or only):
            return recall(name, net, train)
        run = runs.trained(name, net, train)
        halve_weights(net)  # so that what is measured is what is kept
        run = record(name, net, run.history, run.card | runs.measured(net, test), Path(folder))
        print(run.sentence())
        return run

    return record_instead


def halve_weights(model: keras.Model) -> None:
    """Round the weights of a model to half precision, as `record` stores them.

    Parameters
    ----------
    model : keras.Model
        Changed in place.

    Raises
    ------
    RunError
        If a weight is NaN, or too large for half precision (beyond 65,504).
    """
    kept = trained_weights(model)
    weights = [np.asarray(weight) for weight in kept]
    if any(np.isnan(weight).any() for weight in weights):
        raise RunError(
            f"{model.name!r} holds weights that are NaN: its training has diverged. "
            "Train it again, with a smaller learning rate."
        )
    with np.errstate(over="ignore"):
        halves = [weight.astype(np.float16) for weight in weights]
    if not all(np.isfinite(half).all() for half in halves):
        raise RunError(f"{model.name!r} holds weights beyond 65,504, too large to record.")
    for weight, half in zip(kept, halves, strict=True):
        weight.assign(half)


def record(
    name: str,
    model: keras.Model,
    history: History,
    card: dict[str, Any],
    folder: Path = RUNS_FOLDER,
    weights: bool = True,
) -> Run:
    """Keep a trained model: weights, history and card.

    Parameters
    ----------
    name : str
        Name of the run. A run of that name is replaced once the new one is complete.
    model : keras.Model
        Trained. Its weights are rounded to half precision, so that it is what is recorded.
    history : dict of str to list of float
        As ``fit`` returns it.
    card : dict
        What was trained, on what and how; versions and machine are added.
    folder : pathlib.Path
        Folder that holds the runs.
    weights : bool
        Whether to keep the weights too, or only history and card.

    Returns
    -------
    Run
        The run as it can be loaded.

    Raises
    ------
    RunError
        If something that is no run has its name, the folder cannot be written, a number in the
        history is not finite, or a weight is NaN or too large for half precision.
    """
    _check_place(name, folder)
    halve_weights(model)
    halves = [np.asarray(weight).astype(np.float16) for weight in trained_weights(model)]
    card = {**card, "name": name, "model": model.name, "weights": weights, **runs.machine()}

    def write(draft: Path) -> None:
        """Write the files of the run."""
        _write_json(draft / "card.json", card)
        _write_json(draft / "history.json", history)
        if weights:
            np.savez_compressed(draft / "weights.npz", *halves)

    try:
        make_once(folder / name, lambda: False, write, replace=True)
    except (DataError, TypeError, ValueError) as error:
        # What a DataError advises, to set COURSE_DATA, moves no runs.
        reason = error.__cause__ or error
        raise RunError(f"Run {name!r} could not be written to {folder}: {reason}.") from error
    return load(name, folder)


def _check_place(name: str, folder: Path) -> None:
    """Refuse a name that is none, or that something else than a run has."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise RunError(f"{name!r} is no name for a run: use letters, digits, '-', '_' and '.'.")
    target = folder / name
    if os.path.lexists(target) and not (target / "card.json").is_file():
        raise RunError(
            f"{target} is no recorded run: there is no card.json in it. "
            "Move it away, or choose another name."
        )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that reads well in a diff, with the same bytes on every system."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    path.write_text(text + "\n", "utf-8", newline="\n")


def _plain(value: Any) -> Any:
    """Turn a number of NumPy into one of Python; refuse anything else."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is neither text nor a number that JSON can hold")
