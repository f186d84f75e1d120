import numpy as np
import pytest
import skimage
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from course_utils.convolution import conv2d
from course_utils.filters import (
    IMAGE_KERNELS,
    gabor_kernel,
    haar_kernel,
    response_magnitude,
    sobel_kernel,
    stack_kernels,
)
from tests.examples import many

ANGLES = st.floats(-7, 7)
KINDS = ["horizontal", "vertical", "diagonal"]


def centre(kernel, size):
    """Cut the middle of a kernel."""
    top, left = (kernel.shape[0] - size) // 2, (kernel.shape[1] - size) // 2
    return kernel[top : top + size, left : left + size]


def edge(kind, size=8):
    """A step of brightness: dark above, dark left, or a chequerboard of two by two blocks."""
    half = np.arange(size) >= size // 2
    row, column = half[:, np.newaxis], half[np.newaxis, :]
    full = np.ones((size, size), bool)
    pictures = {"horizontal": row & full, "vertical": column & full, "diagonal": row == column}
    return pictures[kind].astype(float)


# Image kernels


def test_there_are_eight_image_kernels_of_3_by_3():
    assert set(IMAGE_KERNELS) == {
        *("horizontal edges", "vertical edges", "diagonal edges", "edge detect"),
        *("blur", "sharpen", "emboss", "outline"),
    }
    assert all(kernel.shape == (3, 3) for kernel in IMAGE_KERNELS.values())


@pytest.mark.parametrize("name", list(IMAGE_KERNELS))
def test_a_grey_wall_comes_out_dark_of_edge_kernels_and_unchanged_of_the_others(name):
    keeps = name in ("blur", "sharpen", "emboss")
    assert IMAGE_KERNELS[name].sum() == pytest.approx(1 if keeps else 0)
    result = conv2d(np.full((6, 6), 5.0), IMAGE_KERNELS[name])
    np.testing.assert_allclose(result, np.full((4, 4), 5.0 if keeps else 0.0), atol=1e-12)


@pytest.mark.parametrize("kind", ["horizontal", "vertical"])
def test_edge_kernels_answer_to_the_edges_that_they_name(kind):
    other = {"horizontal": "vertical", "vertical": "horizontal"}[kind]
    kernel = IMAGE_KERNELS[f"{kind} edges"]
    assert conv2d(edge(kind), kernel).max() == 3
    assert np.abs(conv2d(edge(other), kernel)).max() == 0


def test_diagonal_edges_answer_most_where_brightness_grows_to_the_lower_right():
    rows, columns = np.mgrid[:8, :8]
    falling, rising = (rows + columns >= 8).astype(float), (rows >= columns).astype(float)
    kernel = IMAGE_KERNELS["diagonal edges"]
    assert conv2d(falling, kernel).max() == 3
    assert np.abs(conv2d(rising, kernel)).max() <= 1


def test_blur_is_the_mean_of_the_neighbours():
    image = np.random.default_rng(0).normal(size=(7, 7))
    means = ndimage.uniform_filter(image, 3)[1:-1, 1:-1]
    np.testing.assert_allclose(conv2d(image, IMAGE_KERNELS["blur"]), means, rtol=1e-12)


def test_edge_detect_is_the_laplacian_and_sharpen_takes_it_off():
    image = np.random.default_rng(0).normal(size=(7, 7))
    laplacian = ndimage.laplace(image)[1:-1, 1:-1]
    np.testing.assert_allclose(conv2d(image, IMAGE_KERNELS["edge detect"]), laplacian, atol=1e-12)
    sharper = conv2d(image, IMAGE_KERNELS["sharpen"])
    np.testing.assert_allclose(sharper, image[1:-1, 1:-1] - laplacian, atol=1e-12)


def test_outline_answers_to_edges_in_every_direction():
    kernel = IMAGE_KERNELS["outline"]
    assert all(np.array_equal(kernel, np.rot90(kernel, turns)) for turns in range(4))
    assert all(conv2d(edge(kind), kernel).max() > 0 for kind in KINDS)


# Sobel


@pytest.mark.parametrize(("theta", "axis"), [(0, 1), (np.pi / 2, 0)])
def test_sobel_along_the_axes_is_that_of_scipy(theta, axis):
    image = np.random.default_rng(0).normal(size=(9, 11))
    ours = conv2d(image, sobel_kernel(theta))
    np.testing.assert_allclose(ours, ndimage.sobel(image, axis)[1:-1, 1:-1], atol=1e-12)


@many(100)
@given(ANGLES)
def test_sobel_answers_to_a_slope_by_its_angle(theta):
    rows, columns = np.mgrid[:5, :5]
    slope = columns * np.cos(1.0) + rows * np.sin(1.0)
    response = conv2d(slope, sobel_kernel(theta))
    np.testing.assert_allclose(response, 8 * np.cos(theta - 1.0), atol=1e-12)


