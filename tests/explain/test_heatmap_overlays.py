import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from course_utils.explain.heatmap_overlays import overlay, scaled, upsample
from tests.examples import many

MAPS = arrays(np.float32, (2, 3, 4), elements=st.floats(-1e6, 1e6, width=32))
BYTES = arrays(np.uint8, (2, 6, 8, 3))
FAST = many(60)


@FAST
@given(MAPS)
def test_scaled_maps_reach_from_0_to_1_and_keep_their_order(maps):
    result = scaled(maps)
    assert result.dtype == np.float32
    assert result.min() >= 0
    highest = result.max(axis=(1, 2))
    np.testing.assert_array_equal(highest, (maps > 0).any(axis=(1, 2)))
    for before, after in zip(maps, result, strict=True):
        order = np.argsort(before, axis=None)
        assert (np.diff(after.ravel()[order]) >= 0).all()
        assert (after[before <= 0] == 0).all()


def test_every_map_has_its_own_scale_and_an_empty_one_stays_empty():
    maps = np.array([[[1.0, 2.0]], [[1000.0, 500.0]], [[-3.0, 0.0]]])
    np.testing.assert_array_equal(scaled(maps), [[[0.5, 1]], [[1, 0.5]], [[0, 0]]])


@FAST
@given(MAPS, st.integers(1, 20), st.integers(1, 20))
def test_enlarged_maps_stay_within_their_range(maps, height, width):
    large = upsample(maps, (height, width))
    assert large.shape == (2, height, width)
    assert large.dtype == np.float32
    slack = 1e-5 * np.abs(maps).max()
    assert large.min() >= maps.min() - slack
    assert large.max() <= maps.max() + slack


def test_enlarging_is_the_bilinear_interpolation_of_keras():
    from course_utils.backend import keras

    maps = np.random.default_rng(0).random((3, 5, 7)).astype("float32")
    expected = keras.ops.image.resize(maps[..., np.newaxis], (64, 91), "bilinear")[..., 0]
    np.testing.assert_allclose(upsample(maps, (64, 91)), expected, atol=1e-5)
    np.testing.assert_array_equal(upsample(maps, (5, 7)), maps)


@FAST
@given(BYTES, MAPS, st.floats(0, 1))
def test_an_overlay_mixes_the_picture_with_colours(pictures, maps, alpha):
    result = overlay(pictures, scaled(maps), alpha)
    assert result.dtype == np.uint8
    assert result.shape == pictures.shape
    lowest = (1 - alpha) * pictures.astype(float)
    assert (result >= lowest - 1).all()
    assert (result <= lowest + alpha * 255 + 1).all()


def test_an_overlay_without_heat_is_the_picture():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    np.testing.assert_array_equal(overlay(pictures, np.ones((2, 2, 2)), alpha=0), pictures)
    from_floats = overlay(pictures / 255, np.ones((2, 2, 2)), alpha=0.4)
    np.testing.assert_array_equal(from_floats, overlay(pictures, np.ones((2, 2, 2)), alpha=0.4))


def test_hot_places_are_red_and_cold_ones_blue():
    heat = np.zeros((1, 8, 8))
    heat[0, 0, 0] = 1
    shown = overlay(np.full((1, 8, 8), 0.5), heat)[0]
    assert shown[0, 0, 0] > shown[0, 0, 2]
    assert shown[7, 7, 2] > shown[7, 7, 0]


def test_grey_pictures_with_and_without_a_channel_are_shown_alike():
    grey = np.random.default_rng(0).random((2, 8, 8))
    heat = np.random.default_rng(1).random((2, 2, 2))
    np.testing.assert_array_equal(overlay(grey, heat), overlay(grey[..., np.newaxis], heat))


@pytest.mark.parametrize("function", [scaled, lambda maps: upsample(maps, 8)])
@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.zeros((5, 5)), r"maps has shape \(5, 5\)"),
        (np.zeros((0, 5, 5)), "at least one map"),
        (np.full((1, 2, 2), np.nan), "NaN"),
        (np.full((1, 2, 2), np.inf), "infinite"),
    ],
)
def test_what_is_no_map_is_refused(function, maps, message):
    with pytest.raises(ValueError, match=message):
        function(maps)


ONE = np.ones((1, 2, 2))


@pytest.mark.parametrize(
    ("pictures", "maps", "alpha", "message"),
    [
        (np.zeros((1, 8, 8, 3)), 2 * ONE, 0.4, "scaled"),
        (np.zeros((1, 8, 8, 3)), -ONE, 0.4, "scaled"),
        (np.zeros((1, 8, 8, 3)), ONE, 1.5, "alpha"),
        (np.zeros((2, 8, 8, 3)), ONE, 0.4, "2 pictures and 1 maps"),
        (np.full((1, 8, 8, 3), 255.0), ONE, 0.4, r"outside of \[0, 1\]"),
        (np.full((1, 8, 8, 3), np.nan), ONE, 0.4, r"outside of \[0, 1\]"),
        (np.zeros((1, 8, 8, 4)), ONE, 0.4, "pictures has shape"),
        (np.zeros((8, 8)), ONE, 0.4, "pictures has shape"),
    ],
)
def test_what_cannot_be_laid_over_each_other_is_refused(pictures, maps, alpha, message):
    with pytest.raises(ValueError, match=message):
        overlay(pictures, maps, alpha)


def test_sizes_below_one_pixel_are_refused():
    with pytest.raises(ValueError, match="size is 0"):
        upsample(ONE, 0)
