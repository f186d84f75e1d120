import numpy as np
import pytest

from course_utils.backend import keras
from course_utils.live_plot import LivePlot, in_notebook

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(40, 3)).astype("f4"), RANDOM.integers(0, 2, 40)


def fit(*callbacks, epochs=1):
    """Train a small net."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), verbose=0).history


def test_outside_a_notebook_nothing_is_shown(capfd):
    assert not in_notebook()
    fit(LivePlot())
    assert capfd.readouterr() == ("", "")


def test_it_is_one_figure_that_is_updated(displayed):
    assert in_notebook()
    plot = LivePlot("small net")
    history = fit(plot, epochs=3)
    assert [output["transient"]["display_id"] for output in displayed] == [
        displayed[0]["transient"]["display_id"]
    ] * 3
    assert [output["update"] for output in displayed] == [False, True, True]
    assert plot.history == {key: pytest.approx(values) for key, values in history.items()}


def test_a_second_training_begins_anew(displayed):
    plot = LivePlot()
    fit(plot, epochs=2)
    fit(plot, epochs=1)
    assert len(plot.history["loss"]) == 1
    assert [output["update"] for output in displayed] == [False, True, False]
