import builtins
import errno
import io
import shutil
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_utils import picture_folders
from course_utils.data.picture_decoding import as_jpeg, strict_pillow
from course_utils.data.settings import DataError
from tests import picture_corpus

NO_PICTURE = "it is no picture of a kind that is read here (JPEG, PNG, ...)"


def save(path, color, size=(20, 10), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two classes of plain pictures: three red ones, two blue ones."""
    for number in (2, 10, 1):
        save(tmp_path / "red" / f"red.{number}.png", (250, 0, number))
    for number in range(2):
        save(tmp_path / "blue" / f"{number}.png", (0, 0, 250))
    return tmp_path


# Any class folders


def test_classes_come_by_the_alphabet_and_files_by_their_numbers(folder):
    read = picture_folders.read(folder, 8)
    assert read.class_names == ("blue", "red")
    assert read.y.tolist() == [0, 0, 1, 1, 1]
    assert [path.name for path in read.files] == ["0.png", "1.png"] + [
        f"red.{number}.png" for number in (1, 2, 10)
    ]
    assert read.x[:, 0, 0].tolist() == [[0, 0, 250]] * 2 + [[250, 0, n] for n in (1, 2, 10)]
    assert (read.x.shape, read.x.dtype, read.y.dtype) == ((5, 8, 8, 3), np.uint8, np.int64)
    assert read.left_out == {}


def test_the_order_of_classes_can_be_chosen(folder):
    read = picture_folders.read(folder, 8, ("red", "blue"))
    assert read.class_names == ("red", "blue")
    assert read.y.tolist() == [0, 0, 0, 1, 1]


def test_a_picture_is_squeezed_to_a_square_as_pillow_does_it(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(noise).save(tmp_path / name / "noise.png")
    expected = Image.fromarray(noise).resize((12, 12), Image.Resampling.BILINEAR)
    assert np.array_equal(picture_folders.read(tmp_path, 12).x[0], np.asarray(expected))


def test_grey_and_turned_pictures_become_upright_colour(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    Image.new("L", (4, 4), 100).save(tmp_path / "a" / "grey.png")
    left_white = Image.new("L", (8, 8), 0)
    left_white.paste(255, (0, 0, 4, 8))
    exif = Image.Exif()
    exif[274] = 3  # to be turned by half
    left_white.save(tmp_path / "b" / "turned.jpg", exif=exif)
    grey, turned = picture_folders.read(tmp_path, 8).x
    assert (grey == 100).all()
    assert turned[:, :2].max() < 50
    assert turned[:, 6:].min() > 200


def test_pictures_of_unusual_modes_become_what_the_photos_become(tmp_path):
    """They have the size that is asked for, so that no pixels are mixed."""
    ramp = np.kron(np.array([[0, 20_000, 40_000, 60_000]]), np.ones((8, 2))).astype(np.uint16)
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    glass = Image.new("RGBA", (8, 8), (200, 30, 30, 0))
    glass.paste((0, 90, 0, 255), (0, 0, 8, 4))
    deep, half_clear = tmp_path / "a" / "deep.png", tmp_path / "b" / "glass.png"
    for path in (deep, half_clear):
        path.parent.mkdir()
    Image.fromarray(ramp).save(deep)
    glass.save(half_clear, exif=exif)
    read = picture_folders.read(tmp_path, 8)
    assert read.x[0, 0, ::2, 0].tolist() == [0, 78, 156, 233]  # 255 / 65535 of each
    assert read.x[1, 0].tolist() == [[255] * 3] * 4 + [[0, 90, 0]] * 4
    for x, path in zip(read.x, read.files, strict=True):
        with strict_pillow(), Image.open(io.BytesIO(as_jpeg(path.read_bytes()))) as converted:
            assert np.abs(x.astype(int) - np.asarray(converted)).max() <= 8  # JPEG is not exact


def test_broken_files_are_left_out_and_named(folder):
    whole = (folder / "red" / "red.1.png").read_bytes()
    (folder / "red" / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "red" / "text.jpg").write_text("not a picture")
    (folder / "red" / "notes.txt").write_text("not even named like one")
    read = picture_folders.read(folder, 8)
    assert sorted(path.name for path in read.left_out) == ["half.png", "notes.txt", "text.jpg"]
    assert all(read.left_out.values())
    assert len(read.x) == 5


def test_files_of_other_kinds_are_named_but_not_what_programs_leave_behind(folder):
    for name in ("phone.HEIC", "new.avif", "notes.txt", "no ending"):
        (folder / "red" / name).write_bytes(b"something")
    for name in (".DS_Store", ".hidden.png", "Thumbs.db", "desktop.ini"):
        (folder / "red" / name).write_bytes(b"of some program")
    (folder / "readme.txt").write_text("beside the classes")
    (folder / "__MACOSX" / "red").mkdir(parents=True)
    (folder / "red" / "deeper").mkdir()
    read = picture_folders.read(folder, 8)
    assert {path.name: why for path, why in read.left_out.items()} == dict.fromkeys(
        ("new.avif", "no ending", "notes.txt", "phone.HEIC"), NO_PICTURE
    )
    assert len(read.x) == len(read.files) == 5


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "a.JPG", "a", "a.txt", "a.heic.jpg"])
def test_a_picture_is_known_by_its_content_whatever_its_name(folder, name):
    save(folder / "red" / name, "red", format="JPEG")
    read = picture_folders.read(folder, 8)
    assert len(read.x) == 6
    assert read.left_out == {}


@pytest.mark.parametrize("kind", ["AVIF", "HEIF", "WEBP", "TIFF", "JPEG2000", "GIF", "BMP"])
def test_other_kinds_of_pictures_are_read(folder, kind):
    import pillow_heif

    picture = Image.new("RGB", (40, 40), (200, 10, 10))
    if kind == "HEIF":  # what telephones write
        pillow_heif.from_pillow(picture).save(folder / "red" / "picture.heic")
    else:
        picture.save(folder / "red" / "picture", kind)
    read = picture_folders.read(folder, 8)
    number = next(n for n, path in enumerate(read.files) if path.stem == "picture")
    assert np.abs(read.x[number].astype(int) - (200, 10, 10)).max() < 12


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (bytes(128) + b"DICM" + bytes(90), "a DICOM file of a medical device; save it as PNG"),
        (b"%PDF-1.7 ...", "a PDF document; save its pages"),
        (b"PK\3\4" + bytes(40), "an archive; unpack it"),
        (bytes(4) + b"ftypisom" + bytes(40), "a film; save single pictures"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(folder, content, why):
    (folder / "red" / "x.png").write_bytes(content)
    (found,) = picture_folders.read(folder, 8).left_out.values()
    assert found.startswith(f"it is {why}")


@pytest.mark.parametrize("size", [32.0, "32", None])
def test_a_size_that_is_no_whole_number_is_refused_before_anything_is_read(folder, size):
    with pytest.raises(TypeError, match="integer"):
        picture_folders.read(folder, size)


def test_a_mistake_in_our_own_code_is_not_taken_for_a_broken_picture(folder, monkeypatch):
    def mistaken(picture):
        raise AttributeError("no attribute 'convrt'")

    monkeypatch.setattr(picture_folders, "upright_rgb", mistaken)
    with pytest.raises(AttributeError, match="convrt"):
        picture_folders.read(folder, 8)


@pytest.mark.parametrize(
    ("fit", "columns"),
    [("squeeze", [255, 0, 0, 255]), ("crop", [0, 0, 0, 0]), ("pad", [255, 0, 0, 255])],
)
def test_a_long_picture_is_squeezed_cropped_or_padded(tmp_path, fit, columns):
    """White at both ends, black in the middle; the borders that are added are black too."""
    long = Image.new("RGB", (80, 20), "white")
    long.paste("black", (20, 0, 60, 20))
    (tmp_path / "a").mkdir()
    long.save(tmp_path / "a" / "long.png")
    found = picture_folders.read(tmp_path, 20, fit=fit)
    assert found.x[0, 10, [1, 6, 13, 18], 0].tolist() == columns
    assert (found.x[0, 1, 1, 0] > 0) == (fit == "squeeze")
    assert found.proportions.tolist() == [4]
    with pytest.raises(ValueError, match="fit is 'stretch'; expected"):
        picture_folders.read(tmp_path, 20, fit="stretch")


# Archives, and folders that are split already


def archive_of(folder, path, inside=""):
    """Pack a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, inside + str(file.relative_to(folder)))
    return path


