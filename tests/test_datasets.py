import hashlib
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from scipy.io import savemat
from skimage.color import rgb2gray
from skimage.transform import resize
from sklearn.datasets import load_digits

from course_utils.data.catalogue import SOURCES, Download
from course_utils.data.settings import DataError, data_folder
from course_utils.datasets import digits, grey, load
from tests.examples import many

REAL_DATA = data_folder()


def arrays(train=20, test=10, **changed):
    """Make a small set in the layout of MNIST, with some arrays changed or left out (None)."""
    rng = np.random.default_rng(0)
    made = {
        "x_train": rng.integers(0, 256, (train, 28, 28), np.uint8),
        "y_train": np.arange(train, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (test, 28, 28), np.uint8),
        "y_test": np.arange(test, dtype=np.uint8) % 10,
    } | changed
    return {name: array for name, array in made.items() if array is not None}


@pytest.fixture(autouse=True)
def catalogue(monkeypatch):
    """A catalogue that these tests may change."""
    for name, source in SOURCES.items():
        monkeypatch.setitem(SOURCES, name, source)


def known(made, name="mnist"):
    """Let these arrays be the content of a set."""
    content = {key: hashlib.sha256(array.tobytes()).hexdigest() for key, array in made.items()}
    SOURCES[name] = replace(SOURCES[name], content=content)
    return made


def known_svhn(folder):
    """Let the two files in a folder be those of SVHN."""
    downloads = []
    for file in SOURCES["svhn"].files:
        content = (folder / file).read_bytes()
        checksum = "sha256:" + hashlib.sha256(content).hexdigest()
        downloads.append(Download(f"https://somewhere/{file}", len(content), checksum))
    SOURCES["svhn"] = replace(SOURCES["svhn"], downloads=tuple(downloads))


def write_svhn(folder, part="train", images=12, **changed):
    """Write one of SVHN's two files, with some arrays changed or left out (None)."""
    rng = np.random.default_rng(1)
    made = {
        "X": rng.integers(0, 256, (32, 32, 3, images), np.uint8),
        "y": (np.arange(images, dtype=np.uint8)[:, None] % 10) + 1,
    } | changed
    made = {name: array for name, array in made.items() if array is not None}
    savemat(folder / f"{part}_32x32.mat", made, do_compression=True)
    return made


def assert_broken(name, *what):
    """The set is refused with the file, the fault and the remedy."""
    with pytest.raises(DataError) as caught:
        load(name)
    for text in (*what, "Move what is there away", f"SET={name} FORCE=1"):
        assert text in str(caught.value)


# The embedded digits


def test_the_digits_have_the_promised_shapes_and_values():
    data = digits()
    assert (data.name, data.tier) == ("digits", "embedded")
    for x, y, count in ((data.x_train, data.y_train, 1347), (data.x_test, data.y_test, 450)):
        assert (x.shape, x.dtype) == ((count, 28, 28), np.uint8)
        assert (y.shape, y.dtype) == ((count,), np.int64)
        assert (x.min(), x.max()) == (0, 255)
    assert data.class_names == tuple("0123456789")


@pytest.mark.slow
def test_the_digits_are_those_of_scikit_learn_each_enlarged_on_its_own():
    data = digits()
    small = load_digits()
    expected = []
    for image, label in zip(small.images, small.target, strict=True):
        large = np.clip(resize(image, (20, 20), order=3, mode="constant", clip=False) / 16, 0, 1)
        expected.append((np.pad(np.rint(large * 255), 4).astype(np.uint8).tobytes(), int(label)))
    x, y = np.concatenate([data.x_train, data.x_test]), [*data.y_train, *data.y_test]
    got = [(image.tobytes(), int(label)) for image, label in zip(x, y, strict=True)]
    assert sorted(got) == sorted(expected)


@pytest.mark.slow
def test_the_digits_have_a_black_frame_and_fair_classes_and_never_change():
    data = digits()
    frame = np.ones((28, 28), bool)
    frame[4:-4, 4:-4] = False
    assert not data.x_train[:, frame].any()
    assert not data.x_test[:, frame].any()
    for y in (data.y_train, data.y_test):
        share = np.bincount(y, minlength=10) / len(y)
        assert np.abs(share - 0.1).max() < 0.01
    again = digits()
    np.testing.assert_array_equal(again.x_train, data.x_train)
    np.testing.assert_array_equal(again.y_test, data.y_test)


