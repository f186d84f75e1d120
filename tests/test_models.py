import numpy as np
import pytest

from course_utils import models, training
from course_utils.backend import keras
from course_utils.convolution import conv_parameters, dense_parameters, output_size, receptive_field

BUILDERS = ["mnist_dense", "mnist_convnet", "mnist_gap", "mnist_unpooled"]


def shapes(model):
    """Shape of what every layer makes of one image."""
    maps, found = np.zeros((1, 28, 28, 1), "f4"), []
    for layer in model.layers:
        maps = layer(maps)
        found.append(tuple(maps.shape[1:]))
    return found


def parameters(model):
    return [layer.count_params() for layer in model.layers]


def test_the_convnet_has_the_shapes_and_parameters_of_the_syllabus():
    model = models.mnist_convnet()
    assert shapes(model) == [
        (26, 26, 32),
        (13, 13, 32),
        (11, 11, 64),
        (5, 5, 64),
        (3, 3, 64),
        (576,),
        (64,),
        (10,),
    ]
    assert parameters(model) == [320, 0, 18_496, 0, 36_928, 0, 36_928, 650]
    assert sum(parameters(model)[:5]) == 55_744
    assert model.count_params() == 93_322
    assert model.input_shape == (None, 28, 28, 1)


def test_the_dense_net_has_one_hidden_layer():
    model = models.mnist_dense()
    assert shapes(model) == [(784,), (512,), (10,)]
    assert parameters(model) == [0, 401_920, 5_130]
    assert model.count_params() == 407_050
    assert model.input_shape == (None, 28, 28, 1)


def test_global_average_pooling_saves_the_large_dense_layer():
    model = models.mnist_gap()
    assert shapes(model)[:5] == shapes(models.mnist_convnet())[:5]
    assert shapes(model)[5:] == [(64,), (10,)]
    assert parameters(model)[5:] == [0, 650]
    assert model.count_params() == 56_394


def test_without_pooling_the_last_map_is_large():
    model = models.mnist_unpooled()
    assert shapes(model) == [(26, 26, 32), (24, 24, 64), (22, 22, 64)]
    assert model.count_params() == 55_744
    assert np.prod(model.output_shape[1:]) == 30_976
    assert dense_parameters(30_976, 512) == pytest.approx(15.8e6, rel=0.01)


def test_the_formulas_of_the_course_count_what_keras_counts():
    size, stack = 28, []
    for layer in models.mnist_convnet().layers[:5]:
        if isinstance(layer, keras.layers.Conv2D):
            kernel_size, stride = layer.kernel_size[0], layer.strides[0]
            channels = layer.input.shape[-1]
            expected = conv_parameters(kernel_size, channels, layer.filters)
            assert layer.count_params() == expected
        else:
            kernel_size, stride = layer.pool_size[0], layer.strides[0]
        size = output_size(size, kernel_size, stride)
        assert layer.output.shape[1:3] == (size, size)
        stack.append((kernel_size, stride))
    assert receptive_field(stack) == 18


@pytest.mark.parametrize("build", [models.mnist_dense, models.mnist_convnet, models.mnist_gap])
def test_the_classifiers_turn_digits_into_probabilities(build):
    digits = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    probabilities = np.asarray(build()(models.as_input(digits)))
    assert probabilities.shape == (3, 10)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("build", [models.mnist_dense, models.mnist_convnet, models.mnist_gap])
def test_the_classifiers_keep_the_digits_of_a_probability_in_any_precision(build):
    with training.computing_in("mixed_bfloat16"):
        net = build()
    digits = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    probabilities = net.predict(digits, verbose=0)
    assert net.layers[1].compute_dtype == "bfloat16"
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", BUILDERS)
def test_every_call_builds_a_new_untrained_model_of_that_name(name):
    build = getattr(models, name)
    first, second = build(), build()
    assert first.name == second.name == name
    assert not first.compiled
    assert not {id(layer) for layer in first.layers} & {id(layer) for layer in second.layers}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_model_that_returns_the_output_of_every_layer_can_be_made(name):
    model = getattr(models, name)()
    outputs = [layer.output for layer in model.layers]
    maps = keras.Model(model.inputs[0], outputs)(np.zeros((1, 28, 28, 1), "f4"))
    assert [tuple(output.shape[1:]) for output in maps] == shapes(model)


