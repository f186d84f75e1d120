import builtins
import codecs
import errno
import hashlib
import importlib
import io
import json
import os
import random
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image, ImageFile

from course_utils.data import prepared_photos, settings
from course_utils.data.prepared_photos import (
    CLASS_NAMES,
    FOLDER,
    PER_CLASS,
    Report,
    prepare,
    read_report,
)
from course_utils.data.settings import DataError
from tests.examples import IN_CI
from tests.picture_corpus import corpus, drawing, photo, saved

# What is imported late must be there before `read_only` gives up root's rights.
importlib.import_module("tqdm.auto")
codecs.lookup("ascii")
Image.init()

SMALL = {"train": 4, "validation": 2, "test": 2}
REAL = settings.data_folder() / "dogs-vs-cats-train-4000.zip"
PHOTOS = [photo(seed) for seed in range(12)]


def kaggle(cats=range(8), dogs=range(8)):
    """The members of an archive in Kaggle's layout, with good photos of these numbers."""
    numbers = {"cat": cats, "dog": dogs}
    return {
        f"train/{name}.{number}.jpg": PHOTOS[number % len(PHOTOS)]
        for name in CLASS_NAMES
        for number in numbers[name]
    }


def microsoft(members):
    """The same photos in Microsoft's layout."""
    renamed = {}
    for name, content in members.items():
        _, class_name, number = re.fullmatch(r"(train/)(\w+)\.(\d+)\.jpg", name).groups()
        renamed[f"PetImages/{class_name.capitalize()}/{number}.jpg"] = content
    return renamed


def zipped(path, members, method=zipfile.ZIP_STORED):
    """Write an archive; members are (name or ZipInfo, content) pairs or a dict."""
    pairs = members.items() if isinstance(members, dict) else members
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that are there twice
        for name, content in pairs:
            archive.writestr(name, content)
    return path


