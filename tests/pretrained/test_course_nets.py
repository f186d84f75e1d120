import numpy as np
import pytest

from course_utils import runs
from course_utils.backend import keras
from course_utils.convolution import conv_parameters, dense_parameters
from course_utils.pretrained import course_nets


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_the_convnet_for_photos_has_the_shapes_and_parameters_of_the_lecture():
    net = course_nets.convnet(150)
    maps = [layer.output.shape[1] for layer in net.layers]
    assert maps[:8] == [148, 74, 72, 36, 34, 17, 15, 7]
    assert maps[8:] == [6272, 6272, 512, 1]
    convolutions = [(3, 3, 32), (3, 32, 64), (3, 64, 128), (3, 128, 128)]
    by_hand = [conv_parameters(*sizes) for sizes in convolutions]
    by_hand += [dense_parameters(6272, 512), dense_parameters(512, 1)]
    assert [n for n in (layer.count_params() for layer in net.layers) if n] == by_hand
    assert net.count_params() == sum(by_hand) == 3_453_121


def test_dropout_stands_before_the_dense_classifier():
    net = course_nets.convnet(64, dropout=0.3)
    place = kinds(net).index("Dropout")
    assert kinds(net)[place - 1 : place + 2] == ["Flatten", "Dropout", "Dense"]
    assert net.layers[place].rate == 0.3


@pytest.mark.parametrize("size", [46, 151])
def test_pictures_of_any_size_from_46_on_become_one_probability(size):
    p = course_nets.convnet(size)(np.random.default_rng(0).random((3, size, size, 3))).numpy()
    assert p.shape == (3, 1)
    assert ((0 < p) & (p < 1)).all()


def test_smaller_pictures_are_refused():
    with pytest.raises(ValueError, match="size is 45"):
        course_nets.convnet(45)


def test_trained_nets_have_their_recorded_weights():
    net, again = course_nets.trained_convnet("embedded"), course_nets.trained_convnet("embedded")
    assert np.ptp(net.layers[0].get_weights()[0]) > 0
    pairs = zip(net.get_weights(), again.get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_in_the_fine_tuned_net_only_what_was_trained_is_not_frozen():
    net = course_nets.fine_tuned("embedded")
    base, head = net.layers[-2:]
    trained = [layer.name for layer in base.layers if layer.trainable and layer.weights]
    assert trained == ["block4_conv1", "block4_conv2"]
    assert len(runs.trained_weights(net)) == 2 * 2 + len(head.weights)
    before = course_nets.base_of("embedded")
    assert np.array_equal(base.layers[1].get_weights()[0], before.layers[1].get_weights()[0])
    assert not np.array_equal(
        base.get_layer("block4_conv2").get_weights()[0],
        before.get_layer("block4_conv2").get_weights()[0],
    )


def test_a_random_base_has_other_weights():
    first, second = (course_nets.base_of("embedded", weights=None) for _ in range(2))
    assert isinstance(first, keras.Model)
    assert not np.array_equal(first.get_weights()[0], second.get_weights()[0])
