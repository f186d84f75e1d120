import json
import random
import re
import subprocess
import sys

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_utils.backend import keras, tf
from course_utils.training import (
    EpochTable,
    LivePlot,
    compile_classifier,
    computing_in,
    fit,
    in_notebook,
    set_seed,
)

pytestmark = pytest.mark.slow  # boards and trainings take seconds each

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(40, 3)).astype("f4"), RANDOM.integers(0, 2, 40)


def small_net(steps=10, learning_rate=1e-3):
    """A classifier for two classes, compiled."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    compile_classifier(model, learning_rate, steps)
    return model


def cells(html):
    """The text of a table, row by row."""
    rows = re.findall("<tr>(.*?)</tr>", html)
    return [re.findall("<t[hd]>(.*?)</t[hd]>", row) for row in rows]


def test_fit_returns_one_number_for_each_epoch():
    history = fit(small_net(), X, Y, epochs=3, batch_size=8, validation_data=(X, Y))
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert {len(values) for values in history.values()} == {3}
    assert {type(value) for values in history.values() for value in values} == {float}
    assert all(seconds >= 0 for seconds in history["seconds"])
    assert json.loads(json.dumps(history)) == history


def test_without_validation_data_there_is_none_in_the_history():
    history = fit(small_net(), X, Y, epochs=1)
    assert set(history) == {"loss", "accuracy", "seconds"}


def test_the_losses_are_those_that_the_model_reports_itself():
    model = small_net()
    history = fit(model, X, Y, epochs=2, validation_data=(X, Y))
    loss, accuracy = model.evaluate(X, Y, batch_size=64, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert history["val_accuracy"][-1] == pytest.approx(accuracy)


def test_training_learns_something():
    labels = (X[:, 0] > 0).astype(int)
    history = fit(small_net(200, 0.05), X, labels, epochs=20, batch_size=4)
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["accuracy"][-1] > 0.9


def test_the_same_seed_gives_the_same_run():
    def run(seed):
        set_seed(seed)
        model = small_net()
        history = fit(model, X, Y, epochs=2, batch_size=8)
        return history["loss"], model.get_weights()

    (losses, weights), (again, weights_again), (other, _) = run(7), run(7), run(8)
    assert losses == again
    assert all(np.array_equal(a, b) for a, b in zip(weights, weights_again, strict=True))
    assert losses != other


def test_a_seed_fixes_python_numpy_and_keras():
    def draws():
        set_seed(3)
        legacy = np.random.rand()  # noqa: NPY002 (the generator that a seed fixes)
        return random.random(), legacy, float(keras.random.normal(()))

    assert draws() == draws()


def test_the_learning_rate_falls_from_its_start_to_nothing():
    model = small_net(steps=10)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    fit(model, X, Y, epochs=1, batch_size=8)
    assert float(model.optimizer.learning_rate) == pytest.approx(5e-4)
    fit(model, X, Y, epochs=1, batch_size=8)
    assert float(model.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_classifiers_are_compiled_for_integer_labels():
    model = small_net(steps=4, learning_rate=0.5)
    assert float(model.optimizer.learning_rate) == 0.5
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    probabilities = model.predict(X, verbose=0)
    assert loss == pytest.approx(-np.log(probabilities[range(40), Y]).mean(), rel=1e-4)
    assert accuracy == pytest.approx((probabilities.argmax(axis=1) == Y).mean())


def test_callbacks_are_called_besides_the_table():
    epochs = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    fit(small_net(), X, Y, epochs=2, callbacks=[note])
    assert epochs == [0, 1]


def test_a_callback_may_stop_training_early():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    history = fit(small_net(), X, Y, epochs=5, callbacks=[Stop()])
    assert {len(values) for values in history.values()} == {2}


@pytest.mark.parametrize(("inputs", "targets"), [(40, 39), (39, 40), (0, 0), (0, 40), (40, 0)])
def test_inputs_and_targets_must_be_as_many_and_some(inputs, targets):
    message = f"{inputs} inputs and {targets} targets: expected as many"
    with pytest.raises(ValueError, match=message):
        fit(small_net(), X[:inputs], Y[:targets], epochs=1)


def test_validation_data_of_two_lengths_is_refused():
    with pytest.raises(ValueError, match="ambiguous"):
        fit(small_net(), X, Y, epochs=1, validation_data=(X, Y[:-1]))


def test_a_model_that_is_not_compiled_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="compile"):
        fit(model, X, Y, epochs=1)


def test_training_prints_nothing_not_even_from_c():
    code = (
        "import numpy as np\n"
        "from course_utils import models, training\n"
        "model = models.mnist_gap()\n"
        "training.compile_classifier(model, steps=2)\n"
        "x, y = np.zeros((4, 28, 28, 1)), np.zeros(4)\n"
        "training.fit(model, x, y, 2, 4, (x, y))\n"
        "model.predict(x, verbose=0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# The table


def test_outside_a_notebook_nothing_is_shown(capfd):
    assert not in_notebook()
    fit(small_net(), X, Y, epochs=2, validation_data=(X, Y))
    assert capfd.readouterr() == ("", "")


def test_a_shell_with_a_kernel_is_a_notebook(displayed):
    assert in_notebook()
    assert displayed == []


def test_a_shell_in_a_terminal_is_no_notebook(displayed):
    del InteractiveShell.instance().kernel
    assert not in_notebook()
    fit(small_net(), X, Y, epochs=1)
    assert displayed == []


def test_the_table_is_one_output_that_is_updated(displayed, capfd):
    fit(small_net(), X, Y, epochs=3, batch_size=8)
    assert [output["update"] for output in displayed] == [False, True, True, True]
    assert len({output["transient"]["display_id"] for output in displayed}) == 1
    assert "Epoch 1 of 3" in displayed[0]["data"]["text/html"]
    lengths = [len(cells(output["data"]["text/html"])) for output in displayed[1:]]
    assert lengths == [2, 3, 4]
    assert capfd.readouterr() == ("", "")


def test_two_trainings_have_two_tables(displayed):
    fit(small_net(), X, Y, epochs=1)
    fit(small_net(), X, Y, epochs=1)
    assert [output["update"] for output in displayed] == [False, True, False, True]
    assert len({output["transient"]["display_id"] for output in displayed}) == 2


def test_the_table_shows_the_history(displayed):
    history = fit(small_net(), X, Y, epochs=2, validation_data=(X, Y))
    head, *rows = cells(displayed[-1]["data"]["text/html"])
    assert head[0] == "epoch"
    assert head[-1] == "seconds"
    assert set(head[1:-1]) == {"loss", "accuracy", "val loss", "val accuracy"}
    assert [row[0] for row in rows] == ["1 of 2", "2 of 2"]
    for epoch, row in enumerate(rows):
        for name, shown in zip(head[1:-1], row[1:-1], strict=True):
            assert float(shown) == pytest.approx(history[name.replace(" ", "_")][epoch], abs=1e-4)
        assert float(row[-1]) == pytest.approx(history["seconds"][epoch], abs=0.06)


def test_the_callback_can_be_used_without_fit():
    table = EpochTable(2)
    small_net().fit(X, Y, epochs=2, verbose=0, callbacks=[table])
    assert [set(row) for row in table.rows] == [{"loss", "accuracy"}] * 2
    assert len(table.seconds) == 2


# Batches, and two classes


def two_class_net():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    compile_classifier(model, 0.05)
    return model


def test_fit_takes_batches_and_prints_nothing(recwarn):
    served = tf.data.Dataset.from_tensor_slices((X, Y.reshape(-1, 1).astype("f4"))).batch(8)
    history = fit(two_class_net(), served, epochs=2, validation_data=served)
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert history["val_loss"][1] < history["val_loss"][0]
    assert [str(warning.message) for warning in recwarn] == []


def test_a_rate_without_steps_is_constant_and_with_steps_it_rises_and_falls():
    model = two_class_net()
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    compile_classifier(model, 0.05, steps=100, optimizer=keras.optimizers.Adam)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    schedule = model.optimizer._learning_rate
    rates = [float(schedule(step)) for step in range(101)]
    assert rates[0] == 0
    assert max(rates) == pytest.approx(0.05)
    assert int(np.argmax(rates)) == 5
    assert rates[-1] == pytest.approx(0, abs=1e-6)
    assert all(np.diff(rates[5:]) < 0)


def test_the_loss_of_two_classes_is_the_binary_cross_entropy():
    model = two_class_net()
    p = model.predict(X, verbose=0)[:, 0]
    by_hand = -np.mean(np.where(Y == 1, np.log(p), np.log(1 - p)))
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(by_hand, rel=1e-4)


def test_a_live_plot_is_one_figure_that_is_updated_and_replaces_the_table(displayed):
    plot = LivePlot("small net")
    history = fit(small_net(), X, Y, epochs=3, validation_data=(X, Y), callbacks=[plot])
    assert [output["update"] for output in displayed] == [False, True, True]
    assert len({output["transient"]["display_id"] for output in displayed}) == 1
    assert plot.history == {name: v for name, v in history.items() if name != "seconds"}
    fit(small_net(), X, Y, epochs=1, callbacks=[plot])
    assert displayed[-1]["update"] is False
    assert len(plot.history["loss"]) == 1


def test_a_live_plot_shows_nothing_outside_a_notebook(capfd):
    fit(small_net(), X, Y, epochs=1, callbacks=[LivePlot()])
    assert capfd.readouterr() == ("", "")


def test_with_several_outputs_the_loss_is_that_of_the_classes():
    model = small_net()
    p = model.predict(X, verbose=0)
    by_hand = -np.mean(np.log(p[np.arange(len(Y)), Y]))
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(by_hand, rel=1e-4)


def test_without_warm_up_the_rate_only_falls():
    model = small_net()
    compile_classifier(model, 0.05, steps=10, warm_up=0)
    rates = [float(model.optimizer._learning_rate(step)) for step in range(11)]
    assert rates[0] == pytest.approx(0.05)
    assert all(np.diff(rates) < 0)


def test_the_precision_is_what_it_was_after_the_block_even_if_that_fails():
    def fails():
        with computing_in("mixed_bfloat16"):
            assert keras.layers.Dense(2).compute_dtype == "bfloat16"
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert keras.layers.Dense(2).compute_dtype == "float32"


# Freezing


@pytest.mark.parametrize("trainable_first", [True, False])
def test_training_goes_on_only_with_what_the_model_was_compiled_for(trainable_first):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2, "softmax")]
    )
    model.layers[0].trainable = trainable_first
    compile_classifier(model)
    fit(model, X, Y)
    fit(model, X, Y)
    model.layers[0].trainable = not trainable_first
    with pytest.raises(ValueError, match=r"2 weights of .* Compile it again"):
        fit(model, X, Y)
    compile_classifier(model)
    before = model.layers[0].get_weights()[0]
    fit(model, X, Y)
    assert np.array_equal(before, model.layers[0].get_weights()[0]) == trainable_first


def test_freezing_before_the_first_training_needs_no_second_compile():
    model = small_net()
    model.layers[0].trainable = False
    before = model.get_weights()
    fit(model, X, Y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
