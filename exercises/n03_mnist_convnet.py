"""Exercises of notebook 3: shapes, probabilities, losses, and a net of one's own."""

from typing import Any

import keras
import numpy as np

from exercises.exercise import Exercise
from exercises.judges import each, number, percent, row, unlike_function, unlike_returned, word
from exercises.nets import accuracy, unlike_net, unlike_probabilities, wrong_ends


def pixel_net() -> keras.Model:
    """Build a net that reads a digit off the one pixel that is bright: pixel 70 means 1."""
    net = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )
    kernel, bias = np.zeros((784, 10)), np.zeros(10)
    kernel[70 * np.arange(10), np.arange(10)] = 9
    net.set_weights([kernel, bias])
    return net


def reads_one_picture(read: Any) -> str | None:
    """Let a function read some pictures with a net whose answers are known."""
    if problem := unlike_function(read):
        return problem
    net = pixel_net()
    for digit in (3, 8, 0):
        picture = np.zeros((28, 28, 1), "float32")
        picture.flat[70 * digit] = 1
        try:
            found = read(net, picture)
        except ValueError:
            return "Keras refuses: nets take batches. Does the picture have an axis in front?"
        if problem := unlike_returned(found):
            return problem
        if np.size(found) == 10:
            return "those are ten probabilities; which of them is the highest?"
        if np.size(found) == 1 and 0 < np.ravel(found)[0] < 1:
            return "that is the highest probability; the digit that has it is asked for."
        if problem := number(digit, "Is it the place of the highest probability?")(found):
            return f"for a picture of the digit {digit}: {problem}"
    return None


def is_small_and_reads(net: Any, x_test: np.ndarray, y_test: np.ndarray) -> str | None:
    """Accept a net with fewer than 20,000 parameters that reads 95 % of the digits."""
    if problem := unlike_net(net) or wrong_ends(net, (28, 28, 1), (10,)):
        return problem
    if net.count_params() >= 20_000:
        return f"{net.count_params():,} parameters are too many. Where do most of them sit?"
    if problem := unlike_probabilities(net):
        return problem
    right = accuracy(net, x_test[:2000], y_test[:2000])
    if right < 0.3:
        return f"it reads {right:.0%} of the digits, hardly more than a guess. Was it trained?"
    if right < 0.95:
        return f"it reads {right:.1%} of the digits. More epochs, or a few more filters?"
    return None


