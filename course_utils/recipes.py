"""How each recorded run is made: the recipes, and the command that carries them out.

``make record`` trains them all again, ``make record RUN=mnist_gap TIER=real`` one of them; so
does ``python -m course_utils.recipes mnist_gap``, on the tier that ``COURSE_TIER`` names.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from course_utils import (
    bases,
    datasets,
    features,
    models,
    pictures,
    pipeline,
    runs,
    training,
    transfer,
)
from course_utils.backend import keras
from course_utils.settings import DataError, Tier, forced_tier
from course_utils.sources import how_to_get

ONE_SEED: dict[Tier, tuple[int, ...]] = {"real": (0,), "embedded": (0,)}
_THREE_DRAWN: dict[Tier, tuple[int, ...]] = {"real": (0,), "embedded": (0, 1, 2)}
Adam, RMSprop = keras.optimizers.Adam, keras.optimizers.RMSprop


@dataclass(frozen=True)
class Recipe:
    """What is needed to train a net of the course as its recorded run was trained.

    Attributes
    ----------
    build : callable
        Makes the net; for pictures, it takes their size.
    data : str
        ``"mnist"`` for digits, ``"pictures"`` for cats and dogs.
    epochs : dict of tier to int
        How many times the data of that tier is gone through.
    batch_size : int
        Pictures in one step of the training.
    size : dict of tier to int
        Height and width of the pictures in pixels, where the recipe has a say in it.
    learning_rate : dict of tier to float
        The constant rate, or the highest one.
    optimizer : dict of tier to class
        A Keras optimizer; digits are trained with RMSprop.
    cosine : bool
        Whether the rate falls to nothing along a cosine.
    augment : dict of tier to dict, or None
        Ranges for `pipeline.RandomAffine`; None where training pictures are not changed.
    head_start : dict of tier to int
        Epochs on unchanged pictures before that, where changed ones are too hard to begin with.
    seeds : dict of tier to tuple of int
        One run is recorded for each. Where luck matters much, more than one.
    weights : tuple of tier
        On which tiers the weights of the first seed are recorded too.
    base : dict of tier to str, or None
        The pretrained base that the net stands on, a key of `bases.BASES`; `build` then makes
        the head for its feature maps.
    pretrained : bool
        Whether that base has its weights, or random ones.
    head : str
        The recipe that the head is trained by before this one goes on.
    last : dict of tier to str or None
        The layer of the base that the features come from, its last one if None.
    pooling : dict of tier to str
        How the head sums up feature maps, as `transfer.head` understands it.
    unfrozen : dict of tier to str, or None
        The first layer of the base that is trained together with the head.
    """

    build: Callable[..., keras.Model]
    data: str
    epochs: dict[Tier, int]
    batch_size: int = 64
    size: dict[Tier, int] = field(default_factory=dict)
    learning_rate: dict[Tier, float] = field(
        default_factory=lambda: {"real": 1e-3, "embedded": 1e-3}
    )
    optimizer: dict[Tier, type] = field(
        default_factory=lambda: {"real": RMSprop, "embedded": RMSprop}
    )
    cosine: bool = True
    augment: dict[Tier, dict[str, float]] | None = None
    head_start: dict[Tier, int] = field(default_factory=lambda: {"real": 0, "embedded": 0})
    seeds: dict[Tier, tuple[int, ...]] = field(default_factory=lambda: ONE_SEED)
    weights: tuple[Tier, ...] = ("real", "embedded")
    base: dict[Tier, str] | None = None
    pretrained: bool = True
    head: str = ""
    last: dict[Tier, str | None] = field(default_factory=dict)
    pooling: dict[Tier, str] = field(default_factory=dict)
    unfrozen: dict[Tier, str] | None = None


def _on_digits(build: Callable[..., keras.Model], epochs_embedded: int) -> Recipe:
    """Write a recipe for a net that reads digits."""
    return Recipe(build, "mnist", {"real": 5, "embedded": epochs_embedded})


def _on_pictures(dropout: float = 0.0, **changes) -> Recipe:
    """Write a recipe for the convnet that tells cats from dogs."""
    recipe = Recipe(
        partial(models.pictures_convnet, dropout=dropout),
        "pictures",
        epochs={"real": 30, "embedded": 30},
        batch_size=20,
        size={"real": 150, "embedded": 64},
        learning_rate={"real": 1e-4, "embedded": 4e-4},
        optimizer={"real": RMSprop, "embedded": Adam},
        cosine=False,
        seeds=_THREE_DRAWN,
        weights=(),
    )
    return replace(recipe, **changes)


def _on_base(**changes) -> Recipe:
    """Write a recipe for a head that tells cats from dogs, on a pretrained base."""
    three = (0, 1, 2)
    recipe = Recipe(
        transfer.head,
        "pictures",
        epochs={"real": 10, "embedded": 20},
        size={"real": 224, "embedded": 64},
        learning_rate={"real": 2e-3, "embedded": 1e-3},
        optimizer={"real": Adam, "embedded": Adam},
        seeds={"real": three, "embedded": three},
        base={"real": "mobilenet_0.25", "embedded": "course"},
        last={"real": None, "embedded": "block4_pool"},
        pooling={"real": "average", "embedded": "max"},
    )
    return replace(recipe, **changes)


# Heads in the drawings lie near the border: larger changes would push them out of sight.
AUGMENT = {
    "real": {"rotation": 40, "shift": 0.2, "shear": 0.2, "zoom": 0.2},
    "embedded": {"rotation": 20, "shift": 0.07, "shear": 0.1, "zoom": 0.1},
}
# Little is left to learn on a trained base, so pictures need not change as much.
_MILD = {
    "real": {"rotation": 20, "shift": 0.1, "shear": 0.1, "zoom": 0.1},
    "embedded": AUGMENT["embedded"],
}
_LONG = {
    "augment": AUGMENT,
    "head_start": {"real": 0, "embedded": 20},
    "batch_size": 32,
    "epochs": {"real": 120, "embedded": 45},
    "learning_rate": {"real": 1e-3, "embedded": 5e-4},
    "optimizer": {"real": Adam, "embedded": Adam},
    "cosine": True,
}

RECIPES = {
    "mnist_dense": _on_digits(models.mnist_dense, 30),
    "mnist_convnet": _on_digits(models.mnist_convnet, 30),
    "mnist_gap": _on_digits(models.mnist_gap, 60),
    "cats_dense": _on_pictures(
        build=models.pictures_dense,
        size={"real": 64, "embedded": 64},
        learning_rate={"real": 1e-4, "embedded": 1e-4},
        optimizer={"real": RMSprop, "embedded": RMSprop},
        seeds=ONE_SEED,
    ),
    "cats_plain": _on_pictures(),
    "cats_dropout": _on_pictures(dropout=0.5, seeds=ONE_SEED),
    "cats_augmented": _on_pictures(**_LONG, seeds=ONE_SEED),
    "cats_both": _on_pictures(dropout=0.5, weights=("real", "embedded"), **_LONG),
    "cats_random_base": _on_base(pretrained=False, weights=()),
    "cats_features": _on_base(),
    "cats_end_to_end": _on_base(
        augment=_MILD, epochs={"real": 8, "embedded": 20}, seeds=_THREE_DRAWN, weights=()
    ),
    "cats_finetuned": _on_base(
        augment=_MILD,
        head="cats_features",
        unfrozen={"real": "conv_dw_8", "embedded": "block4_conv1"},
        epochs={"real": 8, "embedded": 20},
        batch_size=32,
        learning_rate={"real": 2e-4, "embedded": 3e-4},
    ),
}


def tier(name: str) -> Tier:
    """Return the tier on which a net on a pretrained base can be had here.

    Where there are photos, but no weights of the base for photos, it says so, and how to get
    them.

    Parameters
    ----------
    name : str
        A key of `RECIPES`, of a net on a base.

    Returns
    -------
    {"real", "embedded"}
        "real" where photos and weights are on disk, or ``COURSE_TIER`` demands it.
    """
    found, base = pictures.tier(), bases.BASES[RECIPES[name].base["real"]]
    if found == "embedded" or forced_tier() == "real" or bases.available(base.name):
        return found
    print(
        f"There are photos on disk, but no weights of {base.title}, so drawings are used. "
        f"To get the weights (2 MB): {how_to_get(base.source)}."
    )
    return "embedded"


def load(name: str) -> datasets.Dataset:
    """Return the data that a recipe is for, of the tier that is on disk.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.

    Returns
    -------
    datasets.Dataset
    """
    recipe = RECIPES[name]
    if recipe.data == "mnist":
        return datasets.load("mnist")
    return pictures.load(recipe.size["real"], recipe.size["embedded"])


def build(name: str, data: datasets.Dataset) -> keras.Model:
    """Build the net of a recipe for data of this size.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    data : datasets.Dataset
        As `load` returns it.

    Returns
    -------
    keras.Model
        Not trained, not compiled.
    """
    recipe = RECIPES[name]
    if recipe.data == "mnist":
        return recipe.build()
    size = data.x_train.shape[1]
    if recipe.base is None:
        return recipe.build(size)
    weights = "pretrained" if recipe.pretrained else None
    base = bases.build(recipe.base[data.tier], size, weights, recipe.last[data.tier])
    if not recipe.pretrained:
        bases.settle(base, data.x_train[::20])
    head = recipe.build(base.output_shape[1:], pooling=recipe.pooling[data.tier])
    model = transfer.join(base, head)
    transfer.freeze(model, base)
    return model


def trained_part(name: str, data: datasets.Dataset, model: keras.Model) -> keras.Model:
    """Return the part of a net whose weights its recipe trains, as a model of its own.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    data : datasets.Dataset
        As `load` returns it.
    model : keras.Model
        As `build` returns it.

    Returns
    -------
    keras.Model
        On a pretrained base, the head, below it the layers that are unfrozen; else all of it.
        It shares its weights with `model`.
    """
    recipe = RECIPES[name]
    if recipe.base is None:
        return model
    base, head = model.layers[-2:]
    if recipe.unfrozen is None:
        return head
    upper = transfer.cut(base, recipe.unfrozen[data.tier])[1]
    return keras.Sequential([keras.Input(upper.input_shape[1:]), upper, head], name=name)


def restore(name: str, data: datasets.Dataset) -> keras.Model:
    """Build the net of a recipe with the weights of its recorded run.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    data : datasets.Dataset
        As `load` returns it.

    Returns
    -------
    keras.Model

    Raises
    ------
    runs.RunError
        If the run was recorded without weights, or they are broken or do not fit.
    """
    model = build(name, data)
    runs.load(run_name(name, data.tier)).restore(trained_part(name, data, model))
    return model


def train(
    name: str,
    data: datasets.Dataset,
    model: keras.Model,
    epochs: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    seed: int = 0,
) -> training.History:
    """Train a net as the recipe of that name says.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    data : datasets.Dataset
        As `load` returns it, or as much of it.
    model : keras.Model
        As `build` returns it; compiled here.
    epochs : int, optional
        How many, if not as many as the recipe says for the tier of the data.
    callbacks : sequence of keras.callbacks.Callback
        Called besides those that show the progress.
    seed : int
        For the order of cats and dogs and the changes made to them. (Digits and features are
        shuffled by Keras, whose seed is set by `training.set_seed`.)

    Returns
    -------
    dict of str to list of float
        As `training.fit` returns it.
    """
    recipe = RECIPES[name]
    epochs = recipe.epochs[data.tier] if epochs is None else epochs
    if recipe.data == "mnist":
        return _fit_on_digits(recipe, data, model, epochs, callbacks)
    if recipe.base and not recipe.augment:
        return _fit_on_features(recipe, data, model, epochs, callbacks)
    if recipe.unfrozen:
        train(recipe.head, data, model, seed=seed)
        transfer.unfreeze(model, model.layers[-2], recipe.unfrozen[data.tier])
    head_start = min(recipe.head_start[data.tier], epochs - 1)
    if not head_start:
        return _fit_on_pictures(recipe, data, model, epochs, callbacks, seed)
    unchanged = replace(recipe, augment=None, cosine=False)
    history = _fit_on_pictures(unchanged, data, model, head_start, callbacks, seed)
    rest = _fit_on_pictures(recipe, data, model, epochs - head_start, callbacks, seed)
    return {metric: history[metric] + values for metric, values in rest.items()}


def _fit_on_digits(
    recipe: Recipe,
    data: datasets.Dataset,
    model: keras.Model,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> training.History:
    """Train a net on digits."""
    x, batch_size = models.as_input(data.x_train), recipe.batch_size
    steps = epochs * math.ceil(len(x) / batch_size)
    training.compile_classifier(model, recipe.learning_rate[data.tier], steps, warm_up=0)
    return training.fit(model, x, data.y_train, epochs, batch_size, callbacks=callbacks)


def _fit_on_pictures(
    recipe: Recipe,
    data: datasets.Dataset,
    model: keras.Model,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
    seed: int,
) -> training.History:
    """Train a net on cats and dogs, from its present weights on."""
    ranges = recipe.augment and recipe.augment[data.tier]
    augment = pipeline.RandomAffine(**ranges, seed=seed) if ranges else None
    batches = pipeline.batches(data.x_train, data.y_train, recipe.batch_size, augment, seed=seed)
    steps = epochs * len(batches) if recipe.cosine else None
    rate, optimizer = recipe.learning_rate[data.tier], recipe.optimizer[data.tier]
    training.compile_classifier(model, rate, steps, optimizer)
    validation = pipeline.batches(data.x_validation, data.y_validation, 100, shuffle=False)
    return training.fit(
        model, batches, epochs=epochs, validation_data=validation, callbacks=callbacks
    )


def _fit_on_features(
    recipe: Recipe,
    data: datasets.Dataset,
    model: keras.Model,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> training.History:
    """Train the head of a net on the features of its base, computed once."""
    base, head = model.layers[-2:]
    maps, validation_maps = (features.extract(base, x) for x in (data.x_train, data.x_validation))
    steps = epochs * math.ceil(len(maps) / recipe.batch_size)
    rate, optimizer = recipe.learning_rate[data.tier], recipe.optimizer[data.tier]
    training.compile_classifier(head, rate, steps, optimizer)
    validation = (validation_maps, data.y_validation)
    return training.fit(head, maps, data.y_train, epochs, recipe.batch_size, validation, callbacks)


def accuracy(name: str, data: datasets.Dataset, model: keras.Model) -> float:
    """Measure which share of the test pictures a net of a recipe gets right.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    data : datasets.Dataset
        As `load` returns it.
    model : keras.Model
        Trained.

    Returns
    -------
    float
        Between 0 and 1.
    """
    if RECIPES[name].data == "mnist":
        predicted = model.predict(models.as_input(data.x_test), 500, verbose=0).argmax(axis=1)
        return float(np.mean(predicted == data.y_test))
    return _share_right(model, data.x_test, data.y_test)


def validation_accuracy(data: datasets.Dataset, model: keras.Model) -> float:
    """Measure which share of the validation pictures a net for two classes gets right.

    Parameters
    ----------
    data : datasets.Dataset
        With a validation part.
    model : keras.Model
        Trained.

    Returns
    -------
    float
        Between 0 and 1.
    """
    return _share_right(model, data.x_validation, data.y_validation)


def _share_right(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of pictures for which a net with one output is right."""
    batches = pipeline.batches(x, y, 100, shuffle=False)
    return float(np.mean((model.predict(batches, verbose=0)[:, 0] > 0.5) == y))


