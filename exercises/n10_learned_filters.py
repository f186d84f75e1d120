"""Exercises of notebook 10: uphill in the space of pictures."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from exercises.exercise import Exercise
from exercises.judges import (
    alike,
    array,
    function,
    number,
    unlike_array,
    unlike_function,
    unlike_returned,
)

RNG = np.random.default_rng(0)
STEPS, RATE = 10, 0.03
PICTURE = RNG.random((3, 4, 3))
ZERO, SLOPE = np.zeros((2, 2, 1)), np.array([[[3.0], [0.0]], [[-4.0], [0.0]]])


def rms(values: np.ndarray) -> float:
    """Measure the root of the mean of the squares."""
    return float(np.sqrt(np.mean(np.square(values))))


def presentable(picture: np.ndarray) -> np.ndarray:
    """Give a picture a mean of 0.5 and a standard deviation of 0.15, within 0 and 1."""
    return np.clip(0.5 + 0.15 * (picture - picture.mean()) / picture.std(), 0, 1)


def some_maps() -> keras.Model:
    """Build a net of two convolutions that gives five maps."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(6, 3, activation="relu"), keras.layers.Conv2D(5, 3)]
    return keras.Sequential([keras.Input((14, 14, 3)), *layers])


def climbed(
    maps_of: keras.Model, x: np.ndarray, channel: int, rate: float = RATE, steps: int = STEPS
) -> np.ndarray:
    """Climb some steps, as the exercise asks for."""
    picture = tf.Variable(x)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            level = tf.reduce_mean(maps_of(picture)[..., channel])
        slope = tape.gradient(level, picture)
        picture.assign_add(rate * slope / tf.sqrt(tf.reduce_mean(slope**2)))
    return picture.numpy()


def climbs(climb: Any) -> str | None:
    """Let a function change pictures, and look at what it has done to them."""
    if problem := unlike_function(climb):
        return problem
    maps_of = some_maps()
    x = np.random.default_rng(1).random((1, 14, 14, 3)).astype("float32")
    for channel in (3, 0):
        given = x.copy()
        found = climb(maps_of, given, channel)
        if problem := unlike_returned(found):
            return problem
        if problem := unlike_array(found, x.shape):
            return f"what it returns is not right: {problem}"
        if not alike(given, x):
            return "it changes the picture that it is given; let it work on a copy."
        if problem := wrong_way(np.asarray(found), maps_of, x, channel):
            return problem
    return None


def wrong_way(found: np.ndarray, maps_of: keras.Model, x: np.ndarray, channel: int) -> str | None:
    """Say what is wrong with the way from one picture to another, if anything is."""
    if np.allclose(found, climbed(maps_of, x, channel), atol=1e-3):
        return None
    before, after = (float(np.mean(maps_of(each)[..., channel])) for each in (x, found))
    if alike(found, x):
        return "the picture comes out as it was."
    if after < before:
        return f"the activation falls, from {before:.3f} to {after:.3f}: that is downhill."
    if np.allclose(found, climbed(maps_of, x, channel, steps=1), atol=1e-3):
        return "that is one step; ten are asked for."
    if rms(found - x) > 1.01 * STEPS * RATE:
        return (
            f"the picture has changed by {rms(found - x):.2g}, more than ten steps of 0.03 can. "
            "What is each gradient divided by, and how many steps are there?"
        )
    if rms(found - x) < 0.5 * STEPS * RATE:
        return (
            f"the picture has changed by {rms(found - x):.2g} only. What is each gradient divided "
            "by, and is it computed anew in each step?"
        )
    return "the activation rises, but not by that channel's gradient, or not in ten steps of 0.03."


