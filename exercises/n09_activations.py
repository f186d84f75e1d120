"""Exercises of notebook 9: maps, silence, and a model that shows them."""

from typing import Any

import keras
import numpy as np

from exercises.exercise import Exercise
from exercises.judges import alike, function, number, unlike_function, unlike_returned
from exercises.nets import unlike_net

RNG = np.random.default_rng(0)
MAPS = np.zeros((3, 4, 5))
MAPS[2, 3, 1], MAPS[0, 0, 4] = 0.5, 2.0
BATCH = RNG.random((3, 4, 4, 6))
BATCH[..., 2] = 0
BATCH[..., 5] = 0
BATCH[0, ..., 3] = 0  # silent on one picture only
IS_DOG = np.array([True, False, True, False, True, False])
PEAKS = np.array(
    [
        [0.5, 9.0, 1.0, 3.0],
        [0.1, 0.0, 2.0, 1.0],
        [0.5, 0.0, 1.0, 1.0],
        [0.1, 1.0, 2.1, 3.0],
        [0.6, 4.0, 1.1, 3.0],
        [0.1, 0.0, 2.0, 2.0],
    ]
)


def scores(peaks: np.ndarray, is_dog: np.ndarray) -> np.ndarray:
    """Measure how far the two classes lie apart in each channel, in units of the spread."""
    gap = peaks[is_dog].mean(axis=0) - peaks[~is_dog].mean(axis=0)
    return np.abs(gap) / (peaks.std(axis=0) + 0.001)


