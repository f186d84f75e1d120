import numpy as np
import pytest

from course_utils.backend import keras, tf
from course_utils.convolution import receptive_field
from course_utils.explain import layer_graph
from tests.small_nets import FORMS, build, pictures

layers = keras.layers


def compute(model, x, names):
    steps = layer_graph.trace(model)
    wanted = [layer_graph.find(steps, name) for name in names]
    return layer_graph.run({steps[0]: layer_graph.as_batch(steps, x)}, wanted)


def branching():
    """Two branches of different depth that meet again, and a number that is no tensor."""
    start = keras.Input((16, 16, 3))
    deep = layers.Conv2D(4, 3, padding="same", name="deep1")(start)
    deep = layers.Conv2D(4, 5, padding="same", dilation_rate=2, name="deep2")(deep)
    flat = layers.Conv2D(4, 1, name="flat")(start)
    joined = layers.Add(name="add")([deep, flat])
    squared = keras.ops.square(joined) * 0.5
    pooled = layers.GlobalAveragePooling2D(name="gap")(squared)
    return keras.Model(start, layers.Dense(2, activation="softmax", name="last")(pooled))


@pytest.mark.parametrize("form", FORMS)
def test_the_steps_compute_what_the_model_computes(form, tmp_path):
    model = build(form, folder=tmp_path)
    steps = layer_graph.trace(model)
    (result,) = layer_graph.run({steps[0]: pictures()}, [steps[-1]])
    np.testing.assert_allclose(result, model(pictures(), training=False), atol=1e-6)
    assert steps[0].name == "input"
    assert steps[-1].shape == (None, 4)


def test_branches_and_plain_operations_are_followed_too():
    model = branching()
    names = [step.name for step in layer_graph.trace(model)]
    assert {"deep1", "deep2", "flat", "add", "gap", "last"} < set(names)
    last = model(pictures(size=16))
    np.testing.assert_allclose(compute(model, pictures(size=16), ["last"])[0], last, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "DenseNet121", "EfficientNetB0"])
def test_published_networks_are_followed_when_nested_in_another(name):
    base = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    model = keras.Sequential([keras.Input((64, 64, 3)), base, layers.Flatten(), layers.Dense(1)])
    x = pictures(2, 64)
    steps = layer_graph.trace(model)
    (result,) = layer_graph.run({steps[0]: x}, [steps[-1]])
    np.testing.assert_allclose(result, model(x, training=False), rtol=1e-4, atol=1e-5)
    assert all(step.name.startswith(f"{base.name}/") for step in steps[1:-2])


@pytest.mark.parametrize("make", [branching, lambda: build("nested twice", size=16)])
def test_the_shapes_are_those_of_the_results(make):
    steps = layer_graph.trace(make())
    results = layer_graph.run({steps[0]: pictures(2, 16)}, steps[1:])
    assert [(None, *result.shape[1:]) for result in results] == [step.shape for step in steps[1:]]


def test_tracing_and_running_leave_the_model_as_it_was():
    model = build("nested")
    base = model.layers[0]
    before = [layer.output for layer in [*base.layers, *model.layers[1:]]]
    compute(model, pictures(), ["conv3", "last"])
    after = [layer.output for layer in [*base.layers, *model.layers[1:]]]
    assert all(one is other for one, other in zip(before, after, strict=True))


def test_running_starts_in_the_middle_and_calls_nothing_that_is_not_needed():
    steps = layer_graph.trace(build())
    conv3, last = (layer_graph.find(steps, name) for name in ("conv3", "last"))
    maps, expected = layer_graph.run({steps[0]: pictures()}, [conv3, last])
    (result,) = layer_graph.run({conv3: maps}, [last])
    np.testing.assert_allclose(result, expected, atol=1e-6)
    # A size that the Flatten and Dense behind the maps could not take.
    (larger,) = layer_graph.run({steps[0]: pictures(size=40)}, [conv3])
    assert larger.shape == (3, 17, 17, 5)


