import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import lfilter

from course_utils import bases, models, training, transfer
from course_utils.backend import keras

RANDOM = np.random.default_rng(0)
X = RANDOM.random((6, 32, 32, 3)).astype("float32")
Y = np.arange(6) % 2


def small():
    """A model of a head on the course's base with random weights, and that base."""
    training.set_seed(0)  # else all four units may be dead by chance
    base = bases.build("course", 32, weights=None)
    return transfer.join(base, transfer.head(base.output_shape[1:], units=4)), base


def changed(model, before):
    """Names of the weights that are not what they were."""
    pairs = zip(model.weights, before, strict=True)
    return {w.path for w, old in pairs if not np.array_equal(w.numpy(), old)}


# Heads


def test_the_head_of_the_lecture_has_its_parameters():
    assert transfer.head((4, 4, 512)).count_params() == (8192 + 1) * 256 + 257


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3), (7, 7)])
@pytest.mark.parametrize("pooling", ["flatten", "average", "max"])
def test_a_head_puts_out_probabilities(classes, outputs, pooling):
    head = transfer.head((2, 3, 5), units=4, classes=classes, pooling=pooling)
    p = head.predict(RANDOM.random((6, 2, 3, 5)), verbose=0)
    assert p.shape == (6, outputs)
    assert np.all((p > 0) & (p < 1))
    if classes > 2:
        assert p.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_a_pooling_head_does_not_care_where_something_is(pooling):
    maps = RANDOM.random((1, 4, 4, 3)).astype("float32")
    head = transfer.head((4, 4, 3), pooling=pooling)
    moved = np.roll(maps, 1, axis=2)
    assert head(maps).numpy() == pytest.approx(head(moved).numpy(), abs=1e-6)


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"pooling": "median"}])
def test_a_head_for_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="flatten, average, max"):
        transfer.head((2, 2, 8), **wrong)


# Base and head


def test_a_joined_model_computes_preprocessing_base_and_head_in_turn():
    model, base = small()
    by_hand = model.get_layer("head")(base(2 * X - 1))
    assert model.predict(X, verbose=0) == pytest.approx(by_hand.numpy(), abs=1e-6)


def test_freezing_the_base_of_vgg16_leaves_four_of_thirty_weights():
    base = bases.build("vgg16", 150, weights=None)
    model = transfer.join(base, transfer.head(base.output_shape[1:]))
    assert model.count_params() == 16_812_353
    assert len(model.trainable_weights) == 30
    transfer.freeze(model, base)
    assert len(model.trainable_weights) == 4


# What training changes


@pytest.mark.slow
def test_a_frozen_base_keeps_its_weights_and_the_head_learns():
    model, base = small()
    transfer.freeze(model, base)
    training.compile_classifier(model)
    before = model.get_weights()
    training.fit(model, X, Y, epochs=2)
    assert {path.split("/")[0] for path in changed(model, before)} == {"head"}


@pytest.mark.slow
def test_an_unfrozen_block_learns_and_what_is_below_stays():
    model, base = small()
    transfer.freeze(model, base)
    transfer.unfreeze(model, base, "block5_conv1")
    training.compile_classifier(model)
    before = model.get_weights()
    training.fit(model, X, Y, epochs=3)
    blocks = {path.split("/")[-2] for path in changed(model, before) if "block" in path}
    assert blocks == {"block5_conv1", "block5_conv2"}


@pytest.mark.slow
def test_batch_normalization_stays_in_inference_mode():
    layers = keras.layers
    base = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(4, 3, name="first"),
            layers.BatchNormalization(name="first_norm"),
            layers.Conv2D(4, 3, name="last"),
            layers.BatchNormalization(name="last_norm"),
        ],
        name="course",
    )
    model = transfer.join(base, transfer.head(base.output_shape[1:], units=4))
    transfer.unfreeze(model, base, "first_norm")
    training.compile_classifier(model)
    before = model.get_weights()
    training.fit(model, X, Y, epochs=2)
    names = {path.split("/")[-2] for path in changed(model, before) if "head" not in path}
    assert names == {"last"}
    norm, maps = base.get_layer("last_norm"), RANDOM.random((2, 3, 3, 4)).astype("float32")
    assert np.array_equal(norm(maps, training=True), norm(maps, training=False))


