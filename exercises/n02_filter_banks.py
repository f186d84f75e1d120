"""Exercises of notebook 2: waves, banks, edges."""

from typing import Any

import numpy as np

from course_utils import filters
from course_utils.convolution import conv2d
from exercises.exercise import Exercise
from exercises.judges import each, function, number
from exercises.kinds import unlike_number

RNG = np.random.default_rng(0)
IMAGE, KERNEL = RNG.random((9, 7)), RNG.random((3, 3))


def sobel(image: np.ndarray, padding: str = "same") -> tuple[np.ndarray, np.ndarray]:
    """Find the slopes along x and along y."""
    across, down = filters.sobel_kernel(0), filters.sobel_kernel(np.pi / 2)
    return conv2d(image, across, padding=padding), conv2d(image, down, padding=padding)


def fits_direction(theta: Any) -> str | None:
    """Accept the direction of 30 degrees, and the same wave seen from its other side."""
    if problem := unlike_number(theta):
        return problem
    if abs(np.sin(theta - np.pi / 6)) < 0.05:
        return None
    if abs(theta - 30) < 1:
        return "that is in degrees; `gabor_kernel` counts in radians."
    if abs(np.sin(theta + np.pi / 6)) < 0.05:
        return "that wave runs upwards; in pictures, positive angles point down."
    if abs(np.sin(theta - np.pi / 3)) < 0.05:
        return "that is nearer to straight down than to the right; measure from the right."
    return f"{theta:.3g} is another direction. How many radians are 30 degrees?"


def fits_bell(sigma: Any) -> str | None:
    """Accept a bell that holds some of the wave, and not the whole picture."""
    if problem := unlike_number(sigma):
        return problem
    if sigma < 2:
        return f"a bell of {sigma:.3g} is too narrow to hold even a quarter of the wave."
    return f"a bell of {sigma:.3g} is wider than the picture." if sigma > 30 else None


