import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import affine_transform

from course_utils.augmentation import (
    RandomAffine,
    affine_matrices,
    batches,
    transform,
)
from course_utils.backend import keras
from tests.examples import many

RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 256, (10, 6, 8, 3), np.uint8)
Y = np.arange(10) % 2


def first_pixels(served):
    """The first pixel of every picture, in the order in which they come."""
    return np.concatenate([pixels.numpy()[:, 0, 0, 0] for pixels, _ in served])


# Batches


def test_every_picture_comes_once_in_an_epoch_with_its_own_label():
    served = [(p, l) for pixels, labels in batches(X, Y, 4) for p, l in zip(pixels, labels)]  # noqa: B905, E741
    assert len(served) == 10
    wanted = {picture.tobytes(): label for picture, label in zip(X, Y, strict=True)}
    found = {np.rint(p.numpy() * 255).astype(np.uint8).tobytes(): int(l[0]) for p, l in served}  # noqa: E741
    assert found == wanted


def test_batches_are_numbers_from_0_to_1_and_the_last_one_may_be_smaller():
    served = list(batches(X, Y, 4))
    assert [pixels.shape for pixels, _ in served] == [(4, 6, 8, 3), (4, 6, 8, 3), (2, 6, 8, 3)]
    assert {(pixels.dtype.name, labels.dtype.name) for pixels, labels in served} == {
        ("float32", "float32")
    }
    assert served[0][1].shape == (4, 1)
    white = np.full((1, 2, 2, 3), 255, np.uint8)
    assert next(iter(batches(white, Y[:1])))[0].numpy().tolist() == np.ones((1, 2, 2, 3)).tolist()


def test_a_seed_repeats_the_order_and_every_epoch_has_another_one():
    served = batches(X, Y, 4, seed=3)
    first, second = first_pixels(served), first_pixels(served)
    assert np.array_equal(first, first_pixels(batches(X, Y, 4, seed=3)))
    assert not np.array_equal(first, second)
    assert sorted(first) == sorted(second)


def test_without_shuffling_the_order_is_kept():
    served = first_pixels(batches(X, Y, 4, shuffle=False))
    assert np.allclose(served, X[:, 0, 0, 0] / 255)


@pytest.mark.slow
def test_augmented_batches_differ_in_every_epoch_and_a_seed_repeats_them():
    def epochs(seed):
        served = batches(X, Y, 10, RandomAffine(seed=seed), shuffle=False)
        return [next(iter(served))[0].numpy() for _ in range(2)]

    (first, second), (again, _), (other, _) = epochs(1), epochs(1), epochs(2)
    assert np.array_equal(first, again)
    assert not np.allclose(first, second)
    assert not np.allclose(first, other)


@pytest.mark.parametrize(
    ("x", "y", "size", "error", "message"),
    [
        (X.astype("float32"), Y, 4, TypeError, "float32; expected uint8"),
        (X, Y[:-1], 4, ValueError, r"labels of shape \(9,\)"),
        (X[..., 0], Y, 4, ValueError, r"expected \(N, H, W, C\)"),
        (X[:0], Y[:0], 4, ValueError, "at least 1"),
        (X, Y, 0, ValueError, "batch_size is 0"),
    ],
)
def test_what_cannot_be_served_is_refused(x, y, size, error, message):
    with pytest.raises(error, match=message):
        batches(x, y, size)


# One affine transform


SQUARE = RANDOM.random((1, 7, 7, 2))


def test_nothing_changes_nothing():
    assert np.allclose(transform(SQUARE), SQUARE, atol=1e-6)


