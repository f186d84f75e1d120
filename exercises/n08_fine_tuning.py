"""Exercises of notebook 8: thawing a base, and what fine-tuning changes."""

from typing import Any

import keras
import numpy as np

from exercises.exercise import Exercise
from exercises.judges import number, percent, word
from exercises.kinds import unlike_function


def small_base() -> keras.Model:
    """Build a frozen base with three convolutions, two of them normalised."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 3))]
    for place in (1, 2, 3):
        layers.append(keras.layers.Conv2D(3, 3, padding="same", name=f"conv{place}"))
        layers.append(keras.layers.BatchNormalization(name=f"norm{place}"))
    base = keras.Sequential(layers)
    base.trainable = False
    return base


def thaws_the_top(thaw: Any) -> str | None:
    """Let a function thaw the top of a frozen base, train it, and see what has changed."""
    if problem := unlike_function(thaw):
        return problem
    base = small_base()
    thaw(base, "conv2")
    before = {layer.name: layer.get_weights() for layer in base.layers}
    if not base.trainable_weights:
        return "nothing can be trained: the base itself must be thawed before its layers count."
    model = keras.Sequential([base, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse", run_eagerly=True)
    model.fit(np.random.default_rng(0).random((8, 8, 8, 3)), np.ones(8), verbose=0)
    moved = {
        layer.name
        for layer in base.layers
        if not all(map(np.array_equal, before[layer.name], layer.get_weights()))
    }
    if moved & {"norm1", "norm2", "norm3"}:
        return "a batch normalization changes in training; it should stay as it is."
    if "conv1" in moved:
        return "a layer before the first one is trained, too."
    if "conv2" not in moved:
        return "the first layer that should be trained is not; it is one of them."
    return None if "conv3" in moved else "only one layer is trained; all after it should be, too."


EXERCISES = [
    Exercise(
        number="8.1",
        title="How many arrays?",
        question="""
            In VGG16 with the usual head (two dense layers), only `block5_conv1` to `block5_conv3`
            and the head are unfrozen. How many weight arrays are trained?
        """,
        start="arrays = ...",
        solution="arrays = 2 * (3 + 2)",
        judge=number(
            10,
            "How many layers are trained, and which arrays does each of them have?",
            {
                5: "those are the layers; each has more than one array.",
                6: "the head is trained, too.",
                4: "that is the head alone.",
                30: "that is with nothing frozen.",
                12: "the pooling at the end of the block has no weights.",
            },
        ),
        hints=(
            "Count the layers that are trained: those of the block, and those of the head.",
            "Each of these layers has a kernel and a bias.",
        ),
        remark="Three convolutions and two dense layers, two arrays each.",
    ),
    Exercise(
        number="8.2",
        title="Smooth by hand",
        question="""
            Accuracies of 0.5, 0.7 and 0.6 are smoothed with a factor of 0.8. What is the third
            smoothed value?
        """,
        start="third = ...",
        solution="""
            second = 0.8 * 0.5 + 0.2 * 0.7
            third = 0.8 * second + 0.2 * 0.6
        """,
        judge=number(
            0.552,
            "Work out the second smoothed value first; the third is made from it.",
            {
                0.54: "that is the second smoothed value.",
                0.612: "0.8 belongs to the smoothed value before, 0.2 to the new one.",
                0.6: "that is the measured value, or the mean of all; neither is smoothed.",
                0.68: "the *smoothed* value before is needed, not the measured one.",
                0.52: "the second smoothed value is made from 0.5 and 0.7.",
            }
            | percent(0.552),
        ),
        hints=(
            "The first smoothed value is the first measured one.",
            "The second is 0.8 · 0.5 + 0.2 · 0.7; go on like this.",
        ),
    ),
    Exercise(
        number="8.3",
        title="Unfreeze one block more",
        question="""
            In VGG16, which layer is the first to be trained if block 4 is unfrozen too? Write its
            name.
        """,
        start="layer_name = ...",
        solution='layer_name = "block4_conv1"',
        judge=word(
            "block4_conv1",
            "VGG16's layers are called blockN_convM and blockN_pool.",
            {
                "block4_conv3": "that is the last convolution of the block.",
                "block4_conv2": "there is one before it in the block.",
                "block4_pool": "a pooling has nothing to train.",
                "block3_pool": "that one belongs to block 3, and has nothing to train.",
                "block5_conv1": "that is the first one if block 4 stays frozen.",
                "block4": "that is the block; which of its layers comes first?",
                "block4_conv0": "Keras counts these from 1.",
            },
        ),
        hints=(
            "Look at the list of VGG16's layers in notebook 7.",
            "The block begins with its first convolution.",
        ),
        remark="After unfreezing, compile again: only then does it take effect.",
    ),
    Exercise(
        number="8.4",
        title="A frozen layer",
        question="""
            `keras.Sequential([keras.Input((10,)), Dense(32, trainable=False), Dense(1)])`: how
            many parameters does `fit` change?
        """,
        start="changed = ...",
        solution="changed = 32 + 1",
        judge=number(
            33,
            "Which of the two layers is trained, and how many parameters has it?",
            {
                385: "those are all parameters; the frozen ones do not change.",
                352: "those are the frozen ones.",
                32: "the last unit also has a bias.",
                2: "those are the arrays; how many numbers are in them?",
                0: "only the first of the two layers is frozen.",
            },
        ),
        hints=(
            "The first layer passes its values on, but does not learn.",
            "The last unit has a weight for each of the 32 values, and a bias.",
        ),
    ),
    Exercise(
        number="8.5",
        title="Thaw the top",
        question="""
            Write `thaw(base, first)`. It takes a frozen base and the name of a layer. After it,
            that layer and all layers behind it are trained, but for those of batch normalization,
            which stay frozen like everything before.
        """,
        start="thaw = ...",
        solution="""
            def thaw(base, first):
                base.trainable = True
                reached = False
                for layer in base.layers:
                    reached = reached or layer.name == first
                    is_norm = isinstance(layer, keras.layers.BatchNormalization)
                    layer.trainable = reached and not is_norm
        """,
        judge=thaws_the_top,
        hints=(
            "Go through `base.layers` in order, and remember whether `first` has been reached.",
            "`base.trainable = True` thaws all; the loop then freezes again what lies before, "
            "and each `keras.layers.BatchNormalization`.",
        ),
        remark="""
            Without `base.trainable = True` nothing would be trained: in a frozen base, its layers
            are not asked.
        """,
    ),
]
