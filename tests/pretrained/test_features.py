import os
import re

import numpy as np
import pytest

from course_utils.backend import keras
from course_utils.pretrained import bases
from course_utils.pretrained.bases import BASES
from course_utils.pretrained.features import extract, key

layers = keras.layers
RANDOM = np.random.default_rng(0)
PARAMETERS = {"course": 588_688, "efficientnet_lite0": 3_413_024}
PREPROCESSING = layers.Rescaling(2, -1)
HALF = {"rtol": 1e-3, "atol": 1e-6}  # features are kept in half precision


def small(activation="relu", size=8, policy=None, filters=4):
    """A small base with layers that behave differently in training; the same weights each time."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.Conv2D(filters, 3, dtype=policy),
            layers.BatchNormalization(dtype=policy),
            layers.Activation(activation, name=activation, dtype=policy),
            layers.Dropout(0.5, dtype=policy),
        ],
        name="small",
    )


def some_pictures(count=5, size=8):
    return RANDOM.integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.fixture
def base():
    return small()


@pytest.fixture
def pictures():
    return some_pictures()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "features"


def kept(folder):
    """The one file of features in a folder."""
    (path,) = folder.glob("*.npz")
    return path


def expected(base, pictures, preprocessing=None):
    preprocessing = preprocessing or PREPROCESSING
    pixels = preprocessing(pictures.astype(np.float32) / 255)
    return np.asarray(base(pixels, training=False))


# What comes out


@pytest.mark.slow
@pytest.mark.parametrize("name", BASES)
def test_every_base_has_its_documented_size_and_gives_features_of_four_pictures(name, folder):
    base = bases.build(name, 32, weights=None)
    assert (base.name, base.count_params()) == (name, PARAMETERS[name])
    pictures = some_pictures(4, 32)
    bases.settle(base, pictures)  # without it, what passes through fades to nothing
    features = extract(base, pictures, folder=folder)
    assert features.shape == (4, *base.output_shape[1:])
    wanted = expected(base, pictures, bases.preprocessing(name))
    np.testing.assert_allclose(features, wanted, rtol=1e-3, atol=1e-2 * np.abs(wanted).max())
    assert features.std() > 0


@pytest.mark.parametrize("batch_size", [1, 2, 5, 99])
def test_features_come_in_the_order_of_the_pictures_whatever_the_batches(
    base, pictures, folder, batch_size
):
    features = extract(base, pictures, PREPROCESSING, batch_size, folder)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected(base, pictures), **HALF)


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_features_of_a_base_in_half_precision_are_in_single_precision(policy, pictures, folder):
    base = small(policy=policy)
    base.set_weights(small().get_weights())
    features = extract(base, pictures, PREPROCESSING, folder=folder)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected(small(), pictures), atol=0.02)


def test_the_part_of_a_base_up_to_a_layer_has_features_too(pictures, folder):
    whole = bases.build("course", 32, weights=None)
    part = keras.Model(whole.input, whole.get_layer("block2_pool").output, name=whole.name)
    assert extract(part, some_pictures(2, 32), folder=folder).shape == (2, 8, 8, 32)


# Kept on disk


def test_features_are_computed_once_and_then_read(base, pictures, folder):
    first = extract(base, pictures, PREPROCESSING, folder=folder)
    np.testing.assert_array_equal(extract(base, pictures, PREPROCESSING, folder=folder), first)
    # Other numbers in the file come back: so that is where they come from.
    np.savez(kept(folder), first + 1)
    np.testing.assert_array_equal(extract(base, pictures, PREPROCESSING, folder=folder), first + 1)


def test_features_are_kept_among_what_the_course_makes(base, pictures, data):
    extract(base, pictures, PREPROCESSING)
    assert kept(data / "features").stem == key(base, pictures, PREPROCESSING)


def other_pixel(pictures):
    changed = pictures.copy()
    changed[3, 4, 5, 1] ^= 1
    return changed


CHANGES = {
    "size": lambda x: key(small(size=9), x, PREPROCESSING),
    "preprocessing": lambda x: key(small(), x, layers.Rescaling(2, -0.5)),
    "filters": lambda x: key(small(filters=5), x, PREPROCESSING),
    "activation": lambda x: key(small("tanh"), x, PREPROCESSING),
    "dtype": lambda x: key(small(policy="mixed_float16"), x, PREPROCESSING),
    "weights": lambda x: key(nudged(small()), x, PREPROCESSING),
    "one pixel": lambda x: key(small(), other_pixel(x), PREPROCESSING),
    "order": lambda x: key(small(), x[::-1], PREPROCESSING),
    "shape": lambda x: key(small(), x.reshape(5, 4, 16, 3), PREPROCESSING),
    "number": lambda x: key(small(), x[:4], PREPROCESSING),
}


def nudged(base):
    """Change one of a base's weights by the least that a float can change."""
    weights = base.get_weights()
    weights[0].flat[7] = np.nextafter(weights[0].flat[7], np.float32(9))
    base.set_weights(weights)
    return base


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_anything_changes_the_key(change, pictures):
    assert CHANGES[change](pictures) != key(small(), pictures, PREPROCESSING)


