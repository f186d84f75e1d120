import warnings

import numpy as np
import pytest
from scipy.special import softmax

from course_utils import runs
from course_utils.backend import keras, tf
from course_utils.explain import heatmap_overlays, layer_graph, localization_scores
from course_utils.explain.class_activation_maps import grad_cam, hires_cam
from course_utils.explain.layer_outputs import outputs
from course_utils.pretrained import bases, course_nets
from tests import small_nets
from tests.small_nets import FORMS, build, pictures, set_weights

layers = keras.layers

METHODS = [grad_cam, hires_cam]


def close(one, other, share=1e-5):
    """Tell whether maps are equal, but for a share of the highest value of all."""
    if one.shape != other.shape:
        return False
    highest, difference = np.abs(other).max(), np.abs(one - other).max()
    return highest > 0 and difference <= share * highest


def maps_and_weights(model, x, name="pool3"):
    """The maps before the average, and the weights of the last Dense layer, as NumPy arrays."""
    (maps,) = outputs(model, x, name).values()
    kernel, _ = model.get_layer("last").get_weights()
    return maps, kernel


# Against what is known


def cam(model, x, target):
    """The maps before the average, weighed as the last Dense layer weighs their averages."""
    maps, kernel = maps_and_weights(model, x)
    if kernel.shape[1] == 1:
        return maps @ kernel[:, 0] * (1 if target else -1)
    return maps @ kernel[:, target]


@pytest.mark.parametrize("classes", [1, 4])
def test_grad_cam_behind_an_average_is_cam_but_for_the_scale(classes):
    model, x = build(classes=classes, pooling=True), pictures()
    targets = range(max(classes, 2))
    by_weights = np.stack([np.maximum(cam(model, x, target), 0) for target in targets])
    by_gradient = np.stack([grad_cam(model, x, "pool3", target) for target in targets])
    assert close(by_gradient * np.prod(by_weights.shape[2:]), by_weights, 1e-4)


@pytest.mark.parametrize("classes", [1, 4])
def test_hires_cam_behind_an_average_is_grad_cam(classes):
    model, x = build(classes=classes, pooling=True), pictures()
    by_place, averaged = (
        np.stack([method(model, x, "pool3", target) for target in range(max(classes, 2))])
        for method in (hires_cam, grad_cam)
    )
    assert close(by_place, averaged, 1e-6)


