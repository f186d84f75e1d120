"""Exercises of notebook 7: features, heads, frozen bases."""

from typing import Any

import keras
import numpy as np

from exercises.exercise import Exercise
from exercises.judges import number, row, unlike_function, unlike_returned
from exercises.nets import accuracy, all_layers, unlike_net, unlike_probabilities, wrong_ends


def small_base() -> keras.Model:
    """Build a base as a student would get one from keras.applications, only smaller."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(4, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(4),
        ]
    )


def is_a_deeper_head(
    head: Any, features_validation: np.ndarray, y_validation: np.ndarray
) -> str | None:
    """Accept a trained head with two hidden layers."""
    if problem := unlike_net(head) or wrong_ends(head, features_validation.shape[1:], (1,)):
        return problem
    dense = [layer for layer in all_layers(head) if isinstance(layer, keras.layers.Dense)]
    if len(dense) != 3:
        return f"it has {len(dense)} dense layers; two hidden ones and the last unit are asked for."
    if any(layer.activation is keras.activations.linear for layer in dense[:2]):
        return "a hidden layer has no activation, so it adds nothing; give it ReLU."
    if problem := unlike_probabilities(head):
        return problem
    right = accuracy(head, features_validation, y_validation)
    if right < 0.6:
        return f"it gets {right:.0%} of the validation pictures right, like a coin. Was it trained?"
    if right < 0.7:
        return f"it gets {right:.0%} of the validation pictures right. Some more epochs?"
    return None


def puts_a_head_on(with_head: Any) -> str | None:
    """Let a function put a head on a small base, train the result, and see what has changed."""
    if problem := unlike_function(with_head):
        return problem
    base = small_base()
    before = [weight.copy() for weight in base.get_weights()]
    model = with_head(base)
    if problem := unlike_returned(model):
        return problem
    if problem := unlike_net(model) or wrong_ends(model, (16, 16, 3), (1,)):
        return f"what it returns is not right: {problem}"
    x, y = np.random.default_rng(0).random((8, 16, 16, 3)), np.array([0, 1] * 4)
    if problem := unlike_probabilities(model):
        return problem
    if not model.compiled:
        return "the model that it returns is not compiled."
    if not model.trainable_weights:
        return "nothing is left to be trained; freeze the base only."
    model.run_eagerly = True  # quicker for so few steps
    model.fit(x, y, epochs=2, verbose=0)
    after = base.get_weights()
    if not all(map(np.array_equal, before, after)):
        return "training the model changes the weights of the base: it is not frozen."
    if not any(layer is base for layer in model.layers):
        return "the base is not one of the layers of the model."
    return None


EXERCISES = [
    Exercise(
        number="7.1",
        title="A larger picture",
        question="""
            What shape do the feature maps of VGG16's base have for pictures of 224 × 224? Write
            (height, width, channels).
        """,
        start="shape = ...",
        solution="shape = (7, 7, 512)",
        judge=row(
            (7, 7, 512),
            ["height", "width", "channels"],
            "What does each of the five blocks do to the size, and what to the number of maps?",
            {
                (14, 14, 512): "that is before the last pooling.",
                (4, 4, 512): "that is for pictures of 150 × 150.",
                (7, 7, 1000): "the 1,000 classes belong to the top, not to the base.",
                (7, 7, 3): "three channels come in; many more go out.",
                (224, 224, 512): "the convolutions keep the size, the poolings do not.",
            },
        ),
        hints=(
            "The convolutions keep the size. How many poolings are there?",
            "Five poolings, and each of them halves the side.",
        ),
        remark="224 / 2⁵ = 7.",
    ),
    Exercise(
        number="7.2",
        title="Average or flatten",
        question="""
            VGG16's maps of 4 × 4 × 512 go through an average over each map, then to a Dense layer
            with 256 units and one with 1 unit. How many parameters has this head?
        """,
        start="parameters = ...",
        solution="parameters = (512 + 1) * 256 + (256 + 1) * 1",
        judge=number(
            131585,
            "How many numbers are left after the average? Each unit has a weight for each of them.",
            {
                2097665: "that is what flattening needs; the average leaves fewer numbers.",
                131328: "something is missing: the biases, or the last unit.",
                131072: "those are the weights of the hidden layer only.",
                4609: "the average is taken over the places of a map, not over the maps.",
                257: "that is the last unit alone.",
            },
        ),
        hints=(
            "The average leaves one number for each map.",
            "(inputs + 1) · units, once for each of the two layers.",
        ),
        remark="""
            A sixteenth of what flattening needs (2,097,665), because 4 × 4 places are averaged.
        """,
    ),
    Exercise(
        number="7.3",
        title="Another network",
        question="""
            Build the base of MobileNet with `alpha=0.5` for pictures of 160 × 160, without weights
            and without its top, and look at its output. How many numbers are in the feature maps
            of one picture?
        """,
        start="numbers = ...",
        solution="""
            mobilenet = keras.applications.MobileNet(
                input_shape=(160, 160, 3), alpha=0.5, include_top=False, weights=None
            )
            numbers = int(np.prod(mobilenet.output.shape[1:]))
        """,
        judge=number(
            12800,
            "`output.shape` is (pictures, height, width, channels); multiply all but the first.",
            {
                25600: "that is with alpha 1; with 0.5 there are half as many maps.",
                6400: "that is with alpha 0.25.",
                512: "that is the number of maps; each has several places.",
                25: "those are the places of one map; how many maps are there?",
                1000: "that is the output of the top; leave it out.",
                25088: "that is for pictures of 224 × 224.",
                829536: "that is the number of parameters; look at the output.",
            },
        ),
        hints=(
            "`keras.applications.MobileNet` takes `input_shape`, `alpha` and some more.",
            "`include_top=False, weights=None`; then multiply the last three numbers of "
            "`output.shape`.",
        ),
        remark="The maps are 5 × 5 × 512: MobileNet halves 160 five times.",
    ),
    Exercise(
        number="7.4",
        title="The right form",
        question="""
            MobileNet wants pixels from −1 to 1, and ours are bytes, from 0 to 255. What becomes of
            a pixel of 51?
        """,
        start="pixel = ...",
        solution="pixel = 51 / 127.5 - 1",
        judge=number(
            -0.6,
            "0 becomes -1, and 255 becomes 1. What becomes of a pixel in between?",
            {
                0.2: "that is on the way from 0 to 1.",
                0.4: "0 would become 0 then; the 1 is still to be taken away.",
                0.6: "51 is nearer to black than to white; mind the sign.",
                -0.8: "from -1 to 1 it is a way of 2, not of 1.",
                51.0: "that is the byte itself.",
            },
        ),
        hints=(
            "First to the range from 0 to 2, then down by 1.",
            "Divide by 127.5, half of 255, and take away 1.",
        ),
        remark="""
            As a layer: `Rescaling(1 / 127.5, offset=-1)`. Each network has its own way;
            `keras.applications.mobilenet.preprocess_input` knows MobileNet's.
        """,
    ),
    Exercise(
        number="7.5",
        title="A deeper head",
        question="""
            Build a head for `features_train` with **two** hidden dense layers instead of one
            (flatten or average first), dropout of a rate that you choose, and one unit with a
            sigmoid. Compile it, and train it for some epochs on `features_train` and `y_train`. It
            should get 70 % of the validation pictures right. Does the second layer help?
        """,
        start="deeper_head = ...",
        solution="""
            deeper_head = keras.Sequential(
                [
                    keras.Input(features_train.shape[1:]),
                    keras.layers.Flatten(),
                    keras.layers.Dense(64, activation="relu"),
                    keras.layers.Dropout(0.5),
                    keras.layers.Dense(64, activation="relu"),
                    keras.layers.Dense(1, activation="sigmoid"),
                ]
            )
            deeper_head.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
            deeper_head.fit(features_train, y_train, batch_size=32, epochs=12, verbose=0)
        """,
        judge=is_a_deeper_head,
        hints=(
            "The input is one picture's features: `keras.Input(features_train.shape[1:])`.",
            "Flatten, Dense, Dropout, Dense, Dense(1); Adam and `binary_crossentropy`; ten epochs.",
        ),
        remark="""
            It hardly helps: the base has done the hard part, and one hidden layer can read what is
            left. Try the rates 0, 0.5 and 0.8, too. More layers only have more parameters that can
            learn the training pictures by heart.
        """,
        context=("features_validation", "y_validation"),
    ),
    Exercise(
        number="7.6",
        title="A head on any base",
        question="""
            Write `with_head(base)`. It takes a base that ends in maps, freezes it, puts an average
            over each map and one unit with a sigmoid on it, and returns the model, compiled and
            ready for `fit`. The base should be one of the model's layers.
        """,
        start="with_head = ...",
        solution="""
            def with_head(base):
                base.trainable = False
                model = keras.Sequential(
                    [
                        keras.Input(base.input_shape[1:]),
                        base,
                        keras.layers.GlobalAveragePooling2D(),
                        keras.layers.Dense(1, activation="sigmoid"),
                    ]
                )
                model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
                return model
        """,
        judge=puts_a_head_on,
        hints=(
            "A base is a layer like any other: it can stand in a `keras.Sequential`.",
            "`base.trainable = False`; Input, base, `GlobalAveragePooling2D`, `Dense(1)`; then "
            "`compile`, and last `return`.",
        ),
        remark="""
            The two weight arrays of the unit are all that is trained. (The pictures must come in
            the form that the base wants; a preprocessing layer in front would see to that.)
        """,
    ),
]