def some_nets() -> list[keras.Model]:
    """Build nets with three and with two convolutions."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    front = [layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(5, 3)]
    one = [keras.Input((16, 16, 3)), *front, layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(1)]
    other = [keras.Input((12, 12, 1)), layers.Conv2D(2, 3), layers.Conv2D(6, 3), layers.Flatten()]
    return [keras.Sequential(one), keras.Sequential(other)]


def shows_convolutions(watcher: Any) -> str | None:
    """Let a function make models, and compare what they return with the maps of the nets."""
    if problem := unlike_function(watcher):
        return problem
    for net in some_nets():
        model = watcher(net)
        if problem := unlike_returned(model):
            return problem
        if isinstance(model, list | tuple):
            return "it returns a list; put the outputs into a keras.Model, and return that."
        if problem := unlike_net(model):
            return f"what it returns is not right: {problem}"
        x = RNG.random((2, *net.input_shape[1:])).astype("float32")
        outputs = model(x)
        found = outputs if isinstance(outputs, list | tuple) else [outputs]
        if problem := wrong_maps(found, net, x):
            return problem
    return None


def wrong_maps(found: list, net: keras.Model, x: np.ndarray) -> str | None:
    """Say what is wrong with the outputs of a model that should be the maps of a net."""
    wanted = []
    maps = x
    for layer in net.layers:
        maps = layer(maps)
        if isinstance(layer, keras.layers.Conv2D):
            wanted.append(maps)
    if len(found) == len(net.layers):
        return "it gives the outputs of all layers; choose the convolutions among them."
    if len(found) != len(wanted):
        return f"for a net with {len(wanted)} convolutions, the number of outputs is {len(found)}."
    if [tuple(maps.shape) for maps in found] != [tuple(maps.shape) for maps in wanted]:
        return "the shapes are not those of the convolutions' maps, from the first to the last."
    if not all(map(alike, found, wanted)):
        return "the values are other than those in the net; use its own layers, not new ones."
    return None


EXERCISES = [
    Exercise(
        number="9.1",
        title="How many numbers?",
        question="""
            For photos of 150 × 150, the net's second convolution has 64 filters of 3 × 3 without
            padding; before it come a convolution like it and a 2 × 2 pooling. How many numbers
            does it put out for one photo?
        """,
        start="numbers = ...",
        solution="numbers = 72 * 72 * 64",
        judge=number(
            331776,
            "Follow the side of the map from layer to layer; then count places and channels.",
            {
                5184: "those are the places of one map; there are 64 maps.",
                350464: "the second convolution loses a border, too.",
                360000: "a convolution without padding loses a border.",
                341056: "each convolution takes 2 pixels of the side, the first one, too.",
                1364224: "the pooling comes between the two.",
                1401856: "the pooling comes between the two.",
                18496: "those are the parameters of the layer.",
                15552: "there are 64 maps, one for each filter, and not 3.",
            },
        ),
        hints=(
            "150, 148, ...: what is the side after the pooling, and after the second convolution?",
            "150, 148, 74, 72: the side after each layer.",
        ),
        remark="""
            The first convolution leaves 148 × 148, the pooling 74 × 74, the second convolution 72
            × 72, with 64 channels.
        """,
    ),
    Exercise(
        number="9.2",
        title="Count the silent",
        question="""
            Write `count_silent(maps)`. It takes the maps of one layer for one picture, an array of
            shape (height, width, channels), and returns the number of channels that are zero
            everywhere.
        """,
        start="count_silent = ...",
        solution="""
            def count_silent(maps):
                return int(np.sum(~maps.any(axis=(0, 1))))
        """,
        judge=function(
            lambda maps: int(np.sum(~maps.any(axis=(0, 1)))),
            [(MAPS,), (np.ones((2, 2, 7)),), (MAPS[:, :, :4],)],
            "Ask each channel for itself: is there any value in it that is not 0?",
            {
                lambda maps: int(maps.any(axis=(0, 1)).sum()): "those are the ones that speak.",
                lambda maps: int(np.sum(maps == 0)): "those are single zeros, not channels.",
                lambda maps: int(np.sum(~maps.any(axis=-1))): "those are places, not channels.",
                lambda maps: int(np.sum((maps == 0).any(axis=(0, 1)))): (
                    "those have a 0 somewhere; silent means 0 everywhere."
                ),
                lambda maps: float(np.mean(~maps.any(axis=(0, 1)))): (
                    "that is their share; the number is asked for."
                ),
            },
        ),
        hints=(
            "`maps.any(axis=...)` tells which channels are not silent.",
            "`maps.any(axis=(0, 1))` asks over rows and columns; `~` turns true and false round.",
        ),
        remark="""
            After ReLU no value is negative, so `maps.max(axis=(0, 1)) == 0` finds the same
            channels.
        """,
    ),
    Exercise(
        number="9.3",
        title="A picture of nothing",
        question="""
            Show a convolution (without padding) a picture that is grey (0.5) everywhere. In how
            many of its 32 channels is there a difference between any two places of the map? Think
            first, then count. (Round to five decimals.)
        """,
        start="different = ...",
        solution="""
            layer = keras.layers.Conv2D(32, 3, activation="relu")
            maps = np.round(layer(np.full((1, 20, 20, 3), 0.5))[0], 5)
            different = int(np.sum(np.ptp(maps, axis=(0, 1)) > 0))
        """,
        judge=number(
            0,
            "What do all the 3 × 3 patches of this picture have in common?",
            {
                32: "the channels differ from each other, but what about two places of one map?",
                16: "ReLU silences some channels; what do the others show, place by place?",
            },
        ),
        hints=(
            "Take two patches of the picture, at different places. In what do they differ?",
            "A channel's value at a place depends on the patch there, and on nothing else.",
        ),
        remark="""
            All patches are the same, so every channel gives one number, everywhere. With the
            padding "same", patches at the border would hold zeros, and the border would stand out:
            a net can tell from that where the picture ends.
        """,
    ),
    Exercise(
        number="9.4",
        title="The best witness",
        question="""
            Suppose that you may keep a single channel, and must decide by its highest value: cat
            or dog? Good for that is a channel for which the two class means lie far apart *in
            units of its spread*. Write `best_witness(peaks, is_dog)`. It takes the highest values,
            of shape (pictures, channels), and for each picture whether it shows a dog; it returns
            the number of the channel with the largest |difference of the means| / (standard
            deviation over all pictures + 0.001).
        """,
        start="best_witness = ...",
        solution="""
            def best_witness(peaks, is_dog):
                gap = peaks[is_dog].mean(axis=0) - peaks[~is_dog].mean(axis=0)
                return int(np.argmax(np.abs(gap) / (peaks.std(axis=0) + 0.001)))
        """,
        judge=function(
            lambda peaks, is_dog: int(np.argmax(scores(peaks, is_dog))),
            [(PEAKS, IS_DOG), (PEAKS[:, ::-1], IS_DOG), (PEAKS, ~IS_DOG)],
            "Follow the formula for one channel by hand.",
            {
                lambda peaks, is_dog: int(
                    np.argmax(np.abs(peaks[is_dog].mean(0) - peaks[~is_dog].mean(0)))
                ): "divide by the spread: a channel with large values is not a better witness.",
                lambda peaks, is_dog: int(
                    np.argmax(
                        (peaks[is_dog].mean(0) - peaks[~is_dog].mean(0)) / (peaks.std(0) + 0.001)
                    )
                ): "a channel that is lower for dogs is a witness as well: take the size.",
                lambda peaks, is_dog: float(scores(peaks, is_dog).max()): (
                    "that is the highest value; which channel has it?"
                ),
                lambda peaks, is_dog: int(np.argmin(scores(peaks, is_dog))): "the worst witness!",
            },
        ),
        hints=(
            "`peaks[is_dog]` are the rows of the dogs, `peaks[~is_dog]` those of the cats.",
            "Means and standard deviations along `axis=0` are one number for each channel; "
            "`np.argmax` finds the largest quotient.",
        ),
        remark="Large values alone decide nothing; a small spread does.",
    ),
    Exercise(
        number="9.5",
        title="Dead or only silent?",
        question="""
            Write `dead_channels(maps)`. It takes the maps of one layer for many pictures, of shape
            (pictures, height, width, channels), and returns the numbers of those channels that are
            silent on *every* picture, as an array.
        """,
        start="dead_channels = ...",
        solution="""
            def dead_channels(maps):
                return np.flatnonzero(~maps.any(axis=(0, 1, 2)))
        """,
        judge=function(
            lambda maps: np.flatnonzero(~maps.any(axis=(0, 1, 2))),
            [(BATCH,), (BATCH[..., 1:4],), (BATCH[1:],)],
            "A channel is dead if none of its values on any picture is other than 0.",
            {
                lambda maps: ~maps.any(axis=(0, 1, 2)): (
                    "that says yes or no for each channel; their numbers are asked for."
                ),
                lambda maps: np.sum(~maps.any(axis=(0, 1, 2))): (
                    "that is how many there are; which ones are they?"
                ),
                lambda maps: np.flatnonzero(maps.any(axis=(0, 1, 2))): "those are the living ones.",
                lambda maps: np.flatnonzero((~maps.any(axis=(1, 2))).any(axis=0)): (
                    "some of these are silent on one picture only."
                ),
            },
        ),
        hints=(
            "`any` along pictures, rows and columns leaves one truth value for each channel.",
            "`np.flatnonzero` turns truth values into the places where they are true.",
        ),
        remark="""
            "Dead" is said too easily: silent on these pictures is all that was measured. More
            pictures may wake one.
        """,
    ),
    Exercise(
        number="9.6",
        title="A model that shows its maps",
        question="""
            Write `watcher(net)`. It takes a `keras.Sequential` and returns a model with the same
            input, whose outputs are those of all its `Conv2D` layers, from the first to the last.
        """,
        start="watcher = ...",
        solution="""
            def watcher(net):
                outputs = []
                for layer in net.layers:
                    if isinstance(layer, keras.layers.Conv2D):
                        outputs.append(layer.output)
                return keras.Model(net.inputs[0], outputs)
        """,
        judge=shows_convolutions,
        hints=(
            "A model is made from an input and a list of outputs; both are there already.",
            "`keras.Model(net.inputs[0], [...])` with the `layer.output` of each layer for which "
            "`isinstance(layer, keras.layers.Conv2D)`.",
        ),
        remark="No weight is copied, and nothing has to be trained.",
    ),
]