def test_a_summary_is_one_line_and_a_data_set_shows_no_arrays():
    data = digits()
    assert data.summary() == (
        "Handwritten digits (embedded tier): 1,347 training and 450 test images of 28 x 28, "
        "10 classes"
    )
    assert "array" not in repr(data)


# Which set is loaded


def test_an_empty_folder_gives_the_digits(data):
    assert load("mnist", "svhn").name == "digits"


def test_the_first_named_set_on_disk_is_loaded(data):
    made = known(arrays(), "fashion_mnist")
    np.savez(data / "fashion_mnist.npz", **made)
    got = load("svhn", "mnist", "fashion_mnist")
    assert (got.name, got.title, got.tier) == ("fashion_mnist", "Fashion-MNIST", "real")
    assert got.class_names[9] == "Ankle boot"
    for name, array in made.items():
        np.testing.assert_array_equal(getattr(got, name), array)
    assert got.y_train.dtype == got.y_test.dtype == np.int64
    np.savez(data / "mnist.npz", **known(made))
    assert load("mnist", "fashion_mnist").name == "mnist"
    assert load("fashion_mnist", "mnist").name == "fashion_mnist"
    assert load("svhn").name == "digits"


def test_the_summary_of_a_real_set_names_its_tier(data):
    np.savez(data / "mnist.npz", **known(arrays(train=1200)))
    assert load("mnist").summary() == (
        "MNIST (real tier): 1,200 training and 10 test images of 28 x 28, 10 classes"
    )


@pytest.mark.slow
def test_the_embedded_tier_can_be_forced(data, monkeypatch):
    np.savez(data / "mnist.npz", **known(arrays()))
    monkeypatch.setenv("COURSE_TIER", "embedded")
    assert load("mnist").name == "digits"
    monkeypatch.setenv("COURSE_DATA", str(data / "nowhere"))
    assert load("mnist").name == "digits"


def test_the_real_tier_can_be_forced(data, monkeypatch):
    monkeypatch.setenv("COURSE_TIER", "real")
    with pytest.raises(DataError) as caught:
        load("mnist", "svhn")
    for text in (
        "mnist.npz, train_32x32.mat, test_32x32.mat",
        str(data),
        "`make data SET=mnist`",
        "`python -m course_utils.data.download mnist`",
    ):
        assert text in str(caught.value)
    np.savez(data / "mnist.npz", **known(arrays()))
    assert load("svhn", "mnist").name == "mnist"


@pytest.mark.parametrize("names", [("minst",), ("mnist", "digits"), ()])
def test_an_unknown_name_is_refused_with_the_known_ones(data, monkeypatch, names):
    monkeypatch.setenv("COURSE_TIER", "embedded")
    with pytest.raises(ValueError, match="mnist, fashion_mnist, svhn"):
        load(*names)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_data_folder_that_is_none_is_refused(data, monkeypatch, kind):
    place = data / "typo"
    if kind == "file":
        place.write_text("")
    monkeypatch.setenv("COURSE_DATA", str(place))
    with pytest.raises(DataError, match=r"typo.*make data SET=.*correct the path.*unset"):
        load("mnist")


