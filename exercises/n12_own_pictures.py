"""Exercises of notebook 12: pictures of one's own."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from exercises.exercise import Exercise
from exercises.judges import number, percent, word
from exercises.kinds import unlike_function, unlike_returned

ANIMALS = ("cat", "dog", "owl")


def make_pictures(folder: Path) -> None:
    """Make eight pictures of each animal, each of its own brightness, and of several sizes."""
    for label, animal in enumerate(ANIMALS):
        (folder / animal).mkdir()
        for n in range(8):
            grey = 10 * (8 * label + n)
            pixels = np.full((40 + n, 60, 3), grey, np.uint8)
            Image.fromarray(pixels).save(folder / animal / f"{n}.png")


def reads_a_folder(read: Any) -> str | None:
    """Let a function read a folder of pictures, and look at the two parts that it returns."""
    if problem := unlike_function(read):
        return problem
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(Path(folder))
        found = read(folder)
        if problem := unlike_returned(found):
            return problem
        if not isinstance(found, list | tuple) or len(found) != 2:
            return "it should return two things: the training part and the validation part."
        parts = []
        for name, part in zip(("training", "validation"), found, strict=True):
            batches = [(np.asarray(x), np.asarray(y)) for x, y in part]
            if not batches:
                return f"the {name} part is empty."
            if problem := wrong_batches(batches):
                return f"the {name} part: {problem}"
            x, y = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
            parts.append((np.round(x[:, 20, 20, 0] / 10).astype(int), y))
    return wrong_parts(*parts)


def wrong_batches(batches: list[tuple[np.ndarray, np.ndarray]]) -> str | None:
    """Say what is wrong with the batches of one part, if anything is."""
    x, y = batches[0]
    if x.shape[1:] != (96, 96, 3):
        return f"its pictures have the shape {x.shape[1:]}, and (96, 96, 3) is asked for."
    if len(x) > 8:
        return f"there are {len(x)} pictures in a batch, and 8 are asked for."
    if y.ndim > 1 and y.shape[1] > 1:
        return "its labels are rows of numbers; whole numbers such as 2 are asked for."
    if x.max() <= 1.5:
        return "its values are rescaled; leave that to the net, and them from 0 to 255."
    return None


def wrong_parts(training: tuple, validation: tuple) -> str | None:
    """Say what is wrong with the split into two parts, if anything is."""
    count = len(training[0]) + len(validation[0])
    if set(training[0]) & set(validation[0]):
        return "some pictures are in both parts. Do both calls split alike, with the same seed?"
    if count != 24:
        return f"there were 24 pictures, and it found {count} of them."
    if len(validation[0]) != 6:
        return f"a quarter was to be held back, and it held back {len(validation[0])} of 24."
    for pictures, labels in (training, validation):
        if not np.array_equal(pictures // 8, np.ravel(labels)):
            return "the labels do not belong to the pictures."
    return None


EXERCISES = [
    Exercise(
        number="12.1",
        title="A folder of your own",
        question="""
            Write `read(folder)` for a folder with one folder of pictures in it for each class. It
            returns two data sets, for training and for validation: pictures of 96 × 96, with
            values from 0 to 255, in batches of 8, with labels 0, 1, 2 and so on. A quarter of the
            pictures is held back for validation, and no picture may be in both.
        """,
        start="read = ...",
        solution="""
            def read(folder):
                options = {
                    "image_size": (96, 96),
                    "batch_size": 8,
                    "validation_split": 0.25,
                    "seed": 0,
                    "verbose": False,
                }
                load = keras.utils.image_dataset_from_directory
                training = load(folder, subset="training", **options)
                validation = load(folder, subset="validation", **options)
                return training, validation
        """,
        judge=reads_a_folder,
        hints=(
            "`keras.utils.image_dataset_from_directory` does it, called twice: for each `subset`.",
            "`validation_split=0.25`, the same `seed` in both calls, and `subset` once "
            '`"training"`, once `"validation"`.',
        ),
        remark="""
            Now use it: put thirty pictures or more of each of two or three things of your own into
            such folders, read them, and train a head on them as in this notebook.
        """,
    ),
    Exercise(
        number="12.2",
        title="What is it worth?",
        question="""
            The test part of somebody's own pictures holds 60 cats, 25 dogs and 15 rabbits. Which
            accuracy has a net that has learned nothing and always answers with the most frequent
            class? (Compare your own net with that.)
        """,
        start="lowest = ...",
        solution="lowest = 60 / (60 + 25 + 15)",
        judge=number(
            0.6,
            "On how many of all test pictures would it be right?",
            {
                1 / 3: "that is a guess among three classes; this one always says the same.",
                0.5: "that would be so for two classes of the same size.",
                0.4: "that is the share that it gets wrong.",
                0.445: "that is for guessing as often as the classes occur; this one is better.",
            }
            | percent(0.6),
        ),
        hints=(
            "It answers the same to all hundred pictures. To how many of them is that right?",
            "Divide the number of cats by that of all test pictures.",
        ),
        remark="""
            A number below this means that the net has learned nothing, however good it sounds.
            Balanced classes make accuracy a fair measure.
        """,
    ),
    Exercise(
        number="12.3",
        title="How fine is the scale?",
        question="""
            You have thirty pictures of each of three classes, and a fifth of each is the test
            part. By how much does the test accuracy change if one more picture is answered right?
        """,
        start="step = ...",
        solution="step = 1 / (3 * 6)",
        judge=number(
            1 / 18,
            "How many pictures are there in the test part, in all classes together?",
            {
                1 / 6: "that is for the test pictures of one class alone.",
                1 / 90: "only the test pictures are counted, not all of them.",
                1 / 30: "those are all pictures of one class.",
                18: "that is the number of test pictures; how much is one of them?",
                0.2: "that is the share of the test part.",
            }
            | percent(1 / 18),
        ),
        hints=(
            "A fifth of thirty pictures of each class are in the test part.",
            "It is one over the number of test pictures.",
        ),
        remark="""
            So two nets whose accuracies differ by five points may differ in a single picture.
            Collect more before you compare.
        """,
    ),
    Exercise(
        number="12.4",
        title="What is found",
        question="""
            The confusion matrix of a test is

            | | called cat | called dog |
            |---|---:|---:|
            | **cat** | 20 | 5 |
            | **dog** | 10 | 15 |

            Which share of the dogs was recognised as dogs? (That is called the **recall** of the
            class.)
        """,
        start="recall = ...",
        solution="recall = 15 / (10 + 15)",
        judge=number(
            0.6,
            "How many dogs are there, and how many of them were called dogs?",
            {
                0.75: "that is the share of dogs among all that were called dogs, the precision.",
                0.7: "that is the accuracy over both classes.",
                0.8: "that is the recall of the cats.",
                0.4: "that is the share of the dogs that was missed.",
                0.3: "divide by the number of dogs, not by that of all pictures.",
            }
            | percent(0.6),
        ),
        hints=(
            "The dogs stand in the second row.",
            "Divide those of them that were called dogs by all that stand in this row.",
        ),
    ),
    Exercise(
        number="12.5",
        title="Where the leak is",
        question="""
            Somebody has taken ten photos each of fifty dogs, and the net shall tell breeds apart.
            The photos of a dog look much alike. What has to stay together when they are split into
            parts: all photos of one `"breed"`, of one `"dog"`, of one `"day"`, or each
            `"photo"` on its own?
        """,
        start="together = ...",
        solution='together = "dog"',
        judge=word(
            "dog",
            "What could the net know from training that would help it unfairly in the test?",
            {
                "breed": "then the test would hold breeds that the net has never seen.",
                "photo": "then nearly the same picture may be in training and in the test.",
                "day": "one that was photographed on two days would be in both parts.",
                "class": "then the test would hold classes that the net has never seen.",
            },
        ),
        hints=(
            "What do two of these pictures have in common that has nothing to do with the task?",
            "The net shall recognise a breed in an animal that it has never met.",
        ),
        remark="The same goes for the slices of one patient, or the frames of one film.",
    ),
]
