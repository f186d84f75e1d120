import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.signal import convolve2d, correlate2d

from course_utils.backend import keras
from course_utils.convolution import (
    average_pool2d,
    conv2d,
    conv_parameters,
    dense_parameters,
    max_pool2d,
    output_size,
    padding_amounts,
    receptive_field,
    receptive_window,
)
from tests.examples import many

DTYPES = [np.uint8, np.int16, np.int64, np.bool_, np.float16, np.float32, np.float64]
ONES = np.ones((3, 3))


def numbers(seed, shape, dtype=float):
    """Random numbers of any dtype: small whole ones for integers, a bell for the rest."""
    random = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.complexfloating):
        return random.normal(size=shape) + 1j * random.normal(size=shape)
    if np.issubdtype(dtype, np.floating):
        return random.normal(size=shape).astype(dtype)
    return random.integers(0, 9, shape).astype(dtype)


def assert_close(ours, theirs):
    """Compare shapes exactly and values as closely as the coarser of the two dtypes allows."""
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    single = {ours.dtype, theirs.dtype} & {np.dtype(np.float32), np.dtype(np.complex64)}
    tolerance = 1e-4 if single else 1e-10
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


MODES = st.sampled_from(["valid", "same", "full"])
PADDINGS = MODES | st.tuples(st.integers(0, 3), st.integers(0, 3))


def kernel_sizes(size, padding):
    """Sizes of kernels that fit, up to 5."""
    added = {"valid": 0, "same": 2, "full": 2}.get(padding)
    return st.integers(1, min(5, size + (sum(padding) if added is None else added)))


