"""Exercises of notebook 4: sizes, steps, overfitting."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from exercises.exercise import Exercise
from exercises.judges import number
from exercises.kinds import unlike_array, unlike_function, unlike_returned
from exercises.nets import accuracy, all_layers, unlike_net, unlike_probabilities, wrong_ends


def is_best_epoch(epoch: Any, history: dict[str, list[float]]) -> str | None:
    """Accept the first epoch with the highest validation accuracy, counted from 1."""
    accuracies = np.asarray(history["val_accuracy"])
    best = int(np.argmax(accuracies)) + 1
    mistakes = {
        int(np.argmax(history["accuracy"])) + 1: "that is the best one on the training pictures.",
        int(np.argmin(history["val_loss"])) + 1: "there the validation loss is lowest.",
        len(accuracies) - int(np.argmax(accuracies[::-1])): "an earlier one is equally good.",
        len(accuracies): "that is the last one, not the best.",
        float(accuracies.max()): "that is the accuracy; in which epoch was it reached?",
        best - 1: "`argmax` counts from 0, epochs are counted from 1.",
    }
    return number(best, 'Look for the highest value in `history["val_accuracy"]`.', mistakes)(epoch)


def has_one_more_dense_layer(net: Any) -> str | None:
    """Accept the net for photos with one more layer of 512 units in its head."""
    if problem := unlike_net(net) or wrong_ends(net, (150, 150, 3), (1,)):
        return problem
    dense = [layer for layer in all_layers(net) if isinstance(layer, keras.layers.Dense)]
    if len(dense) != 3:
        return f"it has {len(dense)} dense layers; there were two, and one is to be added."
    if [layer.units for layer in dense] != [512, 512, 1]:
        return "its dense layers should have 512, 512 and 1 units, in this order."
    if dense[1].activation is keras.activations.linear:
        return "without an activation, the new layer and the one after it are like a single one."
    if net.count_params() != 3_453_121 + 513 * 512:
        return "its parameters are other than expected; was the rest left as it was?"
    return unlike_probabilities(net)


def prepares_a_file(prepare: Any) -> str | None:
    """Let a function read a picture file that is red on the left and blue on the right."""
    if problem := unlike_function(prepare):
        return problem
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30, 0], pixels[:, 30:, 2] = 255, 255
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        Image.fromarray(pixels).save(path)
        found = prepare(str(path))
    if problem := unlike_returned(found) or unlike_array(found, (1, 150, 150, 3)):
        return problem
    found = np.asarray(found)
    if found.max() > 1.5:
        return f"its values go up to {found.max():.0f}; the net was trained on 0 to 1."
    if found.max() < 0.5:
        return f"its values only go up to {found.max():.2g}; were they divided twice?"
    if found[0, :, :60].mean(axis=(0, 1)).argmax() != 0 or found[0, :, 90:, 2].mean() < 0.9:
        return "a picture that is red on the left and blue on the right comes out otherwise."
    return None


def knows_by_heart(net: Any, noise: np.ndarray, labels: np.ndarray) -> str | None:
    """Accept a net that gets 95 % of random labels right."""
    if problem := unlike_net(net) or wrong_ends(net, noise.shape[1:], (1,)):
        return problem
    if problem := unlike_probabilities(net):
        return problem
    right = accuracy(net, noise, labels)
    if right < 0.95:
        state = "Was it trained at all?" if right < 0.7 else "It is getting there: more epochs?"
        return f"it knows {right:.0%} of the labels. {state}"
    return None


EXERCISES = [
    Exercise(
        number="4.1",
        title="One more stage",
        question="""
            The last maps of the net for photos are 7 × 7 × 128. A fifth stage follows: Conv2D with
            256 filters of 3 × 3, then 2 × 2 max pooling. How many values are left to flatten?
        """,
        start="values = ...",
        solution="values = 2 * 2 * 256",
        judge=number(
            1024,
            "Go step by step: which side has the map after the convolution, and after the pooling?",
            {
                6400: "that is before the pooling.",
                2304: "pooling drops an odd row and column, it does not round up.",
                512: "the new layer has more than 128 filters.",
                4: "those are the places of one map; how many maps are there?",
                12544: "the convolution loses a border: there is no padding.",
                1600: "2.5 places cannot be; pooling drops the odd row and column.",
            },
        ),
        hints=(
            "The convolution leaves 5 × 5 places. What does the pooling make of an odd number?",
            "Places times filters: 2 × 2 places are left.",
        ),
        remark="The convolution leaves 5 × 5, the pooling 2 × 2, and there are 256 maps.",
    ),
    Exercise(
        number="4.2",
        title="Steps",
        question="""
            A training with batches of 32 goes through 2,000 pictures 30 times. How many steps
            (changes of the weights) does it take?
        """,
        start="steps = ...",
        solution="steps = 30 * 63",
        judge=number(
            1890,
            "How many batches make an epoch, and how many epochs are there?",
            {
                1875: "an epoch has no half batches: the last, smaller one is a step as well.",
                1860: "the last, smaller batch counts too.",
                63: "that is one epoch; there are more of them.",
                60000: "those are pictures; 32 of them make one step.",
                960: "32 is the size of a batch, not their number.",
            },
        ),
        hints=(
            "Divide: how many batches of 32 do 2,000 pictures fill?",
            "62.5, and the half one is a batch too; that many in each of 30 epochs.",
        ),
        remark="63 batches in each epoch: 62 of 32 pictures and one of 16.",
    ),
    Exercise(
        number="4.3",
        title="Stopping in time",
        question="""
            In which epoch should the recorded training have stopped, if the validation *accuracy*
            decides? Compute it from `history`, counting from 1 (the first one, if several are
            equally good).
        """,
        start="epoch = ...",
        solution='epoch = int(np.argmax(history["val_accuracy"])) + 1',
        judge=is_best_epoch,
        hints=(
            "`history` is a dictionary of lists, one number for each epoch; look at its keys.",
            '`np.argmax(history["val_accuracy"])` finds the place, and counts from 0.',
        ),
        context=("history",),
    ),
    Exercise(
        number="4.4",
        title="One more dense layer",
        question="""
            Does it help to make the head of the net larger? Take the layers of `photo_net` as they
            are, and put one more `Dense(512, activation="relu")` before the last unit.
        """,
        start="deeper_net = ...",
        solution="""
            deeper_net = keras.Sequential(
                [
                    keras.Input((150, 150, 3)),
                    *photo_net.layers[:-1],
                    keras.layers.Dense(512, activation="relu"),
                    keras.layers.Dense(1, activation="sigmoid"),
                ]
            )
        """,
        judge=has_one_more_dense_layer,
        hints=(
            "`photo_net.layers` is a list; `[:-1]` is all of it but the last layer.",
            "`keras.Sequential([keras.Input(...), *photo_net.layers[:-1], ...])`, and two layers.",
        ),
        remark="""
            Does it help? Compile it and train it as above, and compare the *validation* accuracy.
            More parameters learn the training pictures by heart even faster; what is missing is
            still pictures.
        """,
    ),
    Exercise(
        number="4.5",
        title="From a file to the net",
        question="""
            Somebody sends you one photo. Write `prepare(path)`: it reads the picture file and
            returns what `photo_net.predict` takes, an array of shape (1, 150, 150, 3) with values
            from 0 to 1.
        """,
        start="prepare = ...",
        solution="""
            def prepare(path):
                picture = keras.utils.load_img(path, target_size=(150, 150))
                pixels = keras.utils.img_to_array(picture)
                return pixels[np.newaxis] / 255
        """,
        judge=prepares_a_file,
        hints=(
            "Decode, resize, make it a batch of one, rescale: four steps.",
            "`keras.utils.load_img(path, target_size=(150, 150))` does the first two, "
            "`keras.utils.img_to_array` makes an array of it.",
        ),
    ),
    Exercise(
        number="4.6",
        title="Learning by heart",
        question="""
            Here are 40 pictures of pure noise, and labels thrown with a coin: there is nothing to
            understand. Build a net for them, of any kind, that ends in one unit with a sigmoid;
            compile it, and train it until it knows at least 95 % of these labels.
        """,
        start="""
            rng = np.random.default_rng(0)
            noise = rng.random((40, 16, 16, 3))
            labels = rng.integers(0, 2, 40)
            parrot = ...
        """,
        solution="""
            parrot = keras.Sequential(
                [
                    keras.Input((16, 16, 3)),
                    keras.layers.Flatten(),
                    keras.layers.Dense(64, activation="relu"),
                    keras.layers.Dense(1, activation="sigmoid"),
                ]
            )
            parrot.compile(
                optimizer=keras.optimizers.Adam(3e-3),
                loss="binary_crossentropy",
                metrics=["accuracy"],
            )
            parrot.fit(noise, labels, batch_size=40, epochs=100, verbose=0)
        """,
        judge=knows_by_heart,
        hints=(
            "No convolution is needed; two dense layers have more than enough parameters.",
            "Flatten, Dense(64), Dense(1), Adam, `binary_crossentropy`, and forty epochs or more.",
        ),
        remark="""
            100 % of the training pictures, and a coin's 50 % of all others: make forty new
            pictures in the same way and try. A high training accuracy alone says nothing.
        """,
        context=("noise", "labels"),
    ),
]
