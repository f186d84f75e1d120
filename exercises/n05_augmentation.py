"""Exercises of notebook 5: angles, ranges, dropout, and augmentation inside a net."""

from typing import Any

import keras
import numpy as np

from exercises.exercise import Exercise
from exercises.judges import array, number, row, turns, word
from exercises.nets import all_layers, unlike_net, unlike_probabilities, wrong_ends

RAMP = np.linspace(0, 255, 32)
DOWN = np.broadcast_to(RAMP[:, np.newaxis, np.newaxis], (60, 32, 32, 3)).astype("float32")
ACROSS = DOWN.transpose(0, 2, 1, 3)  # dark on the left, bright on the right


def run(layers: list[keras.layers.Layer], x: np.ndarray, training: bool) -> np.ndarray:
    """Send pictures through some layers."""
    for layer in layers:
        x = layer(x, training=training)
    return np.asarray(x)


def directions(pictures: np.ndarray) -> np.ndarray:
    """Find the angles, from straight down, in which pictures get brighter in the middle."""
    middle = pictures[:, 10:22, 10:22].mean(axis=-1)
    down, across = np.gradient(middle, axis=(1, 2))
    return np.degrees(np.arctan2(across.mean(axis=(1, 2)), down.mean(axis=(1, 2))))


def augments(net: Any) -> str | None:
    """Accept a net that changes its pictures as asked for, in training only."""
    if problem := unlike_net(net) or wrong_ends(net, (32, 32, 3), (1,)):
        return problem
    layers = [layer for layer in all_layers(net) if type(layer).__name__ != "InputLayer"]
    places = [n for n, layer in enumerate(layers) if isinstance(layer, keras.layers.Conv2D)]
    if not places:
        return "there is no convolution in it."
    front, rest = layers[: places[0]], layers[places[0] :]
    problem = wrong_pixels(front) or wrong_turns(front) or wrong_mirror(front)
    calm = run(front, ACROSS[:4], training=False)
    return problem or wrong_dropout(rest, calm) or unlike_probabilities(net)


def wrong_pixels(front: list[keras.layers.Layer]) -> str | None:
    """Say what is wrong with the pixels that reach the first convolution, if anything is."""
    calm = run(front, DOWN[:4], training=False)
    if calm.max() > 1.5:
        return f"pixels of up to {calm.max():.0f} reach the convolution; bring them to 0 to 1."
    if calm.max() < 0.5:
        return f"pixels of at most {calm.max():.2g} reach the convolution; rescaled twice?"
    if not np.allclose(calm, DOWN[:4] / 255, atol=0.01):
        return "outside of training, the pictures should reach the convolution unchanged."
    return None


def wrong_turns(front: list[keras.layers.Layer]) -> str | None:
    """Say what is wrong with the rotation, if anything is."""
    found = np.abs(directions(run(front, DOWN, training=True)))
    if np.mean((found > 45) & (found < 135)) > 0.05:
        return "some pictures lie on their side: `RandomRotation` counts in full turns."
    if np.any(found > 135):
        return "some pictures stand on their heads; mirror them from left to right only."
    if found.max() < 10:
        return "in training, no picture is turned by more than 10 degrees."
    if found.max() > 40:
        return f"a picture was turned by {found.max():.0f} degrees; 36 should be the limit."
    return None


def wrong_mirror(front: list[keras.layers.Layer]) -> str | None:
    """Say what is wrong with the mirror, if anything is."""
    mirrored = np.mean(directions(run(front, ACROSS, training=True)) < 0)
    if mirrored == 0:
        return "in training, no picture is ever mirrored."
    return "in training, every picture is mirrored, not half of them." if mirrored == 1 else None


def wrong_dropout(rest: list[keras.layers.Layer], pixels: np.ndarray) -> str | None:
    """Say what is wrong with the part that classifies, if anything is."""
    before = rest[:-1]
    once, again = (run(before, pixels, training=True) for _ in range(2))
    return (
        "behind the convolution, nothing is dropped in training."
        if np.allclose(once, again)
        else None
    )


