import numpy as np
import pytest

from course_utils.backend import keras
from course_utils.convolution import conv2d, max_pool2d
from course_utils.explain.layer_outputs import outputs
from tests import small_nets
from tests.small_nets import FORMS, build, pictures

layers = keras.layers

NAMES = ["conv1", "pool1", "conv2", "norm2", "relu2", "conv3", "pool3", "flatten", "dropout"]


def short(found):
    return {name.rpartition("/")[2]: maps for name, maps in found.items()}


def test_the_outputs_are_those_of_the_course_s_own_convolution():
    model, x = small_nets.digit_convnet(), pictures(2, 28)[..., :1]
    kernel, bias = model.layers[0].get_weights()
    found = outputs(model, x)
    first = np.maximum(conv2d(x, kernel) + bias, 0)
    conv, pool = list(found)[:2]
    np.testing.assert_allclose(found[conv], first, atol=1e-5)
    np.testing.assert_allclose(found[pool], max_pool2d(first), atol=1e-5)
    assert [maps.shape[1:] for maps in found.values()][-3:] == [(576,), (64,), (10,)]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_a_network_have_the_same_outputs(form, tmp_path):
    expected = short(outputs(build(), pictures()))
    found = short(outputs(build(form, folder=tmp_path), pictures()))
    for name in ("conv1", "norm2", "relu2", "conv3", "pool3", "hidden"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)
        assert found[name].dtype == np.float32


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_outputs_in_half_precision_come_in_single_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build("nested")
    finally:
        keras.config.set_dtype_policy("float32")
    expected = short(outputs(build("nested"), pictures()))
    for name, maps in short(outputs(model, pictures())).items():
        assert maps.dtype == np.float32
        np.testing.assert_allclose(maps, expected[name], atol=0.05 * np.abs(expected[name]).max())


def test_all_layers_come_in_the_order_of_the_network():
    found = outputs(build("nested"), pictures())
    assert [name.rpartition("/")[2] for name in found][:8] == NAMES[:8]
    assert next(iter(found)) == "base/conv1"


def test_layers_are_chosen_by_name_by_type_or_by_both():
    model, x = build("nested"), pictures()
    assert list(outputs(model, x, "conv2")) == ["base/conv2"]
    assert list(outputs(model, x, ["last", "base/conv1"])) == ["base/conv1", "last"]
    convolutions = ["base/conv1", "base/conv2", "base/conv3"]
    assert list(outputs(model, x, layers.Conv2D)) == convolutions
    assert list(outputs(model, x, [layers.Conv2D, "pool1", "conv1"])) == [
        "base/conv1",
        "base/pool1",
        "base/conv2",
        "base/conv3",
    ]


def test_a_layer_that_is_used_twice_is_there_twice():
    start, shared = keras.Input((8, 8, 3)), layers.Conv2D(3, 1, name="shared")
    model, x = keras.Model(start, shared(shared(start))), pictures(2, 8)
    found = outputs(model, x)
    assert list(found) == ["shared", "shared (2)"]
    np.testing.assert_allclose(found["shared"], shared(x), atol=1e-6)
    np.testing.assert_allclose(found["shared (2)"], model(x), atol=1e-6)


def test_batches_and_sizes_make_no_difference_to_a_picture():
    model, x = build("augmented"), pictures(5)
    together = outputs(model, x)
    for name, maps in outputs(model, x, batch_size=2).items():
        np.testing.assert_allclose(maps, together[name], atol=1e-6)
    larger = np.pad(pictures(2), [(0, 0), (0, 13), (0, 13), (0, 0)])
    maps = outputs(model, larger, "conv1")["conv1"]
    assert maps.shape == (2, 31, 31, 6)
    np.testing.assert_allclose(
        maps[:, :18, :18], outputs(model, pictures(2), "conv1")["conv1"], atol=1e-6
    )


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("conv9", "no layer 'conv9'"),
        (["conv1", "base"], "no layer 'base'"),
        (layers.LSTM, "no layer of type LSTM, only BatchNormalization, Conv2D"),
        ([], "layers is empty"),
    ],
)
def test_layers_that_are_not_there_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        outputs(build(), pictures(), chosen)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (pictures(0), "empty"),
        (pictures()[0], "give a batch"),
        (pictures() * np.nan, "NaN"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        outputs(build(), x)


def test_pictures_too_large_for_the_dense_layers_are_refused_where_these_are_asked_for():
    with pytest.raises(ValueError, match="hidden"):
        outputs(build(), pictures(size=40))