@pytest.mark.parametrize("inside", ["", "my pictures/", "a/b/c/"])
def test_a_zip_archive_is_unpacked_beside_itself_once(folder, tmp_path_factory, inside):
    place = tmp_path_factory.mktemp("downloads")
    archive = archive_of(folder, place / "mine.zip", inside)
    found = picture_folders.read(archive, 8)
    assert (found.class_names, len(found.x)) == (("blue", "red"), 5)
    assert sorted(path.name for path in place.iterdir() if path.name[0] != ".") == [
        *("mine", "mine.zip")
    ]
    (found.files[0]).unlink()
    assert len(picture_folders.read(archive, 8).x) == 4  # what is there is not replaced


def test_a_hostile_archive_writes_nowhere_else(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("a") / "b"
    place.mkdir()
    archive = archive_of(folder, place / "x.zip")
    with zipfile.ZipFile(archive, "a") as packed:
        for name in ("../../out.png", "/red/out-of-here.png", "red/../../../out.png"):
            packed.writestr(name, "out")
        link = zipfile.ZipInfo("red/link.png")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    picture_folders.read(archive, 8)
    assert list(place.parent.rglob("out*.png")) == list((place / "x").rglob("out*.png"))
    assert not Path("/red").exists()
    assert not any(path.is_symlink() for path in place.rglob("*"))


@pytest.mark.parametrize("damage", ["cut", "too large", "packed otherwise"])
def test_an_archive_that_cannot_be_unpacked_leaves_nothing(
    folder, tmp_path_factory, damage, monkeypatch
):
    place = tmp_path_factory.mktemp("downloads")
    archive = archive_of(folder, place / "mine.zip")
    if damage == "cut":
        content = bytearray(archive.read_bytes())
        content[60] ^= 1
        archive.write_bytes(content)
    elif damage == "too large":
        monkeypatch.setattr(picture_folders, "_LARGEST_ARCHIVE", 100)
    else:
        with zipfile.ZipFile(archive, "a", zipfile.ZIP_LZMA) as packed:
            packed.writestr("red/9.png", bytes(10_000))
    with pytest.raises(DataError, match=r"mine\.zip cannot be unpacked .*Unpack it yourself"):
        picture_folders.read(archive, 8)
    assert [path.name for path in place.iterdir() if path.name[0] != "."] == ["mine.zip"]


def test_other_files_than_archives_say_so(tmp_path):
    (tmp_path / "mine.rar").write_bytes(b"Rar!")
    with pytest.raises(DataError, match=r"no folder .*mine\.rar. It is a file, and no zip"):
        picture_folders.read(tmp_path / "mine.rar", 8)


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "valid", "testing")])
def test_a_folder_that_is_split_already_keeps_its_split(tmp_path, names):
    for number, (part, count) in enumerate(zip(names, (4, 2, 3), strict=True)):
        for label in range(2):
            for n in range(count):
                save(tmp_path / part / f"class {label}" / f"{n}.png", (number, label, n))
    save(tmp_path / "single_prediction" / "1.png", "green")
    found = picture_folders.read(tmp_path, 8)
    assert found.class_names == ("class 0", "class 1")
    assert [path.name for path in found.left_out] == ["single_prediction"]
    data, _ = picture_folders.split(found)
    for number, part in enumerate(("train", "validation", "test")):
        assert np.bincount(getattr(data, f"y_{part}")).tolist() == [(4, 2, 3)[number]] * 2
        assert (getattr(data, f"x_{part}")[..., 0] == number).all()


