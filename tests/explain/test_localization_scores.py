import ast

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils import drawings, explain
from course_utils.backend import keras
from course_utils.explain.localization_scores import energy_inside, pointing_game
from tests.examples import many
from tools.execute import ROOT

layers = keras.layers
FAST = many(60)

BOXES = st.tuples(*[st.floats(0, 60)] * 2, *[st.floats(2, 40)] * 2).map(
    lambda box: np.array([[box[0], box[1], box[0] + box[2], box[1] + box[3]]])
)


def peak(row, column, size=64):
    maps = np.zeros((1, size, size))
    maps[0, row, column] = 1
    return maps


def areas(boxes):
    """The share of a picture of 64 x 64 that each box covers."""
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / 64**2


# Peak and energy


@FAST
@given(BOXES, st.integers(0, 63), st.integers(0, 63))
def test_a_single_peak_hits_exactly_when_its_middle_is_in_the_box(box, row, column):
    left, top, right, bottom = box[0]
    expected = left <= column + 0.5 <= right and top <= row + 0.5 <= bottom
    maps = peak(row, column)
    assert pointing_game(maps, box, 64) == [expected]
    assert energy_inside(maps, box, 64) == [float(expected)]


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 3), (3, 1), (2, 3)])
def test_the_peak_of_a_coarse_map_is_found_at_the_place_of_its_cell(row, column):
    middle = np.array([column, row]) * 16 + 8
    box = np.array([[*(middle - 8), *(middle + 8)]], float)
    others = np.array([[(column + 2) % 4 * 16, row * 16, (column + 2) % 4 * 16 + 16, 64]], float)
    maps = peak(row, column, 4)
    assert pointing_game(maps, box, 64).all()
    assert not pointing_game(maps, others, 64).any()


def test_columns_are_x_and_rows_are_y():
    upper_right = np.array([[40.0, 0, 64, 20]])
    assert pointing_game(peak(5, 60), upper_right, 64).all()
    assert not pointing_game(peak(60, 5), upper_right, 64).any()


def test_a_map_without_a_positive_value_misses():
    everything = np.array([[0.0, 0, 64, 64]] * 2)
    maps = np.stack([np.zeros((4, 4)), np.full((4, 4), -1.0)])
    np.testing.assert_array_equal(pointing_game(maps, everything, 64), [False, False])
    np.testing.assert_array_equal(energy_inside(maps[:1], everything[:1], 64), [0])


@pytest.mark.parametrize(("right", "hit"), [(31, False), (32, True), (33, True)])
def test_a_flat_map_hits_only_if_half_of_the_picture_is_box(right, hit):
    assert pointing_game(np.ones((1, 4, 4)), [[0, 0, right, 64]], 64) == [hit]


def test_two_equal_peaks_need_one_of_them_inside_and_three_need_two():
    maps = np.zeros((2, 64, 64))
    maps[0, 10, 10] = maps[0, 50, 50] = 1
    maps[1, 10, 10] = maps[1, 50, 50] = maps[1, 60, 5] = 1
    boxes = np.tile([0.0, 0, 20, 20], (2, 1))
    np.testing.assert_array_equal(pointing_game(maps, boxes, 64), [True, False])


@FAST
@given(BOXES, st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_neither_score_depends_on_the_scale_of_a_map(box, seed, scale):
    maps = np.random.default_rng(seed).random((1, 5, 5))
    assert pointing_game(maps, box, 64) == pointing_game(maps * scale, box, 64)
    np.testing.assert_allclose(
        energy_inside(maps, box, 64), energy_inside(maps * scale, box, 64), rtol=1e-4
    )


@FAST
@given(BOXES)
def test_the_energy_of_a_flat_map_is_the_share_of_the_area(box):
    box = np.round(box).clip(0, 64)
    expected = (box[0, 2] - box[0, 0]) * (box[0, 3] - box[0, 1]) / 64**2
    assert energy_inside(np.ones((1, 4, 4)), box, 64) == pytest.approx(expected)


def test_pointing_anywhere_hits_as_often_as_the_area_says():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 40, (4000, 2))
    boxes = np.hstack([low, low + rng.uniform(5, 24, (4000, 2))])
    maps = np.zeros((4000, 64, 64), np.float32)
    maps[np.arange(4000), rng.integers(0, 64, 4000), rng.integers(0, 64, 4000)] = 1
    hits = pointing_game(maps, boxes, 64).mean()
    assert hits == pytest.approx(areas(boxes).mean(), abs=0.02)