def test_the_default_folder_need_not_exist(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.delenv("COURSE_TIER", raising=False)
    monkeypatch.setattr("course_utils.data.settings.COURSE_FOLDER", tmp_path / "nowhere")
    assert load("mnist").name == "digits"


def test_nothing_is_written_to_the_data_folder(data):
    load("mnist")
    assert list(data.iterdir()) == []


# Broken files

OBJECTS = np.array([None] * 20)
CHANGED = "has another content"
BROKEN = {
    "without x_test": ({"x_test": None}, "x_test is not a file in the archive"),
    "float images": ({"x_train": np.zeros((20, 28, 28))}, CHANGED),
    "other images": ({"x_test": np.zeros((10, 28, 28), np.uint8)}, CHANGED),
    "a number for images": ({"x_train": np.uint8(3)}, CHANGED),
    "true or false as labels": ({"y_test": np.zeros(10, bool)}, CHANGED),
    "too few labels": ({"y_train": np.zeros(19, np.uint8)}, CHANGED),
    "objects as images": ({"x_train": OBJECTS}, "allow_pickle"),
    "objects as labels": ({"y_train": OBJECTS}, "allow_pickle"),
}


@pytest.mark.parametrize(("changed", "what"), BROKEN.values(), ids=BROKEN)
def test_a_file_with_wrong_arrays_is_refused(data, changed, what):
    known(arrays())
    np.savez(data / "mnist.npz", **arrays(**changed))
    assert_broken("mnist", str(data / "mnist.npz"), what)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04N."])
def test_a_file_of_another_kind_is_refused(data, content):
    (data / "mnist.npz").write_bytes(content)
    assert_broken("mnist", str(data / "mnist.npz"))


def test_a_single_array_instead_of_four_is_refused(data):
    with open(data / "mnist.npz", "wb") as file:
        np.save(file, np.zeros((20, 28, 28), np.uint8))
    assert_broken("mnist", "mnist.npz")


def test_a_folder_or_a_dangling_link_in_place_of_a_file_is_refused(data):
    (data / "mnist.npz").mkdir()
    assert_broken("mnist", "cannot be read: Is a directory")
    (data / "fashion_mnist.npz").symlink_to(data / "nowhere")
    assert_broken("fashion_mnist", "cannot be read: No such file")


def test_a_file_that_may_not_be_read_is_refused(read_only, monkeypatch):
    folder, locked = read_only
    monkeypatch.setenv("COURSE_DATA", str(folder))
    monkeypatch.delenv("COURSE_TIER", raising=False)
    np.savez(folder / "mnist.npz", **arrays())
    (folder / "mnist.npz").chmod(0)
    with locked():
        assert_broken("mnist", "cannot be read: Permission denied")


def test_a_folder_that_may_not_be_searched_is_no_empty_folder(read_only, monkeypatch):
    folder, locked = read_only
    monkeypatch.setenv("COURSE_DATA", str(folder))
    monkeypatch.delenv("COURSE_TIER", raising=False)
    with locked():
        os.seteuid(os.getuid())
        folder.chmod(0)
        if os.getuid() == 0:
            os.seteuid(65534)
        with pytest.raises(DataError, match="cannot be searched: Permission denied"):
            load("mnist")


class Trap:
    """A pickled object that leaves a file behind if it is ever loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickled_objects_are_never_executed(data):
    sprung = data / "sprung"
    np.savez(data / "mnist.npz", **arrays(x_train=np.array([Trap(sprung)], dtype=object)))
    assert_broken("mnist")
    (data / "mnist.npz").write_bytes(pickle.dumps(Trap(sprung)))
    assert_broken("mnist")
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung))).close()
    assert sprung.exists()


@pytest.mark.parametrize("other", ["mnist", "fashion_mnist"])
def test_one_real_set_under_the_name_of_another_is_refused(data, other):
    real = REAL_DATA / f"{other}.npz"
    if not real.exists():
        pytest.skip("needs the real data")
    name = {"mnist": "fashion_mnist", "fashion_mnist": "mnist"}[other]
    (data / f"{name}.npz").symlink_to(real.absolute())
    assert_broken(name, f"is not {SOURCES[name].title}")


def outcome(made):
    """Load a damaged file, and tell whether it was refused, or how what came compares."""
    try:
        got = load("mnist")
    except DataError:
        return "refused"
    same = all(np.array_equal(getattr(got, name), array) for name, array in made.items())
    return "as written" if same else "wrong data"


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "compressed"])
def written(request, data):
    """A small file of MNIST's layout, what is in it, and its bytes."""
    made = known(arrays(train=3, test=2))
    request.param(data / "mnist.npz", **made)
    return data / "mnist.npz", made, (data / "mnist.npz").read_bytes()


def test_a_truncated_file_is_refused_wherever_it_ends(written):
    path, made, content = written
    for end in [*range(0, len(content), 41), *range(len(content) - 60, len(content))]:
        path.write_bytes(content[:end])
        assert outcome(made) == "refused", end


@many(200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), end=st.booleans())
def test_a_damaged_byte_never_changes_what_is_loaded(written, where, flip, end):
    path, made, content = written
    damaged = bytearray(content)
    # Half of the examples hit the table of contents at the end, where zip files are most delicate.
    at = int(where * 300) - 300 if end else int(where * len(content))
    damaged[at] ^= flip
    path.write_bytes(damaged)
    assert outcome(made) != "wrong data"