@pytest.mark.slow
def test_the_key_depends_on_alpha_and_on_how_layers_are_connected():
    pictures = some_pictures(1, 32)
    options = {"include_top": False, "weights": None, "input_shape": (32, 32, 3)}
    alphas = [keras.applications.MobileNet(**options, alpha=alpha) for alpha in (0.25, 1.0)]
    assert key(alphas[0], pictures, PREPROCESSING) != key(alphas[1], pictures, PREPROCESSING)
    pixels = keras.Input((8, 8, 3))
    pooled = layers.MaxPooling2D(1)(pixels)
    joined = [keras.Model(pixels, layers.Add()([pixels, x])) for x in (pixels, pooled)]
    joined += [keras.Model(pixels, layers.Add()([pooled, pooled]))]
    assert len({key(model, pictures, PREPROCESSING) for model in joined}) == 3


def test_the_key_stays_whatever_the_layers_are_called_or_whether_they_are_frozen(pictures):
    names = set()
    for _ in range(2):
        base = small()
        names.add(base.layers[0].name)
        assert key(base, pictures, PREPROCESSING) == key(small(), pictures, PREPROCESSING)
    assert len(names) == 2
    nested = keras.Sequential([keras.Input((8, 8, 3)), base])
    before = key(nested, pictures, PREPROCESSING)
    base.trainable = False
    assert key(nested, pictures, PREPROCESSING) == before
    assert key(base, pictures, PREPROCESSING) == key(small(), pictures, PREPROCESSING)


def test_the_key_of_a_view_is_that_of_its_pixels(pictures):
    wide = np.zeros((5, 8, 16, 3), np.uint8)
    wide[:, :, ::2] = pictures
    assert key(small(), wide[:, :, ::2], PREPROCESSING) == key(small(), pictures, PREPROCESSING)


# Broken files


def test_a_half_written_file_is_never_read(base, pictures, folder, monkeypatch):
    def interrupt(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        extract(base, pictures, PREPROCESSING, folder=folder)
    monkeypatch.undo()
    (draft,) = folder.glob("*.part")
    draft.write_bytes(draft.read_bytes()[:100])
    features = extract(base, pictures, PREPROCESSING, folder=folder)
    np.testing.assert_allclose(features, expected(base, pictures), **HALF)
    assert list(folder.glob("*.part")) == []
    np.testing.assert_array_equal(np.load(kept(folder))["arr_0"], features)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "pickle", "shape", "dtype", "name"])