EXERCISES = [
    Exercise(
        number="2.1",
        title="How wide is a wave?",
        question="""
            A Gabor kernel has frequency 0.25. How many pixels is it from one bright stripe to the
            next?
        """,
        start="wavelength = ...",
        solution="wavelength = 1 / 0.25",
        judge=number(
            4.0,
            "How much of a wave fits into one pixel, and into two?",
            {
                0.25: "that is the frequency: so much of a wave lies in one pixel.",
                2.0: "that is half a wave, from a bright stripe to the dark one beside it.",
                8.0: "that is two waves, to the next bright stripe but one.",
            },
        ),
        hints=(
            "The frequency counts waves per pixel. What counts pixels per wave?",
            "The wavelength is one over the frequency.",
        ),
    ),
    Exercise(
        number="2.2",
        title="Counting features",
        question="""
            A bank of 24 kernels, pictures of 32 × 32, pooled in blocks of 8 × 8: how many features
            does a picture have?
        """,
        start="count = ...",
        solution="count = (32 // 8) ** 2 * 24",
        judge=number(
            384,
            "How many blocks fit into a map, and how many maps are there?",
            {
                16: "that is one map; there is one for each kernel.",
                96: "blocks lie side by side and below each other.",
                1536: "each block is pooled to a single number; how many blocks are there?",
                24576: "those are the values before the pooling.",
                40: "maps and blocks are multiplied, not added.",
            },
        ),
        hints=(
            "Draw a square of 32 pixels, and cut it into blocks of 8.",
            "Each of the 24 maps is cut into 4 × 4 blocks.",
        ),
        remark="$(32/8)^2 = 16$ blocks in each of 24 maps.",
    ),
    Exercise(
        number="2.3",
        title="Tune a kernel",
        question="""
            Stripes are 8 pixels apart, and their wave runs 30 degrees below the horizontal, to the
            right and down. Choose frequency, theta and sigma of a Gabor kernel that answers to
            them; the bell should hold at least a quarter of a wave, so sigma should be 2 or more.
        """,
        start="frequency, theta, sigma = ..., ..., ...",
        solution="frequency, theta, sigma = 1 / 8, np.radians(30), 4.0",
        judge=each(
            frequency=number(
                0.125,
                "How much of a wave lies in one pixel?",
                {
                    8.0: "that is the wavelength; the frequency counts waves per pixel.",
                    0.7854: "that has 2π in it; the kernel multiplies by 2π itself.",
                    0.0625: "that wave is twice as long.",
                    0.25: "that wave is only half as long.",
                },
                rtol=0.05,
            ),
            theta=fits_direction,
            sigma=fits_bell,
        ),
        hints=(
            "The frequency is in waves per pixel, the direction in radians.",
            "One wave in 8 pixels; `np.radians` turns degrees into radians.",
        ),
        remark="""
            Match the wave: eight pixels from stripe to stripe, in the given direction.
            `plots.image_grid([kernel.real, kernel.imag], signed=True)` shows it.
        """,
    ),
    Exercise(
        number="2.4",
        title="Edges in all directions",
        question="""
            Write `edge_strength(image)`: the length of the Sobel gradient, for an image of any
            size, padded with zeros so that the size is kept.
        """,
        start="edge_strength = ...",
        solution="""
            def edge_strength(image):
                along_x = conv2d(image, filters.sobel_kernel(0), padding="same")
                along_y = conv2d(image, filters.sobel_kernel(np.pi / 2), padding="same")
                return np.hypot(along_x, along_y)
        """,
        judge=function(
            lambda image: np.hypot(*sobel(image)),
            [(IMAGE,), (IMAGE.T,)],
            "Two slopes at right angles: what is the length of the slope that they make?",
            {
                lambda image: np.hypot(*sobel(image, "valid")): "the border is lost.",
                lambda image: sobel(image)[0]: "that is the slope along x only, with its sign.",
                lambda image: np.abs(sobel(image)).sum(axis=0): (
                    "that adds the two sizes; the length of a vector is another thing."
                ),
                lambda image: np.square(sobel(image)).sum(axis=0): "the square root is missing.",
                lambda image: np.sum(sobel(image), axis=0): "slopes of opposite signs cancel out.",
            },
        ),
        hints=(
            "Two Sobel kernels give the slopes along x and along y.",
            '`conv2d(..., padding="same")` with two kernels, then `np.hypot`.',
        ),
    ),
    Exercise(
        number="2.5",
        title="Blind to brightness",
        question="""
            Some kernels of the bank do not sum to 0, so they answer to plain brightness as well.
            Write `without_brightness(kernel)`: the kernel, changed by the same amount everywhere,
            so that its numbers sum to 0.
        """,
        start="without_brightness = ...",
        solution="""
            def without_brightness(kernel):
                return kernel - kernel.mean()
        """,
        judge=function(
            lambda kernel: kernel - kernel.mean(),
            [(KERNEL,), (KERNEL[:, :2] - 5,)],
            "Take the sum of the result: is it 0?",
            {
                lambda kernel: kernel - kernel.sum(): "that takes away the sum each time.",
                lambda kernel: kernel / kernel.sum(): "now they sum to 1, as in a blur.",
                lambda kernel: 0 * kernel: "the sum is 0, but nothing is left of the kernel.",
                lambda kernel: kernel - np.median(kernel): "the median is not the mean.",
                lambda kernel: kernel: "that is the kernel as it was.",
            },
        ),
        hints=(
            "Share the sum out among all numbers, and take each one's share away.",
            "A sum, divided by how many numbers there are, is their mean.",
        ),
    ),
    Exercise(
        number="2.6",
        title="How strong is that?",
        question=r"""
            At one pixel, a Gabor kernel gives the complex response $0.3 - 0.4\,i$. How strong is
            the stripe there?
        """,
        start="strength = ...",
        solution="strength = np.hypot(0.3, -0.4)",
        judge=number(
            0.5,
            "Draw the response as an arrow: 0.3 to the right, 0.4 down. How long is it?",
            {
                0.7: "the two parts stand at right angles; their sizes do not simply add up.",
                -0.1: "the two parts are not added; that would let them cancel.",
                0.3: "that is the real part alone; it depends on where in the wave the pixel lies.",
                0.25: "the square root is missing.",
                -0.07: "the square of a negative number is positive.",
            },
        ),
        hints=(
            "Real and imaginary part are the two legs of a right-angled triangle.",
            r"The magnitude is $\sqrt{\text{real}^2 + \text{imag}^2}$.",
        ),
        remark="`abs(0.3 - 0.4j)` gives the same.",
    ),
]