def test_what_a_split_lacks_is_taken_from_its_training_part(tmp_path):
    for part, count in (("train", 10), ("test", 3)):
        for name in ("a", "b"):
            for n in range(count):
                save(tmp_path / part / name / f"{n}.png", (n, len(part), ord(name)))
    data, _ = picture_folders.split(picture_folders.read(tmp_path, 8))
    assert [len(y) for y in (data.y_train, data.y_validation, data.y_test)] == [14, 6, 6]
    assert (data.x_validation[..., 1] == len("train")).all()


def test_a_class_that_cannot_be_trained_is_named(tmp_path):
    save(tmp_path / "train" / "a" / "1.png", "red")
    save(tmp_path / "test" / "a" / "1.png", "blue")
    save(tmp_path / "test" / "b" / "1.png", "green")
    with pytest.raises(DataError, match=r"no pictures of b to train with"):
        picture_folders.read(tmp_path, 8)


def test_a_file_that_may_not_be_read_is_left_out(read_only):
    folder, locked = read_only
    for name in ("a", "b"):
        for number in range(2):
            save(folder / name / f"{number}.png", "red")
    (folder / "a" / "1.png").chmod(0)
    with locked():
        read = picture_folders.read(folder, 8)
    assert read.left_out == {folder / "a" / "1.png": "it cannot be read: Permission denied"}


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
def test_trouble_of_the_machine_is_not_taken_for_a_broken_picture(folder, monkeypatch, number):
    read_bytes = Path.read_bytes

    def failing(path):
        if path.name == "red.2.png":
            raise OSError(number, "trouble")
        return read_bytes(path)

    def failing_open(file, *arguments, **options):
        if str(file).endswith("red.2.png"):
            raise OSError(number, "trouble")
        return real_open(file, *arguments, **options)

    real_open = builtins.open
    monkeypatch.setattr(Path, "read_bytes", failing)
    monkeypatch.setattr(builtins, "open", failing_open)
    with pytest.raises(DataError, match=r"red\.2\.png cannot be read: trouble"):
        picture_folders.read(folder, 8)