def test_pixels_become_float32_from_0_to_1_with_a_channel():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    before = images.copy()
    pixels = models.as_input(images)
    assert pixels.shape == (1, 16, 16, 1)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels.ravel(), np.arange(256) / 255, rtol=1e-6)
    assert (pixels.min(), pixels.max()) == (0, 1)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("size", [8, 28, 64])
def test_images_of_any_size_and_number_can_be_turned_into_input(size):
    assert models.as_input(np.zeros((5, size, size), np.uint8)).shape == (5, size, size, 1)
    assert models.as_input(np.zeros((0, size, size), np.uint8)).shape == (0, size, size, 1)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 28, 28)), r"got float64 \(2, 28, 28\)"),
        (np.zeros((2, 28, 28), np.float32), r"got float32"),
        (np.zeros((2, 28, 28), np.int64), r"got int64"),
        (np.zeros((2, 28, 28), bool), r"got bool"),
        (np.zeros((28, 28), np.uint8), r"got uint8 \(28, 28\)"),
        (np.zeros((2, 28, 28, 1), np.uint8), r"got uint8 \(2, 28, 28, 1\)"),
        (np.zeros((2, 28, 28, 3), np.uint8), r"got uint8 \(2, 28, 28, 3\)"),
        (np.full((2, 28, 28), "a"), r"got <U1"),
    ],
)
def test_other_images_are_refused_with_what_was_expected(images, message):
    with pytest.raises(ValueError, match=rf"Expected grey uint8 images .*\(N, H, W\), {message}"):
        models.as_input(images)


def test_input_that_is_ready_already_is_refused_rather_than_darkened():
    ready = models.as_input(np.full((2, 28, 28), 255, np.uint8))
    with pytest.raises(ValueError, match="got float32"):
        models.as_input(ready)


# Cats and dogs


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_the_convnet_for_photos_has_the_shapes_and_parameters_of_the_lecture():
    net = models.pictures_convnet(150)
    maps = [layer.output.shape[1] for layer in net.layers]
    assert maps[:8] == [148, 74, 72, 36, 34, 17, 15, 7]
    assert maps[8:] == [6272, 512, 1]
    convolutions = [(3, 3, 32), (3, 32, 64), (3, 64, 128), (3, 128, 128)]
    by_hand = [conv_parameters(*sizes) for sizes in convolutions]
    by_hand += [dense_parameters(6272, 512), dense_parameters(512, 1)]
    assert [n for n in parameters(net) if n] == by_hand
    assert net.count_params() == sum(by_hand) == 3_453_121


def test_dropout_stands_before_the_dense_classifier_and_only_where_it_is_asked_for():
    plain, dropped = models.pictures_convnet(64), models.pictures_convnet(64, dropout=0.3)
    assert "Dropout" not in kinds(plain)
    place = kinds(dropped).index("Dropout")
    assert kinds(dropped)[place - 1 : place + 2] == ["Flatten", "Dropout", "Dense"]
    assert dropped.layers[place].rate == 0.3
    assert plain.count_params() == dropped.count_params()


@pytest.mark.slow
@pytest.mark.parametrize("size", [46, 64, 150, 151])
def test_pictures_of_any_size_from_46_on_become_one_probability(size):
    for build in (models.pictures_convnet, models.pictures_dense):
        net = build(size)
        p = net.predict(np.random.default_rng(0).random((3, size, size, 3)), verbose=0)
        assert p.shape == (3, 1)
        assert ((0 < p) & (p < 1)).all()


def test_smaller_pictures_are_refused():
    with pytest.raises(ValueError, match="size is 45"):
        models.pictures_convnet(45)


def test_the_dense_baseline_has_the_units_of_the_lecture():
    net = models.pictures_dense(64)
    assert net.layers[0].output.shape[1] == 12_288
    assert [layer.units for layer in net.layers[1:]] == [20, 7, 5, 1]
    assert net.count_params() == 12_289 * 20 + 21 * 7 + 8 * 5 + 6