def run_name(name: str, tier: Tier, seed: int = 0) -> str:
    """Name the run of a recipe.

    Examples
    --------
    >>> run_name("cats_plain", "embedded"), run_name("cats_plain", "embedded", 2)
    ('cats_plain-embedded', 'cats_plain-embedded-seed2')
    """
    return f"{name}-{tier}" + (f"-seed{seed}" if seed else "")


def recorded(name: str, tier: Tier) -> list[str]:
    """Name all runs of a recipe on a tier, one for each seed.

    Examples
    --------
    >>> recorded("cats_plain", "real")
    ['cats_plain-real']
    """
    return [run_name(name, tier, seed) for seed in RECIPES[name].seeds[tier]]


def remake(
    name: str,
    data: datasets.Dataset,
    seed: int = 0,
    folder: Path = runs.RUNS_FOLDER,
    precision: str = "float32",
) -> runs.Run:
    """Train a net by its recipe, and record the run.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    data : datasets.Dataset
        As `load` returns it.
    seed : int
        One of the recipe's seeds.
    folder : pathlib.Path
        Where runs are kept.
    precision : str
        What Keras computes in while it trains: ``"float32"``, or ``"mixed_bfloat16"``, which
        takes half the time on processors that know it. Weights are in float32 either way.

    Returns
    -------
    runs.Run
        Named after recipe and tier; its test accuracy is that of the recorded weights.
    """
    training.set_seed(seed)
    with training.computing_in(precision):
        trained = build(name, data)
        history = train(name, data, trained, seed=seed)
    model = build(name, data)
    model.set_weights(trained.get_weights())
    part = trained_part(name, data, model)
    runs.halve_weights(part)
    card = {
        "recipe": name,
        "data": data.title,
        "tier": data.tier,
        "training_images": len(data.x_train),
        "test_images": len(data.x_test),
        "image_shape": list(data.x_train.shape[1:]),
        "test_accuracy": round(accuracy(name, data, model), 4),
        **_settings(RECIPES[name], data.tier),
        "epochs": len(history["loss"]),
        "seed": seed,
        "precision": precision,
        "parameters": model.count_params(),
        "seconds": round(sum(history["seconds"]), 1),
    }
    weights = data.tier in RECIPES[name].weights and seed == 0
    return runs.record(run_name(name, data.tier, seed), part, history, card, folder, weights)