@many(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"PK\x03\x04", b"\x93NUMPY"]))
def test_nonsense_is_refused(data, content, start):
    (data / "mnist.npz").write_bytes(start + content)
    with pytest.raises(DataError, match="mnist"):
        load("mnist")


# SVHN


def test_svhn_is_turned_the_right_way_and_its_ten_becomes_a_zero(data):
    train, test = write_svhn(data, "train"), write_svhn(data, "test", images=5)
    known_svhn(data)
    got = load("svhn")
    assert (got.name, got.tier, got.class_names) == ("svhn", "real", tuple("0123456789"))
    assert (got.x_train.shape, got.x_train.dtype) == ((12, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(got.x_train[7], train["X"][..., 7])
    np.testing.assert_array_equal(got.x_test[4, 3, 5], test["X"][3, 5, :, 4])
    assert got.y_train.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert got.y_train.dtype == np.int64
    assert "images of 32 x 32 x 3" in got.summary()


def test_half_of_svhn_is_no_reason_to_fall_back_silently(data):
    write_svhn(data, "train")
    write_svhn(data, "test")
    known_svhn(data)
    (data / "test_32x32.mat").unlink()
    assert_broken("svhn", "test_32x32.mat cannot be read: No such file")


def test_a_damaged_or_truncated_svhn_file_is_refused(data):
    write_svhn(data, "test", images=2)
    write_svhn(data, "train", images=2)
    known_svhn(data)
    path = data / "test_32x32.mat"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert_broken("svhn", "test_32x32.mat has")
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert_broken("svhn", "test_32x32.mat has the wrong checksum")


# The real data, where it is


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_sets_have_the_known_content(monkeypatch, name):
    source = SOURCES[name]
    if not (REAL_DATA / source.files[0]).exists():
        pytest.skip("needs the real data")
    monkeypatch.setenv("COURSE_DATA", str(REAL_DATA))
    monkeypatch.delenv("COURSE_TIER", raising=False)
    got = load(name)
    assert (len(got.x_train), len(got.x_test)) == (60_000, 10_000)
    for key, checksum in source.content.items():
        content = getattr(got, key).astype(np.uint8).tobytes()
        assert hashlib.sha256(content).hexdigest() == checksum


# Greys


def test_grey_is_the_luminance_of_scikit_image():
    picture = skimage.data.coffee()
    np.testing.assert_allclose(grey(picture), rgb2gray(picture), atol=1e-12)
    batch = np.stack([picture[:100, :90], picture[100:200, :90]])
    np.testing.assert_allclose(grey(batch), rgb2gray(batch), atol=1e-12)
    np.testing.assert_allclose(grey(picture / 255), grey(picture), atol=1e-12)


def test_grey_of_grey_only_scales():
    one = np.array([[0, 51], [102, 255]], np.uint8)
    np.testing.assert_array_equal(grey(one), [[0, 0.2], [0.4, 1]])
    np.testing.assert_array_equal(grey(np.stack([one] * 5)), [[[0, 0.2], [0.4, 1]]] * 5)
    np.testing.assert_array_equal(grey(one / 255), one / 255)


def test_grey_of_white_is_exactly_one_and_of_black_zero():
    assert grey(np.full((2, 2, 3), 255, np.uint8)).tolist() == [[1, 1], [1, 1]]
    assert grey(np.zeros((2, 2, 3), np.uint8)).tolist() == [[0, 0], [0, 0]]


def test_three_axes_that_end_in_three_are_one_colour_image():
    assert grey(np.zeros((5, 4, 3), np.uint8)).shape == (5, 4)
    assert grey(np.zeros((5, 4, 4), np.uint8)).shape == (5, 4, 4)
    assert grey(np.zeros((3, 3), np.uint8)).shape == (3, 3)


def test_importing_is_light():
    code = (
        "import sys, course_utils.datasets, course_utils.data.download;"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'skimage', 'scipy', 'pooch', 'requests'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.strip() == "[]"
