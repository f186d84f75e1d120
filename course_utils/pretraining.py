"""How the course's own base learned to see: pretraining on drawings of other things.

``make base`` draws 32,000 pictures of twelve animals and eight things, no cat and no dog among
them. It trains the base on 30,000 of them to tell the kinds apart, tests it on the others, and
records it as run ``course_base``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from course_utils import bases, drawings, models, pictures, pipeline, recipes, runs, training
from course_utils.backend import keras
from course_utils.settings import DataError, made_folder

layers = keras.layers

NAME = "course_base"
SIZE = 64
COUNTS = {"train": 1500, "test": 100}
EPOCHS, BATCH_SIZE, LEARNING_RATE = 8, 64, 2e-3


def source(size: int = SIZE) -> tuple[pictures.PictureFolder, pictures.PictureFolder]:
    """Return the drawings of other things, for training and test, drawn first if need be.

    Parameters
    ----------
    size : int
        Height and width in pixels.

    Returns
    -------
    train, test : pictures.PictureFolder
        Pictures of the twenty `drawings.OTHER_KINDS`.
    """
    folder = made_folder() / f"drawn-others-{size}"
    drawings.make_set(folder, size, COUNTS, drawings.OTHER_KINDS)
    train, test = (
        pictures.read_folder(folder / part, size, drawings.OTHER_KINDS) for part in COUNTS
    )
    return train, test


def classifier(base: keras.Model, classes: int) -> keras.Sequential:
    """Put the head on a base that it is pretrained with.

    Parameters
    ----------
    base : keras.Model
        As `models.course_base` builds it.
    classes : int
        Kinds to tell apart.

    Returns
    -------
    keras.Sequential
        (N, H, W, 3) pixels in [0, 1] -> (N, classes) probabilities.
    """
    return keras.Sequential(
        [
            keras.Input(base.input_shape[1:]),
            bases.preprocessing("course"),
            base,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="pretraining",
    )


def fold(trained: keras.Model, plain: keras.Model) -> None:
    """Work batch normalization into the convolutions before it.

    At inference, normalization multiplies each map by gamma / sqrt(variance + epsilon) and adds
    a constant. A convolution can do that itself: with kernels that are multiplied by the
    factor, and another bias.

    Parameters
    ----------
    trained : keras.Model
        ``course_base(size, batch_norm=True)``.
    plain : keras.Model
        ``course_base(size)``; gets weights that make it compute the same.

    Examples
    --------
    >>> trained, plain = models.course_base(32, batch_norm=True), models.course_base(32)
    >>> fold(trained, plain)
    >>> x = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3))
    >>> np.allclose(trained(x, training=False), plain(x), atol=1e-5)
    True
    """
    for layer in plain.layers:
        if isinstance(layer, layers.Conv2D):
            norm = trained.get_layer(f"{layer.name}_norm")
            gamma, beta, mean, variance = norm.get_weights()
            kernel, bias = trained.get_layer(layer.name).get_weights()
            factor = gamma / np.sqrt(variance + norm.epsilon)
            layer.set_weights([kernel * factor, beta + (bias - mean) * factor])


def remake(folder: Path = runs.RUNS_FOLDER, precision: str = "float32", seed: int = 0) -> runs.Run:
    """Pretrain the base, fold batch normalization away, and record it.

    Parameters
    ----------
    folder : pathlib.Path
        Where runs are kept.
    precision : str
        What Keras computes in while it trains, ``"float32"`` or ``"mixed_bfloat16"``.
    seed : int
        For weights, order and dropout.

    Returns
    -------
    runs.Run
        Its test accuracy is that on the twenty kinds, before folding.
    """
    train, test = source()
    training.set_seed(seed)
    with training.computing_in(precision):
        base = models.course_base(SIZE, batch_norm=True)
        net = classifier(base, len(train.class_names))
    batches = pipeline.batches(train.x, train.y, BATCH_SIZE, seed=seed)
    training.compile_classifier(net, LEARNING_RATE, EPOCHS * len(batches), keras.optimizers.Adam)
    held_out = pipeline.batches(test.x, test.y, 100, shuffle=False)
    history = training.fit(net, batches, epochs=EPOCHS, validation_data=held_out)
    plain = models.course_base(SIZE)
    fold(base, plain)
    card = {
        "data": f"drawings of {len(train.class_names)} other kinds",
        "tier": "embedded",
        "training_images": len(train.x),
        "test_images": len(test.x),
        "image_shape": [SIZE, SIZE, 3],
        "test_accuracy": round(history["val_accuracy"][-1], 4),
        "optimizer": "Adam, cosine decay of the learning rate",
        "learning_rate": LEARNING_RATE,
        "batch_size": BATCH_SIZE,
        "epochs": EPOCHS,
        "seed": seed,
        "precision": precision,
        "parameters": plain.count_params(),
        "seconds": round(sum(history["seconds"]), 1),
    }
    return runs.record(NAME, plain, history, card, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the command line; see the module's docstring.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if not given.

    Returns
    -------
    int
        0, or 1 where the disk cannot be written to.
    """
    parser = argparse.ArgumentParser(description="Pretrain the course's own base again.")
    recipes.add_precision(parser)
    options = parser.parse_args(arguments)
    try:
        print(remake(precision=options.precision).sentence())
    except (DataError, runs.RunError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
