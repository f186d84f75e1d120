"""What the layers of a network make of pictures: their maps."""

from collections.abc import Sequence

import numpy as np

from course_utils.backend import keras
from course_utils.explain.layer_graph import Step, as_batch, find, run, trace

Layers = str | type | Sequence[str | type] | None


def outputs(
    model: keras.Model, x: np.ndarray, layers: Layers = None, batch_size: int = 50
) -> dict[str, np.ndarray]:
    """Compute the outputs of the layers of a network, as at test time.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional; other models may be nested in it. It is not changed.
    x : array of shape (N, H, W, C)
        Pictures as the model reads them, of any size that its layers can work on.
    layers : str, type, or sequence of them, optional
        Names, or classes such as ``keras.layers.Conv2D``; all layers if not given. A layer
        inside a nested model is ``"base/conv"``, or just ``"conv"`` if there is no other.
    batch_size : int
        Pictures to compute at a time; a matter of memory only.

    Returns
    -------
    dict of str to float32 array
        Full names and outputs, in the order in which the network computes them. A layer that
        is used several times is there once for each, ``"conv"``, ``"conv (2)"``, ...

    Raises
    ------
    ValueError
        If the model cannot be taken apart, a layer is unknown, or the pictures do not fit.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> {name: maps.shape for name, maps in outputs(model, np.ones((2, 8, 8, 1))).items()}
    {'conv': (2, 6, 6, 4)}
    """
    steps = trace(model)
    pictures, chosen = as_batch(steps, x), _choose(steps, layers)
    parts = [
        run({steps[0]: pictures[first : first + batch_size]}, chosen)
        for first in range(0, len(pictures), batch_size)
    ]
    joined = [
        np.concatenate([np.asarray(part, np.float32) for part in results])
        for results in zip(*parts, strict=True)
    ]
    return dict(zip(_distinct([step.name for step in chosen]), joined, strict=True))


def _choose(steps: Sequence[Step], layers: Layers) -> list[Step]:
    """Find layers by name or by type."""
    if layers is None:
        return list(steps[1:])
    chosen: list[Step] = []
    for wanted in [layers] if isinstance(layers, str | type) else layers:
        found = _of_type(steps, wanted) if isinstance(wanted, type) else [find(steps, wanted)]
        chosen += [step for step in found if step not in chosen]
    if not chosen:
        raise ValueError("No layer was asked for: layers is empty.")
    return sorted(chosen, key=steps.index)


def _of_type(steps: Sequence[Step], wanted: type) -> list[Step]:
    """Find all layers of a type, and refuse a type that there is none of."""
    found = [step for step in steps if isinstance(step.layer, wanted)]
    if not found:
        kinds = sorted({type(step.layer).__name__ for step in steps[1:]})
        raise ValueError(f"There is no layer of type {wanted.__name__}, only {', '.join(kinds)}.")
    return found


def _distinct(names: Sequence[str]) -> list[str]:
    """Number the names that occur again."""
    counts = [names[: place + 1].count(name) for place, name in enumerate(names)]
    return [
        name if count == 1 else f"{name} ({count})"
        for name, count in zip(names, counts, strict=True)
    ]