def test_a_gradient_tape_can_follow_a_result_in_the_middle():
    steps = layer_graph.trace(build())
    conv3, last = (layer_graph.find(steps, name) for name in ("conv3", "last"))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        maps, result = layer_graph.run({steps[0]: pictures()}, [conv3, last], watch=tape.watch)
        total = tf.reduce_sum(result[:, 0])
    assert np.abs(tape.gradient(total, maps)).max() > 0


def test_a_layer_is_found_by_its_full_name_or_the_end_of_it():
    steps = layer_graph.trace(build("nested twice"))
    for name in ("outer/base/conv2", "base/conv2", "conv2"):
        assert layer_graph.find(steps, name).name == "outer/base/conv2"


def test_a_full_name_wins_over_the_end_of_another():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="conv")], name="in")
    steps = layer_graph.trace(keras.Sequential([inner, layers.Conv2D(2, 3, name="conv")]))
    assert layer_graph.find(steps, "conv").name == "conv"
    assert layer_graph.find(steps, "in/conv").name == "in/conv"


def test_a_name_that_two_nested_models_use_is_ambiguous():
    twins = [
        keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 1, name="conv")], name=name)
        for name in ("left", "right")
    ]
    steps = layer_graph.trace(keras.Sequential(twins))
    with pytest.raises(ValueError, match="any of left/conv, right/conv: give the full name"):
        layer_graph.find(steps, "conv")


def test_a_layer_that_is_used_twice_is_refused_by_name():
    start, shared = keras.Input((8, 8, 3)), layers.Conv2D(3, 1, name="shared")
    steps = layer_graph.trace(keras.Model(start, shared(shared(start))))
    with pytest.raises(ValueError, match="'shared' is used 2 times"):
        layer_graph.find(steps, "shared")


def test_an_unknown_name_is_answered_with_the_nearest_and_all_there_are():
    steps = layer_graph.trace(build("nested"))
    with pytest.raises(ValueError, match=r"no layer 'cnov3'. Did you mean 'conv3'\?.*base/conv1"):
        layer_graph.find(steps, "cnov3")
    with pytest.raises(ValueError, match=r"no layer 'xyz'. There are: base/conv1, "):
        layer_graph.find(steps, "xyz")


class Own(keras.Model):
    def call(self, x):
        return x


def two_inputs():
    left, right = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([left, right], layers.Add()([left, right]))


def two_outputs():
    start = keras.Input((8, 8, 3))
    return keras.Model(start, [layers.Conv2D(1, 1)(start), layers.Conv2D(2, 1)(start)])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: keras.Sequential([layers.Conv2D(2, 3), layers.Flatten()]), "keras.Input"),
        (lambda: keras.Sequential([layers.Conv2D(2, 3)]), "not known yet"),
        (Own, "Own is neither a Sequential nor a functional model"),
        (lambda: "conv", "str is neither"),
        (two_inputs, "has 2 inputs"),
        (two_outputs, "several outputs"),
    ],
)
def test_a_model_that_cannot_be_traced_is_refused_with_the_reason(model, message):
    with pytest.raises(ValueError, match=message):
        layer_graph.trace(model())


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((20, 20, 3)), r"give a batch: x\[np.newaxis\]"),
        (np.zeros((2, 20, 20, 1)), r"reads \(None, 20, 20, 3\)"),
        (np.zeros((2, 300)), "reads"),
        (np.zeros((0, 20, 20, 3)), "empty"),
        (np.stack([np.zeros((20, 20, 3)), np.full((20, 20, 3), np.nan)]), "NaN.*picture 1"),
        (np.full((1, 20, 20, 3), np.inf), "infinite"),
    ],
)
def test_pictures_that_do_not_fit_are_refused_with_the_reason(x, message):
    with pytest.raises(ValueError, match=message):
        layer_graph.as_batch(layer_graph.trace(build()), x)


@pytest.mark.parametrize("form", ["sequential", "late activation", "logits"])
@pytest.mark.parametrize("classes", [1, 4])
def test_the_scores_are_those_before_the_activation_whatever_the_head(form, classes):
    steps = layer_graph.trace(build(form, classes))
    logits = build("logits", classes)(pictures(), training=False)
    (scores,) = layer_graph.run({steps[0]: pictures()}, [layer_graph.class_scores(steps)])
    np.testing.assert_allclose(scores, logits, atol=1e-6)


