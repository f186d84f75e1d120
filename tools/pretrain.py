"""Pretrain the course's own base on drawings of other things: ``make base``.

It draws 162,000 pictures of twelve animals and eight things, no cat and no dog among them, trains
the base on 160,000 of them to tell the kinds apart, tests it on the others, and records it as run
``course_base``. A training that was interrupted goes on with the epoch that it had begun.
"""

import argparse
import math
import time

import keras
import numpy as np

from course_utils import drawings, picture_folders, runs
from course_utils.augmentation import batches
from course_utils.data.settings import made_folder
from course_utils.pretrained import bases
from tools.recording import record

layers = keras.layers

SIZE = 64
COUNTS = {"train": 8000, "test": 100}
EPOCHS, BATCH_SIZE, LEARNING_RATE = 6, 64, 2e-3


def source(size: int = SIZE) -> tuple[picture_folders.PictureFolder, picture_folders.PictureFolder]:
    """Return the drawings of other things, for training and test, drawn first if need be."""
    folder = made_folder() / f"drawn-others-{size}"
    drawings.make_set(folder, size, COUNTS, drawings.OTHER_KINDS)
    train, test = (
        picture_folders.read(folder / part, size, drawings.OTHER_KINDS) for part in COUNTS
    )
    return train, test


def with_normalization(size: int = SIZE) -> keras.Model:
    """Build the course's base with batch normalization behind each convolution, untrained."""
    x = pixels = keras.Input((size, size, 3))
    for layer in bases.course_base(size).layers[1:]:
        if isinstance(layer, layers.MaxPooling2D):
            x = layers.MaxPooling2D(2, name=layer.name)(x)
        else:
            x = layers.Conv2D(layer.filters, 3, padding="same", name=layer.name)(x)
            x = layers.BatchNormalization(name=f"{layer.name}_norm")(x)
            x = layers.ReLU(name=f"{layer.name}_relu")(x)
    return keras.Model(pixels, x, name="course_base")


def classifier(base: keras.Model, classes: int) -> keras.Sequential:
    """Put the head on a base that it is pretrained with: pixels in [0, 1] -> probabilities."""
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
    factor, and another bias. `trained` is from `with_normalization`, and `plain`
    gets weights that make it compute the same.
    """
    for layer in plain.layers:
        if isinstance(layer, layers.Conv2D):
            norm = trained.get_layer(f"{layer.name}_norm")
            gamma, beta, mean, variance = norm.get_weights()
            kernel, bias = trained.get_layer(layer.name).get_weights()
            factor = gamma / np.sqrt(variance + norm.epsilon)
            layer.set_weights([kernel * factor, beta + (bias - mean) * factor])


def train(net: keras.Model, x: np.ndarray, y: np.ndarray, held_out: tuple) -> dict:
    """Train the classifier along a cosine; return its history."""
    steps = EPOCHS * math.ceil(len(x) / BATCH_SIZE)
    rise = steps // 20
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - rise, warmup_target=LEARNING_RATE, warmup_steps=rise
    )
    net.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return net.fit(
        batches(x, y, BATCH_SIZE),
        validation_data=batches(*held_out, 100, shuffle=False),
        epochs=EPOCHS,
        shuffle=False,
        callbacks=[keras.callbacks.BackupAndRestore(made_folder() / "course_base.backup")],
    ).history


def remake(folder=runs.RUNS_FOLDER, seed: int = 0) -> runs.Run:
    """Pretrain the base, fold batch normalization away, and record it."""
    seen, held_out = source()
    keras.utils.set_random_seed(seed)
    base = with_normalization()
    net = classifier(base, len(seen.class_names))
    start = time.perf_counter()
    history = train(net, seen.x, seen.y, (held_out.x, held_out.y))
    keras.config.set_dtype_policy("float32")
    plain = bases.course_base(SIZE)
    fold(base, plain)
    card = {
        "data": f"drawings of {len(seen.class_names)} other kinds",
        "tier": "embedded",
        "training_images": len(seen.x),
        "test_images": len(held_out.x),
        "test_accuracy": round(history["val_accuracy"][-1], 4),
        "optimizer": {"name": "adam", "learning_rate": LEARNING_RATE, "decay": "cosine"},
        "batch_size": BATCH_SIZE,
        "epochs": EPOCHS,
        "seed": seed,
        "parameters": plain.count_params(),
        "seconds": round(time.perf_counter() - start, 1),
    }
    return record("course_base", plain, history, card, folder)


def main() -> None:
    """Pretrain the base, and say how long that takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="in bfloat16, where processors know it")
    if parser.parse_args().fast:
        keras.config.set_dtype_policy("mixed_bfloat16")
    print("On two cores, drawing takes a quarter of an hour, and training two to three hours.")
    print(remake().sentence())


if __name__ == "__main__":
    main()
