import dataclasses
import gzip
import hashlib
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from course_utils.data import http_download, prepared_photos
from course_utils.data.catalogue import SOURCES, Download
from course_utils.data.download import fetch, keras_cache, main, status
from course_utils.data.settings import DataError, data_folder
from course_utils.datasets import load
from tests.picture_corpus import photo

NAMES = ("x_train", "y_train", "x_test", "y_test")
REAL_DATA = data_folder()
WEIGHTS = ("vgg16", "vgg19", "mobilenet")


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr(http_download, "TIMEOUT", (2, 0.3))
    monkeypatch.setattr(http_download, "PAUSES", (0.01,))


def row_of(name):
    """The row of one set in the table."""
    return {row.name: row for row in status()}[name]


def small_arrays(seed=0, train=300):
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (train, 28, 28), np.uint8),
        "y_train": rng.integers(0, 10, train, np.uint8),
        "x_test": rng.integers(0, 256, (5, 28, 28), np.uint8),
        "y_test": rng.integers(0, 10, 5, np.uint8),
    }


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def offer(server, monkeypatch, name, files, content=None, **how):
    """Let the server offer these files as a source's downloads; return the new source."""
    downloads = tuple(
        Download(server.add(f"/{file}", data, **how), len(data), "sha256:" + sha256(data))
        for file, data in files.items()
    )
    checksums = {key: sha256(array.tobytes()) for key, array in (content or {}).items()}
    changed = dataclasses.replace(SOURCES[name], downloads=downloads, content=checksums)
    monkeypatch.setitem(SOURCES, name, changed)
    return changed


def npz(path, arrays, save=np.savez):
    save(path, **arrays)
    return path.read_bytes()


def idx(array):
    """Write an array as a gzipped IDX file of bytes."""
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sides + array.tobytes())


@pytest.fixture
def mnist(server, data, tmp_path, monkeypatch):
    """A small MNIST on the local server, as its arrays."""
    arrays = small_arrays()
    content = npz(tmp_path / "offered.npz", arrays)
    offer(server, monkeypatch, "mnist", {"mnist.npz": content}, arrays)
    return arrays


@pytest.fixture
def fashion(server, data, monkeypatch):
    """A small Fashion-MNIST on the local server, as its arrays and its four files."""
    arrays = small_arrays(1)
    names = [item.file_name for item in SOURCES["fashion_mnist"].downloads]
    files = {name: idx(arrays[key]) for name, key in zip(names, NAMES, strict=True)}
    offer(server, monkeypatch, "fashion_mnist", files, arrays)
    return arrays, files


@pytest.fixture
def svhn(server, data, monkeypatch):
    """Two files in the place of SVHN's on the local server."""
    files = {"train_32x32.mat": b"train" * 9000, "test_32x32.mat": b"test" * 9000}
    offer(server, monkeypatch, "svhn", files)
    return files


@pytest.fixture
def weights(server, data, monkeypatch):
    """Short files in the place of those with weights on the local server, by the set's name."""
    contents = {}
    for name in WEIGHTS:
        contents[name] = name.encode() * 9000
        offer(server, monkeypatch, name, {SOURCES[name].files[0]: contents[name]})
    return contents


ARCHIVE = "kagglecatsanddogs_5340.zip"


