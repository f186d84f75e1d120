import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import runs
from course_utils.backend import keras, tf
from course_utils.explain.layer_outputs import outputs
from course_utils.explain.learned_filters import canvas_size, deprocess, maximise
from course_utils.pretrained import bases, course_nets
from tests import small_nets
from tests.examples import many
from tests.small_nets import build

layers = keras.layers


def digits_net():
    return runs.load("mnist_convnet-real").restore(small_nets.digit_convnet())


def one_by_one(model, layer, filters, steps, size, rate, seed=0):
    """The classic listing: one filter at a time, step by step."""
    part = keras.Sequential([model.get_layer(layer)])
    noise = np.random.default_rng(seed).normal(size=(len(filters), size, size, 1))
    images = []
    for number, start in zip(filters, noise, strict=True):
        image = tf.constant(0.5 + 0.05 * start[np.newaxis], tf.float32)
        for _ in range(steps):
            with tf.GradientTape() as tape:
                tape.watch(image)
                loss = tf.reduce_mean(part(image)[..., number])
            gradient = tape.gradient(loss, image)
            image += rate * gradient / tf.sqrt(tf.reduce_mean(gradient**2))
        images.append(image[0].numpy())
    return np.stack(images)


# What it does


@pytest.mark.parametrize("number", [0, 1, 2])
def test_activation_rises_on_average_and_ends_five_times_higher(number):
    model = digits_net()
    convolution = [layer.name for layer in model.layers if "conv" in layer.name][number]
    _, history = maximise(model, convolution)
    assert history.shape == (41, model.get_layer(convolution).filters)
    assert (np.diff(history.mean(axis=1)) > 0).all()
    live = (history > 0).any(axis=0)
    risen = history[-1] >= 5 * history[0]
    assert live.mean() > 0.9
    assert risen[live].mean() >= 0.8


def test_the_history_is_the_mean_activation_of_each_filter():
    model = build()
    images, history = maximise(model, "conv1", filters=[4, 0, 4], steps=3, size=20)
    maps = outputs(model, images, "conv1")["conv1"]
    last = [maps[0, ..., 4].mean(), maps[1, ..., 0].mean(), maps[2, ..., 4].mean()]
    np.testing.assert_allclose(history[-1], last, atol=1e-5)
    start, none = maximise(model, "conv1", filters=[4, 0, 4], steps=0, size=20)
    assert none.shape == (1, 3)
    np.testing.assert_allclose(history[0], none[0], atol=1e-6)
    assert abs(start.mean() - 0.5) < 0.02
    assert 0.03 < start.std() < 0.07


def test_many_at_once_climb_as_each_alone_in_the_classic_listing():
    model = small_nets.digit_convnet()
    name = model.layers[0].name
    model.layers[0].activation = keras.activations.linear
    model.layers[0].set_weights([np.random.default_rng(0).normal(size=(3, 3, 1, 32)), np.zeros(32)])
    together, _ = maximise(model, name, [3, 5, 30], steps=6, size=12, rate=0.02)
    alone = one_by_one(model, name, [3, 5, 30], steps=6, size=12, rate=0.02)
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_linear_filter_is_found_as_its_own_kernel():
    """On a canvas of its own size, what excites a kernel most for its size is the kernel."""
    model = keras.Sequential([keras.Input((9, 9, 2)), layers.Conv2D(5, 3, name="conv")])
    images, _ = maximise(model, "conv", steps=40)
    kernels = np.moveaxis(model.layers[0].get_weights()[0], -1, 0)
    for image, kernel in zip(images - 0.5, kernels, strict=True):
        assert np.corrcoef(image.ravel(), kernel.ravel())[0, 1] > 0.95


@pytest.mark.slow
def test_a_step_changes_the_pixels_by_the_rate():
    model = build()
    before, after = (maximise(model, "conv1", [0], n, 20, rate=0.01)[0] for n in (3, 4))
    change = np.sqrt(np.mean((after - before) ** 2))
    assert change == pytest.approx(0.01, rel=1e-2)
    start, _ = maximise(model, "conv1", [0], 0, 20)
    assert start.mean() == pytest.approx(0.5, abs=0.02)


def test_filters_that_are_silent_on_noise_are_excited_too():
    model = build()
    kernel, _ = model.get_layer("conv1").get_weights()
    grey = 0.5 * kernel.sum(axis=(0, 1, 2))
    model.get_layer("conv1").set_weights([kernel, -grey - 0.3])
    _, history = maximise(model, "conv1", size=20)
    assert (history[0] == 0).all()
    assert (history[-1] > 0).all()


