"""Activation functions against Keras, and what they must satisfy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from course_utils.activations import elu, leaky_relu, relu, softmax
from course_utils.backend import keras
from tests.examples import many

scores = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 6)), elements=st.floats(-50, 50)
)


@many(100)
@given(scores)
def test_all_four_agree_with_keras(z):
    activations = keras.activations
    np.testing.assert_allclose(relu(z), activations.relu(z), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        leaky_relu(z, 0.2), activations.leaky_relu(z, 0.2), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(elu(z, 0.7), activations.elu(z, 0.7), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(softmax(z), activations.softmax(z), rtol=1e-4, atol=1e-6)


def test_elu_below_zero_is_the_maximum_of_line_and_curve_up_to_alpha_one():
    z = np.linspace(-5, 0, 101)
    np.testing.assert_allclose(elu(z, 0.5), np.maximum(0.5 * (np.exp(z) - 1), z))


def test_softmax_by_hand():
    np.testing.assert_allclose(softmax([0, np.log(3)]), [0.25, 0.75])


@given(scores)
def test_softmax_sums_to_one_and_ignores_a_common_offset(x):
    np.testing.assert_allclose(softmax(x).sum(axis=-1), 1)
    np.testing.assert_allclose(softmax(x + 1000), softmax(x), rtol=1e-6, atol=1e-12)


def test_huge_scores_do_not_overflow():
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_array_equal(softmax([1e4, 0]), [1, 0])
        assert np.isfinite(elu(np.array([-1e4, 1e4]))).all()


def test_a_slope_or_alpha_out_of_range_is_refused():
    with pytest.raises(ValueError, match="eps is 2"):
        leaky_relu(np.zeros(1), 2)
    with pytest.raises(ValueError, match="alpha is 0"):
        elu(np.zeros(1), 0)
