"""Exercises of notebook 6: patience, names, and callbacks of one's own."""

from typing import Any

import keras
import numpy as np

from exercises.exercise import Exercise
from exercises.judges import each, function, number, word
from exercises.kinds import kind_of
from exercises.nets import unlike_net, wrong_ends

PATIENCE, MOST_EPOCHS = 3, 30


def stops_when_good(kind: Any) -> str | None:
    """Let callbacks of a class watch trainings whose accuracies are made up."""
    if isinstance(kind, keras.callbacks.Callback):
        return "that is a callback already; give the class, without parentheses behind it."
    if not isinstance(kind, type):
        return f"a class is asked for, and that is {kind_of(kind)}."
    if not issubclass(kind, keras.callbacks.Callback):
        return "the class should be made from keras.callbacks.Callback."
    for enough, accuracies in ((0.8, [0.6, 0.79, 0.83]), (0.9, [0.85, 0.9]), (0.5, [0.7])):
        stopped = epochs_until_stop(kind(enough), accuracies)
        wanted = int(np.argmax(np.asarray(accuracies) >= enough)) + 1
        if stopped is None:
            return f"at {accuracies[-1]} it does not stop, and {enough} is enough."
        if stopped < wanted:
            return (
                f"it stops at a validation accuracy of {accuracies[stopped - 1]}, before {enough} "
                "is reached. Which of the `logs` does it look at?"
            )
    return None


def epochs_until_stop(callback: keras.callbacks.Callback, accuracies: list[float]) -> int | None:
    """Count the epochs after which a callback stops a training, if it does."""
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    net.stop_training = False
    callback.set_model(net)
    callback.on_train_begin()
    for epoch, value in enumerate(accuracies):
        callback.on_epoch_begin(epoch)
        logs = {"accuracy": 0.95, "loss": 0.4, "val_accuracy": value, "val_loss": 0.95}
        callback.on_epoch_end(epoch, logs)
        if net.stop_training:
            return epoch + 1
    return None


def warm_up(epoch: int, rate: float) -> float:
    """Rise for five epochs, then fall."""
    return 0.002 * (epoch + 1) if epoch < 5 else 0.9 * rate


def stopped_in_time(
    net: Any, history: Any, x_validation: np.ndarray, y_validation: np.ndarray
) -> str | None:
    """Accept a net that stopped some epochs after its best one, and went back to it."""
    if problem := unlike_net(net) or wrong_ends(net, (32, 32, 3), (1,)):
        return f"net: {problem}"
    measured = getattr(history, "history", history)
    if not isinstance(measured, dict):
        return f"history: give what `fit` returns; that is {kind_of(history)}."
    if "val_loss" not in measured:
        return "history: there is no `val_loss` in it; `fit` needs validation data."
    losses = list(measured["val_loss"])
    if problem := wrong_stop(losses):
        return f"history: {problem}"
    loss = net.evaluate(x_validation, y_validation, batch_size=100, verbose=0, return_dict=True)
    if not np.isclose(loss["loss"], min(losses), rtol=0.01):
        return (
            f"the net has a validation loss of {loss['loss']:.3f}, and the best was "
            f"{min(losses):.3f}: its weights are those of another epoch."
        )
    return None


def wrong_stop(losses: list[float]) -> str | None:
    """Say why a training did not stop at the right time, if it did not."""
    best, epoch = 1, 0
    for epoch, loss in enumerate(losses, 1):
        best = epoch if loss < losses[best - 1] else best
        if epoch - best == PATIENCE:
            break
    if epoch < len(losses):
        return (
            f"epoch {best} was the best for {PATIENCE} epochs, and it went on for "
            f"{len(losses) - epoch} more; how much patience?"
        )
    if epoch - best < PATIENCE and epoch < MOST_EPOCHS:
        return f"epoch {best} was the best, and epoch {epoch} the last: too soon."
    return None


