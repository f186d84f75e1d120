"""Exercises of the start page: shapes, slices, axes."""

import numpy as np

from exercises.exercise import Exercise
from exercises.judges import array, function, row

RNG = np.random.default_rng(0)
GREY = RNG.random((4, 5))
COLOURED = RNG.random((6, 4, 3))


def cuts_the_eye(eye: np.ndarray, cat: np.ndarray) -> str | None:
    """Compare a part of the photo with the eye in it."""
    return array(cat[80:150, 125:215], "With which row and column does the eye begin?")(eye)


EXERCISES = [
    Exercise(
        number="0.1",
        title="Shapes",
        question="""
            A batch holds 32 colour pictures, 150 pixels high and 200 pixels wide. What is its
            shape?
        """,
        start="shape = ...",
        solution="shape = (32, 150, 200, 3)",
        judge=row(
            (32, 150, 200, 3),
            ["pictures", "height", "width", "channels"],
            "Read the question once more, and go through the axes one by one.",
            {
                (
                    32,
                    3,
                    150,
                    200,
                ): "in Keras the channels come last.",
                (32, 150, 200, 1): "that would be grey pictures.",
            },
        ),
        hints=(
            "A batch has four axes: one for the pictures, and those of a single picture.",
            "Pictures first, then rows, columns and channels. Colour means red, green and blue.",
        ),
    ),
    Exercise(
        number="0.2",
        title="Slices",
        question="""
            Cut the eye on the left of the picture out of the grey photo `cat`: rows 80 to 149 and
            columns 125 to 214, these included.
        """,
        start="eye = ...",
        solution="eye = cat[80:150, 125:215]",
        judge=cuts_the_eye,
        hints=(
            "`image[rows, columns]` cuts out a part; each of the two is written `first:end`.",
            "A slice names its first row, and the one *after* its last.",
        ),
        remark="Is it the eye? `plots.image_grid([eye])` shows it.",
        context=("cat",),
    ),
    Exercise(
        number="0.3",
        title="Black becomes white",
        question="""
            Write a function `negative(image)` that turns black into white and white into black,
            for grey pictures with values from 0 to 1.
        """,
        start="negative = ...",
        solution="""
            def negative(image):
                return 1 - image
        """,
        judge=function(
            lambda image: 1 - image,
            [(GREY,), (GREY[:2, :1],)],
            "Black is 0 and should become 1; what becomes of 0.25?",
            {
                lambda image: -image: "these values are below 0, darker than black.",
                lambda image: 255 - image: "that is for bytes; here white is 1.",
                lambda image: image[::-1]: "that turns the picture upside down.",
                lambda image: image: "that is the picture as it was.",
            },
        ),
        hints=(
            "What must be added to a pixel to make 1?",
            "Arithmetic works on a whole array at once: a number minus an image is an image.",
        ),
    ),
    Exercise(
        number="0.4",
        title="The colour of a picture",
        question="""
            Write a function `mean_colour(picture)`. It takes a colour picture of shape (height,
            width, 3) and returns three numbers: the mean of its red, of its green and of its blue
            values.
        """,
        start="mean_colour = ...",
        solution="""
            def mean_colour(picture):
                return picture.mean(axis=(0, 1))
        """,
        judge=function(
            lambda picture: picture.mean(axis=(0, 1)),
            [(COLOURED,), (COLOURED[:3],)],
            "Rows and columns are to go, the channels are to stay.",
            {
                lambda picture: picture.mean(): "that mixes the three colours into one number.",
                lambda picture: picture.mean(axis=0): "that takes the mean of each column only.",
                lambda picture: picture.mean(axis=2): "that takes the mean of each pixel.",
                lambda picture: picture.sum(axis=(0, 1)): "that is the sum, not the mean.",
            },
        ),
        hints=(
            "`mean` has an argument `axis`: the axis that is averaged away.",
            "Two axes may go at once: `axis=(0, 1)` names the rows and the columns.",
        ),
    ),
    Exercise(
        number="0.5",
        title="A batch of one",
        question="""
            Networks take batches only. Write a function `as_batch(picture)` that turns one grey
            picture of shape (height, width) into a batch of one picture with one channel.
        """,
        start="as_batch = ...",
        solution="""
            def as_batch(picture):
                return picture[np.newaxis, :, :, np.newaxis]
        """,
        judge=function(
            lambda picture: picture[np.newaxis, :, :, np.newaxis],
            [(GREY,), (COLOURED[..., 0],)],
            "What is the order of the axes of a batch?",
            {
                lambda picture: picture[np.newaxis]: "the axis of the channels is missing.",
                lambda picture: picture[..., np.newaxis]: "the axis of the pictures is missing.",
                lambda picture: picture[np.newaxis, np.newaxis]: "in Keras, channels come last.",
                lambda picture: picture: "that is the picture as it was.",
            },
        ),
        hints=(
            "Two axes of length 1 are missing: one in front, one at the end.",
            "`np.newaxis` inside the square brackets makes a new axis, as in `row[np.newaxis, :]`.",
        ),
        remark="`np.reshape(picture, (1, *picture.shape, 1))` does the same.",
    ),
]