def unpacked(folder, members):
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def tree(folder):
    """The names of the files in a folder and below it, each with the SHA-256 of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def numbers(target, class_name):
    """The numbers of the photos of a class in each part, in order."""
    return {
        part: sorted(
            int(path.name.split(".")[1]) for path in (target / part / class_name).iterdir()
        )
        for part in PER_CLASS
    }


def parts(first, validation, test, end):
    """What `numbers` gives for a split of all whole numbers from first to end."""
    return {
        "train": list(range(first, validation)),
        "validation": list(range(validation, test)),
        "test": list(range(test, end)),
    }


def left_out(report):
    return dict(report.left_out)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.fixture
def target(tmp_path):
    """The folder to make, in a folder of its own."""
    return tmp_path / "out" / FOLDER


# The split


def test_the_first_numbers_train_the_next_validate_and_the_last_test(tmp_path, target):
    source = zipped(tmp_path / "train.zip", kaggle(range(12), range(12)))
    report = prepare(source, target, SMALL)
    for name in CLASS_NAMES:
        assert numbers(target, name) == parts(0, 4, 6, 8)
    assert report == Report("train.zip", SMALL, report.counts)
    assert report.counts == {part: {"cat": n, "dog": n} for part, n in SMALL.items()}
    assert "smaller" not in report.summary()
    assert visible(target.parent) == [FOLDER]


def test_numbers_count_and_not_the_order_of_the_names(tmp_path, target):
    members = list(kaggle([100, 9, 20, 3, 1000, 11, 8, 0], range(8)).items())
    random.Random(0).shuffle(members)
    prepare(zipped(tmp_path / "train.zip", members), target, SMALL)
    assert numbers(target, "cat") == {
        "train": [0, 3, 8, 9],
        "validation": [11, 20],
        "test": [100, 1000],
    }


def test_a_bad_photo_is_replaced_by_the_next_number(tmp_path, target):
    members = kaggle(range(11), range(8)) | {
        "train/cat.0.jpg": b"",
        "train/cat.5.jpg": b"text",
        "train/cat.10.jpg": b"never looked at",
    }
    report = prepare(zipped(tmp_path / "train.zip", members), target, SMALL)
    assert numbers(target, "cat") == {
        "train": [1, 2, 3, 4],
        "validation": [6, 7],
        "test": [8, 9],
    }
    assert numbers(target, "dog") == parts(0, 4, 6, 8)
    assert left_out(report) == {
        "train/cat.0.jpg": "it is empty",
        "train/cat.5.jpg": "it is no picture of a kind that is read here (JPEG, PNG, ...)",
    }


def test_nothing_of_one_part_is_in_another(tmp_path, target):
    """Of a number that is there twice, only one photo may be used."""
    members = list(kaggle(range(10), range(8)).items())
    members += list(microsoft(kaggle(range(10), range(8))).items())
    report = prepare(zipped(tmp_path / "train.zip", members), target, SMALL)
    assert numbers(target, "cat") == parts(0, 4, 6, 8)
    assert len(report.left_out) == 18
    assert left_out(report)["PetImages/Cat/3.jpg"] == (
        "it has the class and number of train/cat.3.jpg"
    )


@pytest.mark.parametrize(
    ("cats", "dogs", "each"),
    [(8, 30, (4, 2, 2)), (30, 17, (8, 4, 4)), (100, 11, (5, 2, 2)), (63, 99, (31, 15, 15))],
)
def test_too_few_photos_make_all_parts_smaller_in_proportion(tmp_path, target, cats, dogs, each):
    source = zipped(tmp_path / "train.zip", kaggle(range(cats), range(dogs)))
    report = prepare(source, target, progress=False)
    assert report.wanted == PER_CLASS
    assert "smaller" in report.summary()
    for name in CLASS_NAMES:
        assert tuple(report.counts[part][name] for part in PER_CLASS) == each
        assert numbers(target, name) == parts(0, each[0], each[0] + each[1], sum(each))
    assert visible(target) == ["report.json", "test", "train", "validation"]
    assert "too few good ones for the usual 4,000, so every part is smaller" in report.summary()


def test_fewer_than_eight_photos_of_a_class_are_an_error(tmp_path, target):
    members = kaggle(range(8), range(20)) | {"train/cat.3.jpg": b"text"}
    source = zipped(tmp_path / "train.zip", members)
    with pytest.raises(DataError, match=r"7 good photos of the class cat.*cat\.3\.jpg \(it is no"):
        prepare(source, target)
    assert visible(target.parent) == []


def test_a_split_with_an_empty_part_is_an_error(tmp_path, target):
    source = zipped(tmp_path / "train.zip", kaggle(range(20), range(20)))
    with pytest.raises(DataError, match="too few"):
        prepare(source, target, {"train": 100, "validation": 1, "test": 1})


@pytest.mark.parametrize(
    "per_class",
    [{}, {"train": 4, "test": 2}, SMALL | {"more": 1}, SMALL | {"test": 0}, SMALL | {"test": -1}],
)
def test_a_split_that_does_not_name_the_three_parts_is_refused(tmp_path, target, per_class):
    with pytest.raises(ValueError, match="train, validation, test"):
        prepare(tmp_path, target, per_class)


def test_the_order_in_which_the_parts_are_named_does_not_matter(tmp_path, target):
    source = zipped(tmp_path / "train.zip", kaggle())
    prepare(source, target, dict(reversed(SMALL.items())))
    assert numbers(target, "cat") == parts(0, 4, 6, 8)


# Layouts


def test_every_layout_gives_the_same_photos(tmp_path):
    members = kaggle(range(9), range(8)) | {"train/dog.2.jpg": PHOTOS[3] + b"behind"}
    theirs = microsoft(members) | {
        "PetImages/Cat/Thumbs.db": b"thumbs",
        "readme[1].txt": b"terms",
    }
    inner = zipped(tmp_path / "inner.zip", members, zipfile.ZIP_DEFLATED).read_bytes()
    outer = {"sampleSubmission.csv": b"id,label", "test1.zip": b"PK", "train.zip": inner}
    sources = [
        zipped(tmp_path / "train.zip", members),
        zipped(tmp_path / "packed.zip", members, zipfile.ZIP_DEFLATED),
        zipped(tmp_path / "deeper.zip", {f"a/b/{name}": data for name, data in members.items()}),
        zipped(tmp_path / "flat.zip", {name[6:]: data for name, data in members.items()}),
        zipped(tmp_path / "windows.zip", {n.replace("/", "\\"): d for n, d in theirs.items()}),
        zipped(tmp_path / "microsoft.zip", theirs),
        zipped(tmp_path / "dogs-vs-cats.zip", outer, zipfile.ZIP_DEFLATED),
        zipped(tmp_path / "stored.zip", outer),
        unpacked(tmp_path / "kaggle", members),
        tmp_path / "kaggle" / "train",
        unpacked(tmp_path / "kagglecatsanddogs", theirs),
        tmp_path / "kagglecatsanddogs" / "PetImages",
    ]
    trees = []
    for source in sources:
        report = prepare(source, tmp_path / "out" / source.name, SMALL)
        assert report.source == source.name
        assert report.left_out == ()
        trees.append(tree(tmp_path / "out" / source.name))
        del trees[-1]["report.json"]
    assert len(trees[0]) == 16
    assert all(found == trees[0] for found in trees)


def test_names_in_capitals_and_the_longer_ending_are_photos_too(tmp_path, target):
    members = {
        name.replace("cat", "Cat").replace(".jpg", ".JPEG"): data for name, data in kaggle().items()
    }
    prepare(zipped(tmp_path / "train.zip", members), target, SMALL)
    assert numbers(target, "cat") == parts(0, 4, 6, 8)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"readme.txt": b"hello"},
        {"test1/1.jpg": PHOTOS[0]},
        {"train/bird.0.jpg": PHOTOS[0]},
        {"validation/cat.0.jpg": PHOTOS[0]},
        {"train/cat/cat.0.jpg": PHOTOS[0]},
        {"train/._cat.0.jpg": PHOTOS[0], "train/cat.x.jpg": b"", "train/cat.1.jpg.exe": b""},
    ],
)
def test_another_layout_is_refused_with_the_names_expected(tmp_path, target, members):
    (tmp_path / "a").mkdir()
    for source in (zipped(tmp_path / "a.zip", members), unpacked(tmp_path / "a", members)):
        with pytest.raises(DataError, match=r"no photos of cats and dogs.*train/cat\.0\.jpg"):
            prepare(source, target)
        assert visible(target.parent) == []


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4" + bytes(100), None])
def test_a_broken_archive_is_said_plainly(tmp_path, target, content):
    path = tmp_path / "train.zip"
    if content is None:
        content = zipped(path, kaggle()).read_bytes()[:-30]
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train\.zip is no zip archive, or a damaged one"):
        prepare(path, target)


def test_a_source_that_is_not_there_is_said_plainly(tmp_path, target):
    with pytest.raises(DataError, match=r"no file or folder .*nowhere\.zip"):
        prepare(tmp_path / "nowhere.zip", target)
    assert not target.parent.exists()


def test_an_inner_archive_that_is_broken_is_said_plainly(tmp_path, target):
    source = zipped(tmp_path / "outer.zip", {"train.zip": b"no archive" * 99})
    with pytest.raises(DataError, match=r"train\.zip is no zip archive"):
        prepare(source, target)
    damaged = source.read_bytes().replace(b"no archiveno", b"No archiveno", 1)
    source.write_bytes(damaged)
    with pytest.raises(DataError, match=r"outer\.zip: .* train\.zip .* cannot be unpacked"):
        prepare(source, target)
    zipped(source, [(packed("train.zip", zipfile.ZIP_LZMA), b"an archive")])
    with pytest.raises(DataError, match=r"cannot be unpacked \(.*packed in an unusual way"):
        prepare(source, target)
    assert visible(target.parent) == []


# What becomes of every kind of picture


@pytest.fixture(scope="module")
def pictures():
    """The corpus, by the number of the photo under whose name each picture is put."""
    return dict(enumerate(corpus()))


@pytest.fixture(scope="module")
def members_of_corpus(pictures):
    """An archive's members: the corpus as cats, followed by a few good cats, and good dogs."""
    members = {f"train/cat.{number}.jpg": picture.content for number, picture in pictures.items()}
    # The parts of a smaller split are rounded down, at the cost of some of the last photos.
    count = len(pictures) + 8
    return kaggle(range(len(pictures), count), range(count)) | members