def test_a_mirrored_picture_is_flipped_left_to_right():
    assert np.allclose(transform(SQUARE, mirrored=[True]), SQUARE[:, :, ::-1], atol=1e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_is_counterclockwise_like_that_of_numpy(quarters):
    turned = transform(SQUARE, rotation=[90.0 * quarters])
    assert np.allclose(turned, np.rot90(SQUARE, quarters, axes=(1, 2)), atol=1e-4)


def test_a_shift_goes_right_and_down():
    shifted = transform(SQUARE, shift_x=[2 / 7], shift_y=[1 / 7]).numpy()
    assert np.allclose(shifted[:, 1:, 2:], SQUARE[:, :-1, :-2], atol=1e-5)
    assert np.allclose(shifted[:, 0, 2:], SQUARE[:, 0, :-2], atol=1e-5)  # the nearest pixel


def test_a_zoom_by_two_shows_the_middle_twice_as_large():
    zoomed = transform(SQUARE, zoom_x=[2.0], zoom_y=[2.0]).numpy()
    assert np.allclose(zoomed[:, 1::2, 1::2], SQUARE[:, 2:5, 2:5], atol=1e-5)


def test_a_shear_slides_each_row_by_its_distance_from_the_middle():
    sheared = transform(SQUARE, shear_x=[1.0]).numpy()
    assert np.allclose(sheared[:, 3], SQUARE[:, 3], atol=1e-5)
    assert np.allclose(sheared[:, 4, 1:], SQUARE[:, 4, :-1], atol=1e-5)
    assert np.allclose(sheared[:, 2, :-1], SQUARE[:, 2, 1:], atol=1e-5)


changes = st.fixed_dictionaries(
    {
        "mirrored": st.booleans(),
        "rotation": st.floats(-180, 180),
        "shift_x": st.floats(-0.5, 0.5),
        "shift_y": st.floats(-0.5, 0.5),
        "shear_x": st.floats(-0.4, 0.4),
        "shear_y": st.floats(-0.4, 0.4),
        "zoom_x": st.floats(0.5, 2),
        "zoom_y": st.floats(0.5, 2),
    }
)


IN_SCIPY = {
    "nearest": "nearest",
    "constant": "grid-constant",
    "reflect": "reflect",
}


@pytest.mark.slow
@pytest.mark.parametrize("fill_mode", IN_SCIPY)
@many(30)
@given(change=changes)
def test_pixels_are_those_that_scipy_finds_with_the_same_matrix(fill_mode, change):
    change = {name: [value] for name, value in change.items()}
    ramp = np.add.outer(np.arange(1.0, 10), 2 * np.arange(11.0))
    matrix = affine_matrices(9, 11, **change).numpy()[0].astype(float)
    swapped = matrix[[1, 0, 2]][:, [1, 0, 2]]  # SciPy counts rows first
    expected = affine_transform(ramp, swapped, order=1, mode=IN_SCIPY[fill_mode])
    found = transform(ramp[np.newaxis, ..., np.newaxis], fill_mode, **change)[0, ..., 0]
    assert np.allclose(found, expected, atol=1e-2)


def test_what_cannot_be_transformed_is_refused():
    with pytest.raises(ValueError, match="fill_mode=mirror"):
        transform(SQUARE, "mirror")
    with pytest.raises(ValueError, match=r"shape \(7, 7, 2\); expected \(N, H, W, C\)"):
        transform(SQUARE[0])
    with pytest.raises(ValueError, match="changes for 2 pictures, but the pictures are 3"):
        transform(np.repeat(SQUARE, 3, axis=0), rotation=[1.0, 2.0])


def test_outside_is_black_whatever_the_border_holds():
    broken = np.full((1, 3, 3, 1), np.nan)
    assert (
        transform(broken, "constant", shift_x=[2.0]).numpy().tolist()
        == np.zeros((1, 3, 3, 1)).tolist()
    )


@many(50)
@given(changes)
def test_zoom_alone_changes_areas_but_for_the_shear(change):
    change = {name: [value] for name, value in change.items()}
    matrix = affine_matrices(9, 11, **change).numpy()[0]
    area = 1 / (change["zoom_x"][0] * change["zoom_y"][0])
    shear = 1 - change["shear_x"][0] * change["shear_y"][0]
    side = -1 if change["mirrored"][0] else 1
    assert np.linalg.det(matrix) == pytest.approx(side * area * shear, rel=1e-3)
    assert matrix[2].tolist() == [0, 0, 1]


def test_each_picture_of_a_batch_has_its_own_change():
    two = np.concatenate([SQUARE, SQUARE])
    changed = transform(two, mirrored=[False, True], rotation=[0.0])
    assert np.allclose(changed[0], SQUARE[0], atol=1e-5)
    assert np.allclose(changed[1], SQUARE[0, :, ::-1], atol=1e-5)


# The layer


def test_the_layer_does_nothing_outside_of_training():
    layer = RandomAffine(seed=0)
    assert np.array_equal(layer(SQUARE.astype("float32")), SQUARE.astype("float32"))
    assert not np.allclose(layer(SQUARE, training=True), SQUARE)


def test_the_changes_fill_their_ranges_and_stay_inside():
    layer = RandomAffine(rotation=30, shift=0.1, shear=0.3, zoom=0.25, seed=0)
    drawn = {name: values.numpy() for name, values in layer.draw(4000).items()}
    assert drawn["mirrored"].mean() == pytest.approx(0.5, abs=0.05)
    ranges = {"rotation": (-30, 30), "shift_x": (-0.1, 0.1), "shift_y": (-0.1, 0.1)}
    ranges |= {"shear_x": (-0.3, 0.3), "shear_y": (-0.3, 0.3)}
    ranges |= {"zoom_x": (0.75, 1.25), "zoom_y": (0.75, 1.25)}
    assert set(drawn) == {"mirrored", *ranges}
    for name, (low, high) in ranges.items():
        width = high - low
        assert low <= drawn[name].min() <= low + 0.01 * width
        assert high - 0.01 * width <= drawn[name].max() <= high
    assert abs(np.corrcoef(drawn["zoom_x"], drawn["zoom_y"])[0, 1]) < 0.1


def test_without_ranges_the_layer_is_the_identity_and_flip_can_be_left_out():
    still = RandomAffine(flip=False, rotation=0, shift=0, shear=0, zoom=0)
    assert np.allclose(still(SQUARE, training=True), SQUARE, atol=1e-6)
    assert not RandomAffine(flip=False).draw(100)["mirrored"].numpy().any()


@pytest.mark.parametrize("range_", ["rotation", "shift", "shear", "zoom"])
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_range_that_is_negative_or_not_finite_is_refused(range_, value):
    with pytest.raises(ValueError, match=range_):
        RandomAffine(**{range_: value})


@pytest.mark.parametrize("range_", ["shear", "zoom"])
def test_a_change_that_may_flatten_the_picture_is_refused(range_):
    with pytest.raises(ValueError, match="shear and zoom must be below 1"):
        RandomAffine(**{range_: 1.0})


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_pictures_stay_float32_whatever_the_network_computes_in(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layer, flip = RandomAffine(seed=0), keras.layers.RandomFlip(seed=0)
    finally:
        keras.config.set_dtype_policy(before)
    for training in (True, False):
        assert layer(SQUARE.astype("float32"), training=training).dtype == "float32"
    assert np.array_equal(layer(SQUARE.astype("float32")), SQUARE.astype("float32"))
    assert next(iter(batches(X, Y, augment=flip)))[0].dtype == "float32"


def test_a_model_with_the_layer_in_it_can_be_saved_and_reloaded(tmp_path):
    model = keras.Sequential([keras.Input((7, 7, 2)), RandomAffine(rotation=10, seed=4)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[0].get_config() == model.layers[0].get_config()
    assert np.array_equal(again.predict(SQUARE, verbose=0), SQUARE.astype("float32"))