def test_softmax_layers_and_operations_are_left_out_too():
    start = keras.Input((6,))
    logits = layers.Dense(3, name="logits")(start)
    for bend in (layers.Softmax(), keras.ops.softmax, keras.ops.sigmoid):
        steps = layer_graph.trace(keras.Model(start, bend(logits)))
        assert layer_graph.class_scores(steps).name == "logits"


@pytest.mark.parametrize("frozen", [False, True])
def test_what_comes_before_an_activation_gives_the_result_when_it_is_applied(frozen):
    model = build()
    model.trainable = not frozen
    steps = layer_graph.trace(model)
    for name in ("conv1", "norm2", "relu2", "hidden", "last"):
        step = layer_graph.find(steps, name)
        before, activation = layer_graph.before_activation(step)
        sums, result = layer_graph.run({steps[0]: pictures()}, [before, step])
        np.testing.assert_allclose(activation(sums), result, atol=1e-6)
        assert name == "norm2" or np.min(sums) < 0


def test_taking_a_layer_apart_draws_no_random_numbers():
    model = build()
    keras.utils.set_random_seed(0)
    expected = keras.random.normal((3,))
    keras.utils.set_random_seed(0)
    layer_graph.class_scores(layer_graph.trace(model))
    np.testing.assert_array_equal(keras.random.normal((3,)), expected)


def test_a_base_without_a_classifier_has_no_scores():
    base = build("nested").layers[0]
    with pytest.raises(ValueError, match="Give a whole classifier"):
        layer_graph.class_scores(layer_graph.trace(base))


def test_the_last_maps_are_those_before_the_pooling_and_behind_the_activation():
    assert layer_graph.last_maps(layer_graph.trace(build("nested"))).name == "base/conv3"
    net = keras.applications.MobileNet(weights=None, input_shape=(64, 64, 3), alpha=0.25)
    assert layer_graph.last_maps(layer_graph.trace(net)).name == "conv_pw_13_relu"
    with pytest.raises(ValueError, match="no convolution"):
        layer_graph.last_maps(
            layer_graph.trace(keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()]))
        )


def test_the_receptive_field_is_that_of_the_formula():
    steps = {step.name: step for step in layer_graph.trace(build())}
    stack = [(3, 1), (2, 2), (3, 1), (3, 1)]
    assert layer_graph.seen_pixels(steps["relu2"]) == receptive_field(stack[:3])
    assert layer_graph.seen_pixels(steps["conv3"]) == receptive_field(stack)
    assert layer_graph.seen_pixels(steps["hidden"]) is None
    steps = {step.name: step for step in layer_graph.trace(branching())}
    assert layer_graph.seen_pixels(steps["add"]) == receptive_field([(3, 1), (9, 1)])
    assert layer_graph.seen_pixels(steps["flat"]) == 1


@pytest.mark.parametrize("name", ["conv1", "pool1", "conv3"])
def test_a_result_depends_on_exactly_the_pixels_that_it_is_said_to_see(name):
    steps = layer_graph.trace(build())
    step = layer_graph.find(steps, name)
    x = tf.constant(pictures(1, 40))
    before, _ = layer_graph.before_activation(step)
    with tf.GradientTape() as tape:
        tape.watch(x)
        (maps,) = layer_graph.run({steps[0]: x}, [before])
        middle = tf.reduce_sum(maps[0, maps.shape[1] // 2, maps.shape[2] // 2])
    touched = np.abs(tape.gradient(middle, x)[0]).sum(axis=(1, 2)) > 0
    span = np.flatnonzero(touched)
    assert span[-1] - span[0] + 1 <= layer_graph.seen_pixels(step)
    if name != "pool1":  # the largest value of a window hides the others
        assert span[-1] - span[0] + 1 >= layer_graph.seen_pixels(step) - 1