@pytest.fixture(scope="module", params=["archive", "folder"])
def prepared_corpus(request, tmp_path_factory, members_of_corpus):
    """The folder that the corpus becomes, its report, and what was printed or warned of."""
    folder = tmp_path_factory.mktemp("corpus")
    if request.param == "archive":
        source = zipped(folder / "train.zip", members_of_corpus, zipfile.ZIP_DEFLATED)
    else:
        source = unpacked(folder, members_of_corpus)
    per_class = {"train": 4000, "validation": 2000, "test": 2000}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = prepare(source, folder / "out", per_class, progress=False)
    files = {path.name: path for path in (folder / "out").rglob("*.jpg")}
    return files, report, caught


@pytest.mark.slow
def test_no_good_picture_is_lost_and_every_bad_one_is_named_with_its_reason(
    pictures, prepared_corpus
):
    files, report, _ = prepared_corpus
    assert len(pictures) >= 400
    reasons = left_out(report)
    wrong = []
    for number, picture in pictures.items():
        is_used = f"cat.{number}.jpg" in files
        reason = reasons.pop(f"train/cat.{number}.jpg", None)
        assert is_used == (reason is None), picture.name
        if picture.reason is None and not is_used:
            wrong.append(f"{picture.name}: lost, {reason}")
        if picture.reason and (is_used or not re.search(picture.reason, reason)):
            wrong.append(f"{picture.name}: {reason}, not {picture.reason}")
    assert wrong == []
    assert reasons == {}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_every_file_made_is_an_upright_rgb_jpeg(prepared_corpus):
    files, _, _ = prepared_corpus
    for path in files.values():
        with Image.open(path) as made:
            made.load()
            assert (made.format, made.mode) == ("JPEG", "RGB")
            assert getattr(made, "n_frames", 1) == 1
            assert min(made.size) >= 8


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_every_good_picture_shows_what_was_drawn(pictures, prepared_corpus):
    files, _, _ = prepared_corpus
    wrong = []
    for number, picture in pictures.items():
        if picture.corners is None or picture.reason is not None:
            continue
        with Image.open(files[f"cat.{number}.jpg"]) as made:
            pixels = np.asarray(made).astype(float)
        height, width, _ = pixels.shape
        rows, columns = np.array([1, 3]) * height // 4, np.array([1, 3]) * width // 4
        error = np.abs(pixels[np.ix_(rows, columns)] - picture.corners).max()
        if error > 12:
            wrong.append(f"{picture.name}: {error}")
    assert wrong == []


def test_a_jpeg_is_copied_byte_for_byte_if_nothing_is_to_be_corrected(pictures, prepared_corpus):
    files, _, _ = prepared_corpus
    compared = 0
    for number, picture in pictures.items():
        if picture.reason is None:
            content = files[f"cat.{number}.jpg"].read_bytes()
            assert (content == picture.content) == picture.same, picture.name
            compared += picture.same
    assert compared > 20


def test_nothing_is_warned_of(prepared_corpus):
    assert prepared_corpus[2] == []


def test_nothing_is_printed_not_even_from_c(tmp_path, members_of_corpus, capfd):
    source = zipped(tmp_path / "train.zip", members_of_corpus)
    prepare(source, tmp_path / "out", progress=False)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("setting", [True, False])
def test_the_user_keeps_the_settings_of_pillow(tmp_path, target, monkeypatch, setting):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", setting)
    half = saved(drawing(), "BMP")[:3000]
    members = kaggle(range(9)) | {"train/cat.0.jpg": half}
    report = prepare(zipped(tmp_path / "train.zip", members), target, SMALL)
    assert left_out(report) == {"train/cat.0.jpg": "it is cut short"}
    assert setting == ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")
