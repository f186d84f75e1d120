"""Exercises of notebook 11: maps by hand, maps of a net, and how boxes overlap."""

from typing import Any

import keras
import numpy as np

from exercises.exercise import Exercise
from exercises.judges import array, function, number, percent, word
from exercises.kinds import alike, unlike_array, unlike_function, unlike_returned

BOXES = [
    ((0, 0, 4, 4), (2, 2, 6, 6)),
    ((1, 1, 4, 3), (1, 1, 4, 3)),
    ((0, 0, 10, 10), (2, 3, 4, 8)),
    ((0, 0, 2, 2), (5, 5, 7, 8)),
    ((0, 0, 2, 9), (4, 1, 6, 3)),
]


def iou(a: tuple, b: tuple) -> float:
    """Divide the area that two boxes share by the area that they cover together."""
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return width * height / (area(a) + area(b) - width * height)


def area(box: tuple) -> float:
    """Multiply width and height."""
    return (box[2] - box[0]) * (box[3] - box[1])


def shared(a: tuple, b: tuple) -> float:
    """Find the area that two boxes share."""
    total = area(a) + area(b)
    return iou(a, b) * total / (1 + iou(a, b))


def unguarded(a: tuple, b: tuple) -> float:
    """Forget that boxes may lie apart."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height / (area(a) + area(b) - width * height)


def net_and_pictures() -> tuple[keras.Model, np.ndarray]:
    """Build a net whose gradient can be written down: it has a single hidden layer."""
    layers, rng = keras.layers, np.random.default_rng(1)
    net = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.MaxPooling2D(2),
            layers.Conv2D(5, 2, activation="relu", name="last"),
            layers.Flatten(),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(1, name="score"),
        ]
    )
    net.set_weights([rng.normal(0, 0.5, weight.shape) for weight in net.get_weights()])
    return net, rng.normal(0, 1, (3, 12, 12, 3)).astype("float32")


def maps_grad_cam(grad_cam: Any) -> str | None:
    """Let a function explain pictures, and compare with maps computed without a tape."""
    if problem := unlike_function(grad_cam):
        return problem
    net, x = net_and_pictures()
    maps = x
    for layer in net.layers[:3]:
        maps = layer(maps)
    maps = np.asarray(maps)
    found = grad_cam(net, "last", x)
    if problem := unlike_returned(found):
        return problem
    if problem := unlike_array(found, maps.shape[:3]):
        return f"what it returns is not right: {problem}"
    return wrong_map(np.asarray(found), maps, slopes(net, maps))


def slopes(net: keras.Model, maps: np.ndarray) -> np.ndarray:
    """Compute the gradient of the score with respect to each map, by the chain rule."""
    (first, bias), (second, _) = (net.get_layer(n).get_weights() for n in ("hidden", "score"))
    awake = maps.reshape(len(maps), -1) @ first + bias > 0
    return ((awake * second[:, 0]) @ first.T).reshape(maps.shape)


def wrong_map(found: np.ndarray, maps: np.ndarray, slope: np.ndarray) -> str | None:
    """Say what is wrong with a map, if anything is, given the maps and the score's gradient."""
    alpha = slope.mean(axis=(1, 2), keepdims=True)
    signed = (alpha * maps).sum(axis=-1)
    right = np.maximum(signed, 0)
    if alike(found, right):
        return None
    if alike(found, signed):
        return "negative values are left in it; the ReLU is missing."
    for message, wrong in mistaken_maps(maps, slope, alpha).items():
        if alike(found, np.maximum(wrong, 0)):
            return message
    if alike(found / max(found.max(), 1e-9), right / right.max()):
        return "the map is right but for its scale; leave out the scaling."
    return "the values are not right. Gradient, mean over places, weighted sum, ReLU: step by step."


