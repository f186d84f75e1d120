import re

import h5py
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from course_utils import runs
from course_utils.backend import keras, tf
from course_utils.data.catalogue import SOURCES
from course_utils.data.download import keras_cache
from course_utils.data.settings import DataError, data_folder
from course_utils.pretrained import bases
from course_utils.pretrained.bases import BASES, Preprocessing

REAL_FILE = data_folder() / BASES["mobilenet_0.25"].file
RANDOM = np.random.default_rng(0)
FROM_KERAS = [name for name in BASES if name != "course"]
LARGE = ("resnet50", "mobilenet_v2")
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in BASES]


def save_as_keras_does(model, path):
    """Write a file of weights in the format of those that Keras fetches."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
    return path


def assert_same_weights(model, other):
    for got, expected in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.fixture
def mobilenet():
    return bases.build("mobilenet_0.25", 32, weights=None)


# The table


def test_vgg16_is_the_one_of_the_books():
    base = bases.build("vgg16", 150, weights=None)
    assert (base.name, base.count_params()) == ("vgg16", 14_714_688)
    assert base.output_shape == (None, 4, 4, 512)
    names = [layer.name for layer in base.layers[1:]]
    assert len(names) == 18
    assert (names[0], names[-2:]) == ("block1_conv1", ["block5_conv3", "block5_pool"])
    head = [keras.layers.Flatten(), keras.layers.Dense(256), keras.layers.Dense(1)]
    pixels = keras.Input((150, 150, 3))
    model = keras.Sequential([pixels, bases.preprocessing(base), base, *head])
    assert (model.count_params(), len(model.trainable_weights)) == (16_812_353, 30)
    base.trainable = False
    assert len(model.trainable_weights) == 4


def test_vgg19_leaves_2_by_2_of_64():
    assert bases.build("vgg19", 64, weights=None).output_shape == (None, 2, 2, 512)


def test_the_size_is_that_of_the_training_if_not_given():
    assert bases.build("course", weights=None).input_shape == (None, 64, 64, 3)
    assert bases.build("mobilenet_1.0", weights=None).input_shape == (None, 224, 224, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "course"])
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")
def test_weights_have_the_file_name_that_keras_gives_them(name, monkeypatch):
    base, asked = BASES[name], []

    def get_file(file, *args, **options):
        asked.append(file)
        raise ConnectionError

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    with pytest.raises(ConnectionError):
        getattr(keras.applications, base.function)(include_top=False, **base.options)
    assert asked == [base.file]


def test_what_can_be_fetched_are_the_files_that_are_looked_for():
    fetched = {base.source: (base.file,) for base in BASES.values() if base.source}
    assert fetched == {name: SOURCES[name].files for name in ("vgg16", "vgg19", "mobilenet")}
    assert {SOURCES[name].keras for name in fetched} == {"models"}


# Preprocessing


@pytest.mark.parametrize("name", [*FROM_KERAS])
def test_pixels_become_what_keras_would_make_of_the_same_bytes(name):
    pictures = RANDOM.integers(0, 256, (2, 5, 4, 3), np.uint8)
    module = re.sub(r"_(0|1)\.\d+$|50$", "", name)
    expected = getattr(keras.applications, module).preprocess_input(pictures.astype(np.float32))
    got = bases.preprocessing(name)(pictures.astype(np.float32) / 255)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


def test_the_base_of_the_course_sees_pixels_from_minus_one_to_one():
    assert bases.preprocessing("course")(np.array([0.0, 1.0])).numpy().tolist() == [-1, 1]


def test_without_preprocessing_pixels_stay_as_they_are():
    assert Preprocessing("none")(np.array([0.0, 0.25])).numpy().tolist() == [0, 0.25]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_pixels_are_computed_in_single_precision_under_any_policy(policy):
    mode = "caffe"
    pixels = RANDOM.random((1, 4, 4, 3), np.float32)
    expected = Preprocessing(mode)(pixels)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        got = Preprocessing(mode)(pixels)
        model = keras.Sequential([keras.Input((4, 4, 3), dtype="float32"), Preprocessing(mode)])
        inside = model(pixels)
    finally:
        keras.config.set_dtype_policy(before)
    assert got.dtype == inside.dtype == tf.float32
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(inside, expected)


@pytest.mark.parametrize("mode", bases.MODES)
def test_preprocessing_comes_back_from_disk_with_its_model(mode, tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 3)), Preprocessing(mode)])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    pixels = RANDOM.random((2, 4, 4, 3), np.float32)
    np.testing.assert_array_equal(again(pixels), model(pixels))


@pytest.mark.parametrize(("mode", "slope"), [("caffe", 255), ("tf", 2), ("none", 1)])
def test_gradients_pass_through_preprocessing(mode, slope):
    pixels = tf.constant(RANDOM.random((1, 2, 2, 3), np.float32))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        total = tf.reduce_sum(Preprocessing(mode)(pixels))
    np.testing.assert_allclose(tape.gradient(total, pixels), np.full((1, 2, 2, 3), slope))


def test_bytes_and_unknown_modes_are_refused():
    with pytest.raises(TypeError, match="uint8.*divide bytes by 255"):
        Preprocessing("tf")(np.zeros((1, 2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="'TF'; known are caffe, tf, none"):
        Preprocessing("TF")


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_what_has_not_three_channels_is_refused_where_each_has_a_mean(channels):
    mode = "caffe"
    message = rf"\(2, 4, 4, {channels}\), but '{mode}' needs three channels"
    with pytest.raises(ValueError, match=message):
        Preprocessing(mode)(np.zeros((2, 4, 4, channels), np.float32))
    with pytest.raises(ValueError, match="needs three channels"):
        keras.Sequential([keras.Input((4, 4, channels)), Preprocessing(mode)])


# Means and variances of a base with random weights


def test_settling_gives_a_base_the_means_and_variances_of_the_pictures(mobilenet):
    pictures = RANDOM.integers(0, 256, (8, 32, 32, 3), np.uint8)
    bases.settle(mobilenet, pictures)
    first, norm = mobilenet.get_layer("conv1"), mobilenet.get_layer("conv1_bn")
    maps = first(bases.preprocessing(mobilenet)(pictures / np.float32(255))).numpy()
    np.testing.assert_allclose(norm.moving_mean, maps.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, maps.var((0, 1, 2)), rtol=1e-3)


# Weights


@pytest.mark.parametrize("name", BASES)
def test_a_size_that_is_too_small_is_refused(name):
    smallest = BASES[name].smallest
    with pytest.raises(ValueError, match=rf"size is {smallest - 1}; .* {smallest} pixels or more"):
        bases.build(name, smallest - 1, weights=None)


def test_an_unknown_base_is_refused_with_the_known_ones():
    for call in (bases.build, bases.available, bases.preprocessing):
        with pytest.raises(ValueError, match="'vgg'; known are course, vgg16, vgg19, mobilenet_0"):
            call("vgg")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("vgg16", "`make data SET=vgg16`"),
        ("vgg19", "`make data SET=vgg19`"),
        ("mobilenet_0.25", "`make data SET=mobilenet`"),
        ("mobilenet_1.0", "keras.applications.MobileNet(include_top=False, alpha=1.0)"),
        ("resnet50", "keras.applications.ResNet50(include_top=False)"),
    ],
)
def test_missing_weights_are_named_with_the_places_and_what_to_do(name, advice, data):
    with pytest.raises(DataError) as caught:
        bases.build(name)
    message = str(caught.value)
    for part in (BASES[name].file, str(data), str(keras_cache() / "models"), advice):
        assert part in message


@pytest.mark.slow
def test_weights_are_taken_from_the_data_folder_else_from_the_cache_of_keras(data):
    file = BASES["mobilenet_0.25"].file
    first, second = (bases.build("mobilenet_0.25", 32, weights=None) for _ in range(2))
    cached = save_as_keras_does(first, keras_cache() / "models" / file)
    assert bases.available("mobilenet_0.25") == cached
    assert_same_weights(bases.build("mobilenet_0.25", 64), first)
    own = save_as_keras_does(second, data / file)
    assert bases.available("mobilenet_0.25") == own
    assert_same_weights(bases.build("mobilenet_0.25", 32), second)


@pytest.mark.slow
def test_weights_that_were_saved_are_loaded_again(mobilenet, tmp_path):
    mobilenet.save_weights(tmp_path / "my.weights.h5")
    loaded = bases.build("mobilenet_0.25", 64, weights=str(tmp_path / "my.weights.h5"))
    assert_same_weights(loaded, mobilenet)


@pytest.mark.skipif(not REAL_FILE.is_file(), reason="needs the weights of MobileNet 0.25")
def test_the_real_weights_of_mobilenet_are_loaded():
    base = bases.build("mobilenet_0.25", 128)
    assert base.count_params() == 218_544
    assert_same_weights(base, bases.build("mobilenet_0.25", 32, weights=REAL_FILE))
    kernel = base.get_layer("conv1").get_weights()[0]
    with h5py.File(REAL_FILE) as file:
        np.testing.assert_array_equal(kernel, file["conv1/conv1/kernel:0"])


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "not finite", "other alpha"])
def test_broken_weights_are_named_with_what_to_do(damage, data, mobilenet):
    path = data / BASES["mobilenet_0.25"].file
    if damage == "not finite":
        mobilenet.set_weights([weight * np.nan for weight in mobilenet.get_weights()])
    other = bases.build("mobilenet_1.0", 32, weights=None)
    save_as_keras_does(other if damage == "other alpha" else mobilenet, path)
    content = path.read_bytes()
    files = {"cut": content[: len(content) // 2], "empty": b"", "text": b"<html>log in</html>"}
    path.write_bytes(files.get(damage, content))
    with pytest.raises(DataError, match=rf"{path.name} does not hold .*SET=mobilenet FORCE=1"):
        bases.build("mobilenet_0.25", 32)


@pytest.mark.slow
@pytest.mark.parametrize("saved", ["vgg16", "half of it"])
def test_weights_of_another_base_are_refused(saved, mobilenet, tmp_path):
    half = keras.Model(mobilenet.input, mobilenet.layers[len(mobilenet.layers) // 2].output)
    model = half if saved == "half of it" else bases.build(saved, 32, weights=None)
    model.save_weights(tmp_path / "my.weights.h5")
    with pytest.raises(DataError, match="does not hold the weights of MobileNet 0.25"):
        bases.build("mobilenet_0.25", 32, weights=tmp_path / "my.weights.h5")


@pytest.mark.parametrize("path", ["imagenet", "nowhere/my.weights.h5"])
def test_a_path_to_nothing_is_refused(path):
    with pytest.raises(DataError, match=f"There is no file {path} .*None for random weights"):
        bases.build("mobilenet_0.25", 32, weights=path)


# The base of the course, and which base is the default


@pytest.fixture
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "RUNS_FOLDER", tmp_path / "runs")
    return tmp_path / "runs"


def test_the_course_base_comes_with_its_recorded_weights(no_runs):
    trained = bases.course_base(32)
    runs.record("course_base", trained, {"loss": [1.0]}, {}, no_runs)
    base = bases.build("course", 96)
    assert (base.name, base.output_shape) == ("course", (None, 3, 3, 128))
    assert_same_weights(base, trained)
    assert bases.available("course") == no_runs / "course_base" / "weights.npz"


def test_missing_or_broken_weights_of_the_course_base_are_named(no_runs):
    assert bases.available("course") is None
    with pytest.raises(DataError, match=r"no weights\.npz in .*git checkout"):
        bases.build("course")
    runs.record("course_base", bases.course_base(32), {"loss": [1.0]}, {}, no_runs)
    (no_runs / "course_base" / "weights.npz").write_bytes(b"garbage")
    with pytest.raises(DataError, match=r"weights\.npz does not hold .*git checkout"):
        bases.build("course")


def test_without_weights_for_photos_drawings_are_used(monkeypatch, capsys):
    monkeypatch.delenv("COURSE_TIER", raising=False)
    monkeypatch.setattr(bases.cats_and_dogs, "tier", lambda: "real")
    monkeypatch.setattr(bases, "available", lambda name: None)
    assert bases.tier() == "embedded"
    assert "make data SET=mobilenet" in capsys.readouterr().out
    monkeypatch.setattr(bases, "available", lambda name: "a file")
    assert bases.tier() == "real"
    assert capsys.readouterr().out == ""


def test_who_demands_photos_is_not_given_drawings(monkeypatch):
    monkeypatch.setenv("COURSE_TIER", "real")
    monkeypatch.setattr(bases.cats_and_dogs, "tier", lambda: "real")
    monkeypatch.setattr(bases, "available", lambda name: None)
    assert bases.tier() == "real"


def test_a_base_may_end_earlier():
    whole = bases.build("course", 64, weights=None)
    short = bases.build("course", 64, weights=None, last="block4_pool")
    assert short.name == whole.name
    assert short.output_shape == (None, 4, 4, 128)
    names = [[layer.name for layer in base.layers[1:]] for base in (short, whole)]
    assert names[0] == names[1][:12]
    with pytest.raises(ValueError, match="block9"):
        bases.build("course", 64, weights=None, last="block9")