@many(100)
@given(ANGLES)
def test_sobel_in_any_direction_is_a_mix_of_two(theta):
    image = np.random.default_rng(0).normal(size=(6, 6))
    right, down = conv2d(image, sobel_kernel(0)), conv2d(image, sobel_kernel(np.pi / 2))
    mix = np.cos(theta) * right + np.sin(theta) * down
    np.testing.assert_allclose(conv2d(image, sobel_kernel(theta)), mix, atol=1e-12)
    np.testing.assert_allclose(sobel_kernel(theta + np.pi), -sobel_kernel(theta), atol=1e-12)


# Gabor


@many(300)
@given(st.floats(0.01, 0.5), ANGLES, st.floats(0.3, 5.0))
def test_gabor_kernels_are_those_of_scikit_image(frequency, theta, sigma):
    ours = gabor_kernel(frequency, theta, sigma)
    theirs = skimage.filters.gabor_kernel(frequency, theta, sigma_x=sigma, sigma_y=sigma)
    size = min(*ours.shape, *theirs.shape)
    np.testing.assert_allclose(centre(ours, size), centre(theirs, size), rtol=0, atol=1e-12)


@many(100)
@given(st.floats(0.01, 0.5), ANGLES, st.floats(0.3, 5.0))
def test_the_real_part_is_symmetric_and_the_imaginary_part_antisymmetric(frequency, theta, sigma):
    kernel = gabor_kernel(frequency, theta, sigma)
    turned = kernel[::-1, ::-1]
    np.testing.assert_allclose(kernel.real, turned.real, atol=1e-15)
    np.testing.assert_allclose(kernel.imag, -turned.imag, atol=1e-15)
    np.testing.assert_allclose(
        gabor_kernel(frequency, theta + np.pi, sigma), kernel.conj(), atol=1e-12
    )
    np.testing.assert_allclose(
        gabor_kernel(frequency, np.pi / 2 - theta, sigma), kernel.T, atol=1e-12
    )


@pytest.mark.parametrize(
    ("frequency", "theta", "sigma", "size"), [(0.16, 1.2, 4.0, 25), (0.31, 0, 3.6, 23)]
)
def test_a_gabor_kernel_reaches_three_sigma_to_each_side(frequency, theta, sigma, size):
    kernel = gabor_kernel(frequency, theta, sigma)
    assert kernel.shape == (size, size)
    assert kernel.dtype == np.complex128
    assert np.abs(kernel).sum() == pytest.approx(1, abs=0.01)
    assert np.abs(kernel).argmax() == size * size // 2
    np.testing.assert_array_equal(gabor_kernel(frequency, theta, sigma, 7), centre(kernel, 7))


def test_a_gabor_kernel_answers_most_to_the_wave_that_it_is_made_of():
    rows, columns = np.mgrid[:41, :41]
    waves = {
        theta: np.cos(0.4 * np.pi * (columns * np.cos(theta) + rows * np.sin(theta)))
        for theta in (0, 0.5, 1.0, 1.5)
    }
    kernel = gabor_kernel(0.2, 1.0, 3.0)
    strength = {theta: np.abs(conv2d(wave, kernel)).mean() for theta, wave in waves.items()}
    assert max(strength, key=strength.get) == 1.0
    assert strength[1.0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("frequency", "sigma"), [(0, 3), (-0.1, 3), (0.1, 0), (0.1, -2)])
def test_gabor_refuses_frequency_and_sigma_that_are_not_above_0(frequency, sigma):
    message = rf"frequency \({frequency}\) and sigma \({sigma}\) must be above 0"
    with pytest.raises(ValueError, match=message):
        gabor_kernel(frequency, sigma=sigma)


@pytest.mark.parametrize(("frequency", "sigma"), [(np.nan, 3), (0.1, np.nan)])
def test_gabor_refuses_nan(frequency, sigma):
    with pytest.raises(ValueError, match="nan.* must be above 0"):
        gabor_kernel(frequency, sigma=sigma)


@pytest.mark.parametrize("size", [0, -3, 2, 4])
def test_gabor_refuses_a_size_without_a_centre(size):
    with pytest.raises(ValueError, match=f"size is {size}; .* needs an odd size"):
        gabor_kernel(0.1, size=size)


# Haar


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [2, 4, 8])
def test_haar_wavelets_sum_to_0_and_hold_two_values(kind, size):
    kernel = haar_kernel(kind, size)
    assert kernel.shape == (size, size)
    assert kernel.sum() == 0
    assert set(kernel.flat) == {-1 / size**2, 1 / size**2}


@pytest.mark.parametrize("kind", KINDS)
def test_haar_wavelets_answer_to_the_edge_that_they_name_and_to_no_other(kind):
    for other in KINDS:
        response = np.sum(haar_kernel(kind, 8) * edge(other))
        assert response == (0.5 if kind == other else 0)
    assert np.sum(haar_kernel(kind, 8) * (1 - edge(kind))) == -0.5


@pytest.mark.parametrize("size", [-2, 0, 1, 3, 7])
def test_haar_refuses_an_odd_size(size):
    with pytest.raises(ValueError, match=f"size is {size}; .*even size of 2 or more"):
        haar_kernel("vertical", size)