EXERCISES = [
    Exercise(
        number="3.1",
        title="One more layer",
        question="""
            A fourth convolution, 3 × 3 with 128 filters, is put on the last 3 × 3 × 64 map (no
            padding). What is the shape of its output, and how many parameters does it have?
        """,
        start="shape, parameters = ..., ...",
        solution="shape, parameters = (1, 1, 128), (9 * 64 + 1) * 128",
        judge=each(
            shape=row(
                (1, 1, 128),
                ["height", "width", "channels"],
                "How many places does a 3 × 3 window find on a 3 × 3 map?",
                {
                    (3, 3, 128): "that would be so with padding `same`.",
                    (1, 1, 64): "each filter makes a map of its own.",
                },
            ),
            parameters=number(
                73856,
                "Count one filter first: a slice for each channel, and a bias.",
                {
                    73728: "nearly: each filter also has a bias.",
                    1280: "a filter has a slice for each of the 64 channels that come in.",
                    36928: "that is the layer with 64 filters; this one has more.",
                    577: "that is a single filter.",
                },
            ),
        ),
        hints=(
            "Lay a 3 × 3 window on a 3 × 3 map: how far can it move?",
            r"$(F \cdot F \cdot C + 1) \cdot K$, with C for the channels that come in.",
        ),
        remark=r"One position, 128 filters; $(9 \cdot 64 + 1) \cdot 128$.",
    ),
    Exercise(
        number="3.2",
        title="Probabilities by hand",
        question=r"""
            A net with three classes gives the scores 0, 0 and $\log 2$ (the natural logarithm).
            What probability does softmax give the third class?
        """,
        start="probability = ...",
        solution="probability = np.exp(np.log(2)) / (1 + 1 + np.exp(np.log(2)))",
        judge=number(
            0.5,
            "Take the exponential of each score; the third one's share of their sum is asked for.",
            {
                1.0: "softmax divides the exponentials, not the scores themselves.",
                2.0: "that is its exponential; divide by the sum of all three.",
                2 / 3: "e to the power of 0 is 1, and there are two of those.",
                1 / 3: "the three classes do not get the same.",
                0.25: "that is the probability of each of the other two.",
                0.6931: "that is the score.",
            }
            | percent(0.5),
        ),
        hints=(
            "What is the exponential of 0, and that of a logarithm?",
            "The three exponentials are 1, 1 and 2.",
        ),
        remark="The exponentials are 1, 1 and 2; the third is half of their sum.",
    ),
    Exercise(
        number="3.3",
        title="The loss of a guess",
        question="""
            A net that knows nothing gives each of the ten digits the same probability. What is its
            cross-entropy, to two decimals? (A training whose loss stays at that number has not
            begun to learn.)
        """,
        start="loss = ...",
        solution="loss = -np.log(1 / 10)",
        judge=number(
            float(np.log(10)),
            "What probability does the true digit get, and what is minus its logarithm?",
            {
                0.1: "that is the probability of the true digit; take minus its logarithm.",
                -2.3026: "the size is right; a loss is positive.",
                1.0: "that is the logarithm to base 10; np.log takes the natural one.",
                3.3219: "that is the logarithm to base 2; np.log takes the natural one.",
                0.9: "that is the probability of being wrong, not the cross-entropy.",
                0.1054: "that is the loss for a true digit with a probability of 0.9.",
                23.026: "the loss counts the true digit only, not all ten.",
            },
            rtol=2e-3,
        ),
        hints=(
            "Ten digits, one probability: how large is it for the true digit?",
            "Minus the natural logarithm (`np.log`) of one tenth.",
        ),
    ),
    Exercise(
        number="3.4",
        title="Which loss?",
        question="""
            Somebody has turned the labels into rows of ten numbers: a 3 is now `[0, 0, 0, 1, 0, 0,
            0, 0, 0, 0]`. Which `loss` does the convnet have to be compiled with for such labels?
            Write its name as Keras knows it.
        """,
        start="loss_name = ...",
        solution='loss_name = "categorical_crossentropy"',
        judge=word(
            "categorical_crossentropy",
            "The losses of this notebook and the next end in `crossentropy`; what stands before?",
            {
                "sparse_categorical_crossentropy": "that one takes labels such as 3.",
                "binary_crossentropy": "that one is for one unit and two classes.",
                "crossentropy": "Keras knows three of these; say which one.",
                "mse": "that measures distances between numbers; these are probabilities.",
                "accuracy": "that is a metric; nothing can be trained by it.",
                "softmax": "that is the activation of the last layer, not the loss.",
            },
        ),
        hints=(
            "Such rows are called one-hot. The loss for whole numbers has a name that is longer.",
            "Leave out the `sparse` of the loss that this notebook uses.",
        ),
        remark="""
            The two losses are the same number; they differ only in how the labels are written.
            `keras.utils.to_categorical(y_train)` turns whole numbers into such rows.
        """,
    ),
    Exercise(
        number="3.5",
        title="Read one picture",
        question="""
            Write `read(net, picture)`: it takes a trained net and a *single* picture of shape (28,
            28, 1), and returns the digit that the net finds most probable, as a whole number.
        """,
        start="read = ...",
        solution="""
            def read(net, picture):
                probabilities = net.predict(picture[np.newaxis], verbose=0)[0]
                return int(probabilities.argmax())
        """,
        judge=reads_one_picture,
        hints=(
            "`predict` takes a batch and returns ten probabilities for each picture in it.",
            "`picture[np.newaxis]` is a batch of one; `argmax` finds the place of the highest.",
        ),
        remark="Try it: `read(convnet, x_test[0])`, and then `y_test[0]`.",
    ),
    Exercise(
        number="3.6",
        title="A smaller net",
        question="""
            Build a net for the same task, from `keras.Input((28, 28, 1))` to ten probabilities,
            with **fewer than 20,000 parameters**. Compile it, train it on the first 5,000 pictures
            of `x_train` (or all of them, if you have the time), and see whether it reads 95 % of
            the test digits.
        """,
        start="small_net = ...",
        solution="""
            small_net = keras.Sequential(
                [
                    keras.Input((28, 28, 1)),
                    keras.layers.Conv2D(16, 3, activation="relu"),
                    keras.layers.MaxPooling2D(2),
                    keras.layers.Conv2D(32, 3, activation="relu"),
                    keras.layers.MaxPooling2D(2),
                    keras.layers.Flatten(),
                    keras.layers.Dense(10, activation="softmax"),
                ]
            )
            small_net.compile(
                optimizer=keras.optimizers.Adam(3e-3),
                loss="sparse_categorical_crossentropy",
                metrics=["accuracy"],
            )
            small_net.fit(x_train[:5000], y_train[:5000], batch_size=32, epochs=8, verbose=0)
        """,
        judge=is_small_and_reads,
        hints=(
            "Few filters in the first layer, pool early, then Flatten and a single Dense layer.",
            "Two stages of convolution and pooling with 16 and 32 filters have 12,810 parameters, "
            "the last layer included. Eight epochs with Adam at a rate of 0.003 should do.",
        ),
        remark="""
            The head of the convnet above has 36,928 parameters in its hidden layer alone. Left
            out, hardly anything is missing.
        """,
        context=("x_test", "y_test"),
    ),
]