@st.composite
def convolutions(draw, paddings=PADDINGS):
    """Shapes, stride and padding for `conv2d`, and a seed for the numbers."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    channels, filters = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    padding = draw(paddings)
    kernel = draw(kernel_sizes(height, padding)), draw(kernel_sizes(width, padding))
    images = draw(st.integers(1, 3)), height, width, channels
    stride, seed = draw(st.integers(1, 4)), draw(st.integers(0, 2**32))
    return images, (*kernel, channels, filters), stride, padding, seed


def keras_conv(images, kernels, stride, padding):
    """What Keras makes of float64 images; modes that it does not know are padded beforehand."""
    if padding not in ("valid", "same"):
        around = [(n - 1, n - 1) if padding == "full" else padding for n in kernels.shape[:-2]]
        images, padding = np.pad(images, [(0, 0), *around, (0, 0)]), "valid"
    return keras.ops.conv(images, kernels, strides=stride, padding=padding)


# Known answers


def test_a_3x3_kernel_over_a_5x5_image_gives_the_sums_worked_out_by_hand():
    image = [[1, 2, 0, 1, 3], [0, 1, 2, 2, 1], [3, 0, 1, 0, 2], [1, 1, 0, 2, 0], [2, 0, 3, 1, 1]]
    kernel = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
    expected = [[-1, -1, -2], [3, -2, -1], [3, -3, 1]]
    np.testing.assert_array_equal(conv2d(image, kernel), expected)


def test_the_kernel_is_not_flipped():
    image = np.zeros((3, 3))
    image[1, 1] = 1
    np.testing.assert_array_equal(conv2d(image, [[1, 2], [3, 4]]), [[4, 3], [2, 1]])


@pytest.mark.parametrize(
    ("size", "kernel_size", "stride", "padding", "expected"),
    [
        (5, 3, 1, "valid", 3),
        (10, 3, 1, "valid", 8),
        (5, 3, 2, "valid", 2),
        (6, 3, 2, "valid", 2),
        (5, 3, 1, "same", 5),
        (5, 3, 2, "same", 3),
        (5, 3, 1, "full", 7),
        (5, 3, 1, (1, 0), 4),
        (3, 3, 1, "valid", 1),
        (2, 3, 1, "same", 2),
    ],
)
def test_output_sizes_worked_out_by_hand(size, kernel_size, stride, padding, expected):
    assert output_size(size, kernel_size, stride, padding) == expected
    image, kernel = np.ones((size, size)), np.ones((kernel_size, kernel_size))
    assert conv2d(image, kernel, stride, padding).shape == (expected, expected)


@pytest.mark.parametrize(
    ("size", "kernel_size", "stride", "padding", "expected"),
    [
        (5, 3, 1, "valid", (0, 0)),
        (5, 3, 1, "same", (1, 1)),
        (5, 4, 1, "same", (1, 2)),
        (5, 1, 1, "same", (0, 0)),
        (6, 2, 3, "same", (0, 0)),
        (6, 3, 2, "same", (0, 1)),
        (5, 4, 1, "full", (3, 3)),
        (5, 3, 1, (2, 0), (2, 0)),
    ],
)
def test_padding_amounts_worked_out_by_hand(size, kernel_size, stride, padding, expected):
    assert padding_amounts(size, kernel_size, stride, padding) == expected


def test_the_coverage_map_counts_corners_once_and_the_centre_nine_times():
    coverage = conv2d(np.ones((3, 3)), ONES, padding="full")
    assert coverage.shape == (5, 5)
    assert coverage[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [1, 1, 1, 1]
    assert coverage[2, 2] == 9
    np.testing.assert_array_equal(coverage[0], [1, 2, 3, 2, 1])


def test_pooling_worked_out_by_hand():
    image = [[1, 5, 2, 0], [3, 4, 8, 1], [0, 0, 1, 1], [2, 6, 1, 1]]
    np.testing.assert_array_equal(max_pool2d(image), [[5, 8], [6, 1]])
    np.testing.assert_array_equal(average_pool2d(image), [[3.25, 2.75], [2, 1]])
    np.testing.assert_array_equal(max_pool2d(image, 3, 1), [[8, 8], [8, 8]])
    np.testing.assert_array_equal(average_pool2d([[6.0]], 3, 1, "same"), [[6]])


def test_parameters_of_the_digit_net():
    convolutions = [conv_parameters(3, c, k) for c, k in [(1, 32), (32, 64), (64, 64)]]
    assert convolutions == [320, 18496, 36928]
    assert dense_parameters(64, 10) == 650
    assert sum(convolutions) + dense_parameters(576, 64) + dense_parameters(64, 10) == 93_322


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], 1),
        ([(3, 1)], 3),
        ([(3, 1)] * 2, 5),
        ([(3, 1)] * 3, 7),
        ([(2, 2)], 2),
        ([(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)], 18),
    ],
)
def test_receptive_fields_worked_out_by_hand(layers, expected):
    assert receptive_field(layers) == expected
    assert receptive_window(layers, 0) == (0, expected)


def test_a_window_moves_by_the_product_of_the_strides():
    assert receptive_window([(3, 1), (2, 2)], 4) == (8, 12)
    assert receptive_window([(3, 2), (3, 2)], np.int64(1)) == (4, 11)


# Against Keras, SciPy and NumPy


@many(1000)
@given(convolutions(), st.sampled_from(DTYPES), st.sampled_from(DTYPES))
def test_conv2d_is_what_keras_computes(case, image_type, kernel_type):
    shape, kernel_shape, stride, padding, seed = case
    images, kernels = numbers(seed, shape, image_type), numbers(seed + 1, kernel_shape, kernel_type)
    theirs = keras_conv(images.astype(float), kernels.astype(float), stride, padding)
    assert_close(conv2d(images, kernels, stride, padding), theirs)


@many(1000)
@given(convolutions(MODES), st.sampled_from([float, complex]), st.sampled_from([float, complex]))
def test_conv2d_is_scipys_cross_correlation(case, image_type, kernel_type):
    (_, *shape), kernel_shape, stride, padding, seed = case
    image = numbers(seed, shape, image_type)
    kernel = numbers(seed + 1, kernel_shape[:3], kernel_type)
    # SciPy conjugates the kernel, which deep learning does not.
    channels = zip(np.moveaxis(image, 2, 0), np.moveaxis(kernel, 2, 0).conj(), strict=True)
    if padding == "same":
        stride = 1  # with a larger one, "same" pads less than SciPy does
        whole = sum(correlate2d(*pair) for pair in channels)
        top, left = (size // 2 for size in kernel_shape[:2])
        theirs = whole[top : top + shape[0], left : left + shape[1]]
    else:
        theirs = sum(correlate2d(*pair, padding) for pair in channels)[::stride, ::stride]
    assert_close(conv2d(image, kernel, stride, padding), theirs)


@many(200)
@given(convolutions(st.sampled_from(["valid", "full"])))
def test_flipping_the_kernel_gives_the_convolution_of_mathematics(case):
    (_, *shape, _), (*kernel_shape, _, _), _, padding, seed = case
    image, kernel = numbers(seed, shape), numbers(seed + 1, kernel_shape)
    theirs = convolve2d(image, kernel, padding)
    assert_close(conv2d(image, kernel[::-1, ::-1], padding=padding), theirs)


@many(200)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(["valid", "full"]), st.booleans())
def test_a_row_of_pixels_is_correlated_as_numpy_does_it(length, kernel_size, padding, is_complex):
    signal = numbers(length, length)
    kernel = numbers(kernel_size, min(kernel_size, length), complex if is_complex else float)
    (ours,) = conv2d(signal[np.newaxis], kernel[np.newaxis], padding=padding)
    assert_close(ours, np.correlate(signal, kernel.conj(), padding))


@many(1000)
@given(
    st.tuples(*[st.integers(1, largest) for largest in (2, 9, 9, 3)]),
    st.integers(1, 4),
    st.none() | st.integers(1, 4),
    st.sampled_from(["valid", "same"]),
    st.sampled_from(DTYPES),
    st.integers(0, 9999),
)
def test_pooling_is_what_keras_computes(shape, pool_size, stride, padding, dtype, seed):
    assume(padding == "same" or pool_size <= min(shape[1:3]))
    images = numbers(seed, shape, dtype)
    how = (pool_size, stride, padding)
    assert_close(max_pool2d(images, *how), keras.ops.max_pool(images.astype("f4"), *how))
    assert_close(average_pool2d(images, *how), keras.ops.average_pool(images.astype("f4"), *how))


@many(1000)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 7), st.sampled_from(["valid", "same"]))
def test_padding_and_output_size_are_those_of_keras(size, kernel_size, stride, padding):
    assume(padding == "same" or kernel_size <= size)
    signal, kernel = numbers(size, (1, size, 1)), numbers(kernel_size, (kernel_size, 1, 1))
    theirs = keras.ops.conv(signal, kernel, stride, padding)
    assert theirs.shape[1] == output_size(size, kernel_size, stride, padding)
    amounts = padding_amounts(size, kernel_size, stride, padding)
    padded = np.pad(signal, [(0, 0), amounts, (0, 0)])
    assert_close(np.asarray(keras.ops.conv(padded, kernel, stride, "valid")), theirs)


@pytest.mark.slow
@many(1000)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
def test_parameters_are_those_that_keras_counts(kernel_size, channels, filters):
    layer = keras.layers.Conv2D(filters, kernel_size, kernel_initializer="zeros")
    layer.build((None, None, None, channels))
    assert conv_parameters(kernel_size, channels, filters) == layer.count_params()
    layer = keras.layers.Dense(filters, kernel_initializer="zeros")
    layer.build((None, channels))
    assert dense_parameters(channels, filters) == layer.count_params()


@many(1000)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), max_size=4),
    st.integers(0, 3),
)
def test_receptive_fields_are_those_that_impulses_measure(layers, index):
    start, stop = receptive_window(layers, index)
    assert stop - start == receptive_field(layers)
    # Row i of the signals is 0 but at pixel i; what is not 0 at the end has seen that pixel.
    signals = np.eye(stop + 2)[:, np.newaxis, :, np.newaxis]
    for kernel_size, stride in layers:
        signals = conv2d(signals, np.ones((1, kernel_size, 1, 1)), stride)
    seen = np.flatnonzero(signals[:, 0, index, 0])
    # a stride larger than the kernel leaves gaps, so only the ends and the outside are certain
    assert (seen[0], seen[-1] + 1) == (start, stop)
    if all(kernel_size >= stride for kernel_size, stride in layers):
        assert len(seen) == stop - start


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_digit_net_sees_18_by_18_pixels_as_perturbing_them_shows(index):
    layers = [(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)]

    def last_map(image):
        for number, (size, stride) in enumerate(layers):
            image = max_pool2d(image, size, stride) if number % 2 else conv2d(image, ONES)
        return image

    start, stop = receptive_window(layers, index)
    seen = np.zeros((28, 28), bool)
    for pixel in np.ndindex(28, 28):
        image = np.zeros((28, 28))
        image[pixel] = 1
        seen[pixel] = last_map(image)[index, index] != 0
    expected = np.zeros((28, 28), bool)
    expected[start:stop, start:stop] = True
    np.testing.assert_array_equal(seen, expected)


# Properties


@many(150)
@given(convolutions(), st.floats(-9, 9), st.floats(-9, 9))
def test_conv2d_is_linear_in_images_and_in_kernels(case, a, b):
    shape, kernel_shape, stride, padding, seed = case
    x, y = numbers(seed, (2, *shape))
    v, w = numbers(seed + 1, (2, *kernel_shape))

    def conv(images, kernels):
        return conv2d(images, kernels, stride, padding)

    assert_close(conv(a * x + b * y, v), a * conv(x, v) + b * conv(y, v))
    assert_close(conv(x, a * v + b * w), a * conv(x, v) + b * conv(x, w))


@many(100)
@given(convolutions(), st.integers(0, 4), st.integers(0, 4))
def test_shifting_the_image_shifts_the_output(case, down, right):
    shape, kernel_shape, stride, _, seed = case
    image = numbers(seed, (shape[0], 20, 20, shape[3]))
    kernels = numbers(seed + 1, kernel_shape)
    moved = conv2d(image[:, down * stride :, right * stride :], kernels, stride)
    assert_close(moved, conv2d(image, kernels, stride)[:, down:, right:])


def test_a_kernel_with_a_single_1_copies_the_image():
    image, kernel = numbers(0, (6, 7)), np.zeros((3, 3))
    kernel[1, 1] = 1
    np.testing.assert_array_equal(conv2d(image, kernel, padding="same"), image)


def test_large_batches_come_out_as_their_images_one_by_one():
    images, kernels = numbers(0, (150, 6, 5, 2)), numbers(1, (3, 2, 2, 3))
    one_by_one = np.stack([conv2d(image, kernels, 2, "same") for image in images])
    assert_close(conv2d(images, kernels, 2, "same"), one_by_one)


@pytest.mark.parametrize(
    ("image", "kernel", "output"),
    [
        ((8, 9), (3, 3), (6, 7)),
        ((8, 9, 2), (3, 3, 2), (6, 7)),
        ((8, 9, 2), (3, 3, 2, 5), (6, 7, 5)),
        ((8, 9), (3, 3, 1, 5), (6, 7, 5)),
        ((4, 8, 9, 2), (3, 3, 2), (4, 6, 7)),
        ((4, 8, 9, 2), (3, 3, 2, 5), (4, 6, 7, 5)),
        ((1, 8, 9, 1), (3, 3, 1, 1), (1, 6, 7, 1)),
    ],
)
def test_the_output_of_conv2d_has_the_axes_that_its_inputs_have(image, kernel, output):
    assert conv2d(np.ones(image), np.ones(kernel)).shape == output


@pytest.mark.parametrize("pool", [max_pool2d, average_pool2d])
@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3), (2, 6, 8, 3)])
def test_pooling_keeps_the_axes_and_works_channel_by_channel(pool, shape):
    images = numbers(0, shape)
    pooled = pool(images)
    assert pooled.shape == tuple({6: 3, 8: 4}.get(size, size) for size in shape)
    if len(shape) > 2:
        assert_close(pooled[..., 1], pool(images[..., [1]])[..., 0])


@pytest.mark.parametrize("pool", [max_pool2d, average_pool2d])
def test_padding_does_not_count_in_pooling(pool):
    np.testing.assert_array_equal(pool(np.full((4, 4), -7.0), 3, 1, "full"), np.full((6, 6), -7))
    np.testing.assert_array_equal(pool(np.full((4, 4), -7.0), 3, 1, (2, 1)), np.full((5, 5), -7))


@pytest.mark.parametrize(
    ("image", "kernel", "result"),
    [
        (np.float32, np.float32, np.float32),
        (np.uint8, np.float32, np.float32),
        (np.uint8, np.int8, np.float32),
        (np.bool_, np.float16, np.float32),
        (np.float32, np.float64, np.float64),
        (np.int64, np.float32, np.float64),
        (np.float32, np.complex64, np.complex64),
        (np.float64, np.complex128, np.complex128),
        (np.complex128, np.float32, np.complex128),
    ],
)
def test_the_result_is_as_precise_as_the_inputs(image, kernel, result):
    assert conv2d(np.ones((4, 4), image), np.ones((3, 3), kernel)).dtype == result


def test_pooling_keeps_float32():
    image = np.ones((4, 4), np.float32)
    assert max_pool2d(image).dtype == average_pool2d(image).dtype == np.float32


def test_bytes_do_not_overflow():
    image, kernel = np.full((3, 3), 255, np.uint8), np.full((3, 3), 255, np.uint8)
    assert conv2d(image, kernel) == 9 * 255 * 255
    assert average_pool2d(image, 3) == 255


def test_lists_are_read_as_arrays():
    np.testing.assert_array_equal(conv2d([[1, 2], [3, 4]], [[1]]), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(max_pool2d([[1, 2], [3, 4]]), [[4]])


@pytest.mark.parametrize("padding", ["valid", "same", "full", (1, 0)])
def test_inputs_are_left_as_they_are(padding):
    images, kernels = numbers(0, (2, 6, 6, 3)), numbers(1, (3, 3, 3, 2))
    before = images.copy(), kernels.copy()
    for array in (images, kernels):
        array.flags.writeable = False
    outputs = [conv2d(images, kernels, padding=padding), conv2d(images, np.ones((1, 1, 3, 1)))]
    outputs += [pool(images, 3, 1, padding) for pool in (max_pool2d, average_pool2d)]
    outputs += [pool(images, 1) for pool in (max_pool2d, average_pool2d)]
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(kernels, before[1])
    assert all(output.flags.writeable for output in outputs)
    assert not any(np.shares_memory(output, images) for output in outputs)


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[::2, ::-1],
        lambda image: image.T,
        np.asfortranarray,
        lambda image: np.broadcast_to(image[:1], image.shape),
        lambda image: image.astype(">f8"),
    ],
)
def test_any_memory_layout_will_do(view):
    image, kernel = view(numbers(0, (12, 12))), view(numbers(1, (12, 12)))[:3, :3]
    copies = np.array(image, float, order="C"), np.array(kernel, float, order="C")
    np.testing.assert_allclose(conv2d(image, kernel), conv2d(*copies), rtol=1e-12)
    np.testing.assert_array_equal(max_pool2d(image), max_pool2d(copies[0]))


# Bad input

NOT_COUNTS = [0, -1, 1.0, 2.5, True, "2", None, math.nan, np.float64(1), np.True_, [1], (1, 1)]
BAD_PADDINGS = [
    ("SAME", r"Unknown padding 'SAME': use 'valid', 'same', 'full' or a pair"),
    ("", r"Unknown padding ''"),
    (1, r"Unknown padding 1: use"),
    (None, r"Unknown padding None: use"),
    ((1,), r"Unknown padding \(1,\): use .* pair \(start, end\)"),
    ((1, 2, 3), r"Unknown padding \(1, 2, 3\): use"),
    (((1, 1), (1, 1)), r"padding is \(1, 1\); expected an integer of 0 or more"),
    ((-1, 0), r"padding is -1; expected an integer of 0 or more"),
    ((0, -2), r"padding is -2; expected"),
    ((1.5, 0), r"padding is 1\.5; expected"),
    ((True, 0), r"padding is True; expected"),
    (("same", "same"), r"padding is 'same'; expected"),
]


@pytest.mark.parametrize("value", NOT_COUNTS)
@pytest.mark.parametrize("name", ["size", "kernel_size", "stride"])
def test_sizes_and_strides_must_be_whole_numbers_from_1(name, value):
    arguments = {"size": 5, "kernel_size": 3, "stride": 1} | {name: value}
    for function in (padding_amounts, output_size):
        with pytest.raises(ValueError, match=rf"{name} is .+; expected an integer of 1 or more"):
            function(**arguments)


@pytest.mark.parametrize("stride", [value for value in NOT_COUNTS if value is not None])
def test_a_bad_stride_is_named(stride):
    for call in (
        lambda: conv2d(np.ones((5, 5)), ONES, stride),
        lambda: max_pool2d(np.ones((5, 5)), 2, stride),
        lambda: average_pool2d(np.ones((5, 5)), 2, stride),
        lambda: receptive_field([(3, stride)]),
    ):
        with pytest.raises(ValueError, match="stride is .+; expected an integer of 1 or more"):
            call()


@pytest.mark.parametrize(("padding", "message"), BAD_PADDINGS)
def test_a_bad_padding_is_named_with_what_to_use(padding, message):
    for call in (
        lambda: padding_amounts(5, 3, 1, padding),
        lambda: output_size(5, 3, 1, padding),
        lambda: conv2d(np.ones((5, 5)), ONES, padding=padding),
        lambda: max_pool2d(np.ones((5, 5)), padding=padding),
        lambda: average_pool2d(np.ones((5, 5)), padding=padding),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_an_array_as_padding_is_refused_with_what_to_use():
    with pytest.raises(ValueError, match="Unknown padding .*: use 'valid'"):
        padding_amounts(5, 3, padding=np.array([1, 1]))


def test_a_kernel_that_does_not_fit_is_refused_with_remedies():
    message = r"kernel of 5 does not fit into 4 pixels with padding 'valid'.*smaller kernel.*'same'"
    for call in (
        lambda: output_size(4, 5),
        lambda: conv2d(np.ones((4, 9)), np.ones((5, 5))),
        lambda: conv2d(np.ones((9, 4)), np.ones((5, 5))),
        lambda: max_pool2d(np.ones((4, 4)), 5),
        lambda: average_pool2d(np.ones((4, 4)), 5),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match=r"5 does not fit into 2 pixels with padding \(1, 1\)"):
        conv2d(np.ones((2, 2)), np.ones((5, 5)), padding=(1, 1))


@pytest.mark.parametrize("shape", [(), (5,), (1, 1, 5, 5, 1)])
def test_a_wrong_number_of_axes_is_refused_with_the_shape(shape):
    array = np.ones(shape)
    for call in (
        lambda: conv2d(array, ONES),
        lambda: max_pool2d(array),
        lambda: average_pool2d(array),
    ):
        with pytest.raises(ValueError, match=r"input has shape \(.*\); expected \(H, W\)"):
            call()
    with pytest.raises(ValueError, match=r"kernel has shape \(.*\); expected \(F_h, F_w\)"):
        conv2d(np.ones((5, 5)), array)


@pytest.mark.parametrize(
    ("image", "kernel"),
    [((5, 5, 3), (3, 3)), ((5, 5, 3), (3, 3, 2)), ((2, 5, 5, 3), (3, 3, 1, 8))],
)
def test_a_mismatch_of_channels_gives_both_numbers(image, kernel):
    with pytest.raises(ValueError, match=r"input has 3 channels, the kernel [12]: .*one slice"):
        conv2d(np.ones(image), np.ones(kernel))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (0, 5, 5, 1), (5, 5, 0)])
def test_an_empty_image_or_kernel_is_refused(shape):
    for call in (
        lambda: conv2d(np.ones(shape), ONES),
        lambda: max_pool2d(np.ones(shape)),
        lambda: average_pool2d(np.ones(shape)),
    ):
        with pytest.raises(ValueError, match=r"input is empty: its shape is \(.*0.*\)"):
            call()
    with pytest.raises(ValueError, match=r"kernel is empty: its shape is \(.*0.*\)"):
        conv2d(np.ones((5, 5)), np.ones(shape))


@pytest.mark.parametrize("bad", [np.nan, complex(0, np.nan)])
def test_nan_is_refused_with_a_remedy(bad):
    image = np.ones((5, 5), type(bad))
    image[2, 2] = bad
    for call in (
        lambda: conv2d(image, ONES),
        lambda: max_pool2d(image),
        lambda: average_pool2d(image),
    ):
        with pytest.raises(ValueError, match=r"input holds NaN or infinite values: .*nan_to_num"):
            call()
    with pytest.raises(ValueError, match=r"kernel holds NaN or infinite"):
        conv2d(np.ones((9, 9)), image)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.full((5, 5), "a"), "<U1"),
        (np.full((5, 5), None), "object"),
        ([["1", "2"], ["3", "4"]], "<U1"),
        (np.full((5, 5), np.datetime64("2024-01-01")), "datetime64"),
    ],
)
def test_anything_but_numbers_is_refused(array, kind):
    for call in (lambda: conv2d(array, ONES), lambda: max_pool2d(array)):
        with pytest.raises(ValueError, match=rf"input holds {kind}.* values; expected numbers"):
            call()
    with pytest.raises(ValueError, match=rf"kernel holds {kind}.* values; expected numbers"):
        conv2d(np.ones((5, 5)), array)


@pytest.mark.parametrize("array", [None, "image", {}, object()])
def test_things_that_are_no_arrays_are_refused(array):
    with pytest.raises(ValueError, match=r"input has shape \(\); expected \(H, W\)"):
        conv2d(array, ONES)


@pytest.mark.parametrize("pool", [max_pool2d, average_pool2d])
@pytest.mark.parametrize(
    ("pool_size", "padding"),
    [
        (2, (2, 0)),
        (3, (0, 4)),
        (1, (1, 1)),
    ],
)
@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_a_pooling_window_in_the_padding_alone_is_refused(pool, pool_size, padding):
    message = rf"Padding \({padding[0]}, {padding[1]}\) leaves windows of {pool_size} without"
    with pytest.raises(ValueError, match=message):
        pool(np.ones((4, 4)), pool_size, 1, padding)


@pytest.mark.parametrize("value", [0, -3, 2.0, True, "3", None])
def test_counts_must_be_whole_numbers_from_1(value):
    for call, name in (
        (lambda: conv_parameters(value, 1, 1), "kernel_size"),
        (lambda: conv_parameters(3, value, 1), "channels"),
        (lambda: conv_parameters(3, 1, value), "filters"),
        (lambda: dense_parameters(value, 1), "inputs"),
        (lambda: dense_parameters(1, value), "outputs"),
        (lambda: receptive_field([(3, 1), (value, 1)]), "kernel_size"),
        (lambda: receptive_window([(value, 1)], 0), "kernel_size"),
        (lambda: max_pool2d(np.ones((5, 5)), value, 1), "pool_size"),
    ):
        with pytest.raises(ValueError, match=rf"{name} is {value!r}; expected an integer of 1"):
            call()


@pytest.mark.parametrize("index", [-1, 0.0, None, True])
def test_the_index_of_a_window_must_be_a_whole_number_from_0(index):
    with pytest.raises(ValueError, match=rf"index is {index!r}; expected an integer of 0 or more"):
        receptive_window([(3, 1)], index)


def test_pooling_of_complex_numbers_is_refused():
    with pytest.raises(ValueError, match="complex: pool its real part or its magnitude"):
        max_pool2d(np.ones((4, 4)) * 1j)


def test_infinite_pixels_are_refused():
    with pytest.raises(ValueError, match="input holds NaN or infinite values"):
        conv2d(np.full((4, 4), np.inf), ONES)


def test_padding_may_be_a_list():
    assert padding_amounts(5, 3, padding=[1, 2]) == (1, 2)