def archive_of_photos(path, count=8):
    """A small archive in Microsoft's layout."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("PetImages/Cat/Thumbs.db", b"thumbs")
        for name in ("Cat", "Dog"):
            for number in range(count):
                archive.writestr(f"PetImages/{name}/{number}.jpg", photo(number, (160, 120)))
    return path.read_bytes()


@pytest.fixture
def dogs(server, data, tmp_path, monkeypatch):
    """A small archive of photos on the local server, as its bytes."""
    content = archive_of_photos(tmp_path / "offered.zip")
    offer(server, monkeypatch, "dogs_vs_cats", {ARCHIVE: content})
    return content


def assert_loads(name, arrays):
    got = load(name)
    for key, array in arrays.items():
        np.testing.assert_array_equal(getattr(got, key), array)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


# Fetching


def test_a_set_is_downloaded_checked_and_put_in_place(server, mnist, data):
    said = fetch("mnist")
    assert "MNIST was downloaded, checked" in said
    assert visible(data) == ["mnist.npz"]
    assert_loads("mnist", mnist)


def test_a_missing_data_folder_is_made(server, mnist, data, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(data / "deep" / "down"))
    fetch("mnist")
    assert_loads("mnist", mnist)


def test_a_set_that_is_there_and_good_is_left_alone(server, mnist, data):
    fetch("mnist")
    before = (data / "mnist.npz").stat()
    assert "already there" in fetch("mnist")
    assert (data / "mnist.npz").stat() == before
    assert len(server.log) == 1


def test_the_same_content_in_another_container_is_good(server, mnist, data):
    npz(data / "mnist.npz", mnist, np.savez_compressed)
    assert "already there" in fetch("mnist")
    assert server.log == []


@pytest.mark.parametrize("bad", ["garbage", "another set", "other dtype"])
def test_a_set_that_is_there_but_bad_is_replaced_only_by_force(server, mnist, data, bad):
    if bad == "garbage":
        (data / "mnist.npz").write_bytes(b"garbage")
    elif bad == "another set":
        npz(data / "mnist.npz", small_arrays(9))
    else:
        npz(data / "mnist.npz", mnist | {"y_test": mnist["y_test"].view(np.int8)})
    before = (data / "mnist.npz").read_bytes()
    with pytest.raises(DataError, match=r"mnist\.npz.* left as it is.*SET=mnist FORCE=1.*--force"):
        fetch("mnist")
    assert (data / "mnist.npz").read_bytes() == before
    assert server.log == []
    fetch("mnist", force=True)
    assert_loads("mnist", mnist)


def test_force_fetches_a_good_set_again(server, mnist, data):
    npz(data / "mnist.npz", mnist)
    assert "downloaded" in fetch("mnist", force=True)
    assert len(server.log) == 1
    assert_loads("mnist", mnist)


def test_a_failed_replacement_leaves_the_old_file(server, mnist, data):
    (data / "mnist.npz").write_bytes(b"garbage")
    server.pages["/mnist.npz"].faults = [404]
    with pytest.raises(DataError, match="404"):
        fetch("mnist", force=True)
    assert (data / "mnist.npz").read_bytes() == b"garbage"


def test_the_four_files_of_fashion_mnist_become_one(server, fashion, data):
    arrays, _ = fashion
    fetch("fashion_mnist")
    assert visible(data) == ["fashion_mnist.npz"]
    assert_loads("fashion_mnist", arrays)


def test_what_has_been_downloaded_of_a_set_is_not_downloaded_again(server, fashion, data):
    arrays, files = fashion
    last = list(files)[-1]
    server.pages[f"/{last}"].faults = [404]
    with pytest.raises(DataError, match="404"):
        fetch("fashion_mnist")
    assert not (data / "fashion_mnist.npz").exists()
    fetch("fashion_mnist")
    assert [request.path for request in server.log].count(f"/{last}") == 2
    assert len(server.log) == 5
    assert_loads("fashion_mnist", arrays)


def test_both_files_of_svhn_are_put_in_place_together(server, svhn, data):
    server.pages["/test_32x32.mat"].faults = [404]
    with pytest.raises(DataError, match="404"):
        fetch("svhn")
    assert load("svhn").name == "digits"
    fetch("svhn")
    assert {name: (data / name).read_bytes() for name in visible(data)} == svhn


def test_the_half_of_svhn_that_is_there_is_used(server, svhn, data):
    (data / "train_32x32.mat").write_bytes(svhn["train_32x32.mat"])
    fetch("svhn")
    assert [request.path for request in server.log] == ["/test_32x32.mat"]
    assert {name: (data / name).read_bytes() for name in visible(data)} == svhn


@pytest.mark.parametrize("wrong", [b"short", b"tRain" * 9000])
def test_a_bad_half_of_svhn_is_reported(server, svhn, data, wrong):
    (data / "train_32x32.mat").write_bytes(wrong)
    with pytest.raises(DataError, match=r"train_32x32\.mat has .* SET=svhn FORCE=1"):
        fetch("svhn")
    fetch("svhn", force=True)
    assert {name: (data / name).read_bytes() for name in visible(data)} == svhn


def test_wrong_bytes_are_removed_and_the_next_call_starts_anew(server, mnist, data):
    right = server.pages["/mnist.npz"].content
    server.pages["/mnist.npz"].content = right[::-1]
    with pytest.raises(DataError, match=r"/mnist\.npz was downloaded, but has the wrong checksum"):
        fetch("mnist")
    assert list(data.rglob("mnist.npz*")) == []
    server.pages["/mnist.npz"].content = right
    fetch("mnist")
    assert_loads("mnist", mnist)


def test_a_broken_download_goes_on_in_the_next_call(server, mnist, data):
    server.pages["/mnist.npz"].faults = [("cut", 100_000), ("cut", 0)]
    with pytest.raises(DataError, match=r"kept in .*mnist\.npz\.part: run the same command"):
        fetch("mnist")
    assert load("mnist").name == "digits"
    fetch("mnist")
    assert server.log[-1].status == 206
    assert_loads("mnist", mnist)


def test_an_unknown_set_is_refused_with_the_known_ones(data):
    with pytest.raises(ValueError, match=r"'minst'.*mnist, fashion_mnist, svhn, dogs_vs_cats"):
        fetch("minst")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_plainly(server, mnist, data):
    (data / "mnist.download").mkdir()
    (data / "mnist.download" / "mnist.npz.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"full\. Free some space"):
        fetch("mnist")
    assert not (data / "mnist.npz").exists()


def test_a_read_only_folder_is_said_plainly(server, mnist, read_only, monkeypatch):
    folder, locked = read_only
    for place in (folder, folder / "below"):
        monkeypatch.setenv("COURSE_DATA", str(place))
        with locked(), pytest.raises(DataError, match=r"cannot be written to.*COURSE_DATA"):
            fetch("mnist")


def test_a_good_set_in_a_read_only_folder_will_do(server, mnist, read_only, monkeypatch):
    folder, locked = read_only
    monkeypatch.setenv("COURSE_DATA", str(folder))
    npz(folder / "mnist.npz", mnist)
    with locked():
        assert "already there" in fetch("mnist")


def test_a_file_in_place_of_the_folder_is_said_plainly(server, mnist, data, monkeypatch):
    (data / "file").write_text("")
    monkeypatch.setenv("COURSE_DATA", str(data / "file"))
    with pytest.raises(DataError, match="file cannot be used"):
        fetch("mnist")


# Copies on this computer


def test_a_copy_in_a_folder_is_taken_by_its_content(server, mnist, data, tmp_path):
    (tmp_path / "stick").mkdir()
    npz(tmp_path / "stick" / "mnist.npz", mnist, np.savez_compressed)
    assert "copied" in fetch("mnist", source=tmp_path / "stick")
    assert server.log == []
    assert visible(data) == ["mnist.npz"]
    assert_loads("mnist", mnist)


def test_a_folder_may_be_named_from_home(server, mnist, data, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "stick").mkdir()
    npz(tmp_path / "stick" / "mnist.npz", mnist)
    assert "copied" in fetch("mnist", source="~/stick")


def test_a_bad_copy_is_named_and_not_taken(server, mnist, data, tmp_path, capsys):
    npz(tmp_path / "mnist.npz", small_arrays(9))
    assert "downloaded" in fetch("mnist", source=tmp_path)
    assert f"Not used: {tmp_path / 'mnist.npz'}" in capsys.readouterr().err
    assert_loads("mnist", mnist)


def test_a_folder_without_a_copy_is_no_obstacle_but_a_missing_folder_is(server, mnist, tmp_path):
    with pytest.raises(DataError, match="There is no folder"):
        fetch("mnist", source=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "downloaded" in fetch("mnist", source=tmp_path / "empty")


def test_mnist_is_taken_from_the_cache_of_keras(server, mnist, data):
    cache = keras_cache() / "datasets"
    cache.mkdir(parents=True)
    npz(cache / "mnist.npz", mnist)
    assert "copied" in fetch("mnist")
    assert server.log == []
    assert (cache / "mnist.npz").exists()
    assert_loads("mnist", mnist)


def test_fashion_mnist_is_taken_from_the_cache_of_keras_as_far_as_it_is_good(
    server, fashion, data, capsys
):
    arrays, files = fashion
    cache = keras_cache() / "datasets" / "fashion-mnist"
    cache.mkdir(parents=True)
    for name, content in files.items():
        (cache / name).write_bytes(content)
    first = next(iter(files))
    (cache / first).write_bytes(files[first][:50])
    fetch("fashion_mnist")
    assert f"Not used: {cache / first} has 50 bytes" in capsys.readouterr().err
    assert [request.path for request in server.log] == [f"/{first}"]
    assert visible(data) == ["fashion_mnist.npz"]
    assert_loads("fashion_mnist", arrays)


def test_a_cache_that_may_not_be_searched_is_no_obstacle(server, mnist, read_only, monkeypatch):
    folder, locked = read_only
    monkeypatch.setenv("COURSE_DATA", str(folder))
    npz(folder / "mnist.npz", mnist)
    monkeypatch.setenv("KERAS_HOME", "/root")
    with locked():
        assert row_of("mnist").state == "on disk"


def test_the_cache_of_keras_is_where_keras_says(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keras_cache() == tmp_path / ".keras"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "other"))
    assert keras_cache() == tmp_path / "other"


def test_the_real_files_beside_the_project_are_taken(data):
    if not (REAL_DATA / "mnist.npz").exists() or REAL_DATA == data:
        pytest.skip("needs the real data")
    assert "copied" in fetch("mnist", source=REAL_DATA)
    assert "already there" in fetch("mnist")


# Weights


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_downloaded_and_go_on_where_they_stopped(server, weights, data, name):
    (file,) = SOURCES[name].files
    server.pages[f"/{file}"].faults = [("cut", 20_000), ("cut", 0)]
    with pytest.raises(DataError, match="run the same command again to go on"):
        fetch(name)
    assert row_of(name).state == "not on disk"
    assert "downloaded, checked" in fetch(name)
    assert server.log[-1].status == 206
    assert (data / file).read_bytes() == weights[name]
    assert row_of(name).state == "on disk"


def test_weights_are_taken_from_the_cache_of_keras(server, weights, data):
    path = keras_cache() / "models" / SOURCES["vgg16"].files[0]
    path.parent.mkdir(parents=True)
    path.write_bytes(weights["vgg16"])
    assert row_of("vgg16").state == "in Keras's cache"
    assert "copied" in fetch("vgg16")
    assert server.log == []


def test_cut_weights_show_as_broken_and_are_replaced_by_force(server, weights, data):
    path = data / SOURCES["mobilenet"].files[0]
    path.write_bytes(weights["mobilenet"][:-1])
    assert "SET=mobilenet FORCE=1" in row_of("mobilenet").get
    with pytest.raises(DataError, match=r"mobilenet_2_5.* bytes instead of .* left as it is"):
        fetch("mobilenet")
    fetch("mobilenet", force=True)
    assert path.read_bytes() == weights["mobilenet"]


def test_the_real_weights_beside_the_project_are_taken(data):
    if not (REAL_DATA / SOURCES["mobilenet"].files[0]).exists() or REAL_DATA == data:
        pytest.skip("needs the weights of MobileNet 0.25")
    assert "copied" in fetch("mobilenet", source=REAL_DATA)
    assert "already there" in fetch("mobilenet")


# Photos


def test_the_archive_of_photos_is_downloaded_checked_and_prepared(server, dogs, data):
    said = fetch("dogs_vs_cats")
    assert said == (
        f"Dogs vs Cats from {ARCHIVE}: 8 photos for training, 4 for validation, 4 to test. It has "
        "too few good ones for the usual 4,000, so every part is smaller. "
        f"They are in {data / 'dogs-vs-cats'}."
    )
    assert visible(data) == ["dogs-vs-cats"]
    assert prepared_photos.ensure() == data / "dogs-vs-cats"
    assert (data / "dogs-vs-cats/train/cat/cat.3.jpg").read_bytes() == photo(3, (160, 120))
    assert "already there" in fetch("dogs_vs_cats")
    assert len(server.log) == 1


def test_an_archive_with_the_wrong_checksum_is_removed(server, dogs, data):
    server.pages[f"/{ARCHIVE}"].content = dogs[::-1]
    with pytest.raises(DataError, match="has the wrong checksum"):
        fetch("dogs_vs_cats")
    assert list(data.rglob("*.zip")) == []
    assert prepared_photos.state() == "not on disk"


def test_a_broken_download_of_photos_goes_on_in_the_next_call(server, dogs, data):
    server.pages[f"/{ARCHIVE}"].faults = [("cut", 20_000), ("cut", 0)]
    with pytest.raises(DataError, match=r"kept in .*zip\.part: run the same command"):
        fetch("dogs_vs_cats")
    fetch("dogs_vs_cats")
    assert server.log[-1].status == 206
    assert visible(data) == ["dogs-vs-cats"]


def test_an_archive_that_is_too_poor_is_kept_and_nothing_is_put_in_place(
    server, data, tmp_path, monkeypatch
):
    offer(server, monkeypatch, "dogs_vs_cats", {ARCHIVE: archive_of_photos(tmp_path / "a.zip", 5)})
    for _ in range(2):
        with pytest.raises(DataError, match="only 5 good photos"):
            fetch("dogs_vs_cats")
    assert visible(data) == ["dogs_vs_cats.download"]
    assert len(server.log) == 1


@pytest.mark.parametrize("place", ["data", "stick"])
def test_an_archive_on_this_computer_is_used_and_kept(server, dogs, data, tmp_path, place):
    (tmp_path / "stick").mkdir()
    (tmp_path / place / ARCHIVE).write_bytes(dogs)
    source = tmp_path / "stick" if place == "stick" else None
    assert f"Dogs vs Cats from {ARCHIVE}: 8 photos" in fetch("dogs_vs_cats", source=source)
    assert server.log == []
    assert prepared_photos.state() == "on disk"
    assert (tmp_path / place / ARCHIVE).exists()


def test_prepared_photos_are_made_anew_by_force_only(server, dogs, data):
    fetch("dogs_vs_cats")
    lost = data / "dogs-vs-cats/train/cat/cat.0.jpg"
    lost.unlink()
    with pytest.raises(DataError, match="not as many photos"):
        fetch("dogs_vs_cats")
    row = row_of("dogs_vs_cats")
    assert (row.state, row.on_disk) == ("broken", False)
    assert "SET=dogs_vs_cats FORCE=1" in row.get
    fetch("dogs_vs_cats", force=True)
    assert lost.exists()
    assert visible(data) == ["dogs-vs-cats"]


@pytest.mark.parametrize("force", [False, True])
def test_another_folder_in_the_place_of_the_photos_is_kept_and_nothing_downloaded(
    server, dogs, data, force
):
    (data / "dogs-vs-cats" / "mine").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no folder of prepared photos.*Move"):
        fetch("dogs_vs_cats", force=force)
    assert (data / "dogs-vs-cats" / "mine").is_dir()
    assert server.log == []


def test_prepared_photos_in_a_read_only_folder_will_do(server, dogs, read_only, monkeypatch):
    folder, locked = read_only
    monkeypatch.setenv("COURSE_DATA", str(folder))
    fetch("dogs_vs_cats")
    with locked():
        assert "already there" in fetch("dogs_vs_cats")


def test_the_table_counts_photos_that_a_loader_can_prepare_as_on_disk(dogs, data, capsys):
    (data / ARCHIVE).write_bytes(dogs)
    row = row_of("dogs_vs_cats")
    assert (row.title, row.images) == ("Dogs vs Cats", "4,000 of 25,000 photos")
    assert (row.state, row.on_disk, row.get) == ("to be prepared", True, "")
    prepared_photos.ensure()
    main([])
    assert re.search(r"^dogs_vs_cats +real +on disk +4,000", capsys.readouterr().out, re.M)


# Several processes


def in_a_process(errors):
    """Run `fetch mnist`, with this test's small MNIST, in a process of its own."""
    source = SOURCES["mnist"]
    code = (
        "import sys, dataclasses; from course_utils.data import download;"
        "from course_utils.data.catalogue import SOURCES, Download;"
        "SOURCES['mnist'] = dataclasses.replace(SOURCES['mnist'],"
        f"downloads={source.downloads!r}, content={source.content!r});"
        "sys.exit(download.main(['mnist']))"
    )
    with open(errors, "w") as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=stderr, text=True
        )


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_of_two_processes_one_fetches_and_the_other_waits(server, mnist, data, tmp_path):
    page = server.pages["/mnist.npz"]
    page.pause = 0.3
    errors = [tmp_path / "first", tmp_path / "second"]
    both = [in_a_process(path) for path in errors]
    wait_for(lambda: any("waiting for it" in path.read_text() for path in errors))
    page.pause = 0
    out = sorted(process.communicate(timeout=30)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert "already there" in out[0]
    assert "downloaded" in out[1]
    assert len(server.log) == 1
    assert server.sent == len(page.content)
    assert_loads("mnist", mnist)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_command_goes_on_the_next_time(server, mnist, data, tmp_path, how):
    page = server.pages["/mnist.npz"]
    page.pause = 0.1
    part = data / "mnist.download" / "mnist.npz.part"
    process = in_a_process(tmp_path / "errors")
    wait_for(lambda: part.exists() and part.stat().st_size > 40_000)
    process.send_signal(how)
    assert process.communicate(timeout=30)[0] == ""
    err = (tmp_path / "errors").read_text()
    if how == signal.SIGINT:
        assert process.returncode == 1
        assert "run the same command again to go on" in err
        assert "Traceback" not in err
    kept = part.stat().st_size
    page.pause = 0
    fetch("mnist")
    assert server.log[-1].sent == len(page.content) - kept
    assert visible(data) == ["mnist.npz"]
    assert_loads("mnist", mnist)


# The command


def test_the_command_fetches_several_sets(server, mnist, svhn, data, capsys):
    assert main(["mnist", "svhn"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("downloaded, checked") == 2
    assert visible(data) == ["mnist.npz", "test_32x32.mat", "train_32x32.mat"]


def test_all_means_all_and_one_failure_does_not_stop_the_rest(
    server, mnist, fashion, svhn, dogs, weights, data, capsys
):
    server.pages["/mnist.npz"].faults = [404]
    assert main(["all"]) == 1
    captured = capsys.readouterr()
    assert len(captured.err.strip().splitlines()) == 1
    assert "mnist.npz" in captured.err
    assert visible(data) == [
        "dogs-vs-cats",
        "fashion_mnist.npz",
        "mnist.download",
        "mobilenet_2_5_224_tf_no_top.h5",
        "test_32x32.mat",
        "train_32x32.mat",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ]


def test_the_command_takes_a_folder_and_force(server, mnist, data, tmp_path, capsys):
    npz(tmp_path / "mnist.npz", mnist)
    (data / "mnist.npz").write_bytes(b"garbage")
    assert main(["mnist", "--from", str(tmp_path)]) == 1
    assert main(["mnist", "--from", str(tmp_path), "--force"]) == 0
    assert "copied" in capsys.readouterr().out
    assert server.log == []


@pytest.mark.parametrize("arguments", [["minst"], ["mnist", "--from", "/nowhere"]])
def test_a_mistake_is_one_line_and_exit_status_1(data, arguments):
    got = subprocess.run(
        [sys.executable, "-m", "course_utils.data.download", *arguments],
        capture_output=True,
        text=True,
    )
    assert (got.returncode, got.stdout) == (1, "")
    assert len(got.stderr.strip().splitlines()) == 1


# The table


def test_the_table_tells_what_is_where(server, mnist, svhn, data, capsys):
    assert [(row.name, row.state, row.on_disk) for row in status()] == [
        ("digits", "built in", True),
        ("drawn_cats_and_dogs", "drawn at first use", True),
        ("mnist", "not on disk", False),
        ("fashion_mnist", "not on disk", False),
        ("svhn", "not on disk", False),
        ("dogs_vs_cats", "not on disk", False),
        ("vgg16", "not on disk", False),
        ("vgg19", "not on disk", False),
        ("mobilenet", "not on disk", False),
    ]
    npz(data / "mnist.npz", mnist)
    (data / "fashion_mnist.npz").write_bytes(b"garbage")
    (data / "test_32x32.mat").write_bytes(svhn["test_32x32.mat"])
    rows = {row.name: row for row in status()}
    assert [row.state for row in rows.values()] == [
        *("built in", "drawn at first use", "on disk", "broken", "incomplete"),
        *["not on disk"] * 4,
    ]
    assert rows["mnist"].get == ""
    assert "SET=fashion_mnist FORCE=1" in rows["fashion_mnist"].get
    assert rows["svhn"].get.startswith("`make data SET=svhn`")
    assert main([]) == 0
    text = capsys.readouterr().out
    assert re.search(
        r"^mnist +real +on disk +70,000 of 28 x 28, grey +\d+ MB +CC BY-SA", text, re.M
    )
    assert str(data) in text
    assert server.log == []


def test_the_table_tells_of_copies_in_the_cache_of_keras(mnist, data, capsys):
    assert row_of("mnist").state == "not on disk"
    cache = keras_cache() / "datasets"
    cache.mkdir(parents=True)
    npz(cache / "mnist.npz", mnist)
    assert row_of("mnist").state == "in Keras's cache"
    assert not row_of("mnist").on_disk
    main([])
    assert "in Keras's cache" in capsys.readouterr().out


def test_the_table_is_shown_however_a_file_is_damaged(mnist, data):
    content = npz(data / "mnist.npz", mnist)
    assert row_of("mnist").state == "on disk"
    for at in range(len(content) - 300, len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        (data / "mnist.npz").write_bytes(damaged)
        assert row_of("mnist").state in ("on disk", "broken")
        (data / "mnist.npz").write_bytes(content[:at])
        assert row_of("mnist").state == "broken"


def test_the_table_is_shown_even_where_the_folder_is_missing(data, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(data / "nowhere"))
    assert not row_of("mnist").on_disk


def test_the_table_names_no_folder_of_this_machine(mnist, data):
    npz(data / "mnist.npz", mnist)
    assert str(data) not in repr(status())


def test_every_source_is_complete_and_its_addresses_are_well_formed():
    for source in SOURCES.values():
        assert source.size == sum(item.size for item in source.downloads) > 0
        assert source.licence
        assert source.images
        for item in source.downloads:
            assert re.fullmatch(r"https?://[\w.]+/[\w./-]+", item.url)
            assert item.checksum is None or re.fullmatch(
                r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", item.checksum
            )


def test_a_folder_under_the_name_of_a_file_is_never_replaced(mnist, data):
    (data / "mnist.npz").mkdir()
    with pytest.raises(DataError, match=r"cannot be used.*mnist\.npz"):
        fetch("mnist", force=True)
    assert (data / "mnist.npz").is_dir()


def test_another_set_under_the_name_of_mnist_shows_as_broken(data):
    npz(data / "mnist.npz", small_arrays(train=2))
    assert row_of("mnist").state == "broken"