def test_hires_cam_before_one_dense_layer_is_each_place_s_part_of_the_score():
    model = keras.Sequential(
        [
            keras.Input((20, 20, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="last"),
        ]
    )
    set_weights(model)
    x = pictures()
    maps = outputs(model, x, "conv")["conv"]
    kernel = model.get_layer("last").get_weights()[0].reshape(18, 18, 4, 3)
    parts = np.einsum("nijk,ijkc->cnij", maps, kernel)
    found = np.stack([hires_cam(model, x, "conv", target) for target in range(3)])
    assert close(found, np.maximum(parts, 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conv1", "norm2", "conv3"])
def test_the_gradient_is_that_of_finite_differences_in_double_precision(name):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        model = build("logits")
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    x = pictures().astype(np.float64)
    steps = layer_graph.trace(model)
    step = layer_graph.find(steps, name)
    (maps,) = layer_graph.run({steps[0]: layer_graph.as_batch(steps, x)}, [step])
    assert maps.dtype == "float64"
    maps, places, epsilon = maps.numpy(), np.prod(maps.shape[1:3]), 1e-6

    def score(maps):
        return layer_graph.run({step: tf.constant(maps)}, [steps[-1]])[0].numpy()

    averaged = np.zeros((4, *maps.shape[:3]))
    for k in range(maps.shape[-1]):
        one = epsilon * np.eye(maps.shape[-1])[k]
        slopes = (score(maps + one) - score(maps - one)) / (2 * epsilon)
        averaged += slopes.T[:, :, np.newaxis, np.newaxis] / places * maps[..., k]
    found = np.stack([grad_cam(model, x, name, target) for target in range(4)])
    assert close(found, np.maximum(averaged, 0), 1e-6)

    row, column = 2, 3
    part = np.zeros((4, len(x)))
    for k in range(maps.shape[-1]):
        one = np.zeros(maps.shape[1:])
        one[row, column, k] = epsilon
        part += ((score(maps + one) - score(maps - one)) / (2 * epsilon)).T * maps[
            :, row, column, k
        ]
    found = np.stack([hires_cam(model, x, name, target) for target in range(4)])
    np.testing.assert_allclose(
        found[..., row, column], np.maximum(part, 0), rtol=0, atol=1e-6 * found.max()
    )


def published_grad_cam(model, x, layer, score):
    """Grad-CAM of tf-keras-vis, which can only take apart flat functional models."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tf_keras_vis.gradcam import Gradcam

    def without_activation(clone):
        clone.layers[-1].activation = keras.activations.linear

    explainer = Gradcam(model, model_modifier=without_activation, clone=True)
    maps = explainer(
        score,
        x,
        penultimate_layer=layer,
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )
    return np.asarray(maps)


def digits_net():
    flat = small_nets.digit_convnet()
    return runs.load("mnist_convnet-real").restore(flat), (28, 28, 1), ["conv2d", "conv2d_2"]


def photo_net():
    return course_nets.convnet(64), (64, 64, 3), ["conv2d_1", "conv2d_3"]


def branching_net():
    net = keras.applications.MobileNetV2(
        alpha=0.35, weights=None, input_shape=(64, 64, 3), classes=4
    )
    set_weights(net)
    return net, (64, 64, 3), ["block_5_add", "block_9_project", "out_relu"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [digits_net, photo_net, pytest.param(branching_net, marks=pytest.mark.full)]
)
def test_grad_cam_equals_that_of_tf_keras_vis(make):
    model, shape, names = make()
    x = np.random.default_rng(3).random((4, *shape)).astype("float32")
    convolutions = [layer.name for layer in model.layers if "Conv2D" in type(layer).__name__]
    names = [convolutions[0], convolutions[-1]] if "conv2d" in names[0] else names
    compared = 0
    for name in names:
        for target in (0, 1):
            if model.output_shape[-1] == 1:
                sign = 2 * target - 1
                theirs = published_grad_cam(model, x, name, lambda z, sign=sign: sign * z[:, 0])
            else:
                theirs = published_grad_cam(model, x, name, lambda z, c=target: z[:, c])
            ours = grad_cam(model, x, name, target)
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * theirs.max())
            compared += theirs.max() > 0
    assert compared >= len(names)


# All forms of a network


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("classes", [1, 4])
def test_all_forms_of_a_network_have_the_same_maps(form, classes, tmp_path):
    x = pictures()
    for method in (grad_cam, hires_cam):
        for name in ("conv2", None):
            expected = method(build("sequential", classes), x, name, target=1)
            found = method(build(form, classes, folder=tmp_path), x, name, target=1)
            assert close(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_gives_nearly_the_same_maps(policy):
    x = pictures()
    for form, pooling in (("nested", False), ("nested", True), ("late activation", True)):
        expected = build(form, pooling=pooling)
        keras.config.set_dtype_policy(policy)
        try:
            model = build(form, pooling=pooling)
        finally:
            keras.config.set_dtype_policy("float32")
        # Behind the last pooling: which of two nearly equal values it takes, rounding decides.
        for method in METHODS:
            found = method(model, x, "pool3", 1)
            assert found.dtype == np.float32
            assert close(found, method(expected, x, "pool3", 1), 0.05)


@pytest.mark.parametrize("size", [16, 20, 33])
def test_pictures_of_other_sizes_work_where_the_layers_allow_it(size):
    averaging = build(pooling=True, size=20)
    for method in METHODS:
        found = method(averaging, pictures(2, size), target=1)
        side = (size - 2) // 2 - 2
        assert found.shape[1:] in {(side, side), (side // 2, side // 2)}
    as_built = build(pooling=True, size=size)
    found, expected = (grad_cam(net, pictures(2, size), target=1) for net in (averaging, as_built))
    assert close(found, expected)


def test_a_frozen_network_has_the_same_maps():
    model, x = build("nested"), pictures()
    expected = grad_cam(model, x, target=1)
    model.trainable = False
    assert close(grad_cam(model, x, target=1), expected, 1e-7)


@pytest.mark.slow
def test_a_network_on_a_base_of_the_course_can_be_explained_and_so_can_its_copy(tmp_path):
    base = bases.course_base(64)
    model = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            bases.preprocessing("course"),
            base,
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.save(tmp_path / "net.keras")
    copy, x = keras.models.load_model(tmp_path / "net.keras"), pictures(2, 64)
    for layer, side in ((None, 4), ("block3_conv2", 16), ("course_base/block5_conv2", 4)):
        for method in (grad_cam, hires_cam):
            maps = np.stack([method(model, x, layer, target) for target in (0, 1)])
            assert maps.shape == (2, 2, side, side)
            assert close(np.stack([method(copy, x, layer, target) for target in (0, 1)]), maps)


# Batches and classes


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_gives_what_its_pictures_give_alone(method):
    model, x = build("augmented", pooling=True), pictures(5)
    together = method(model, x, target=[0, 1, 2, 3, 0])
    alone = [method(model, x[i : i + 1], target=i % 4)[0] for i in range(5)]
    assert close(together, np.stack(alone))
    assert close(method(model, x, target=[0, 1, 2, 3, 0], batch_size=2), together)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [1, 4])
def test_without_a_target_the_predicted_class_is_explained(method, classes):
    model, x = build(classes=classes, pooling=True), pictures(6)
    p = model(x, training=False).numpy()
    predicted = (p[:, 0] > 0.5).astype(int) if classes == 1 else p.argmax(axis=1)
    np.testing.assert_array_equal(method(model, x), method(model, x, target=predicted))


def test_the_two_directions_of_a_sigmoid_are_opposite():
    model, x = build(classes=1, pooling=True), pictures()
    for_1, for_0 = (grad_cam(model, x, "pool3", target) for target in (1, 0))
    assert for_1.any() or for_0.any()
    assert not ((for_1 > 0) & (for_0 > 0)).any()


def test_the_two_directions_of_a_sigmoid_are_those_of_two_classes():
    """A sigmoid is a softmax over the scores 0 and z."""
    one, x = build("logits", classes=1), pictures()
    two = build("logits", classes=2)
    kernel, bias = one.layers[-1].get_weights()
    two.set_weights([*one.get_weights()[:-2], np.hstack([-kernel, kernel]), np.tile(bias, 2)])
    for method in (grad_cam, hires_cam):
        of_one, of_two = (
            np.stack([method(model, x, target=target) for target in (0, 1)]) for model in (one, two)
        )
        assert close(of_one, of_two)


def test_a_saturated_softmax_does_not_hide_the_map():
    """The gradient of a probability of 1 is 0; that of the score is not."""
    model, x = build(), pictures()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 1000, bias])
    target = model(x, training=False).numpy().argmax(axis=1)
    assert model(x, training=False).numpy().max() == 1
    model.layers[-1].set_weights([kernel, bias])
    expected = grad_cam(model, x, target=target)
    model.layers[-1].set_weights([kernel * 1000, bias])
    assert close(grad_cam(model, x, target=target), 1000 * expected)


# A net that looks at one corner only


def corner_net(corner, classes, activation="softmax"):
    """Its class is whether a corner of 4 x 4 pixels is bright: all else is cut off on the way."""
    top, left = corner
    cut = ((12 * top, 12 - 12 * top), (12 * left, 12 - 12 * left))
    maps = layers.Conv2D(2, 1, activation="relu", use_bias=False, name="maps")
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Cropping2D(cut),
            layers.ZeroPadding2D(cut),
            maps,
            layers.GlobalAveragePooling2D(),
            layers.Dense(classes, activation=activation),
        ]
    )
    weights = [[-60.0, 60.0]] * 2 if classes == 2 else [[60.0]] * 2
    bias = [1.0, -1.0] if classes == 2 else [-2.0]
    model.set_weights([np.ones((1, 1, 1, 2)), np.array(weights), np.array(bias)])
    return model


CORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("classes", [1, 2])
def test_a_net_that_depends_on_one_corner_lights_up_that_corner_alone(corner, classes):
    model = corner_net(corner, classes, "sigmoid" if classes == 1 else "softmax")
    x = np.random.default_rng(0).uniform(0.6, 1, (8, 16, 16, 1))
    top, left = corner
    box = np.array([12 * left, 12 * top, 12 * left + 4, 12 * top + 4], float)
    boxes = np.tile(box, (8, 1))
    assert (model(x).numpy()[:, -1] > 0.5).all()
    for method in METHODS:
        maps = heatmap_overlays.scaled(method(model, x, target=1))
        assert localization_scores.pointing_game(maps, boxes, 16).all()
        np.testing.assert_allclose(localization_scores.energy_inside(maps, boxes, 16), 1)


def test_behind_flatten_grad_cam_may_point_where_the_classifier_does_not_look():
    """Maps light up all over the picture, but the dense layer reads those of one corner only."""
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(2, 1, activation="relu", name="maps"),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    reads = np.zeros((16, 16, 2))
    reads[:4, 12:] = 1
    model.set_weights([np.ones((1, 1, 1, 2)), np.zeros(2), reads.reshape(-1, 1), np.array([-16.0])])
    x = np.random.default_rng(0).uniform(0.6, 1, (8, 16, 16, 1))
    boxes = np.tile([12.0, 0, 16, 4], (8, 1))
    by_place, averaged = (method(model, x, target=1) for method in (hires_cam, grad_cam))
    np.testing.assert_allclose(localization_scores.energy_inside(by_place, boxes, 16), 1)
    assert localization_scores.pointing_game(by_place, boxes, 16).all()
    assert localization_scores.energy_inside(averaged, boxes, 16).max() < 0.1


# What can go wrong


def test_a_picture_in_which_nothing_speaks_for_the_class_has_an_empty_map_and_no_nan():
    model = corner_net((0, 0), 1, "sigmoid")
    maps = grad_cam(model, np.ones((2, 16, 16, 1)), target=0)
    assert not maps.any()
    np.testing.assert_array_equal(heatmap_overlays.scaled(maps), 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_constant_picture_is_explained_like_any_other(method, value):
    found = method(build(pooling=True), np.full((1, 20, 20, 3), value), target=0)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 20, 20, 3)), "empty"),
        (np.full((2, 20, 20, 3), np.nan), "NaN"),
        (np.zeros((20, 20, 3)), "give a batch"),
        (np.zeros((1, 20, 20, 1)), "reads"),
    ],
)
def test_pictures_that_cannot_be_explained_are_refused(method, x, message):
    with pytest.raises(ValueError, match=message):
        method(build(pooling=True), x)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", [4, -1, 1.0, "dog", [0, 1], [[0]], True])
def test_an_unknown_class_is_refused(method, target):
    with pytest.raises(ValueError, match="target is"):
        method(build(pooling=True), pictures(3), target=target)


def test_a_sigmoid_has_the_classes_0_and_1_only():
    with pytest.raises(ValueError, match="classes 0 to 1"):
        grad_cam(build(classes=1), pictures(), target=2)


@pytest.mark.parametrize("method", [grad_cam, hires_cam])
@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("flatten", r"'flatten' has results of shape \(None, 45\).*with maps: conv1, pool1"),
        ("last", "without places to tell apart"),
        ("conv4", "Did you mean"),
        ("nothing", "There are: conv1"),
    ],
)
def test_a_layer_without_maps_or_that_is_not_there_is_refused(method, layer, message):
    with pytest.raises(ValueError, match=message):
        method(build(), pictures(), layer)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_that_was_never_built_is_refused(method):
    model = keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"keras.Input"):
        method(model, pictures())


@pytest.mark.parametrize("method", METHODS)
def test_a_base_without_a_classifier_is_refused(method):
    with pytest.raises(ValueError, match="Give a whole classifier"):
        method(build("nested").layers[0], pictures())


def test_a_network_without_convolutions_has_no_maps():
    with pytest.raises(ValueError, match="no convolution"):
        grad_cam(small_nets.digit_dense(), np.zeros((1, 28, 28, 1)))


def test_explaining_leaves_weights_and_outputs_as_they_were():
    model, x = build("nested"), pictures()
    weights, p = model.get_weights(), softmax(model(x, training=False), axis=-1)
    for method in (grad_cam, hires_cam):
        method(model, x)
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(softmax(model(x, training=False), axis=-1), p)
    assert model.layers[-1].activation is keras.activations.softmax