EXERCISES = [
    Exercise(
        number="10.1",
        title="A canvas by hand",
        question="""
            A net has a convolution of 5 × 5, a 2 × 2 pooling with stride 2, and another
            convolution of 5 × 5, all without padding. How many pixels wide is the smallest canvas
            that holds all that a filter of the second convolution can see?
        """,
        start="pixels = ...",
        solution="pixels = 1 + 4 + 1 + 4 * 2",
        judge=number(
            14,
            "Start at one place of the last map, and go back: what does it see before each layer?",
            {
                10: "behind the pooling, each step counts twice.",
                9: "that leaves out the pooling.",
                13: "the pooling itself makes the view wider, too.",
                18: "the pooling doubles the steps behind it, not those before it.",
                50: "sizes are not multiplied; each layer adds to the view.",
            },
        ),
        hints=(
            "One pixel sees itself; each layer adds its window, less one, times the step so far.",
            r"R = 1 + (5 - 1) · 1 + (2 - 1) · 1 + (5 - 1) · ...",
        ),
        remark=r"After the pooling, each step counts twice: $1 + 4 + 1 + 4 \cdot 2 = 14$.",
    ),
    Exercise(
        number="10.2",
        title="How far can it go?",
        question="""
            With a rate of 0.03 and 40 steps: what is the largest possible RMS of the whole change,
            from the first picture to the last? (It is reached if all steps go the same way.)
        """,
        start="largest = ...",
        solution="largest = 40 * 0.03",
        judge=number(
            1.2,
            "How long is a single step, and how long are two in the same direction?",
            {
                0.03: "that is a single step.",
                40.0: "that is the number of steps; each is 0.03 long.",
                0.18974: "that is how far a walk gets whose steps go in all directions.",
                0.036: "lengths are not squared: the RMS takes the root again.",
                1.17: "that is for 39 steps.",
            },
        ),
        hints=(
            "Each single step has an RMS of 0.03.",
            "Steps in the same direction add up.",
        ),
        remark="""
            More than the whole range from black to white. For the first layer it is reached
            exactly, because its gradient is always the same.
        """,
    ),
    Exercise(
        number="10.3",
        title="One step",
        question="""
            Write `step(x, g, rate)`. It returns the picture `x` after one step of gradient ascent
            along the gradient `g`: the *change* has an RMS of `rate`, whatever the size of `g`.
        """,
        start="step = ...",
        solution="""
            def step(x, g, rate):
                return x + rate * g / np.sqrt(np.mean(g**2))
        """,
        judge=function(
            lambda x, g, rate: x + rate * g / rms(g),
            [(ZERO, SLOPE, 0.1), (ZERO + 0.5, 1000 * SLOPE, 0.1), (ZERO, SLOPE, 0.3)],
            "Divide the gradient by its RMS, and see how large the change is.",
            {
                lambda x, g, rate: x - rate * g / rms(g): "that goes downhill, and ascent is up.",
                lambda x, g, rate: x + rate * g: "a large gradient makes a large step there.",
                lambda x, g, rate: x + rate * g / np.linalg.norm(g): (
                    "that is the root of the *sum* of the squares; take that of their mean."
                ),
                lambda x, g, rate: x + rate * g / np.abs(g).mean(): (
                    "that is the mean of the sizes, not the root of the mean of the squares."
                ),
                lambda x, g, rate: x + rate * g / np.mean(g**2): "the square root is missing.",
                lambda x, g, rate: x + rate * np.sign(g): "all pixels should not move alike.",
                lambda x, g, rate: rate * g / rms(g): "that is the change; add it to the picture.",
            },
        ),
        hints=(
            "The gradient says only where to; first bring it to an RMS of 1.",
            "`np.sqrt(np.mean(g**2))` is the RMS of `g`.",
        ),
    ),
    Exercise(
        number="10.4",
        title="A slope without a net",
        question="""
            A filter of the first layer sees two pixels and computes $2a - 3b + 1$, before ReLU.
            What is the gradient of that with respect to the pixels $(a, b)$, at $a = 0.5$, $b =
            0.2$?
        """,
        start="gradient = ...",
        solution="gradient = np.array([2, -3])",
        judge=array(
            [2, -3],
            "How much does the value rise if that pixel alone rises by 1?",
            {
                (1, -0.6): "those are the two terms; how fast do they change with the pixels?",
                (2, 3): "mind the sign: a larger b makes the value smaller.",
                (0.5, 0.2): "that is the place; the gradient is the same everywhere.",
                (-3, 2): "the first number belongs to a, the second to b.",
                (2.5, -2.8): "that is the place after a step along the gradient.",
            },
        ),
        hints=(
            "The gradient has one number for each pixel: the derivative with respect to it.",
            "Of $2a$ the derivative is the number before $a$; where we are does not matter.",
        ),
        remark="""
            The gradient is the kernel, wherever we are: that is why pictures made for the first
            layer show its kernels.
        """,
    ),
    Exercise(
        number="10.5",
        title="Fit to be shown",
        question="""
            Gradient ascent leaves the range from 0 to 1. Write `presentable(picture)`: it shifts
            and scales the values so that their mean is 0.5 and their standard deviation 0.15, and
            then cuts off what is below 0 or above 1.
        """,
        start="presentable = ...",
        solution="""
            def presentable(picture):
                scaled = (picture - picture.mean()) / picture.std()
                return np.clip(0.5 + 0.15 * scaled, 0, 1)
        """,
        judge=function(
            presentable,
            [(PICTURE,), (20 * PICTURE**9 - 7,), (1e-3 * PICTURE,)],
            "Take the mean and the standard deviation of what comes out, before the cut.",
            {
                lambda p: 0.5 + 0.15 * (p - p.mean()) / p.std(): "the cut at 0 and 1 is missing.",
                lambda p: np.clip(p, 0, 1): "that only cuts; scale first.",
                lambda p: (p - p.min()) / (p.max() - p.min()): (
                    "that stretches from the lowest to the highest value; one outlier spoils it."
                ),
                lambda p: np.clip(0.5 + (p - p.mean()) / p.std(), 0, 1): (
                    "the standard deviation is 1 there, not 0.15."
                ),
                lambda p: np.clip(0.5 + 0.15 * (p - p.mean()), 0, 1): (
                    "divide by the standard deviation first."
                ),
            },
        ),
        hints=(
            "Take away the mean, divide by the standard deviation: now they are 0 and 1.",
            "Multiply by 0.15, add 0.5, and let `np.clip` cut.",
        ),
    ),
    Exercise(
        number="10.6",
        title="Let the net dream",
        question="""
            Write `climb(maps_of, x, channel)`. `maps_of` is a model that gives maps, `x` a batch
            of one picture, an array. Take **ten** steps of gradient ascent, each with an RMS of
            **0.03**, on the mean of the maps' channel number `channel`, and return the last
            picture as an array. `x` itself should stay as it is.
        """,
        start="climb = ...",
        solution="""
            def climb(maps_of, x, channel):
                picture = tf.Variable(x, dtype="float32")
                for _ in range(10):
                    with tf.GradientTape() as tape:
                        level = tf.reduce_mean(maps_of(picture)[..., channel])
                    g = tape.gradient(level, picture)
                    picture.assign_add(0.03 * g / tf.sqrt(tf.reduce_mean(g**2)))
                return picture.numpy()
        """,
        judge=climbs,
        hints=(
            "It is the loop from the beginning of this notebook, from another start.",
            "`picture = tf.Variable(x)`; in each step a `tf.GradientTape`, the gradient, and "
            "`assign_add`; `picture.numpy()` at the end.",
        ),
        remark="""
            Start from a photo instead of noise, and show the result with `np.clip(..., 0, 1)`.
            With filters of a large net, and some care for smoothness, this is how the *Deep Dream*
            pictures of 2015 were made.
        """,
    ),
]