def test_large_and_hostile_pictures_do_not_fill_the_memory(tmp_path, target, members_of_corpus):
    large = Image.new("I;16", (7000, 7000))
    members = members_of_corpus | {
        f"train/cat.{10_000 + i}.jpg": saved(picture, "PNG", compress_level=1)
        for i, picture in enumerate([large, large.convert("RGBA"), large.convert("P")] * 2)
    }
    source = zipped(tmp_path / "train.zip", members, zipfile.ZIP_DEFLATED)
    code = (
        "import re, sys; from course_utils.data import prepared_photos;"
        "prepared_photos.prepare(*sys.argv[1:], progress=False);"
        # Not the resource module: it counts the process that has started this one as well.
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    command = [sys.executable, "-c", code, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (target / "report.json").exists()
    # Megabytes: two pictures at a time, each in at most three copies of 196, and some for Python.
    assert int(done.stdout) / 1024 < 1300


# Hostile archives


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def packed(name, method):
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    return info


HOSTILE = {
    "../train/cat.20.jpg": "leads out",
    "../../../../../../tmp/train/cat.21.jpg": "leads out",
    "train/../../../cat.22.jpg": "leads out",
    "/tmp/train/cat.23.jpg": "leads out",
    "//server/train/cat.24.jpg": "leads out",
    "C:/train/cat.25.jpg": "leads out",
    "C:\\train\\cat.26.jpg": "leads out",
    "..\\..\\train\\cat.27.jpg": "leads out",
    "train/..\\../train/cat.28.jpg": "leads out",
}


def test_a_name_that_leads_out_is_left_out_and_nothing_is_written_elsewhere(tmp_path):
    members = list(HOSTILE.items()) + list(kaggle().items())
    source = zipped(tmp_path / "train.zip", members)
    before = tree(tmp_path)
    target = tmp_path / "a" / "b" / "c" / FOLDER
    report = prepare(source, target, SMALL)
    assert left_out(report) == dict.fromkeys(HOSTILE, "its name leads out of the archive")
    made = {path for path in tree(tmp_path) if path not in before}
    lock = f"a/b/c/.{FOLDER}.lock"
    assert {path for path in made if not path.startswith(f"a/b/c/{FOLDER}/")} <= {lock}
    assert all((target / part).is_dir() for part in PER_CLASS)


def test_members_that_are_no_ordinary_files_are_left_out(tmp_path, target):
    members = [
        (link("train/cat.0.jpg"), b"/etc/passwd"),
        (link("train/cat.1.jpg"), PHOTOS[1]),
        ("train/cat.2.jpg/", b""),
        (packed("train/cat.3.jpg", zipfile.ZIP_BZIP2), PHOTOS[3]),
        (packed("train/cat.4.jpg", zipfile.ZIP_LZMA), PHOTOS[4]),
        (packed("train/cat.5.jpg", zipfile.ZIP_DEFLATED), bytes(100 * 2**20)),
        ("train/cat.6.jpg", PHOTOS[6]),
        ("train/cat.6.jpg", PHOTOS[7]),
        *kaggle(range(7, 20)).items(),
    ]
    report = prepare(zipped(tmp_path / "train.zip", members), target, SMALL)
    assert [reason for _, reason in report.left_out] == [
        "it has the class and number of train/cat.6.jpg",
        "it is a link",
        "it is a link",
        "it is a folder",
        "it is compressed in an unusual way",
        "it is compressed in an unusual way",
        "it has more than 32 MB",
    ]
    assert (target / "train/cat/cat.6.jpg").read_bytes() == PHOTOS[6]
    assert numbers(target, "cat") == parts(6, 10, 12, 14)


def patched(path, name, local=None, central=None):
    """Change bytes of a member's two headers; each change is {offset: bytes}."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at_local = archive.getinfo(name).header_offset
    at_central = content.index(b"PK\1\2")
    while content[at_central + 46 : at_central + 46 + len(name)] != name.encode():
        at_central = content.index(b"PK\1\2", at_central + 4)
    for start, changes in ((at_local, local), (at_central, central)):
        for offset, value in (changes or {}).items():
            content[start + offset : start + offset + len(value)] = value
    path.write_bytes(content)
    return path


def test_an_encrypted_member_is_left_out(tmp_path, target):
    source = zipped(tmp_path / "train.zip", kaggle(range(9)))
    patched(source, "train/cat.0.jpg", {6: b"\1"}, {8: b"\1"})
    report = prepare(source, target, SMALL)
    assert left_out(report) == {"train/cat.0.jpg": "it is encrypted"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"central": {16: b"\0\0\0\0"}}, id="wrong CRC"),
        pytest.param({"central": {24: struct.pack("<I", 10)}}, id="shorter than it is"),
        pytest.param({"central": {24: struct.pack("<I", 2**31)}}, id="larger than it is"),
        pytest.param({"central": {42: struct.pack("<I", 2**31)}}, id="beyond the end"),
        pytest.param({"central": {42: struct.pack("<I", 7)}}, id="at a place of other bytes"),
        pytest.param({"central": {10: b"\x63"}}, id="unknown method"),
        pytest.param({"local": {0: b"XX"}}, id="no header"),
        pytest.param({"local": {30: b"Train"}}, id="two names"),
        pytest.param({"local": {60: b"\xff" * 20}}, id="other bytes"),
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_with_a_false_header_is_left_out(tmp_path, target, change, method):
    source = zipped(tmp_path / "train.zip", kaggle(range(9)), method)
    patched(source, "train/cat.0.jpg", **change)
    report = prepare(source, target, SMALL)
    ((name, reason),) = report.left_out
    assert name == "train/cat.0.jpg"
    assert re.search("damaged here|unusual way", reason)
    assert numbers(target, "cat") == parts(1, 5, 7, 9)


def test_lies_about_sizes_of_more_than_four_gigabytes_are_left_out(tmp_path, target):
    source = zipped(tmp_path / "train.zip", kaggle(range(9)))
    with zipfile.ZipFile(source) as archive:
        infos = archive.infolist()
    # The 64-bit sizes stand in an extra field, which is put in the place of the other members'.
    huge = struct.pack("<HHQQ", 1, 16, 2**62, 2**62)
    infos[0].extra = huge
    content = source.read_bytes()
    at = content.index(b"PK\1\2")
    name = b"train/cat.0.jpg"
    record = bytearray(content[at : at + 46])
    record[20:28] = b"\xff" * 8
    record[30:32] = struct.pack("<H", len(huge))
    end = bytearray(content[content.index(b"PK\5\6") :])
    size = struct.unpack("<I", end[12:16])[0]
    end[12:16] = struct.pack("<I", size + len(huge))
    rest = content[at + 46 + len(name) : content.index(b"PK\5\6")]
    source.write_bytes(content[:at] + record + name + huge + rest + end)
    report = prepare(source, target, SMALL)
    assert left_out(report) == {"train/cat.0.jpg": "the archive is damaged here"}


def test_members_said_to_begin_before_the_archive_are_damaged_not_trouble_of_the_machine(
    tmp_path, target
):
    source = zipped(tmp_path / "train.zip", kaggle())
    content = bytearray(source.read_bytes())
    at = content.index(b"PK\5\6") + 16
    start = struct.unpack("<I", content[at : at + 4])[0]
    content[at : at + 4] = struct.pack("<I", start + 1000)  # so everything seems to have moved
    source.write_bytes(content)
    with pytest.raises(DataError, match=r"0 good photos .*cat\.0\.jpg \(the archive is damaged"):
        prepare(source, target, SMALL)


@pytest.mark.slow
def test_an_archive_damaged_at_any_place_is_used_or_refused_but_never_crashes(tmp_path):
    content = zipped(tmp_path / "whole.zip", kaggle(range(12), range(12))).read_bytes()
    chance = random.Random(0)
    start = content.index(b"PK\1\2")
    outcomes = set()
    for attempt in range(90):
        damaged = bytearray(content)
        for _ in range(1 + attempt % 4):
            damaged[chance.randrange(start, len(content))] ^= 1 << chance.randrange(8)
            damaged[chance.randrange(start)] ^= 0xFF
        source = tmp_path / "train.zip"
        source.write_bytes(damaged)
        target = tmp_path / f"out{attempt}"
        try:
            prepare(source, target, SMALL)
            outcomes.add("used")
        except DataError:
            outcomes.add("refused")
            assert not target.exists()
        assert not list(tmp_path.glob(".*.part"))
    assert outcomes == {"used", "refused"}


# Unpacked folders


def test_links_and_folders_named_like_photos_are_left_out(tmp_path, target):
    folder = unpacked(tmp_path / "kaggle", kaggle(range(4, 12))) / "train"
    (tmp_path / "secret.jpg").write_bytes(PHOTOS[0])
    (folder / "cat.0.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "cat.1.jpg").symlink_to(tmp_path / "nowhere")
    (folder / "cat.2.jpg").mkdir()
    os.mkfifo(folder / "cat.3.jpg")
    (folder / "cat").symlink_to(tmp_path / "kaggle")
    report = prepare(tmp_path / "kaggle", target, SMALL)
    assert left_out(report) == {
        "train/cat.0.jpg": "it is a link",
        "train/cat.1.jpg": "it is a link",
        "train/cat.2.jpg": "it is a folder",
        "train/cat.3.jpg": "it is no ordinary file",
    }
    assert numbers(target, "cat") == parts(4, 8, 10, 12)


def test_a_linked_folder_is_a_source_all_the_same(tmp_path, target):
    unpacked(tmp_path / "kaggle", kaggle())
    (tmp_path / "link").symlink_to(tmp_path / "kaggle")
    assert prepare(tmp_path / "link", target, SMALL).source == "link"


def test_a_photo_that_may_not_be_read_is_left_out(read_only, tmp_path):
    folder, locked = read_only
    source = unpacked(folder / "kaggle", kaggle(range(9)))
    target = folder.parent / "out" / FOLDER
    target.parent.mkdir(mode=0o777)
    target.parent.chmod(0o777)
    (source / "train" / "cat.3.jpg").chmod(0)
    with locked():
        report = prepare(source, target, SMALL)
    assert left_out(report) == {"train/cat.3.jpg": "it cannot be read: Permission denied"}
    assert numbers(target, "dog") == parts(0, 4, 6, 8)


@pytest.mark.parametrize("closed", [".", "train"])
def test_a_folder_that_may_not_be_read_is_said_plainly(read_only, closed):
    folder, locked = read_only
    source = unpacked(folder / "kaggle", kaggle())
    target = folder.parent / "out" / FOLDER
    target.parent.mkdir()
    target.parent.chmod(0o777)
    (source / closed).chmod(0)
    with locked(), pytest.raises(DataError, match=r"kaggle.* cannot be read: Permission denied"):
        prepare(source, target, SMALL)
    (source / closed).chmod(0o755)


@pytest.mark.parametrize("layout", ["archive", "folder"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
def test_trouble_of_the_machine_is_not_taken_for_a_broken_photo(
    tmp_path, target, monkeypatch, layout, number
):
    """Without cat.3, cat.8 would be in the test part, for good."""
    members = kaggle(range(9))
    if layout == "archive":
        source = zipped(tmp_path / "train.zip", members)
        owner, reader = zipfile.ZipFile, zipfile.ZipFile.open
    else:
        source, owner, reader = unpacked(tmp_path / "kaggle", members), builtins, open

    def failing(*arguments, **options):
        if any("cat.3.jpg" in str(argument) for argument in arguments):
            raise OSError(number, "trouble")
        return reader(*arguments, **options)

    monkeypatch.setattr(owner, "open", failing)
    with pytest.raises(DataError, match=r"^train/cat\.3\.jpg cannot be read: trouble"):
        prepare(source, target, SMALL)
    assert visible(target.parent) == []
    monkeypatch.undo()
    assert prepare(source, target, SMALL).left_out == ()


@pytest.mark.parametrize("place", ["read", "decode"])
def test_too_little_memory_is_not_taken_for_a_broken_photo(tmp_path, target, monkeypatch, place):
    def without_memory(*_, **__):
        raise MemoryError

    source = zipped(tmp_path / "train.zip", kaggle(range(9)))
    owner, name = (zipfile.ZipFile, "open") if place == "read" else (Image, "open")
    monkeypatch.setattr(owner, name, without_memory)
    with pytest.raises(MemoryError):
        prepare(source, target, SMALL)
    assert visible(target.parent) == []


def test_an_archive_that_may_not_be_read_is_said_plainly(read_only):
    folder, locked = read_only
    source = zipped(folder / "train.zip", kaggle())
    source.chmod(0)
    target = folder.parent / "out" / FOLDER
    target.parent.mkdir()
    target.parent.chmod(0o777)
    with locked(), pytest.raises(DataError, match=r"train\.zip cannot be read: Permission denied"):
        prepare(source, target, SMALL)


# The target


def test_a_complete_folder_is_returned_as_it_is(tmp_path, target):
    source = zipped(tmp_path / "train.zip", kaggle())
    first = prepare(source, target, SMALL)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    source.unlink()
    assert prepare(source, target) == first == read_report(target)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before


def test_a_complete_folder_is_found_in_a_write_protected_place(read_only, tmp_path):
    folder, locked = read_only
    first = prepare(zipped(tmp_path / "train.zip", kaggle()), folder / FOLDER, SMALL)
    with locked():
        assert prepare(tmp_path / "train.zip", folder / FOLDER) == first


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("thing", ["folder", "empty folder", "file", "link"])
def test_what_is_no_folder_of_prepared_photos_is_never_touched(tmp_path, target, thing, replace):
    target.parent.mkdir()
    if "folder" in thing:
        target.mkdir()
        (target / "mine").write_text("mine") if thing == "folder" else None
    elif thing == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    before = tree(target.parent)
    source = zipped(tmp_path / "train.zip", kaggle())
    with pytest.raises(DataError, match=r"no folder of prepared photos.*Move .*dogs-vs-cats away"):
        prepare(source, target, SMALL, replace=replace)
    assert {name: h for name, h in tree(target.parent).items() if "lock" not in name} == before


@pytest.mark.parametrize("damage", ["no json", "[]", "{}", "photo", "part", "null"])
def test_a_folder_that_was_complete_and_is_damaged_is_refused_and_replaced_on_demand(
    tmp_path, target, damage
):
    source = zipped(tmp_path / "train.zip", kaggle())
    prepare(source, target, SMALL)
    good = tree(target)
    if damage == "photo":
        (target / "train/cat/cat.1.jpg").unlink()
    elif damage == "part":
        shutil.rmtree(target / "test")
    else:
        (target / "report.json").write_text(damage)
    with pytest.raises(DataError, match=r"(report\.json is broken|not as many photos).*Move"):
        prepare(source, target, SMALL)
    prepare(source, target, SMALL, replace=True)
    assert tree(target) == good
    assert visible(target.parent) == [FOLDER]


def test_a_failed_replacement_leaves_the_old_folder(tmp_path, target):
    prepare(zipped(tmp_path / "train.zip", kaggle()), target, SMALL)
    good = tree(target)
    bad = zipped(tmp_path / "bad.zip", kaggle(range(3)))
    with pytest.raises(DataError, match="3 good photos"):
        prepare(bad, target, SMALL, replace=True)
    assert tree(target) == good
    assert visible(target.parent) == [FOLDER]


def test_a_full_disk_is_said_plainly_and_leaves_nothing_behind(tmp_path, target, monkeypatch):
    source = zipped(tmp_path / "train.zip", kaggle())
    write_bytes, written = Path.write_bytes, []

    def full_after_five(path, content):
        written.append(path)
        if len(written) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full_after_five)
    with pytest.raises(DataError, match=r"The disk that holds .*out is full\. Free some space"):
        prepare(source, target, SMALL)
    assert visible(target.parent) == []
    monkeypatch.undo()
    assert prepare(source, target, SMALL).left_out == ()


def test_a_write_protected_folder_is_said_plainly(read_only, tmp_path):
    folder, locked = read_only
    source = zipped(folder.parent / "train.zip", kaggle())
    for target in (folder / FOLDER, folder / "deeper" / FOLDER):
        with locked(), pytest.raises(DataError, match=r"cannot be written to.*COURSE_DATA"):
            prepare(source, target, SMALL)
    assert visible(folder) == []


def test_the_report_names_no_folder_of_this_machine(tmp_path, target):
    members = kaggle(range(9)) | {"train/cat.0.jpg": b"text"}
    for source in (zipped(tmp_path / "train.zip", members), unpacked(tmp_path / "a", members)):
        prepare(source, target, SMALL, replace=target.exists())
        text = (target / "report.json").read_text()
        assert str(tmp_path) not in text
        assert json.loads(text)["left_out"][0][0] == "train/cat.0.jpg"


# Interrupted, and two at once


def source_for_processes(folder):
    """An archive that takes a while: PNG files under the names of JPEG files."""
    rng = np.random.default_rng(0)
    members = kaggle(range(60), range(60))
    for name in list(members)[::2]:
        pixels = rng.integers(0, 256, (200, 300, 3), np.uint8)
        members[name] = saved(Image.fromarray(pixels), "PNG", compress_level=1)
    members["train/cat.7.jpg"] = b"text"
    return zipped(folder / "train.zip", members)


IN_A_PROCESS = """
import os, signal, sys
from itertools import count
import filelock, tqdm.auto
from PIL import Image
from course_utils.data import prepared_photos

Image.init()
source, target, last, *options = sys.argv[1:]
steps, locks = count(1), count()

def watch(event, _):
    if event == "fcntl.flock" and next(locks) == 0:
        print("at the lock", flush=True)
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"):
        if next(steps) == int(last):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
print(prepared_photos.prepare(source, target, progress=False, replace="new" in options).summary())
print(next(steps) - 1)
"""


def in_a_process(source, target, *options, last=0):
    """Prepare photos in a process of its own.

    It says when it is about to ask for the lock and, at its end, how often it has opened, made,
    renamed or removed a file or a folder. Before it does so for the ``last`` time, if that is
    given, it kills itself.
    """
    command = [sys.executable, "-c", IN_A_PROCESS, str(source), str(target), str(last), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "at the lock\n"
    return process


def said(process):
    """Wait for the end of a process; return the summary and the number that it printed."""
    with process.stdout:
        summary, steps = process.stdout.read().splitlines()
    assert process.wait(timeout=60) == 0
    return summary, int(steps)


@pytest.mark.full
@pytest.mark.parametrize("options", [(), ("new",)])
def test_killed_at_any_moment_and_repeated_it_makes_the_identical_tree(tmp_path, target, options):
    source = source_for_processes(tmp_path)
    other = zipped(tmp_path / "other.zip", kaggle())
    expected = tmp_path / "expected" / FOLDER
    if options:
        prepare(other, expected, SMALL)
    _, steps = said(in_a_process(source, expected, *options))
    assert steps > 200  # at least one for each photo's file, and one for its part
    # A few more steps in the next process, or less, must not let it come to its end.
    for last in np.linspace(10, steps - 5, 20 if IN_CI else 5, dtype=int):
        shutil.rmtree(target.parent, ignore_errors=True)
        if options:
            prepare(other, target, SMALL)
        process = in_a_process(source, target, *options, last=last)
        assert process.wait(timeout=60) == -signal.SIGKILL
        process.stdout.close()
        if not options:
            assert not target.exists() or read_report(target)
        prepare(source, target, progress=False, replace=bool(options))
        assert tree(target) == tree(expected)
        assert visible(target.parent) == [FOLDER]


def test_an_interruption_from_the_keyboard_leaves_nothing_behind(tmp_path, target):
    source = source_for_processes(tmp_path)
    process = in_a_process(source, target)
    staging = target.with_name(f".{FOLDER}.{process.pid}.part")
    deadline = time.monotonic() + 20
    while not (staging / "cat").exists():
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    process.stdout.close()
    assert visible(target.parent) == []


@pytest.mark.slow
def test_two_processes_at_once_make_one_folder(tmp_path, target):
    source = source_for_processes(tmp_path)
    target.parent.mkdir()
    with FileLock(target.with_name(f".{FOLDER}.lock")):
        both = [in_a_process(source, target) for _ in range(2)]
        assert visible(target.parent) == []
    (first, _), (second, _) = [said(process) for process in both]
    assert first == second
    assert visible(target.parent) == [FOLDER]
    assert read_report(target).source == "train.zip"


def test_what_a_killed_process_left_is_removed(tmp_path, target):
    staging = target.with_name(f".{FOLDER}.7.part")
    unpacked(staging, {"cat/cat.0.jpg": b"half", "rest": b""})
    prepare(zipped(tmp_path / "train.zip", kaggle()), target, SMALL)
    assert visible(target.parent) == [FOLDER]
    assert (target / "train/cat/cat.0.jpg").read_bytes() == PHOTOS[0]


def test_a_folder_that_was_being_replaced_is_put_back(tmp_path, target):
    first = prepare(zipped(tmp_path / "train.zip", kaggle()), target, SMALL)
    target.rename(target.with_name(f".{FOLDER}.old"))  # as a killed process may leave it
    assert prepare(zipped(tmp_path / "other.zip", kaggle()), target, SMALL) == first
    assert visible(target.parent) == [FOLDER]


# What is on disk decides


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The folder of a course, with nothing in its own data folder."""
    monkeypatch.setattr(settings, "COURSE_FOLDER", tmp_path / "course")
    return tmp_path / "course"


def test_without_photos_there_is_nothing_to_prepare(data, course):
    assert prepared_photos.ensure() is None
    assert prepared_photos.state() == "not on disk"


NAMES_OF_ARCHIVES = ["train.zip", "dogs-vs-cats-train-4000.zip", "kagglecatsanddogs_5340.zip"]


@pytest.mark.parametrize("name", NAMES_OF_ARCHIVES)
def test_an_archive_in_the_data_folder_is_prepared_at_the_first_use(data, course, capsys, name):
    zipped(data / name, kaggle())
    assert prepared_photos.state() == "to be prepared"
    assert prepared_photos.ensure() == data / FOLDER
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert said.out.startswith(f"Prepared Dogs vs Cats from {name}: 8 photos for training, 4 for")
    assert str(data) not in said.out
    assert said.err == ""
    assert prepared_photos.state() == "on disk"
    (data / name).unlink()
    assert prepared_photos.ensure() == data / FOLDER
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("folder", [".", "PetImages/..", "kagglecatsanddogs_5340"])
def test_an_unpacked_folder_in_the_data_folder_is_prepared_too(data, course, folder):
    unpacked(data / folder, microsoft(kaggle()) if folder != "." else kaggle())
    assert prepared_photos.ensure() == data / FOLDER
    assert numbers(data / FOLDER, "cat") == parts(0, 4, 6, 8)


def test_an_archive_in_a_write_protected_data_folder_is_prepared_in_the_course(
    read_only, course, monkeypatch, capsys
):
    folder, locked = read_only
    monkeypatch.setenv("COURSE_DATA", str(folder))
    zipped(folder / "train.zip", kaggle())
    folder.chmod(0o555)
    assert prepared_photos.ensure() == course / "data" / FOLDER
    assert prepared_photos.state() == "on disk"
    assert prepared_photos.ensure() == course / "data" / FOLDER
    assert visible(folder) == ["train.zip"]
    folder.chmod(0o755)


def test_prepared_photos_in_the_data_folder_come_first(data, course):
    for place in (data, course / "data"):
        prepare(zipped(data / "train.zip", kaggle()), place / FOLDER, SMALL)
    assert prepared_photos.find([data, course / "data"]) == data / FOLDER
    assert prepared_photos.find([data / "nowhere", course / "data"]) == course / "data" / FOLDER


@pytest.mark.parametrize("name", ["train.zip", "train"])
def test_other_data_called_train_is_no_obstacle(data, course, name):
    other = {"train/bird.0.jpg": PHOTOS[0]}
    zipped(data / name, other) if name.endswith("zip") else unpacked(data, other)
    assert prepared_photos.ensure() is None
    assert prepared_photos.state() == "not on disk"


def test_a_broken_archive_is_reported_and_not_passed_over(data, course):
    (data / "kagglecatsanddogs_5340.zip").write_bytes(b"half a download")
    with pytest.raises(DataError, match=r"kagglecatsanddogs_5340\.zip is no zip archive"):
        prepared_photos.ensure()


def test_a_folder_in_the_way_is_reported(data, course):
    unpacked(data / FOLDER, kaggle())
    assert prepared_photos.state() == "broken"
    with pytest.raises(DataError, match="no folder of prepared photos"):
        prepared_photos.ensure()
    zipped(data / "train.zip", kaggle())
    assert prepared_photos.state() == "broken"
    with pytest.raises(DataError, match="no folder of prepared photos"):
        prepared_photos.ensure()


def test_prepared_photos_that_lack_some_are_reported(data, course):
    prepare(zipped(data / "train.zip", kaggle()), data / FOLDER, SMALL)
    (data / FOLDER / "train/dog/dog.0.jpg").unlink()
    assert prepared_photos.state() == "broken"
    with pytest.raises(DataError, match="train has not as many photos as its report counts"):
        prepared_photos.ensure()


def test_a_summary_counts_what_was_left_out(tmp_path, target):
    members = kaggle(range(9)) | {"train/cat.0.jpg": b""}
    report = prepare(zipped(tmp_path / "train.zip", members), target, SMALL)
    assert report.summary() == (
        "Dogs vs Cats from train.zip: 8 photos for training, 4 for validation, 4 to test. "
        "Pictures left out: 1 (report.json says why)."
    )


# The real photos


@pytest.mark.full
@pytest.mark.skipif(not REAL.exists(), reason="needs the real photos")
def test_the_real_photos_are_all_good_and_copied_as_they_are(target):
    report = prepare(REAL, target, progress=False)
    assert report.left_out == ()
    for name in CLASS_NAMES:
        assert numbers(target, name) == parts(0, 1000, 1500, 2000)
    with zipfile.ZipFile(REAL) as archive:
        for member, path in (
            ("train/cat.999.jpg", "train/cat/cat.999.jpg"),
            ("train/dog.1000.jpg", "validation/dog/dog.1000.jpg"),
        ):
            assert archive.read(member) == (target / path).read_bytes()


def test_a_drawing_is_told_from_its_mirror_image():
    """The corpus could not show a wrong turn if its drawing were symmetric."""
    pixels = np.asarray(drawing()).astype(int)
    turns = [np.rot90(side, k) for side in (pixels, pixels[:, ::-1]) for k in range(4)]
    differences = [np.abs(pixels - turned).max() for turned in turns]
    assert differences[0] == 0
    assert min(differences[1:]) > 30
    assert saved(Image.open(io.BytesIO(saved(drawing(), "PNG"))), "PNG") == saved(drawing(), "PNG")