def test_a_broken_file_is_named_and_its_features_are_computed_again(
    base, pictures, folder, damage, capsys
):
    features = extract(base, pictures, PREPROCESSING, folder=folder)
    path = kept(folder)
    content = path.read_bytes()
    others = {
        "pickle": {"arr_0": np.array([{}], object)},
        "shape": {"arr_0": features[:4]},
        "dtype": {"arr_0": features.astype(int)},
        "name": {"maps": features},
    }
    if damage in others:
        np.savez(path, **others[damage])
    else:
        path.write_bytes({"cut": content[:-1], "empty": b"", "text": b"text"}[damage])
    again = extract(base, pictures, PREPROCESSING, folder=folder)
    np.testing.assert_array_equal(again, features)
    message = capsys.readouterr().err
    assert message.count(f"{path} is broken") == message.count("computed again") == 1
    assert path.read_bytes() == content
    extract(base, pictures, PREPROCESSING, folder=folder)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_no_flipped_byte_and_no_cut_gives_other_features(base, folder):
    pictures = some_pictures(1)[:, :4, :4]
    base = small(size=4, filters=1)
    features = extract(base, pictures, PREPROCESSING, folder=folder)
    path = kept(folder)
    content = path.read_bytes()
    for at in range(0, len(content), 13):
        flipped = bytearray(content)
        flipped[at] ^= 0x10
        for damaged in (flipped, content[:at]):
            path.write_bytes(damaged)
            again = extract(base, pictures, PREPROCESSING, folder=folder)
            np.testing.assert_array_equal(again, features)


# Where nothing can be kept


def test_in_a_read_only_folder_features_are_returned_but_not_kept(
    base, pictures, read_only, capsys
):
    folder, locked = read_only
    wanted = expected(base, pictures)
    for place in (folder, folder / "below"):
        with locked():
            features = extract(base, pictures, PREPROCESSING, folder=place)
        np.testing.assert_allclose(features, wanted, **HALF)
        assert re.search(r"not kept.* cannot be written to", capsys.readouterr().err)
    assert list(folder.iterdir()) == []


def test_features_in_a_read_only_folder_are_read(base, pictures, read_only, capsys):
    folder, locked = read_only
    features = extract(base, pictures, PREPROCESSING, folder=folder)
    np.savez(kept(folder), features + 1)
    with locked():
        np.testing.assert_array_equal(
            extract(base, pictures, PREPROCESSING, folder=folder), features + 1
        )
    assert capsys.readouterr().err == ""


def test_on_a_full_disk_features_are_returned_but_not_kept(base, pictures, folder, capsys):
    folder.mkdir()
    draft = f"{key(base, pictures, PREPROCESSING)}.{os.getpid()}.part"
    (folder / draft).symlink_to("/dev/full")
    features = extract(base, pictures, PREPROCESSING, folder=folder)
    np.testing.assert_allclose(features, expected(base, pictures), **HALF)
    assert re.search(r"not kept.* is full", capsys.readouterr().err)
    assert list(folder.iterdir()) == []


# Refusals


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), r"uint8 of shape \(0, 8, 8, 3\)"),
        (np.zeros((2, 8, 8, 3), np.float32), "float32 of shape"),
        (np.zeros((8, 8, 3), np.uint8), r"shape \(8, 8, 3\)"),
        (np.zeros((2, 9, 8, 3), np.uint8), r"\(9, 8, 3\), but 'small' takes \(8, 8, 3\)"),
        (np.zeros((2, 8, 8, 1), np.uint8), r"\(8, 8, 1\), but 'small' takes"),
        ([[1, 2], [3, 4]], r"int64 of shape \(2, 2\)"),
    ],
)
def test_pictures_that_the_base_cannot_take_are_refused(base, folder, bad, found):
    with pytest.raises(ValueError, match=found):
        extract(base, bad, PREPROCESSING, folder=folder)
    assert not folder.exists()


def test_for_another_net_the_preprocessing_must_be_given(base, pictures, folder):
    with pytest.raises(ValueError, match="no base named 'small'; known are course"):
        extract(base, pictures, folder=folder)