def test_the_boxes_of_the_drawings_fit(tmp_path):
    made = drawings.make_set(tmp_path / "set", 64, {"test": 10}, processes=1, progress=False)
    boxes = drawings.read_annotations(made, "test").boxes
    heads = np.zeros((len(boxes), 64, 64))
    for head, (left, top, right, bottom) in zip(heads, np.round(boxes).astype(int), strict=True):
        head[top:bottom, left:right] = 1
    assert pointing_game(heads, boxes, 64).all()
    assert (energy_inside(heads, boxes, 64) > 0.9).all()
    assert ((0.05 < areas(boxes)) & (areas(boxes) < 0.5)).all()
    assert boxes.min() >= 0
    assert boxes.max() <= 64


@pytest.mark.parametrize(
    ("maps", "boxes", "size", "message"),
    [
        (np.ones((1, 4, 4)), [[0, 0, 5, 5]] * 2, 64, "1 maps and 2 boxes"),
        (np.ones((4, 4)), [[0, 0, 5, 5]], 64, "maps has shape"),
        (np.full((1, 4, 4), np.nan), [[0, 0, 5, 5]], 64, "NaN"),
        (np.ones((1, 4, 4)), [0, 0, 5, 5], 64, "boxes has shape"),
        (np.ones((1, 4, 4)), [[5, 0, 5, 5]], 64, "Box 0 is .* no area"),
        (np.ones((1, 4, 4)), [[0, np.nan, 5, 5]], 64, "no area"),
        (np.ones((1, 4, 4)), [[0, 0, 5, 5]], 0, "size is 0"),
        (np.ones((0, 4, 4)), np.zeros((0, 4)), 64, "boxes has shape"),
    ],
)
def test_maps_and_boxes_that_do_not_fit_are_refused(maps, boxes, size, message):
    for score in (pointing_game, energy_inside):
        with pytest.raises(ValueError, match=message):
            score(maps, boxes, size)


def test_negative_energy_is_refused():
    with pytest.raises(ValueError, match="np.maximum"):
        energy_inside(-np.ones((1, 4, 4)), [[0, 0, 5, 5]], 64)


# Deletion, as notebook 11 writes it


@pytest.fixture(scope="module")
def deleted():
    """The function on the page."""
    notebook = nbformat.read(ROOT / "notebooks/11_class_activation_maps.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.id == "deletion-curve")
    page = {"np": np, "explain": explain}
    exec(ast.unparse(ast.parse(cell.source).body[0]), page)
    return page["deleted"]


def brightness_net():
    """Sigmoid of ten times the mean brightness of the left half of 8 x 8 pixels."""
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()])
    model.add(layers.Dense(1, activation="sigmoid"))
    kernel = np.zeros((8, 8, 1))
    kernel[:, :4] = 10 / 32
    model.set_weights([kernel.reshape(64, 1), np.zeros(1)])
    return model


def half_bright():
    """Pictures whose left half is white, and maps that say so."""
    maps = np.zeros((2, 8, 8))
    maps[:, :, :4] = 1
    return maps[..., np.newaxis].astype("float32"), maps


@pytest.mark.parametrize("label", [0, 1])
def test_the_curve_of_deletion_is_that_computed_by_hand(deleted, label):
    pictures, maps = half_bright()
    shares = [0, 0.25, 0.5, 1]
    curve = deleted(brightness_net(), pictures, maps, np.full(2, label), shares)
    # A quarter of the pixels is half of the left half; each becomes the mean, 0.5.
    means = np.array([1, 0.75, 0.5, 0.5])
    p = 1 / (1 + np.exp(-10 * means))
    np.testing.assert_allclose(curve, p if label else 1 - p, atol=1e-5)


def test_a_right_map_falls_sooner_than_chance_and_a_wrong_one_later(deleted):
    pictures = np.zeros((8, 8, 8, 1), "float32")
    pictures[:, :, :4] = np.random.default_rng(0).uniform(0, 1, (8, 8, 4, 1))
    right, shares = pictures[..., 0], np.linspace(0, 1, 21)
    orders = (right, np.random.default_rng(1).random(right.shape), -right)
    curves = [deleted(brightness_net(), pictures, o, np.ones(8), shares).mean() for o in orders]
    assert curves == sorted(curves)
    assert len(set(np.round(curves, 3))) == 3
