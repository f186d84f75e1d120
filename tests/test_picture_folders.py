import builtins
import errno
import io
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_utils import picture_folders
from course_utils.data.picture_decoding import as_jpeg, strict_pillow
from course_utils.data.settings import DataError

OTHER_FORMAT = "not a picture format that the course reads (.jpg, .jpeg, .png, ...)"


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


def test_files_of_other_formats_are_named_but_not_what_programs_leave_behind(folder):
    for name in ("phone.HEIC", "new.avif", "notes.txt", "no ending"):
        (folder / "red" / name).write_bytes(b"something")
    for name in (".DS_Store", ".hidden.png", "Thumbs.db", "desktop.ini"):
        (folder / "red" / name).write_bytes(b"of some program")
    (folder / "readme.txt").write_text("beside the classes")
    (folder / "red" / "deeper").mkdir()
    read = picture_folders.read(folder, 8)
    assert {path.name: why for path, why in read.left_out.items()} == dict.fromkeys(
        ("new.avif", "no ending", "notes.txt", "phone.HEIC"), OTHER_FORMAT
    )
    assert len(read.x) == len(read.files) == 5


def test_a_class_of_other_formats_only_says_so(folder):
    save(folder / "green" / "1.png", "green").rename(folder / "green" / "1.heic")
    with pytest.raises(DataError, match=r"green holds no readable picture .*1\.heic: not a pict"):
        picture_folders.read(folder, 8)


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


@pytest.fixture
def own(tmp_path):
    """Ten red pictures, ten blue ones, each with a number in its green."""
    for name, color in (("red", (250, 0)), ("blue", (0, 250))):
        for number in range(10):
            save(tmp_path / name / f"{number}.png", (color[0], number, color[1]))
    return tmp_path


def test_own_pictures_are_split_without_loss_and_in_balance(own):
    data, notes = picture_folders.split(own, 4)
    assert data.class_names == ("blue", "red")
    parts = {"train": 6, "validation": 2, "test": 2}
    seen = []
    for part, count in parts.items():
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        assert np.bincount(y).tolist() == [count, count]
        assert np.array_equal(x[:, 0, 0, 0] > 0, y == 1)
        seen += [(int(label), int(pixel)) for label, pixel in zip(y, x[:, 0, 0, 1], strict=True)]
    assert sorted(seen) == [(label, number) for label in (0, 1) for number in range(10)]
    assert notes == ["few pictures: 30 of each class, or more, would be better (blue 10, red 10)"]


def test_the_same_seed_splits_alike_and_another_one_otherwise(own):
    first, again, other = (picture_folders.split(own, 4, seed=seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)


def test_only_the_first_pictures_are_used_if_told_so(own):
    data, _ = picture_folders.split(own, 4, most=5)
    assert len(data.x_train) + len(data.x_validation) + len(data.x_test) == 10
    assert max(x[..., 1].max() for x in (data.x_train, data.x_validation, data.x_test)) == 4


@pytest.mark.parametrize("most", [-1, 0, 1, 4])
def test_less_than_five_of_each_class_cannot_be_asked_for(own, most):
    with pytest.raises(ValueError, match=f"most is {most}; expected 5"):
        picture_folders.split(own, 4, most=most)


def test_notes_are_about_the_pictures_that_are_used(own):
    for number in range(10, 21):
        save(own / "red" / f"{number}.png", (250, number, 0))
    _, notes = picture_folders.split(own, 4, most=5)
    assert notes == ["few pictures: 30 of each class, or more, would be better (blue 5, red 5)"]


def test_what_is_no_picture_is_left_out_and_named(own):
    (own / "red" / "broken.jpg").write_bytes(b"no picture")
    (own / "red" / "notes.txt").write_text("not even named like one")
    data, notes = picture_folders.split(own, 4)
    assert len(data.x_train) == 12
    assert notes[0].startswith("left out: broken.jpg: ")
    assert notes[1] == f"left out: notes.txt: {OTHER_FORMAT}"


def test_many_files_left_out_for_one_reason_are_one_note(own):
    for number in range(7):
        (own / "red" / f"{number}.heic").write_bytes(b"of a phone")
    _, notes = picture_folders.split(own, 4)
    names = "0.heic, 1.heic, 2.heic, 3.heic, 4.heic and 2 more"
    assert notes[0] == f"left out: {names}: {OTHER_FORMAT}"
    assert len(notes) == 2


def test_an_unbalanced_set_is_named(own):
    for number in range(10, 21):
        save(own / "red" / f"{number}.png", (250, number, 0))
    _, notes = picture_folders.split(own, 4)
    assert "unbalanced" in notes[-1]
    assert "(blue 10, red 21)" in notes[-1]


def test_one_class_is_not_enough(own):
    for file in (own / "red").iterdir():
        file.unlink()
    (own / "red").rmdir()
    with pytest.raises(DataError, match=r"one class only \(blue 10\). Add a folder"):
        picture_folders.split(own, 4)


def test_an_empty_class_is_named(own):
    (own / "green").mkdir()
    with pytest.raises(DataError, match=r"green holds no readable picture. Put some"):
        picture_folders.split(own, 4)


def test_too_few_pictures_are_refused(own):
    for number in range(4):
        save(own / "green" / f"{number}.png", (0, 250, 0))
    with pytest.raises(DataError, match=r"at least 5 pictures.*green 4"):
        picture_folders.split(own, 4)


def test_folders_one_level_too_high_are_recognised(own, tmp_path_factory):
    above = tmp_path_factory.mktemp("above")
    own.rename(above / "mine")
    with pytest.raises(DataError, match=r"mine holds no pictures, but folders \(blue, red\)"):
        picture_folders.split(above, 4)


def test_pictures_without_class_folders_are_recognised(own):
    with pytest.raises(DataError, match="Make one for each class"):
        picture_folders.split(own / "red", 4)
