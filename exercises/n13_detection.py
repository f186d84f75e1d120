"""Exercises of notebook 13: boxes, suppression, and a detector's score."""

from typing import Any

import keras
import numpy as np

from exercises.exercise import Exercise
from exercises.judges import function, number, percent, row
from exercises.kinds import unlike_function, unlike_returned
from exercises.nets import unlike_net, wrong_ends

SETS = [
    ([0.9, 0.8, 0.6], [True, False, True], 2),
    ([0.5, 0.95, 0.7, 0.1], [True, True, False, False], 4),
    ([0.3, 0.2], [False, True], 1),
]


def precision_at(scores: list, right: list, threshold: float) -> float:
    """Divide what is right by what is kept."""
    kept = [hit for score, hit in zip(scores, right, strict=True) if score >= threshold]
    return sum(kept) / len(kept)


def builds_a_grid_head(build: Any) -> str | None:
    """Let a function build a head for maps, and see whether its cells answer for themselves."""
    if problem := unlike_function(build):
        return problem
    for cells, channels, classes in ((12, 128, 2), (7, 16, 5)):
        net = build((cells, cells, channels), classes)
        if problem := unlike_returned(net) or unlike_net(net):
            return f"what it returns: {problem}"
        ends = (cells, cells, channels), (cells, cells, 5 + classes)
        if problem := wrong_ends(net, *ends):
            return f"for {classes} classes: {problem}"
    return wrong_cells(net, cells, channels)


def wrong_cells(net: keras.Model, cells: int, channels: int) -> str | None:
    """Say what is wrong with the way from maps to cells, if anything is."""
    first = next((layer for layer in net.layers if isinstance(layer, keras.layers.Conv2D)), None)
    if first is not None and (first.filters, first.kernel_size) != (64, (3, 3)):
        return f"the first convolution has {first.filters} filters of {first.kernel_size}."
    if any(isinstance(layer, keras.layers.Flatten) for layer in net.layers):
        return "once maps are flattened, each cell has weights of its own; convolutions share them."
    maps = np.random.default_rng(0).normal(size=(1, cells, cells, channels)).astype("float32")
    said = np.asarray(net(maps))
    moved = np.asarray(net(np.roll(maps, 1, axis=2)))
    inner = slice(3, -2)
    if not np.allclose(
        moved[:, inner, inner], np.roll(said, 1, axis=2)[:, inner, inner], atol=1e-4
    ):
        return "if the maps move by a cell, what it says should move along; it does not."
    if said.min() >= 0:
        return "no number is ever below 0; leave out the activation of the last convolution."
    return None