def _settings(recipe: Recipe, tier: Tier) -> dict:
    """Say how a recipe trains, for the card of a run."""
    decay = ", cosine decay of the learning rate" if recipe.cosine else ""
    settings = {
        "optimizer": recipe.optimizer[tier].__name__ + decay,
        "learning_rate": recipe.learning_rate[tier],
        "batch_size": recipe.batch_size,
        "augment": recipe.augment and recipe.augment[tier],
    }
    return settings | ({"base": recipe.base[tier]} if recipe.base else {})


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Give a command the option ``--fast``, to train in lower precision."""
    parser.add_argument(
        "--fast",
        dest="precision",
        action="store_const",
        const="mixed_bfloat16",
        default="float32",
        help="compute in bfloat16: half the time on processors that know it",
    )


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
    add_precision(parser)
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(RECIPES)
    if unknown:
        parser.error(f"no recipe for {', '.join(unknown)}; there are: {', '.join(RECIPES)}")
    try:
        for name in options.names or RECIPES:
            data = load(name)
            for seed in RECIPES[name].seeds[data.tier]:
                print(f"Training {name}, seed {seed} ...", flush=True)
                run = remake(name, data, seed, precision=options.precision)
                print(run.sentence(), flush=True)
    except (DataError, runs.RunError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
