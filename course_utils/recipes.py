"""How each recorded run is made: the recipes, and the command that carries them out.

``make record`` trains them all again, ``make record RUN=mnist_gap TIER=real`` one of them; so
does ``python -m course_utils.recipes mnist_gap``, on the tier that ``COURSE_TIER`` names.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils import datasets, models, runs, training
from course_utils.backend import keras
from course_utils.settings import DataError, Tier


@dataclass(frozen=True)
class Recipe:
    """What is needed to train a net of the course as its recorded run was trained.

    Attributes
    ----------
    build : callable
        Makes the net.
    data : str
        Name for `datasets.load`.
    epochs : dict of tier to int
        The embedded digits are fewer, so they are gone through more often.
    """

    build: Callable[[], keras.Model]
    data: str
    epochs: dict[Tier, int]
    batch_size: int = 64
    learning_rate: float = 1e-3
    seed: int = 0


RECIPES = {
    "mnist_dense": Recipe(models.mnist_dense, "mnist", {"real": 5, "embedded": 30}),
    "mnist_convnet": Recipe(models.mnist_convnet, "mnist", {"real": 5, "embedded": 30}),
    "mnist_gap": Recipe(models.mnist_gap, "mnist", {"real": 5, "embedded": 60}),
}


def train(
    name: str, data: datasets.Dataset, model: keras.Model, epochs: int | None = None
) -> training.History:
    """Train a net on digits as the recipe of that name says.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    data : datasets.Dataset
        Grey images.
    model : keras.Model
        Built by the recipe's `build`; compiled here.
    epochs : int, optional
        How many, if not as many as the recipe says for the tier of the data.

    Returns
    -------
    dict of str to list of float
        As `training.fit` returns it.
    """
    recipe = RECIPES[name]
    epochs = recipe.epochs[data.tier] if epochs is None else epochs
    steps = epochs * -(-len(data.x_train) // recipe.batch_size)
    training.compile_classifier(model, steps, recipe.learning_rate)
    x_train = models.as_input(data.x_train)
    return training.fit(model, x_train, data.y_train, epochs, recipe.batch_size)


def remake(name: str, folder: Path = runs.RUNS_FOLDER) -> runs.Run:
    """Train a net by its recipe, on the tier that is on disk, and record the run.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    folder : pathlib.Path
        Where runs are kept.

    Returns
    -------
    runs.Run
        Named after recipe and tier; its test accuracy is that of the recorded weights.
    """
    recipe = RECIPES[name]
    data = datasets.load(recipe.data)
    training.set_seed(recipe.seed)
    model = recipe.build()
    history = train(name, data, model)
    runs.halve_weights(model)
    accuracy = model.evaluate(models.as_input(data.x_test), data.y_test, 500, verbose=0)[1]
    card = {
        "data": data.title,
        "tier": data.tier,
        "training_images": len(data.x_train),
        "test_images": len(data.x_test),
        "test_accuracy": round(accuracy, 4),
        "optimizer": "RMSprop, cosine decay of the learning rate",
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
        "epochs": len(history["loss"]),
        "seed": recipe.seed,
        "parameters": model.count_params(),
        "seconds": round(sum(history["seconds"]), 1),
    }
    return runs.record(f"{name}-{data.tier}", model, history, card, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the command line; see the module's docstring.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if not given.

    Returns
    -------
    int
        0, or 1 where something is missing or cannot be written.
    """
    parser = argparse.ArgumentParser(description="Train the recorded runs again.")
    parser.add_argument("names", nargs="*", metavar="RUN", help=f"{', '.join(RECIPES)}; else all")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(RECIPES)
    if unknown:
        parser.error(f"no recipe for {', '.join(unknown)}; there are: {', '.join(RECIPES)}")
    try:
        for name in options.names or RECIPES:
            print(f"Training {name} ...", flush=True)
            print(remake(name).sentence())
    except (DataError, runs.RunError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