def test_too_little_memory_is_not_taken_for_a_broken_picture(folder, monkeypatch):
    def without_memory(*_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", without_memory)
    with pytest.raises(MemoryError):
        picture_folders.read(folder, 8)


def test_reading_side_by_side_leaves_the_filters_of_warnings_as_they_were(tmp_path):
    for number in range(200):
        save(tmp_path / "red" / f"{number}.png", "red", (8, 8))
    before, interval = warnings.filters[:], sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # seconds: let the threads get into each other's way
    try:
        for _ in range(8):
            picture_folders.read(tmp_path, 8)
    finally:
        sys.setswitchinterval(interval)
        after, warnings.filters[:] = warnings.filters[:], before
    assert after == before


@pytest.mark.parametrize("side", [40, 60])
def test_a_decompression_bomb_is_left_out(folder, monkeypatch, side):
    """Of more pixels than the limit, Pillow warns; of more than twice as many, it raises."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    bomb = save(folder / "red" / "bomb.png", "red", (side, side))
    assert list(picture_folders.read(folder, 8).left_out) == [bomb]


def test_trouble_with_folders_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="There is no folder"):
        picture_folders.read(tmp_path / "nowhere", 8)
    with pytest.raises(DataError, match="Make one for each class"):
        picture_folders.read(tmp_path, 8)
    save(tmp_path / "cat" / "1.png", "red")
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match="dog holds no readable picture"):
        picture_folders.read(tmp_path, 8)
    (tmp_path / "dog" / "1.png").write_text("broken")
    with pytest.raises(DataError, match=r"no readable picture \(the first: .*1\.png"):
        picture_folders.read(tmp_path, 8)
    with pytest.raises(DataError, match="There is no folder .*bird"):
        picture_folders.read(tmp_path, 8, ("cat", "bird"))
    with pytest.raises(ValueError, match="size is 0"):
        picture_folders.read(tmp_path, 0)


# Pictures of your own


def noisy(rng, size=32):
    """A picture like no other."""
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    return small.resize((size, size), Image.Resampling.BICUBIC)


def fill(folder, **counts):
    """Make so many pictures, all of them different, in each class."""
    for seed, (name, count) in enumerate(counts.items()):
        rng = np.random.default_rng(seed)
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            noisy(rng).save(folder / name / f"{number}.png")
    return folder


def split(folder, seed=0):
    return picture_folders.split(picture_folders.read(folder, 32), seed)


def parts_of(data):
    return {part: getattr(data, f"y_{part}") for part in ("train", "validation", "test")}


def test_own_pictures_are_split_without_loss_and_in_balance(tmp_path):
    found = picture_folders.read(fill(tmp_path, blue=10, red=10), 32)
    data, notes = picture_folders.split(found)
    assert data.class_names == ("blue", "red")
    counts = {part: np.bincount(y).tolist() for part, y in parts_of(data).items()}
    assert counts == {"train": [6, 6], "validation": [2, 2], "test": [2, 2]}
    where = {picture.tobytes(): label for picture, label in zip(found.x, found.y, strict=True)}
    for part, y in parts_of(data).items():
        for picture, label in zip(getattr(data, f"x_{part}"), y, strict=True):
            assert where.pop(picture.tobytes()) == label
    assert where == {}
    assert notes == ["few pictures: 30 of each class, or more, would be better (blue 10, red 10)"]


def test_the_same_seed_splits_alike_and_another_one_otherwise(tmp_path):
    fill(tmp_path, a=10, b=10)
    first, again, other = (split(tmp_path, seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)


def test_what_is_no_picture_is_left_out_and_named(tmp_path):
    fill(tmp_path, a=10, b=10)
    (tmp_path / "a" / "broken.jpg").write_bytes(b"no picture")
    for number in range(7):
        (tmp_path / "b" / f"{number}.mov").write_bytes(bytes(4) + b"ftypqt  " + bytes(20))
    data, notes = split(tmp_path)
    assert len(data.x_train) == 12
    assert notes[0] == f"left out: a/broken.jpg: {NO_PICTURE}"
    names = "b/0.mov, b/1.mov, b/2.mov, b/3.mov, b/4.mov and 2 more"
    assert notes[1] == f"left out: {names}: it is a film; save single pictures of it"


def test_copies_and_near_copies_stay_on_one_side(tmp_path):
    fill(tmp_path, a=12, b=12)
    with Image.open(tmp_path / "a" / "3.png") as picture:
        picture.save(tmp_path / "a" / "copy.png")
        picture.resize((60, 60)).save(tmp_path / "a" / "larger.jpg", quality=60)
        picture.point(lambda value: value * 0.9 + 10).save(tmp_path / "a" / "brighter.png")
    same = picture_folders.read(tmp_path, 32)
    which = [
        n for n, path in enumerate(same.files) if path.stem in ("3", "copy", "larger", "brighter")
    ]
    which = [n for n in which if same.y[n] == 0]
    assert len(which) == 4
    for seed in range(10):
        data, notes = picture_folders.split(same, seed)
        holders = [
            part
            for part in parts_of(data)
            for n in which
            if any(np.array_equal(same.x[n], x) for x in getattr(data, f"x_{part}"))
        ]
        assert len(holders) == 4
        assert len(set(holders)) == 1
        names = "a/3.png, a/brighter.png, a/copy.png, a/larger.jpg"
        assert f"these show the same: {names}; they are kept in one part" in notes


def test_the_same_picture_in_two_classes_is_left_out_and_named(tmp_path):
    fill(tmp_path, a=10, b=10)
    shutil.copy(tmp_path / "a" / "0.png", tmp_path / "b" / "other.png")
    with Image.open(tmp_path / "a" / "1.png") as picture:
        picture.resize((50, 50)).save(tmp_path / "b" / "near.jpg")
    data, notes = split(tmp_path)
    for pair in ("a/0.png, b/other.png", "a/1.png, b/near.jpg"):
        said = f"these show the same: {pair}; their classes differ, so they are left out"
        assert said in notes
    assert sum(map(len, parts_of(data).values())) == 18


def test_a_copy_in_both_parts_of_a_given_split_leaves_the_training(tmp_path):
    fill(tmp_path / "train", a=8, b=8)
    for seed, name in enumerate("ab", 5):
        (tmp_path / "test" / name).mkdir(parents=True)
        noisy(np.random.default_rng(seed)).save(tmp_path / "test" / name / "0.png")
    shutil.copy(tmp_path / "train" / "a" / "0.png", tmp_path / "test" / "a" / "1.png")
    data, notes = split(tmp_path)
    assert np.bincount(data.y_test).tolist() == [2, 1]
    assert len(data.y_train) + len(data.y_validation) == 15
    said = "these show the same: a/1.png, a/0.png; only those in the test part are used"
    assert said in notes


def test_an_unbalanced_set_is_named(tmp_path):
    _, notes = split(fill(tmp_path, blue=10, red=21))
    assert notes[-1].startswith("unbalanced")
    assert "(blue 10, red 21); give fit() a class_weight" in notes[-1]


def test_one_class_is_not_enough(tmp_path):
    with pytest.raises(DataError, match=r"one class only \(blue 3\). Add a folder"):
        split(fill(tmp_path, blue=3))


@pytest.mark.parametrize(
    ("count", "expected"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (4, (2, 1, 1))]
)
def test_of_a_few_pictures_what_is_possible_is_done_and_said(tmp_path, count, expected):
    data, notes = split(fill(tmp_path, many=20, few=count))
    assert tuple(int(np.sum(y == 0)) for y in parts_of(data).values()) == expected
    for part, n in zip(parts_of(data), expected, strict=True):
        assert (f"no pictures of few in the {part} part" in notes) == (n == 0)


def test_long_pictures_are_noted(tmp_path):
    fill(tmp_path, a=10, b=10)
    noisy(np.random.default_rng(9)).resize((200, 20)).save(tmp_path / "a" / "panorama.png")
    _, notes = split(tmp_path)
    assert notes[0].startswith("more than twice as long as wide: a/panorama.png; read() squeezes")


def test_plain_pictures_are_no_copies_of_each_other(tmp_path):
    for number in range(10):
        save(tmp_path / "a" / f"{number}.png", (250, number, 0))
        save(tmp_path / "b" / f"{number}.png", (0, number, 250))
    data, notes = split(tmp_path)
    assert len(data.y_train) == 12
    assert len(notes) == 1


def test_an_empty_class_is_named(tmp_path):
    fill(tmp_path, a=10, b=10)
    (tmp_path / "green").mkdir()
    with pytest.raises(DataError, match=r"green holds no readable picture. Put some"):
        split(tmp_path)


def test_pictures_without_class_folders_are_recognised(tmp_path):
    with pytest.raises(DataError, match="Make one for each class"):
        split(fill(tmp_path, a=3) / "a")


def test_folders_among_the_classes_of_which_one_holds_folders_are_recognised(tmp_path):
    fill(tmp_path / "mine", a=3, b=3)
    fill(tmp_path, c=3)
    with pytest.raises(DataError, match=r"mine holds no pictures, but folders \(a, b\)"):
        split(tmp_path)


def test_one_picture_becomes_a_square():
    file = io.BytesIO()
    Image.new("L", (30, 10), 77).save(file, "PNG")
    assert (picture_folders.square(file.getvalue(), 8) == np.full((8, 8, 3), 77)).all()
    with pytest.raises(DataError, match="no picture"):
        picture_folders.square(b"something else", 8)


@pytest.mark.slow
def test_in_a_folder_of_odd_and_broken_files_every_good_picture_is_read_and_every_bad_one_named(
    tmp_path,
):
    corpus = picture_corpus.corpus()
    names = {}
    for number, picture in enumerate(corpus):
        path = tmp_path / ("a", "b")[number % 2] / f"{number}{('.jpg', '', '.png')[number % 3]}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture.content)
        names[path] = picture
    found = picture_folders.read(tmp_path, 16)
    assert len(found.files) + len(found.left_out) == len(corpus) > 400
    for path in found.files:
        assert names[path].reason in (None, "") or names[path].reason in SIZE_ONLY, names[path].name
    for path, why in found.left_out.items():
        assert why
        assert names[path].reason is not None, (names[path].name, why)


# For reasons of size, the photos of the course leave out what a collection of one's own may hold.
SIZE_ONLY = ("too few", "in a row", picture_corpus.LARGE, picture_corpus.OTHER)