EXERCISES = [
    Exercise(
        number="6.1",
        title="Patience, by hand",
        question="""
            These are the validation losses of the epochs 1, 2, 3, ... After which epoch does
            `EarlyStopping(patience=3, restore_best_weights=True)` stop, and of which epoch are the
            weights that you get?
        """,
        start="""
            losses = [0.69, 0.66, 0.64, 0.65, 0.63, 0.64, 0.66, 0.67, 0.61, 0.60]
            last_epoch, best_epoch = ..., ...
        """,
        solution="last_epoch, best_epoch = 8, 5",
        judge=each(
            last_epoch=number(
                8,
                "After each new best, begin to count anew.",
                {
                    10: "would it wait so long? Count the epochs without a new best.",
                    7: "that is two epochs after the best so far; it waits for three.",
                    9: "by then it has stopped: three epochs without a new best are over.",
                    6: "there was a new best on the way, and with it the count began anew.",
                    5: "that is the best one; it can only know so some epochs later.",
                },
            ),
            best_epoch=number(
                5,
                "Which is the lowest of the losses that were measured before it stopped?",
                {
                    10: "that epoch was never trained.",
                    9: "that epoch was never trained.",
                    8: "that is the last one; `restore_best_weights` goes back.",
                    3: "that was the best for a while; a better one came.",
                    4: "epochs are counted from 1 here.",
                },
            ),
        ),
        hints=(
            "Go from left to right, and write down the best so far and how long ago it was.",
            "The last new best before the patience is used up is 0.63; count three from there.",
        ),
        remark="""
            Epoch 5 is the best so far. Epochs 6, 7 and 8 bring nothing better, so the patience is
            used up after epoch 8. Epochs 9 and 10, better still, are never trained: that is the
            price of stopping early.
        """,
    ),
    Exercise(
        number="6.2",
        title="The right name",
        question="""
            A net that estimates the age of cats is compiled with `loss="mse", metrics=["mae"]`.
            The checkpoint should keep the net with the smallest mean absolute error on the
            validation pictures. What is the `monitor`?
        """,
        start="monitor = ...",
        solution='monitor = "val_mae"',
        judge=word(
            "val_mae",
            "It must be a name that `history.history` has. Which ones has it after this `compile`?",
            {
                "mae": "that is measured on the training pictures.",
                "val_loss": "the loss is the *squared* error here.",
                "loss": "that is the squared error, on the training pictures.",
                "val_mse": "the squared error is the loss, and goes by that name.",
                "val_mean_absolute_error": "it goes by the name that was compiled.",
                "val_accuracy": "no accuracy was compiled, and an age is no class.",
                "mae_val": "nearly: the mark of the validation stands in front.",
            },
        ),
        hints=(
            "Take the metric's name exactly as it was compiled.",
            "What stands in front of the names that are measured on validation pictures?",
        ),
        remark="""
            The name from `compile`, with `val_` in front. With `mean_absolute_error` compiled, it
            would be `val_mean_absolute_error`.
        """,
    ),
    Exercise(
        number="6.3",
        title="Good enough",
        question="""
            Write a callback `StopWhenGood`: `StopWhenGood(0.8)` stops the training at the end of
            the first epoch with a validation accuracy of 0.8 or more.
        """,
        start="StopWhenGood = ...",
        solution="""
            class StopWhenGood(keras.callbacks.Callback):
                def __init__(self, enough):
                    super().__init__()
                    self.enough = enough

                def on_epoch_end(self, epoch, logs=None):
                    if logs["val_accuracy"] >= self.enough:
                        self.model.stop_training = True
        """,
        judge=stops_when_good,
        hints=(
            "Which method is called when an epoch ends, and where are the measured numbers?",
            '`on_epoch_end(self, epoch, logs=None)`: compare `logs["val_accuracy"]` with what '
            "`__init__` kept, and set `self.model.stop_training`.",
        ),
        remark="`super().__init__()` lets Keras prepare its own part of the object.",
    ),
    Exercise(
        number="6.4",
        title="Warm up",
        question="""
            Write a plan for `LearningRateScheduler`. In the first five epochs, which Keras counts
            as 0 to 4, the rate is 0.002, 0.004, 0.006, 0.008 and 0.01. From then on, each epoch
            has nine tenths of the rate before.
        """,
        start="warm_up = ...",
        solution="""
            def warm_up(epoch, rate):
                if epoch < 5:
                    return 0.002 * (epoch + 1)
                return 0.9 * rate
        """,
        judge=function(
            warm_up,
            [(0, 0.5), (3, 0.006), (4, 0.008), (5, 0.01), (7, 0.0081)],
            "Which epoch is it, counted from 0, and what was the rate before?",
            {
                lambda epoch, rate: 0.002 * epoch if epoch < 5 else 0.9 * rate: (
                    "the first epoch has the number 0, and should not have the rate 0."
                ),
                lambda epoch, rate: 0.002 * (epoch + 1) if epoch <= 5 else 0.9 * rate: (
                    "it rises for six epochs; the first has the number 0."
                ),
                lambda epoch, rate: 0.002 * (epoch + 1) if epoch < 5 else rate: (
                    "after the rise, the rate should fall."
                ),
                lambda epoch, rate: 0.002 * (epoch + 1): "after five epochs, the rise should end.",
                lambda epoch, rate: rate + 0.002 if epoch < 5 else 0.9 * rate: (
                    "in the rise, do not build on the rate before: what is it at the start?"
                ),
            },
        ),
        hints=(
            "A function of (epoch, rate) with one `if`.",
            "In the rise, the rate is 0.002 times the number of the epoch, counted from 1.",
        ),
    ),
    Exercise(
        number="6.5",
        title="Down the stairs",
        question="""
            A training starts at a rate of 0.01, with `ReduceLROnPlateau(factor=0.5, patience=2)`.
            These are the validation losses of its eight epochs. What is the rate at the end?
        """,
        start="""
            losses = [0.90, 0.80, 0.85, 0.82, 0.81, 0.83, 0.70, 0.75]
            rate = ...
        """,
        solution="rate = 0.01 * 0.5 * 0.5",
        judge=number(
            0.0025,
            "After each reduction the patience begins anew. How often was it used up?",
            {
                0.005: "the rate falls more often: after a reduction, the count begins anew.",
                0.00125: "that is once too often; epoch 7 is a new best.",
                0.01: "it does fall: twice in a row there was no new best.",
                0.25: "that is what it is multiplied by, in all.",
                0.000625: "that counts every epoch without a new best; it waits for two.",
            },
        ),
        hints=(
            "A reduction happens after two epochs in a row without a new best.",
            "Epochs 3 and 4 use the patience up, and then epochs 5 and 6.",
        ),
        remark="""
            The best so far is 0.80 in epoch 2. Epochs 3 and 4 do not beat it: half the rate. Nor
            do 5 and 6: half again. Epoch 7 is a new best, and epoch 8 alone is not enough.
        """,
    ),
    Exercise(
        number="6.6",
        title="Stop, and go back",
        question="""
            Build a small net for the pictures `x_train` (32 × 32 × 3, bytes, so begin with
            `Rescaling`), with one unit at the end. Compile it and train it for at most 30 epochs,
            with validation data. Let a callback stop the training when the validation loss has had
            no new best for **three** epochs, and go back to the best weights. Give the net and
            what `fit` returned.
        """,
        start="net, history = ..., ...",
        solution="""
            net = keras.Sequential(
                [
                    keras.Input((32, 32, 3)),
                    keras.layers.Rescaling(1 / 255),
                    keras.layers.Conv2D(16, 3, activation="relu"),
                    keras.layers.MaxPooling2D(4),
                    keras.layers.Flatten(),
                    keras.layers.Dense(64, activation="relu"),
                    keras.layers.Dense(1, activation="sigmoid"),
                ]
            )
            net.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
            stopper = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
            history = net.fit(
                x_train,
                y_train,
                epochs=30,
                validation_data=(x_validation, y_validation),
                callbacks=[stopper],
                verbose=0,
            )
        """,
        judge=stopped_in_time,
        hints=(
            "`fit` takes `validation_data=(x_validation, y_validation)` and a list `callbacks`.",
            '`keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, '
            "restore_best_weights=True)`.",
        ),
        remark="`EarlyStopping` watches `val_loss` if it is not told otherwise.",
        context=("x_validation", "y_validation"),
    ),
]
