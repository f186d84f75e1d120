"""Exercises of notebook 1: sizes, kernels, pooling."""

from typing import Any

import numpy as np

from course_utils import convolution
from exercises.exercise import Exercise
from exercises.judges import array, function, number, unlike_array

RNG = np.random.default_rng(0)
IMAGE, KERNEL = RNG.integers(0, 9, (7, 8)), RNG.integers(-3, 4, (3, 2))
SMALL = np.array([[4.0, 2.0, 9.0, 6.0], [3.0, 7.0, 8.0, -5.0]])


def finds_thin_lines(kernel: Any) -> str | None:
    """Try a kernel on a flat picture, on a step and on a line."""
    if problem := unlike_array(kernel, (3, 3)):
        return problem
    kernel = np.asarray(kernel, float)
    flat, step, line = np.ones((3, 3)), np.zeros((3, 6)), np.zeros((3, 5))
    step[:, 3:], line[:, 2] = 1, 1
    on_flat, on_step, on_line = (convolution.conv2d(each, kernel) for each in (flat, step, line))
    if abs(on_flat.item()) > 1e-6:
        return f"on a flat area it answers {on_flat.item():.3g}; what must its numbers add up to?"
    if not kernel.any():
        return "it answers 0 to everything, the line included."
    if abs(on_step.sum()) > 1e-6:
        return "its answers at a step do not cancel out: does it treat left and right alike?"
    if on_line[0, 1] <= 1e-6:
        return f"on the line it answers {on_line[0, 1]:.3g}, which is not above 0. Turn its signs?"
    return None