def test_batch_normalization_stays_frozen_in_a_model_inside_the_model():
    base = bases.build("mobilenet_0.25", 32, weights=None)
    model = transfer.join(base, transfer.head(base.output_shape[1:], units=4))
    transfer.unfreeze(model, model, base.name)
    norms = [x for x in base.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 27
    assert not any(norm.trainable_weights for norm in norms)
    assert base.get_layer("conv_pw_13").trainable_weights


@pytest.mark.slow
@pytest.mark.parametrize("change", [transfer.freeze, transfer.unfreeze])
def test_not_even_keras_trains_before_the_next_compile(change):
    model, base = small()
    training.compile_classifier(model)
    model.fit(X, Y, verbose=0)
    change(model, base, *(["block5_conv1"] if change is transfer.unfreeze else []))
    with pytest.raises(ValueError, match="compile"):
        model.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match=r"[Cc]ompile"):
        training.fit(model, X, Y)


def test_unknown_layers_are_named_with_what_comes_near():
    model, base = small()
    for refused in (
        lambda: transfer.unfreeze(model, base, "block5_conv3"),
        lambda: transfer.cut(base, "block5_conv3"),
    ):
        with pytest.raises(ValueError, match=r"no layer 'block5_conv3'; near .*block5_conv2"):
            refused()
    assert all(layer.trainable for layer in base.layers)


# Cutting


@pytest.mark.parametrize("first", ["block1_conv1", "block3_pool", "block5_conv1", "block5_pool"])
def test_both_parts_together_are_the_base(first):
    base = bases.build("course", 64, weights=None)
    pixels = RANDOM.uniform(-1, 1, (2, 64, 64, 3)).astype("float32")
    lower, upper = transfer.cut(base, first)
    assert upper(lower(pixels)).numpy() == pytest.approx(base(pixels).numpy(), abs=1e-6)


def test_the_parts_share_the_weights_of_the_base():
    base = models.course_base(32)
    _, upper = transfer.cut(base, "block5_conv1")
    upper.get_layer("block5_conv2").kernel.assign(np.ones((3, 3, 128, 128)))
    assert base.get_layer("block5_conv2").get_weights()[0].min() == 1


def test_a_layer_with_two_inputs_is_no_place_to_cut():
    x = keras.Input((4, 4, 2))
    base = keras.Model(x, keras.layers.Add(name="sum")([x, keras.layers.ReLU(name="relu")(x)]))
    with pytest.raises(ValueError, match="'sum' has 2 inputs"):
        transfer.cut(base, "sum")


def test_a_cut_that_something_leads_around_is_refused():
    x = keras.Input((4, 4, 2))
    y = keras.layers.ReLU(name="relu")(x)
    base = keras.Model(x, keras.layers.Add(name="sum")([x, keras.layers.ReLU(name="last")(y)]))
    with pytest.raises(ValueError, match="around"):
        transfer.cut(base, "last")


# Smoothing


@given(
    hnp.arrays(float, st.integers(1, 20), elements=st.floats(-10, 10)),
    st.floats(0, 0.95),
)
def test_smoothing_stays_between_the_extremes_and_starts_at_the_first_value(values, factor):
    smoothed = transfer.smooth(values, factor)
    assert smoothed[0] == values[0]
    assert smoothed.min() >= values.min() - 1e-9
    assert smoothed.max() <= values.max() + 1e-9


def test_smoothing_is_the_recursion_of_the_lecture():
    values = RANDOM.random(30)
    recursion, _ = lfilter([0.2], [1, -0.8], values, zi=[0.8 * values[0]])
    assert transfer.smooth(values, 0.8) == pytest.approx(recursion)


@pytest.mark.parametrize("factor", [-0.1, 1, 2])
def test_a_factor_out_of_range_is_refused(factor):
    with pytest.raises(ValueError, match="factor is"):
        transfer.smooth([1.0], factor)


# Scaling out

TWO_DEVICES = """
import numpy as np
from course_utils import bases, pipeline, training, transfer
from course_utils.backend import keras, tf

cpu = tf.config.list_physical_devices("CPU")[0]
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, halves)
random = np.random.default_rng(0)
x, y = random.integers(0, 256, (16, 32, 32, 3), np.uint8), np.arange(16) % 2


def trained(strategy):
    training.set_seed(0)
    with strategy.scope():
        base = bases.build("course", 32, weights=None)
        model = transfer.join(base, transfer.head(base.output_shape[1:], units=4, dropout=0))
        transfer.freeze(model, base)
        training.compile_classifier(model, 1e-2, optimizer=keras.optimizers.SGD)
    training.fit(model, pipeline.batches(x, y, 8, shuffle=False), epochs=2)
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
one = tf.distribute.get_strategy()
print(both.num_replicas_in_sync, np.abs(trained(both) - trained(one)).max() < 1e-5)
"""


@pytest.mark.full
def test_two_devices_train_to_the_same_weights_as_one():
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "True"]
