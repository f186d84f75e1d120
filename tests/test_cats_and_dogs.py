import json

import numpy as np
import pytest

from course_utils import cats_and_dogs, drawings, picture_folders
from course_utils.data import prepared_photos
from course_utils.data.settings import DataError
from tests.test_picture_folders import save


@pytest.fixture
def few(monkeypatch):
    """Let the sets of cats and dogs be small ones."""
    counts = {"train": 3, "validation": 2, "test": 2}
    draw = drawings.make_set

    def make_set(folder, size):
        return draw(folder, size, counts, processes=1, progress=False)

    monkeypatch.setattr(drawings, "make_set", make_set)
    return counts


def put_photos(data, counts):
    """Put a complete folder of plain photos where the loader looks."""
    for part, count in counts.items():
        for name, color in (("cat", "red"), ("dog", "blue")):
            for number in range(count):
                save(data / prepared_photos.FOLDER / part / name / f"{name}.{number}.jpg", color)
    report = {
        "source": "test.zip",
        "wanted": counts,
        "counts": {part: {"cat": n, "dog": n} for part, n in counts.items()},
        "left_out": [],
    }
    (data / prepared_photos.FOLDER / "report.json").write_text(json.dumps(report))


def test_without_photos_the_drawings_are_drawn_once_and_read(data, few):
    loaded = cats_and_dogs.load(drawing_size=32)
    assert (loaded.tier, loaded.class_names) == ("embedded", ("cat", "dog"))
    assert loaded.x_train.shape == (6, 32, 32, 3)
    assert loaded.y_train.tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.x_validation.shape == loaded.x_test.shape == (4, 32, 32, 3)
    assert "6 training, 4 validation and 4 test images of 32 x 32 x 3" in loaded.summary()
    drawn = drawings.draw("cat", 0, "train", 2, size=32).picture
    assert np.array_equal(loaded.x_train[2], drawn)
    folder = cats_and_dogs.folder(32)
    assert folder.parent == data
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert np.array_equal(cats_and_dogs.load(drawing_size=32).x_test, loaded.x_test)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_photos_come_first_unless_the_embedded_tier_is_asked_for(data, few, monkeypatch):
    put_photos(data, few)
    loaded = cats_and_dogs.load(photo_size=16, drawing_size=32)
    assert loaded.tier == "real"
    assert loaded.x_train.shape == (6, 16, 16, 3)
    assert cats_and_dogs.folder() == data / prepared_photos.FOLDER
    monkeypatch.setenv("COURSE_TIER", "embedded")
    assert cats_and_dogs.load(photo_size=16, drawing_size=32).tier == "embedded"


def test_a_tier_can_be_asked_for_whatever_is_on_disk(data, few, monkeypatch):
    put_photos(data, few)
    drawn = cats_and_dogs.load(16, 32, tier="embedded")
    assert (drawn.tier, drawn.x_test.shape[1:]) == ("embedded", (32, 32, 3))
    assert cats_and_dogs.folder(32, tier="embedded") == data / "drawn-cats-and-dogs-32"
    monkeypatch.setenv("COURSE_TIER", "embedded")
    assert cats_and_dogs.load(16, 32, tier="real").tier == "real"
    with pytest.raises(ValueError, match="tier is 'photos'; expected"):
        cats_and_dogs.load(tier="photos")


def test_drawings_come_in_the_order_of_their_annotations(data, few):
    few["test"] = 11  # so that number 10 would come before number 2 by the alphabet
    where = cats_and_dogs.folder(32, tier="embedded")
    files = drawings.read_annotations(where, "test").files
    read = picture_folders.read(where / "test", 32, ("cat", "dog"))
    assert [path.relative_to(where).as_posix() for path in read.files] == files


def test_a_broken_picture_in_a_set_is_named(data, few):
    put_photos(data, few)
    (data / prepared_photos.FOLDER / "test" / "dog" / "dog.1.jpg").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"dog\.1\.jpg, a picture of .*Move .* away"):
        cats_and_dogs.load(photo_size=16)


def test_other_files_beside_the_pictures_of_a_set_do_no_harm(data, few):
    put_photos(data, few)
    (data / prepared_photos.FOLDER / "test" / "dog" / "notes.txt").write_text("mine")
    assert cats_and_dogs.load(photo_size=16).x_test.shape == (4, 16, 16, 3)


def test_the_real_tier_without_photos_says_how_to_get_them(data, monkeypatch):
    monkeypatch.setenv("COURSE_TIER", "real")
    with pytest.raises(DataError, match=r"COURSE_TIER is .*make data SET=dogs_vs_cats.*unset it"):
        cats_and_dogs.load()
    with pytest.raises(DataError, match=r"^tier is 'real', .*or leave it out"):
        cats_and_dogs.load(tier="real")


def test_drawings_come_with_their_boxes_in_order(data):
    x, found = cats_and_dogs.drawn("test", 2, 32)
    drawn = [drawings.draw(kind, 0, "test", n, size=32) for kind in ("cat", "dog") for n in (0, 1)]
    assert np.array_equal(x, np.stack([drawing.picture for drawing in drawn]))
    assert found.boxes == pytest.approx(np.stack([drawing.box for drawing in drawn]), abs=0.01)
    assert found.kinds == ["cat", "cat", "dog", "dog"]
    assert found.pictures.tolist() == [0, 1, 2, 3]


def test_no_drawings_and_an_unknown_part_are_refused(data):
    with pytest.raises(ValueError, match="count is 0; expected 1 drawing or more"):
        cats_and_dogs.drawn("test", 0)
    with pytest.raises(ValueError, match="no split 'tests'"):
        cats_and_dogs.drawn("tests", 2)


def test_groups_come_with_the_number_of_each_animals_picture(data):
    x, found = cats_and_dogs.drawn("test", 12, 32, groups=True)
    drawn = [drawings.draw_group(0, "test", number, 32) for number in range(12)]
    assert np.array_equal(x, np.stack([animals[0].picture for animals in drawn]))
    assert np.bincount(found.pictures).tolist() == [len(animals) for animals in drawn]
    assert found.kinds == [animal.kind for animals in drawn for animal in animals]