def mistaken_maps(maps: np.ndarray, slope: np.ndarray, alpha: np.ndarray) -> dict[str, np.ndarray]:
    """Compute, before the ReLU, what the usual mistakes give."""
    weighted = alpha * maps
    return {
        "that is HiResCAM: average the gradient over all places first.": (slope * maps).sum(-1),
        "it adds up the gradients of all places; take their mean.": (
            weighted.sum(-1) * slope[0, ..., 0].size
        ),
        "it takes the mean over the channels; take the sum.": weighted.mean(-1),
        "each picture has weights of its own: no mean over the pictures.": (
            (alpha.mean(axis=0) * maps).sum(-1)
        ),
        "that is what speaks against the class: a sign is the wrong way round.": -weighted.sum(-1),
        "the ReLU comes last, after the sum over the channels.": np.maximum(weighted, 0).sum(-1),
        "the maps themselves are added up; weigh each with its gradient.": maps.sum(-1),
    }


EXERCISES = [
    Exercise(
        number="11.1",
        title="CAM by hand",
        question=r"""
            Two maps, $A_1 = \begin{pmatrix} 1 & 0 \\ 0 & 2 \end{pmatrix}$ and $A_2 =
            \begin{pmatrix} 0 & 3 \\ 1 & 0 \end{pmatrix}$. The class weighs their averages with 2
            and −1. Write its class activation map, negative values included.
        """,
        start="class_map = ...",
        solution="""
            A1, A2 = np.array([[1, 0], [0, 2]]), np.array([[0, 3], [1, 0]])
            class_map = 2 * A1 - A2
        """,
        judge=array(
            [[2, -3], [-1, 4]],
            "Each place for itself: the weighted sum of the two maps there.",
            {
                ((2, 3), (1, 4)): "the second weight is negative.",
                ((2, 0), (0, 4)): "negative values are to be kept here.",
                ((1, 3), (1, 2)): "the maps are added there without their weights.",
                ((-1, 6), (2, -2)): "the weights are swapped.",
                ((0.5, -0.75), (-0.25, 1)): "the map is not divided by the number of places.",
            },
        ),
        hints=(
            "The class activation map is the sum of the maps, each times its weight.",
            "2 times the first map, minus the second.",
        ),
    ),
    Exercise(
        number="11.2",
        title="The other direction",
        question="""
            A unit with a sigmoid for "dog" weighs three maps with 0.5, −2 and 1.5. Which weights
            belong to "cat"?
        """,
        start="cat_weights = ...",
        solution="cat_weights = [-0.5, 2, -1.5]",
        judge=array(
            [-0.5, 2, -1.5],
            "What speaks against a dog speaks for a cat.",
            {
                (0.5, 3, -0.5): "probabilities add up to 1, weights do not.",
                (0.5, -2, 1.5): "those are the weights for the dog.",
                (2, -0.5, 1 / 1.5): "weights are not inverted.",
                (-0.5, -2, -1.5): "what spoke against the dog should speak for the cat.",
                (1.5, -2, 0.5): "the order stays; what changes is something else.",
            },
        ),
        hints=(
            "The probability of a cat is 1 minus that of a dog. What is its score?",
            "The score for cat is $-z$.",
        ),
        remark="The score for cat is $-z$.",
    ),
    Exercise(
        number="11.3",
        title="Which layer?",
        question="""
            You want a map of 28 × 28 places from VGG16 for a picture of 224 × 224 pixels, as late
            in the net as possible. Write the name of the convolution.
        """,
        start="layer_name = ...",
        solution='layer_name = "block4_conv3"',
        judge=word(
            "block4_conv3",
            "VGG16's layers are called blockN_convM and blockN_pool.",
            {
                "block4_pool": "the pooling halves the map to 14 × 14; and it is no convolution.",
                "block3_pool": "28 × 28 it is, but it is no convolution, and not the last chance.",
                "block3_conv3": "there the map still has 56 × 56 places.",
                "block5_conv3": "there the map has only 14 × 14 places.",
                "block4_conv1": "28 × 28 it is; but there are later ones in the same block.",
                "block4_conv2": "28 × 28 it is; but there is a later one in the same block.",
                "block4": "that is the block; which of its convolutions is the last?",
                "block4_conv4": "VGG19 has that one; VGG16's blocks are shorter.",
            },
        ),
        hints=(
            "How many poolings have halved 224 by then?",
            "After three poolings and before the fourth; the last convolution there.",
        ),
        remark="""
            224 / 28 = 8 = 2³: after three poolings, and before the fourth. Block 4 has three
            convolutions; `keras.applications.VGG16(weights=None).summary()` lists them.
        """,
    ),
    Exercise(
        number="11.4",
        title="Chance",
        question="""
            A box of 16 × 24 pixels lies in a picture of 64 × 64. How often does blind pointing hit
            it? Write the rate, between 0 and 1, and think about a method that hits 10 % of such
            boxes: is it better than chance?
        """,
        start="chance = ...",
        solution="chance = 16 * 24 / 64**2",
        judge=number(
            0.09375,
            "Which share of the picture's pixels lies inside the box?",
            {
                384: "that is the area of the box; which share of the picture is it?",
                0.25: "that is the share of its shorter side; how large is that of the area?",
                0.375: "that is the share of its longer side; how large is that of the area?",
                0.625: "the shares of the two sides are multiplied, not added.",
                6.0: "divide by the area of the picture, not by its side.",
                10.667: "the other way round: the box is smaller than the picture.",
                0.90625: "that is how often it misses.",
            }
            | percent(0.09375),
        ),
        hints=(
            "Every pixel is hit equally often. How many are there, and how many lie inside?",
            "The area of the box, divided by that of the picture.",
        ),
        remark="""
            A bit over 9 %: with 10 %, a method would have to play many times before anyone
            believes that it is more than chance.
        """,
    ),
    Exercise(
        number="11.5",
        title="How well do two boxes agree?",
        question="""
            Pointing asks for one place only. Two *boxes* are compared by their **intersection over
            union**: the area that they share, divided by the area that they cover together. Write
            `iou(a, b)` for boxes (x_min, y_min, x_max, y_max), of width x_max − x_min.
        """,
        start="iou = ...",
        solution="""
            def iou(a, b):
                width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
                height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
                shared = width * height
                areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
                return shared / (sum(areas) - shared)
        """,
        judge=function(
            iou,
            BOXES,
            "Draw the two boxes on squared paper, and count squares.",
            {
                unguarded: "boxes that lie apart share nothing; a negative width is no width.",
                shared: "that is the area that they share; divide by what they cover together.",
                lambda a, b: shared(a, b) / (area(a) + area(b)): (
                    "what they share is counted twice in the sum of the areas."
                ),
                lambda a, b: shared(a, b) / min(area(a), area(b)): (
                    "that divides by the smaller box; a small one inside a large one is no match."
                ),
                lambda a, b: shared(a, b) / area(a): "that asks about the first box only.",
                lambda a, b: 1 - iou(a, b): "that is 1 where they lie apart; turn it round.",
            },
        ),
        hints=(
            "The shared part is a box too: from the larger left side to the smaller right side.",
            "Union = area of a + area of b − shared. Widths and heights below 0 count as 0: "
            "`max(..., 0)`.",
        ),
        remark="From 0.5 on, two boxes are usually said to agree. Detection needs this.",
    ),
    Exercise(
        number="11.6",
        title="Grad-CAM in seven lines",
        question="""
            Write `grad_cam(net, layer_name, x)` for a `keras.Sequential` that ends in **one**
            score (without a sigmoid), and a batch of pictures `x`. Return the maps of the layer
            with that name, weighed by the mean of the score's gradient over their places, added
            up, and without negative values: an array of shape (pictures, height, width). Do not
            scale it.
        """,
        start="grad_cam = ...",
        solution="""
            def grad_cam(net, layer_name, x):
                both = keras.Model(net.inputs[0], [net.get_layer(layer_name).output, *net.outputs])
                with tf.GradientTape() as tape:
                    maps, score = both(x)
                gradient = tape.gradient(score, maps)
                alpha = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
                return tf.nn.relu(tf.reduce_sum(alpha * maps, axis=-1)).numpy()
        """,
        judge=maps_grad_cam,
        hints=(
            "One model that gives both the maps and the score; a tape around its call.",
            "`tape.gradient(score, maps)`, its mean over the axes 1 and 2 with `keepdims=True`, "
            "times the maps, the sum over the last axis, `tf.nn.relu`.",
        ),
        remark="""
            To see it on a picture: scale it to the range from 0 to 1, enlarge it, and lay it over.
        """,
    ),
]
