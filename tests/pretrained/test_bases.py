import numpy as np
import pytest

from course_utils import runs
from course_utils.backend import keras
from course_utils.data.settings import DataError
from course_utils.pretrained import bases
from course_utils.pretrained.bases import BASES
from tools.recording import record

RANDOM = np.random.default_rng(0)


def assert_same_weights(model, other):
    for got, expected in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


# Preprocessing


@pytest.mark.parametrize(
    ("name", "expected"),
    [("course", lambda x: x / 127.5 - 1), ("efficientnet_lite0", lambda x: (x - 127) / 128)],
)
def test_each_base_gets_the_range_that_it_was_trained_with(name, expected):
    x = np.arange(256, dtype=np.float32)
    got = bases.preprocessing(name)(x / 255)
    np.testing.assert_allclose(got, expected(x), atol=1e-5)


def test_pixels_are_computed_in_single_precision_under_any_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert bases.preprocessing("course")(np.ones(3, np.float32)).dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)


# Means and variances of a base with random weights


def test_settling_gives_a_base_the_means_and_variances_of_the_pictures():
    base = bases.build("efficientnet_lite0", 32, weights=None)
    pictures = RANDOM.integers(0, 256, (8, 32, 32, 3), np.uint8)
    bases.settle(base, pictures)
    first, norm = base.get_layer("stem_conv"), base.get_layer("stem_bn")
    maps = first(bases.preprocessing(base)(pictures / np.float32(255))).numpy()
    np.testing.assert_allclose(norm.moving_mean, maps.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, maps.var((0, 1, 2)), rtol=1e-3)


# Building


@pytest.mark.parametrize("name", BASES)
def test_a_size_that_is_too_small_is_refused(name):
    with pytest.raises(ValueError, match=r"size is 31; .* 32 pixels or more"):
        bases.build(name, 31, weights=None)
    assert bases.build(name, 32, weights=None).input_shape == (None, 32, 32, 3)


def test_the_size_is_that_of_the_training_if_not_given():
    sizes = [bases.build(name, weights=None).input_shape[1] for name in BASES]
    assert sizes == [64, 224]


def test_an_unknown_base_is_refused_with_the_known_ones():
    for call in (bases.build, bases.preprocessing):
        with pytest.raises(ValueError, match="'vgg16'; known are course, eff.*keras.applications"):
            call("vgg16")


def test_a_base_may_end_earlier():
    whole = bases.build("course", 64, weights=None)
    short = bases.build("course", 64, weights=None, last="block4_pool")
    assert short.name == whole.name == "course"
    assert short.output_shape == (None, 4, 4, 128)
    names = [[layer.name for layer in base.layers[1:]] for base in (short, whole)]
    assert names[0] == names[1][:12]
    with pytest.raises(ValueError, match="block9"):
        bases.build("course", 64, weights=None, last="block9")


# The base of the course


@pytest.fixture
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RUNS_FOLDER", tmp_path / "runs")
    return tmp_path / "runs"


def test_the_course_base_comes_with_its_recorded_weights(no_runs):
    trained = bases.course_base(32)
    record("course_base", trained, {"loss": [1.0]}, {}, no_runs)
    base = bases.build("course", 96)
    assert (base.name, base.output_shape) == ("course", (None, 3, 3, 128))
    assert_same_weights(base, trained)


def test_missing_or_broken_weights_of_the_course_base_are_named(no_runs):
    with pytest.raises(DataError, match="no weights: No run 'course_base'"):
        bases.build("course")
    record("course_base", bases.course_base(32), {"loss": [1.0]}, {}, no_runs)
    (no_runs / "course_base" / "weights.npz").write_bytes(b"garbage")
    with pytest.raises(DataError, match=r"no weights: .*weights\.npz is not .*git checkout"):
        bases.build("course")