EXERCISES = [
    Exercise(
        number="5.1",
        title="A full turn",
        question="""
            `RandomRotation` counts in full turns. Which number stands for up to 90 degrees, either
            way?
        """,
        start="factor = ...",
        solution="factor = 90 / 360",
        judge=number(
            0.25,
            "Which share of a full turn is 90 degrees?",
            turns(0.25)
            | {
                0.5: "that is up to 180 degrees either way.",
                4.0: "the other way round: a share of a turn is below 1.",
                0.125: "that is 45 degrees; the number counts for each way.",
            },
        ),
        hints=("A full turn has 360 degrees.", "Divide the 90 degrees by a full turn."),
    ),
    Exercise(
        number="5.2",
        title="Which ranges?",
        question="""
            For digits such as those of notebook 3, one of the five changes makes nonsense of most
            digits, and another digit of some. Which one: `"flip"`, `"rotation"`, `"shift"`,
            `"shear"` or `"zoom"`?
        """,
        start="change = ...",
        solution='change = "flip"',
        judge=word(
            "flip",
            "Which of the five does nobody do to a digit when writing it?",
            {
                "rotation": "by a few degrees, everybody does that when writing.",
                "shift": "a digit elsewhere in the picture is the same digit.",
                "shear": "slanted digits are as common as upright ones.",
                "zoom": "a large 7 is a 7 like a small one.",
            },
            ["flip", "rotation", "shift", "shear", "zoom"],
        ),
        hints=("Write a 3, and try all five on it.", "Hold a 2 or a 3 before a mirror."),
        remark="""
            A mirrored 3 is no digit at all, and a mirrored 2 resembles a 5. (A rotation does it
            too, but only by half a turn: 6 and 9.)
        """,
    ),
    Exercise(
        number="5.3",
        title="Upside down",
        question="""
            Write the 3 × 3 matrix that turns a picture of 5 × 5 pixels upside down (like a
            reflection in water, not like a turn by 180°): the new pixel $(x, y)$ comes from the
            old one $(x, 4 - y)$.
        """,
        start="matrix = ...",
        solution="matrix = np.array([[1, 0, 0], [0, -1, 4], [0, 0, 1]])",
        judge=array(
            [[1, 0, 0], [0, -1, 4], [0, 0, 1]],
            "Multiply it with (x, y, 1): what comes out in that row?",
            {
                ((-1, 0, 4), (0, -1, 4), (0, 0, 1)): "that is a turn by 180 degrees.",
                ((-1, 0, 4), (0, 1, 0), (0, 0, 1)): "that swaps left and right.",
                ((1, 0, 0), (0, -1, 0), (0, 0, 1)): "row 1 would come from row -1: shift it back.",
                ((1, 0, 0), (0, -1, 5), (0, 0, 1)): "row 0 would come from row 5; there is none.",
                ((1, 0, 0), (0, 1, 4), (0, 0, 1)): "that moves the picture, it does not turn it.",
            },
        ),
        hints=(
            "The first row makes the old x, the second the old y, the third is always 0, 0, 1.",
            "The old y is 0 times x, minus 1 times y, plus a number.",
        ),
    ),
    Exercise(
        number="5.4",
        title="Change the dropout rate",
        question="""
            With a rate of 0.8, dropout keeps only a fifth of the values in training. By what
            factor must it multiply those that it keeps, so that the sum stays the same on average?
        """,
        start="factor = ...",
        solution="factor = 1 / (1 - 0.8)",
        judge=number(
            5.0,
            "Of a hundred values of 1, how many are left, and what must they add up to?",
            {
                1.25: "0.8 is the share that is dropped; which share is kept?",
                0.2: "that is the share that is kept; it has to be made up for.",
                0.8: "that is the share that is dropped; those that are kept must grow.",
                4.0: "four are dropped for each that is kept, and that one counts as well.",
                2.0: "that is right for a rate of 0.5.",
            },
        ),
        hints=(
            "One value has to stand in for how many?",
            "One divided by the share of values that are kept.",
        ),
        remark="""
            To see what the rate does to accuracy, change it in the net of this notebook and train
            again; too much dropout keeps a net from learning at all.
        """,
    ),
    Exercise(
        number="5.5",
        title="From an old listing",
        question="""
            A listing of 2017 says `width_shift_range=0.1, height_shift_range=0.3`. Today that is
            `RandomTranslation(first, second)`. Write the two numbers.
        """,
        start="shifts = ...",
        solution="shifts = (0.3, 0.1)",
        judge=row(
            (0.3, 0.1),
            ["height", "width"],
            "Both numbers stand in the old listing; they are shares then and now.",
            {
                (0.1, 0.3): "that is width first; Keras's layers take the height first.",
                (0.3, 0.3): "the two directions have different ranges here.",
                (30.0, 10.0): "those are percentages; the layer takes shares.",
                (-0.3, 0.1): "a single number stands for both ways already.",
            },
        ),
        hints=(
            "An array has rows before columns. Which of the two does Keras name first?",
            "The height comes first: up and down, then left and right.",
        ),
    ),
    Exercise(
        number="5.6",
        title="Augmentation inside",
        question="""
            Build a net for colour pictures of 32 × 32 pixels that takes **bytes** (0 to 255) and
            carries its augmentation inside. The first convolution should get values from 0 to 1.
            In training, pictures are mirrored at random from left to right, and turned by up to 36
            degrees either way. After one stage of convolution and pooling, drop half of the
            values, and end in one unit with a sigmoid. (It need not be trained.)
        """,
        start="augmented_net = ...",
        solution="""
            augmented_net = keras.Sequential(
                [
                    keras.Input((32, 32, 3)),
                    keras.layers.Rescaling(1 / 255),
                    keras.layers.RandomFlip("horizontal"),
                    keras.layers.RandomRotation(36 / 360, fill_mode="nearest"),
                    keras.layers.Conv2D(16, 3, activation="relu"),
                    keras.layers.MaxPooling2D(2),
                    keras.layers.Flatten(),
                    keras.layers.Dropout(0.5),
                    keras.layers.Dense(1, activation="sigmoid"),
                ]
            )
        """,
        judge=augments,
        hints=(
            "Rescaling, flip and rotation are layers like all others; they come first.",
            '`Rescaling(1 / 255)`, `RandomFlip("horizontal")`, `RandomRotation(36 / 360)`, a '
            "convolution, a pooling, `Flatten`, `Dropout(0.5)`, `Dense(1)`.",
        ),
        remark="""
            Saved with `net.save(...)`, such a net carries everything with it: whoever loads it
            hands over bytes, and the random layers keep still.
        """,
    ),
]