@pytest.mark.parametrize("kind", ["", "Vertical", "diagnal", None])
def test_haar_refuses_an_unknown_kind_with_the_known_ones(kind):
    with pytest.raises(ValueError, match=f"Unknown kind {kind!r}: .*horizontal, vertical, diag"):
        haar_kernel(kind)


# Stacks and responses


def test_smaller_kernels_are_centred_in_zeros():
    kernels = [np.full((1, 1), 7.0), np.full((3, 5), 2.0), np.ones((5, 5))]
    stack = stack_kernels(kernels)
    assert stack.shape == (5, 5, 1, 3)
    for number, kernel in enumerate(kernels):
        rows, columns = kernel.shape
        top, left = (5 - rows) // 2, (5 - columns) // 2
        layer = stack[..., 0, number]
        np.testing.assert_array_equal(layer[top : top + rows, left : left + columns], kernel)
        assert layer.sum() == kernel.sum()


def test_a_stack_is_complex_as_soon_as_one_kernel_is():
    assert stack_kernels([np.ones((3, 3)), gabor_kernel(0.1, size=3)]).dtype == np.complex128
    assert stack_kernels([np.ones((3, 3), np.float32)]).dtype == np.float32
    assert stack_kernels([[[1, 2], [3, 4]]])[..., 0, 0].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("kernels", [[], [np.ones(3)], [np.ones((3, 3)), np.ones((3, 3, 1))]])
def test_a_stack_refuses_no_kernels_or_those_without_two_axes_and_gives_the_shapes(kernels):
    shapes = [kernel.shape for kernel in kernels]
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the message is checked below)
        stack_kernels(kernels)
    assert f"one or more kernels with two axes, got the shapes {shapes}" in str(caught.value)


@many(100)
@given(st.floats(0.05, 0.45), ANGLES, st.integers(0, 9999))
def test_the_response_is_the_size_of_a_complex_number_as_scipy_computes_it(frequency, theta, seed):
    image = np.random.default_rng(seed).normal(size=(12, 15))
    kernels = [gabor_kernel(frequency, theta, 1.5), sobel_kernel(theta)]
    response = response_magnitude(image, kernels)
    assert response.shape == (12, 15, 2)
    for number, kernel in enumerate(kernels):
        real = ndimage.correlate(image, kernel.real, mode="constant")
        imaginary = ndimage.correlate(image, kernel.imag, mode="constant")
        expected = np.sqrt(real**2 + imaginary**2)
        np.testing.assert_allclose(response[..., number], expected, atol=1e-12)
        alone = response_magnitude(image, [kernel])
        np.testing.assert_allclose(alone[..., 0], expected, atol=1e-12)


def test_the_response_keeps_the_axes_of_the_images():
    kernels = [sobel_kernel(), haar_kernel("vertical")]
    images = np.random.default_rng(0).normal(size=(3, 9, 8, 1))
    responses = response_magnitude(images, kernels)
    assert responses.shape == (3, 9, 8, 2)
    np.testing.assert_allclose(response_magnitude(images[1], kernels), responses[1], atol=1e-12)
    np.testing.assert_allclose(
        response_magnitude(images[1, ..., 0], kernels), responses[1], atol=1e-12
    )


@pytest.mark.parametrize(
    ("images", "response"),
    [(np.uint8, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_the_response_is_as_precise_as_the_images(images, response):
    picture = np.ones((9, 9), images)
    assert response_magnitude(picture, [gabor_kernel(0.2, sigma=1.0)]).dtype == response
    assert response_magnitude(picture, [sobel_kernel()]).dtype == response


def test_the_response_does_not_change_with_the_sign_of_the_contrast():
    image = np.random.default_rng(0).normal(size=(9, 9))
    bank = [gabor_kernel(0.2, 0.3, 1.0), sobel_kernel(0.3)]
    np.testing.assert_array_equal(response_magnitude(image, bank), response_magnitude(-image, bank))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("largest", [6, 7])
def test_the_response_to_a_kernel_does_not_depend_on_the_others_in_the_bank(size, largest):
    image = np.random.default_rng(0).normal(size=(12, 12))
    kernel = np.random.default_rng(1).normal(size=(size, size))
    alone = response_magnitude(image, [kernel])[..., 0]
    together = response_magnitude(image, [kernel, np.ones((largest, largest))])[..., 0]
    np.testing.assert_allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.ones(9), r"input has shape \(9,\)"),
        (np.ones((9, 9, 3)), "3 channels, the kernel 1"),
        (np.full((9, 9), np.nan), "holds NaN"),
        (np.ones((0, 9)), "is empty"),
        (np.full((9, 9), "a"), "expected numbers"),
    ],
)
def test_responses_refuse_what_conv2d_refuses(images, message):
    with pytest.raises(ValueError, match=message):
        response_magnitude(images, [sobel_kernel()])
    with pytest.raises(ValueError, match="one or more kernels"):
        response_magnitude(np.ones((9, 9)), [])


def test_an_angle_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="theta"):
        gabor_kernel(0.1, theta=np.nan)