EXERCISES = [
    Exercise(
        number="13.1",
        title="Two boxes",
        question="""
            One box reaches from (0, 0) to (8, 6), the other from (4, 2) to (12, 8). What is their
            IoU?
        """,
        start="overlap = ...",
        solution="""
            shared = (8 - 4) * (6 - 2)
            overlap = shared / (8 * 6 + 8 * 6 - shared)
        """,
        judge=number(
            0.2,
            "Draw them on squared paper: which part do they share, which do they cover together?",
            {
                16: "that is the area they share; divide it by what they cover together.",
                16 / 96: "what they share is counted twice in the sum of the areas.",
                1 / 3: "that is the shared part of one box; divide by what both cover.",
                5: "the other way round: IoU is never above 1.",
                0.8: "that is the part that they do not share.",
            }
            | percent(0.2),
        ),
        hints=(
            "The shared part reaches from (4, 2) to (8, 6).",
            "Shared 16; together 48 + 48 − 16.",
        ),
    ),
    Exercise(
        number="13.2",
        title="In another format",
        question="""
            A label file for YOLO gives each box as the centre x, the centre y, width and height,
            all as shares of the picture. A picture is 640 wide and 480 high, and the box around a
            cat in it reaches from (160, 120) to (480, 360), in pixels. Write its four numbers.
        """,
        start="label = ...",
        solution="label = (320 / 640, 240 / 480, 320 / 640, 240 / 480)",
        judge=row(
            (0.5, 0.5, 0.5, 0.5),
            ["centre x", "centre y", "width", "height"],
            "x and width are shares of 640, y and height of 480.",
            {
                (320, 240, 320, 240): "these are pixels; divide by the picture's width or height.",
                (0.25, 0.25, 0.5, 0.5): "that begins with the upper left corner, not the centre.",
                (0.25, 0.25, 0.75, 0.75): "these are the two corners as shares.",
                (160, 120, 320, 240): "that is COCO's format: corner, width, height, in pixels.",
            },
        ),
        hints=(
            "First in pixels: centre, width and height.",
            "The centre is at (320, 240); the box is 320 wide and 240 high.",
        ),
    ),
    Exercise(
        number="13.3",
        title="Who survives?",
        question="""
            Four boxes of one class have the scores 0.9, 0.8, 0.7 and 0.5, in this order. The IoU
            of the first and the second is 0.6, that of the second and the third 0.7, that of all
            other pairs 0.1. How many boxes are left after suppression with an IoU threshold of 0.5
            and a score threshold of 0.6?
        """,
        start="left = ...",
        solution="""
            # The first stays and drops the second. The third overlaps only the second, which is
            # gone, so it stays. The fourth is below the score threshold.
            left = 2
        """,
        judge=number(
            2,
            "One after the other, from the best: what stays, and what does it drop?",
            {
                1: "a box that was dropped cannot drop others: who is left to drop the third?",
                3: "the fourth overlaps none, but what about its score?",
                4: "the first and the second overlap by more than 0.5.",
            },
        ),
        hints=(
            "Take the best, drop what overlaps it, then take the best of the rest.",
            "The second is dropped by the first. Is there anybody left who overlaps the third?",
        ),
        remark="Greedy suppression looks at the best box first, and never back.",
    ),
    Exercise(
        number="13.4",
        title="Precision",
        question="""
            Write `precision(scores, right, threshold)`: which share of the boxes with a score of
            at least the threshold is right? `right` is a list of True and False, one for each
            score.
        """,
        start="precision = ...",
        solution="""
            def precision(scores, right, threshold):
                kept = [hit for score, hit in zip(scores, right) if score >= threshold]
                return sum(kept) / len(kept)
        """,
        judge=function(
            precision_at,
            [(scores, right, t) for scores, right, _ in SETS for t in (min(scores), 0.2)],
            "Which boxes are kept at this threshold, and how many of them are right?",
            {
                lambda scores, right, threshold: (
                    sum(hit for score, hit in zip(scores, right, strict=True) if score >= threshold)
                    / max(sum(right), 1)
                ): "that is the recall: divide by the boxes that are kept.",
                lambda scores, right, threshold: sum(right) / len(right): (
                    "boxes below the threshold do not count."
                ),
                lambda scores, right, threshold: sum(
                    hit for score, hit in zip(scores, right, strict=True) if score >= threshold
                ): "that is how many are right; which share of the boxes kept is it?",
            },
        ),
        hints=(
            "First keep the entries of `right` whose score is high enough.",
            "True counts as 1: `sum(kept) / len(kept)`.",
        ),
    ),
    Exercise(
        number="13.5",
        title="A head for a grid",
        question="""
            Write `build(shape, classes)`: a net for maps of this shape, for example (12, 12, 128),
            that gives in each place objectness, four numbers for the box, and one for each class,
            as logits: with two classes (12, 12, 7). A 3 × 3 convolution with 64 filters and ReLU
            first. Each place must answer for itself, with the same weights everywhere.
        """,
        start="build = ...",
        solution="""
            def build(shape, classes):
                maps = keras.Input(shape)
                x = keras.layers.Conv2D(64, 3, padding="same", activation="relu")(maps)
                said = keras.layers.Conv2D(5 + classes, 1)(x)
                return keras.Model(maps, said)
        """,
        judge=builds_a_grid_head,
        hints=(
            'Two convolutions; the first with `padding="same"`, so that the grid keeps its size.',
            "The second one is 1 × 1, with 1 + 4 + classes filters and no activation.",
        ),
    ),
]