def test_a_layer_of_its_own_for_the_activation_is_the_same():
    fused = keras.Sequential(
        [keras.Input((9, 9, 1)), layers.Conv2D(4, 3, activation="relu", name="conv")]
    )
    apart = keras.Sequential(
        [keras.Input((9, 9, 1)), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu")]
    )
    apart.set_weights(fused.get_weights())
    for one, other in zip(maximise(fused, "conv"), maximise(apart, "relu"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["nested", "functional", "augmented", "reloaded nested"])
def test_all_forms_of_a_network_give_the_same_pictures(form, tmp_path):
    expected = maximise(build(), "conv3", [0, 3], steps=5)
    found = maximise(build(form, folder=tmp_path), "conv3", [0, 3], steps=5)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_climbs_too(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build("nested")
    finally:
        keras.config.set_dtype_policy("float32")
    images, history = maximise(model, "conv3")
    assert images.dtype == np.float32
    assert np.isfinite(images).all()
    assert history[-1].mean() > 5 * history[0].mean()


def test_a_class_can_be_maximised_like_a_filter():
    model = digits_net()
    images, history = maximise(model, model.layers[-1].name)
    np.testing.assert_array_equal(model(images).numpy().argmax(axis=1), np.arange(10))
    assert (history[-1] > 0.9).all()


def test_the_weights_stay_and_the_same_seed_gives_the_same_pictures():
    model = build("nested")
    weights = model.get_weights()
    first, second, third = (maximise(model, "conv2", steps=3, seed=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - third).max() > 0.01
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_more_filters_than_fit_into_one_go_are_done_in_several():
    model = keras.Sequential([keras.Input((9, 9, 1)), layers.Conv2D(70, 3, name="conv")])
    images, history = maximise(model, "conv", steps=2)
    assert images.shape == (70, 3, 3, 1)
    assert history.shape == (3, 70)
    alone, _ = maximise(model, "conv", range(33), steps=2)
    np.testing.assert_allclose(images[:3], alone[:3], atol=1e-6)


# Its canvas


def test_the_canvas_is_the_receptive_field_but_not_more_than_the_input():
    model = small_nets.digit_convnet()
    names = [layer.name for layer in model.layers if "conv" in layer.name]
    assert [canvas_size(model, name) for name in names] == [3, 8, 18]
    photo = course_nets.convnet(150)
    names = [layer.name for layer in photo.layers if "conv" in layer.name]
    assert [canvas_size(photo, name) for name in names] == [3, 8, 18, 38]
    base = bases.course_base(64)
    wanted = {"block1_conv1": 3, "block1_conv2": 5, "block3_conv2": 32, "block5_conv2": 64}
    assert {name: canvas_size(base, name) for name in wanted} == wanted
    assert canvas_size(build("nested"), "last") == 20


def test_a_canvas_of_any_size_may_be_asked_for_or_is_refused_with_a_reason():
    images, _ = maximise(build(), "conv3", [0], steps=1, size=33)
    assert images.shape == (1, 33, 33, 3)
    with pytest.raises(ValueError, match="size"):
        maximise(build(), "conv3", [0], steps=1, size=6)
    anywhere = keras.Sequential(
        [keras.Input((None, None, 3)), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D(name="gap")]
    )
    with pytest.raises(ValueError, match="give a size"):
        canvas_size(anywhere, "gap")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": "conv9"}, "Did you mean"),
        ({"filters": [6]}, "filters 0 to 5"),
        ({"filters": [-1]}, "filters 0 to 5"),
        ({"filters": []}, "expected numbers of filters"),
        ({"filters": 3}, "expected numbers of filters"),
        ({"filters": [0.5]}, "expected numbers of filters"),
        ({"steps": -1}, "steps -1"),
        ({"rate": 0}, "rate 0"),
    ],
)
def test_wrong_arguments_are_refused_with_the_reason(changes, message):
    arguments = {"layer": "conv1", "filters": [0], "steps": 1} | changes
    with pytest.raises(ValueError, match=message):
        maximise(build(), **arguments)


# Fit to be shown


@many(30)
@given(st.integers(0, 2**32 - 1), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_deprocessed_pictures_do_not_depend_on_units(seed, shift, scale):
    images = np.random.default_rng(seed).normal(size=(3, 9, 9, 3))
    shown = deprocess(images)
    assert shown.dtype == np.uint8
    assert abs(shown.mean(axis=(1, 2, 3)) - 127.5).max() < 2
    assert abs(shown.std(axis=(1, 2, 3)) / 255 - 0.15).max() < 0.02
    again = deprocess(images * scale + shift)
    assert np.abs(again.astype(int) - shown).max() <= 1


def test_a_plain_picture_is_shown_as_middle_grey():
    np.testing.assert_array_equal(deprocess(np.full((1, 4, 4, 1), 7.0)), 128)


@pytest.mark.parametrize("images", [np.zeros((4, 4, 3)), np.full((1, 2, 2, 3), np.nan)])
def test_what_is_no_picture_is_refused(images):
    with pytest.raises(ValueError, match="images has shape"):
        deprocess(images)