def strided(image: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Slide a kernel over an image, in steps of some pixels."""
    return convolution.conv2d(image, kernel, stride)


EXERCISES = [
    Exercise(
        number="1.1",
        title="A size by hand",
        question="""
            An image of 64 × 64 pixels goes through a 5 × 5 convolution with stride 2 and padding
            `valid`. How wide is the feature map? Take a pencil, not `output_size`.
        """,
        start="width = ...",
        solution="width = (64 - 5) // 2 + 1",
        judge=number(
            30,
            "Write down the columns in which the first, the second and the last window begin.",
            {
                60: "that is the width at stride 1; here every second window is left out.",
                32: "that is the width with padding `same`.",
                29: "count the first window, too: it stands there before any step is made.",
            },
        ),
        hints=(
            "How many steps of 2 pixels can a window of 5 make before it hits the border?",
            r"$O = \lfloor (I - F) / S \rfloor + 1$, rounded down before the 1 is added.",
        ),
        remark=r"""
            $\lfloor (64 - 5)/2 \rfloor + 1 = \lfloor 29.5 \rfloor + 1 = 30$. The last pixel is
            never seen.
        """,
    ),
    Exercise(
        number="1.2",
        title="A kernel that moves the picture",
        question="""
            Write a 3 × 3 kernel that shifts the image by one pixel to the **left**: each output
            pixel is its right neighbour. Try it with `conv2d(digit, np.array(my_kernel))`.
        """,
        start="my_kernel = ...",
        solution="my_kernel = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]])",
        judge=array(
            [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
            "Only one of the nine pixels is to be kept: which one?",
            {
                ((0, 0, 0), (1, 0, 0), (0, 0, 0)): "that moves the picture to the right.",
                ((0, 0, 0), (0, 1, 0), (0, 0, 0)): "that leaves the picture where it is.",
                ((0, 0, 0), (0, 0, 0), (0, 1, 0)): "that moves the picture up.",
                ((0, 1, 0), (0, 0, 0), (0, 0, 0)): "that moves the picture down.",
                ((0, 0, 0), (-1, 0, 1), (0, 0, 0)): "that takes a difference: an edge detector.",
            },
        ),
        hints=(
            "A single number does all the work; all others are 0.",
            "The kernel copies the pixel under its only 1. Where does the right neighbour lie?",
        ),
        remark="""
            The kernel copies the pixel under its only 1. To fetch the right neighbour of the
            centre, the 1 stands right of the centre.
        """,
    ),
    Exercise(
        number="1.3",
        title="A detector of thin lines",
        question="""
            An edge detector also answers to the border of a large bright area. Write a 3 × 3
            kernel that gives 0 on any flat area, answers that cancel out (their sum is 0) at a
            vertical step from dark to bright, and more than 0 on a bright vertical line one pixel
            wide.
        """,
        start="line_kernel = ...",
        solution="line_kernel = np.array([[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]])",
        judge=finds_thin_lines,
        hints=(
            "Draw a bright line, and lay the kernel on it: which column should be positive?",
            "A bright middle column, dark columns on both sides, alike, and a sum of 0.",
        ),
        remark="""
            A column of positive numbers between two of negative ones, half as large: a second
            derivative. Beside a step it answers once with minus and once with plus.
        """,
    ),
    Exercise(
        number="1.4",
        title="Two small or one large?",
        question="""
            Two 3 × 3 layers see as much as one 5 × 5 layer. With 64 channels in and out
            everywhere, how many parameters does the pair **save**?
        """,
        start="saved = ...",
        solution="saved = (25 * 64 + 1) * 64 - 2 * (9 * 64 + 1) * 64",
        judge=number(
            28608,
            "Work out the parameters of the 5 × 5 layer first, then those of both others.",
            {
                102464: "that is what the large layer costs; take away what the pair costs.",
                73856: "that is what the pair costs; how much more does the large layer cost?",
                -28608: "the amount is right; what is saved is a positive number.",
                28672: "nearly: each kernel also has a bias.",
                65536: "the pair has two layers; you took away only one of them.",
                384: "each kernel has a slice for every one of the 64 channels that come in.",
            },
        ),
        hints=(
            "Count one kernel first: it has a slice for each channel that comes in, and a bias.",
            r"A layer has $(F \cdot F \cdot C + 1) \cdot K$ parameters; C and K are 64 here.",
        ),
        remark=r"""
            $(25 \cdot 64 + 1) \cdot 64 = 102{,}464$ against $2 \cdot (9 \cdot 64 + 1) \cdot 64 =
            73{,}856$. The pair also has one more activation function in between. The VGG networks
            are built on this trick.
        """,
    ),
    Exercise(
        number="1.5",
        title="Min pooling",
        question="""
            Write `min_pool(image)`, which keeps the *smallest* value of every 2 × 2 window, with
            one call of `convolution.max_pool2d`.
        """,
        start="min_pool = ...",
        solution="""
            def min_pool(image):
                return -convolution.max_pool2d(-image)
        """,
        judge=function(
            lambda image: -convolution.max_pool2d(-image),
            [(SMALL,), (SMALL - 6,)],
            "Which value of the first window is the smallest?",
            {
                convolution.max_pool2d: "that keeps the largest values.",
                convolution.average_pool2d: "that keeps the averages.",
                lambda image: -convolution.max_pool2d(image): "those are the largest, negated.",
                lambda image: convolution.max_pool2d(-image): "nearly: the sign is the wrong one.",
            },
        ),
        hints=(
            "Turn all signs round: what becomes of the order of the numbers?",
            "The smallest of some numbers is minus the largest of their negatives.",
        ),
    ),
    Exercise(
        number="1.6",
        title="A stride of your own",
        question="""
            Write `strided(image, kernel, stride)` in NumPy, without the course's functions: a
            convolution without padding, for a grey image and a kernel of any size, whose window
            moves on by `stride` pixels in both directions.
        """,
        start="strided = ...",
        solution="""
            def strided(image, kernel, stride):
                height, width = kernel.shape
                rows = range(0, image.shape[0] - height + 1, stride)
                columns = range(0, image.shape[1] - width + 1, stride)
                output = np.zeros((len(rows), len(columns)))
                for i, row in enumerate(rows):
                    for j, column in enumerate(columns):
                        patch = image[row : row + height, column : column + width]
                        output[i, j] = np.sum(patch * kernel)
                return output
        """,
        judge=function(
            strided,
            [(IMAGE, KERNEL, 1), (IMAGE, KERNEL, 2), (IMAGE, KERNEL, 3)],
            "Compare with `conv2d(image, kernel, stride)` on a small example.",
            {
                lambda image, kernel, stride: strided(image, kernel, 1): "it ignores the stride.",
                lambda image, kernel, stride: strided(image, kernel[::-1, ::-1], stride): (
                    "it flips the kernel, as mathematics does; deep learning does not."
                ),
                lambda image, kernel, stride: strided(image, kernel, 1)[
                    : (image.shape[0] - kernel.shape[0]) // stride + 1,
                    : (image.shape[1] - kernel.shape[1]) // stride + 1,
                ]: "the size is right, but the window does not move on by `stride` pixels.",
            },
        ),
        hints=(
            "Start from the two loops of this notebook. Where does the window of row i begin?",
            "`range(0, image.shape[0] - kernel.shape[0] + 1, stride)` lists the first rows of all "
            "windows; there are as many output rows.",
        ),
        remark="`conv2d(image, kernel)[::stride, ::stride]` gives the same, with more work.",
    ),
]
