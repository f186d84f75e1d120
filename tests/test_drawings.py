import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import tqdm.auto
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import binary_erosion

from course_utils import cats_and_dogs
from course_utils.data.settings import COURSE_FOLDER, DataError
from course_utils.detection import iou
from course_utils.drawings import (
    CATS_AND_DOGS,
    CLEAN,
    GROUP,
    GROUPS,
    LANDMARKS,
    OTHER_KINDS,
    SPLITS,
    Scene,
    _plan_group,
    _streams,
    draw,
    draw_group,
    make_set,
    read_annotations,
)
from course_utils.drawings.coats import NOSES
from course_utils.drawings.composition import plan
from course_utils.drawings.others import ANIMALS, OBJECTS
from course_utils.drawings.shapes import Style, paint
from tests.examples import many

KINDS = CATS_AND_DOGS + OTHER_KINDS
TURNED = replace(CLEAN, rotation=60, stretch=0.3)
PUPIL = (22, 18, 24)
FEW = {"train": 3, "test": 2}


def both_classes(count, **options):
    """Drawings of cats and dogs in turn."""
    options = {"seed": 5, "split": "train"} | options
    return [draw(CATS_AND_DOGS[i % 2], index=i // 2, **options) for i in range(count)]


def head_mask(kind, seed, split, index, size=64, scene=None):
    """Which pixels of a drawing the head covers, also where something hides it."""
    return mask_of(plan(kind, scene or Scene(), _streams(kind, seed, split, index)), size)


def mask_of(planned, size):
    """Which pixels of a picture the head of a plan covers."""
    canvas = size * 3
    image = Image.new("L", (canvas, canvas))
    parts = [shape for shape in planned.figure.shapes if shape.head]
    paint(image, parts, planned.matrix * canvas, Style(defaultdict(lambda: 255), "plain"))
    return np.asarray(image.reduce(3)) >= 128


def fingerprint(kind, index, **options):
    drawing = draw(kind, 3, "train", index, **options)
    return hashlib.sha256(drawing.picture.tobytes() + drawing.box.tobytes()).hexdigest()


def tight_box(mask):
    """The box around the true pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def distance(drawing, place, colours):
    """How far the colour of a place is from the nearest of some colours."""
    x, y = np.floor(place).astype(int)
    return np.abs(drawing.picture[y, x].astype(int) - np.array(colours)).max(axis=1).min()


def inside(box, places, slack=0.0):
    return np.all((places >= box[:2] - slack) & (places <= box[2:] + slack))


def tree(folder):
    """Every file below a folder with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def script(folder, counts, processes=1):
    """A script of a user who draws a set."""
    return (
        "from course_utils.drawings import make_set\n"
        "if __name__ == '__main__':\n"
        f"    make_set({str(folder)!r}, 16, {counts}, processes={processes}, progress=False)\n"
    )


# The same picture again, and other ones


@pytest.mark.slow
def test_the_same_arguments_give_the_same_pixels_in_a_fresh_process():
    code = (
        "from tests.test_drawings import fingerprint\n"
        "print(fingerprint('cat', 2), fingerprint('owl', 0, size=40))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=COURSE_FOLDER, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [fingerprint("cat", 2), fingerprint("owl", 0, size=40)]


def test_a_picture_is_the_same_whatever_was_drawn_before():
    alone = draw("dog", 1, "test", 7)
    for index in range(3):
        draw("cat", 1, "test", index)
    np.testing.assert_array_equal(draw("dog", 1, "test", 7).picture, alone.picture)


def test_seed_split_index_and_kind_each_give_another_picture():
    changes = [("cat", 0, "train", 0), ("cat", 1, "train", 0), ("cat", 0, "test", 0)]
    changes += [("cat", 0, "train", 1), ("dog", 0, "train", 0)]
    assert len({draw(*change).picture.tobytes() for change in changes}) == len(changes)


def test_every_kind_is_drawn_in_its_own_way():
    assert set(OTHER_KINDS) == set(ANIMALS) | set(OBJECTS)
    assert not set(OTHER_KINDS) & set(CATS_AND_DOGS)
    shapes = {head_mask(kind, 0, "train", 0, scene=CLEAN).tobytes() for kind in KINDS}
    assert len(shapes) == len(KINDS)


# Boxes and landmarks, checked against what is drawn


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 64, 150])
@pytest.mark.parametrize("scene", [CLEAN, TURNED, Scene()], ids=["clean", "turned", "full"])
def test_the_box_is_tight_around_the_head(size, scene):
    for index, kind in enumerate(KINDS):
        arguments = (kind, 2, "validation", index, size, scene)
        box, mask = draw(*arguments).box, head_mask(*arguments)
        # Less than half of the last pixel of a spine or a leaf is covered.
        slack = 2.0 if kind in OTHER_KINDS else 1.5
        np.testing.assert_allclose(tight_box(mask), box, atol=slack, err_msg=kind)


@pytest.mark.parametrize("size", [32, 64, 150])
def test_the_box_of_a_thing_is_tight_around_what_differs_from_the_wall(size):
    for kind in OBJECTS:
        drawing = draw(kind, 4, "train", 1, size, TURNED)
        wall = drawing.picture[0, 0] if drawing.box[0] > 2 else drawing.picture[-1, -1]
        differs = np.abs(drawing.picture.astype(int) - wall).max(axis=-1) > 40
        np.testing.assert_allclose(tight_box(differs), drawing.box, atol=1.5, err_msg=kind)


@pytest.mark.parametrize("kind", CATS_AND_DOGS)
def test_head_and_body_are_all_that_differs_from_a_plain_wall(kind):
    for index in range(5):
        arguments = (kind, 6, "train", index, 64, CLEAN)
        picture, mask = draw(*arguments).picture, head_mask(*arguments)
        wall = np.median(picture[~mask], axis=0)
        differs = np.abs(picture - wall).max(axis=-1) > 8
        assert differs[mask].mean() > 0.97


@pytest.mark.parametrize("size", [64, 150, 300])
def test_eyes_and_nose_have_the_colours_of_pupils_and_noses(size):
    # A slit is hardly wider than a pixel at 64; its colour is then mixed with that of the eye.
    allowed = 3 if size == 300 else 90
    for drawing in both_classes(16, size=size, scene=TURNED):
        left, right, nose = drawing.landmarks[:3]
        assert distance(drawing, left, [PUPIL]) < allowed
        assert distance(drawing, right, [PUPIL]) < allowed
        assert distance(drawing, nose, NOSES) < allowed


@pytest.mark.parametrize("kind", CATS_AND_DOGS)
def test_ear_tips_lie_on_the_edge_of_the_head(kind):
    for index in range(8):
        arguments = (kind, 9, "train", index, 150, TURNED)
        mask = np.pad(head_mask(*arguments), 8)
        for x, y in np.floor(draw(*arguments).landmarks[3:] + 8).astype(int):
            around = mask[y - 4 : y + 5, x - 4 : x + 5]
            assert around.any()
            assert not around.all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OBJECTS])
def test_the_landmarks_of_a_face_lie_in_its_box(kind):
    for index in range(6):
        drawing = draw(kind, 0, "test", index, 32, replace(TURNED, rotation=180))
        known = drawing.landmarks[~np.isnan(drawing.landmarks).any(axis=1)]
        assert len(known) >= 3
        assert inside(drawing.box, known)


def test_cats_and_dogs_have_all_landmarks_and_things_none():
    for drawing in both_classes(10):
        assert drawing.landmarks.shape == (len(LANDMARKS), 2)
        assert np.isfinite(drawing.landmarks).all()
    assert all(np.isnan(draw(kind, 0, "train", 0).landmarks).all() for kind in OBJECTS)


def test_left_and_right_are_those_of_the_viewer():
    for drawing in both_classes(10, scene=CLEAN):
        left_eye, right_eye, nose, left_ear, right_ear = drawing.landmarks
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_ear[0] < right_ear[0]
        assert left_eye[1] == pytest.approx(right_eye[1])
        assert nose[1] > left_eye[1]


@pytest.mark.parametrize("angle", [40, 90])
def test_heads_are_turned_as_far_as_the_dial_says(angle):
    scene = replace(CLEAN, rotation=angle)
    eyes = [np.diff(d.landmarks[:2], axis=0)[0] for d in both_classes(60, scene=scene, size=16)]
    tilts = np.rad2deg([np.arctan2(y, x) for x, y in eyes])
    assert angle * 0.85 < np.abs(tilts).max() <= angle + 1e-6
    assert tilts.min() < 0 < tilts.max()


# Any size


@many(12)
@given(st.sampled_from(KINDS), st.integers(0, 50), st.integers(16, 200))
def test_boxes_and_landmarks_grow_with_the_picture(kind, index, size):
    drawing, small = draw(kind, 1, "train", index, size), draw(kind, 1, "train", index, 16)
    assert drawing.picture.shape == (size, size, 3)
    assert drawing.picture.dtype == np.uint8
    np.testing.assert_allclose(drawing.box, small.box * size / 16)
    np.testing.assert_allclose(drawing.landmarks, small.landmarks * size / 16)


@pytest.mark.parametrize("kind", CATS_AND_DOGS)
def test_another_size_is_the_same_scene_at_another_resolution(kind):
    for index in range(4):
        small = draw(kind, 8, "train", index, 32).picture.astype(float)
        large = draw(kind, 8, "train", index, 128).picture.astype(float)
        reduced = large.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
        other = draw(kind, 8, "train", index + 9, 32).picture.astype(float)
        assert np.abs(small - reduced).mean() < 8
        assert np.abs(small - other).mean() > 16


# The dials


def test_a_clean_picture_is_an_animal_before_one_colour():
    for drawing in both_classes(6, scene=CLEAN):
        colours, counts = np.unique(drawing.picture.reshape(-1, 3), axis=0, return_counts=True)
        assert counts.max() > 0.3 * 64 * 64
        assert len(colours) < 1000


@pytest.mark.parametrize(
    "dial", ["clutter", "stray_parts", "occluders", "texture", "light", "blur", "noise"]
)
def test_each_dial_changes_the_picture_and_leaves_the_animal_where_it_is(dial):
    without = replace(CLEAN, texture=0.0)
    much = {"clutter": 4, "stray_parts": 3, "occluders": 1, "blur": 0.05}.get(dial, 0.5)
    for index in range(3):
        plain = draw("cat", 0, "train", index, scene=without)
        changed = draw("cat", 0, "train", index, scene=replace(without, **{dial: much}))
        assert np.any(changed.picture != plain.picture)
        np.testing.assert_array_equal(changed.box, plain.box)
        np.testing.assert_array_equal(changed.landmarks, plain.landmarks)


def test_clutter_counts_the_things():
    def changed(clutter):
        scene = replace(CLEAN, clutter=clutter)
        pairs = zip(both_classes(30, scene=scene), both_classes(30, scene=CLEAN), strict=True)
        return np.mean([np.any(one.picture != other.picture) for one, other in pairs])

    assert changed(0.4) < changed(1) <= changed(6) == 1


def test_an_occluder_hides_at_most_a_quarter_of_the_head():
    shares = []
    for index in range(40):
        arguments = ("dog", 1, "train", index, 64)
        free = draw(*arguments, CLEAN)
        hidden = draw(*arguments, replace(CLEAN, occluders=1)).picture != free.picture
        left, top, right, bottom = np.rint(free.box).astype(int)
        shares.append(hidden.any(axis=-1)[top:bottom, left:right].mean())
    assert max(shares) < 0.29  # a quarter, and the line around the occluder
    assert np.mean(np.array(shares) > 0.03) > 0.8


def test_stray_parts_lie_behind_the_head():
    for index in range(10):
        arguments = ("cat", 2, "train", index, 64)
        few, many = (draw(*arguments, replace(CLEAN, stray_parts=n)).picture for n in (0, 5))
        inner = binary_erosion(head_mask(*arguments, CLEAN), iterations=2)
        assert np.any(few != many)
        np.testing.assert_array_equal(few[inner], many[inner])


def test_the_head_is_as_large_as_the_dial_says():
    scene = replace(TURNED, head_size=(0.3, 0.4))
    for drawing in both_classes(20, scene=scene, size=100):
        assert 30 <= np.sqrt(np.prod(drawing.box[2:] - drawing.box[:2])) <= 40


@pytest.mark.slow
@pytest.mark.parametrize("stretch", [0, 0.12, 1])
def test_even_the_largest_heads_stay_in_the_picture(stretch):
    scene = Scene(head_size=(0.9, 0.9), stretch=stretch)
    boxes = np.array([draw(kind, 0, "train", i, 64, scene).box for kind in KINDS for i in range(4)])
    assert boxes.min() >= 0
    assert boxes.max() <= 64 + 1e-9
    sides = (boxes[:, 2:] - boxes[:, :2]) / 64
    as_asked = np.isclose(np.sqrt(sides.prod(axis=1)), 0.9)
    assert np.all(as_asked | np.isclose(sides.max(axis=1), 1))
    assert 0 < as_asked.mean() < 1


@pytest.mark.slow
def test_a_lie_concerns_the_ears_of_few_liars_and_never_without_lies():
    def share_with_hanging_ears(kind, lie):
        drawings = [draw(kind, 0, "train", i, 16, replace(CLEAN, lie=lie)) for i in range(120)]
        return np.mean([(d.landmarks[3:, 1] > d.landmarks[:2, 1]).all() for d in drawings])

    assert share_with_hanging_ears("cat", 0) == 0
    assert 0.02 < share_with_hanging_ears("cat", 1) < 0.2
    assert share_with_hanging_ears("dog", 0) > 0.6
    assert share_with_hanging_ears("dog", 1) < share_with_hanging_ears("dog", 0)


@pytest.mark.slow
def test_most_heads_keep_clear_of_the_centre_and_none_leaves_the_picture():
    scene = replace(CLEAN, rotation=50)
    boxes = np.array([d.box for d in both_classes(300, scene=scene, size=16)])
    covers = np.all((boxes[:, :2] < 8) & (boxes[:, 2:] > 8), axis=1)
    assert 0.25 < covers.mean() < 0.4
    assert boxes.min() >= 0
    assert boxes.max() <= 16 + 1e-9
    sides = (boxes[:, 2:] - boxes[:, :2]) / 16
    assert sides.min() > 0.25
    assert sides.max() < 0.75
    assert abs(sides[::2].mean(axis=0) - sides[1::2].mean(axis=0)).max() < 0.05


# Wrong arguments


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "lion"}, "no kind 'lion'; known are cat, dog, rabbit"),
        ({"split": "training"}, "no split 'training'; expected one of train, validation, test"),
        ({"seed": -1}, "seed is -1; expected a whole number of at least 0"),
        ({"index": 1.5}, "index is 1.5"),
        ({"size": 15}, "size is 15; expected a whole number of at least 16"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        draw(**{"kind": "cat", "seed": 0, "split": "train", "index": 0, **change})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rotation", -1),
        ("rotation", 181),
        ("lie", 1.2),
        ("clutter", -0.5),
        ("blur", 0.3),
        ("noise", float("nan")),
        ("head_size", (0.5, 0.4)),
        ("head_size", (0.01, 0.4)),
    ],
)
def test_a_dial_out_of_range_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is "):
        Scene(**{field: value})


def test_a_scene_read_back_from_json_equals_the_scene():
    scene = Scene(rotation=10, head_size=(0.3, 0.5))
    assert Scene(**json.loads(json.dumps(scene.__dict__))) == scene


def test_importing_the_module_loads_nothing_heavy():
    heavy = {"PIL", "tensorflow", "keras", "scipy", "skimage", "sklearn", "matplotlib", "tqdm"}
    code = "import sys, course_utils.drawings; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=COURSE_FOLDER, capture_output=True, text=True, check=True
    )
    assert "course_utils.drawings" in done.stdout.split()
    assert not heavy & set(done.stdout.split())


# Sets of pictures


def test_a_set_has_class_folders_with_the_drawn_pictures(tmp_path):
    folder = make_set(
        tmp_path / "set", 20, FEW, ("cat", "cup"), seed=4, processes=1, progress=False
    )
    expected = {
        f"{split}/{kind}/{kind}.{index}.png"
        for split, count in FEW.items()
        for kind in ("cat", "cup")
        for index in range(count)
    }
    assert set(tree(folder)) == expected | {"annotations.json"}
    for name in expected:
        split, kind, file = name.split("/")
        with Image.open(folder / name) as picture:
            drawn = draw(kind, 4, split, int(file.split(".")[1]), 20).picture
            np.testing.assert_array_equal(np.asarray(picture), drawn)


def test_the_annotations_are_those_of_the_drawings(tmp_path):
    folder = make_set(tmp_path / "set", 20, FEW, ("dog", "car"), processes=1, progress=False)
    files, *_, boxes, landmarks = read_annotations(folder, "train")
    assert files == [f"train/{k}/{k}.{i}.png" for k in ("dog", "car") for i in range(3)]
    drawings = [draw(kind, 0, "train", i, 20) for kind in ("dog", "car") for i in range(3)]
    np.testing.assert_allclose(boxes, [d.box for d in drawings], atol=0.00501)
    np.testing.assert_allclose(landmarks, [d.landmarks for d in drawings], atol=0.00501)
    content = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    assert (content["size"], content["seed"], content["kinds"]) == (20, 0, ["dog", "car"])
    assert content["counts"] == FEW
    assert Scene(**content["scene"]) == Scene()


def test_a_set_that_is_there_is_left_as_it_is(tmp_path):
    folder = make_set(tmp_path / "set", 16, FEW, processes=1, progress=False)
    (folder / "train" / "note.txt").write_text("mine")
    before = tree(folder)
    assert make_set(folder, 16, FEW, processes=1, progress=False) == folder
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 17}, "size is 16, not 17"),
        ({"seed": 3}, "seed is 0, not 3"),
        ({"kinds": ("dog", "cat")}, "kinds is .'cat', 'dog'., not .'dog', 'cat'."),
        ({"counts": {"train": 1}}, "counts is"),
        ({"scene": Scene(noise=0.2)}, "scene is .*noise.* Move it away"),
    ],
)
def test_a_set_drawn_otherwise_is_neither_used_nor_replaced(tmp_path, change, message):
    asked = {"size": 16, "counts": {"test": 1}, "processes": 1, "progress": False}
    folder = make_set(tmp_path / "set", **asked)
    before = tree(folder)
    with pytest.raises(DataError, match=message):
        make_set(folder, **(asked | change))
    assert tree(folder) == before


@pytest.mark.parametrize("change", ["lost", "added", "no folder"])
def test_a_set_without_all_its_pictures_is_neither_used_nor_replaced(tmp_path, change):
    folder = make_set(tmp_path / "set", 16, FEW, processes=1, progress=False)
    dogs = folder / "test" / "dog"
    if change == "lost":
        (dogs / "dog.1.png").unlink()
    elif change == "added":
        (dogs / "dog.2.png").write_bytes((dogs / "dog.1.png").read_bytes())
    else:
        dogs.rename(tmp_path / "elsewhere")
    before, found = tree(folder), {"lost": 1, "added": 3, "no folder": 0}[change]
    message = rf"test/dog holds {found} pictures, not 2\. Move it away, or choose another folder"
    with pytest.raises(DataError, match=message):
        make_set(folder, 16, FEW, processes=1, progress=False)
    assert tree(folder) == before


def test_another_folder_or_file_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    for name in ("mine", "file"):
        with pytest.raises(DataError, match="holds no drawn set"):
            make_set(tmp_path / name, 16, FEW, processes=1, progress=False)
    assert set(tree(tmp_path)) == {"mine/thesis.txt", "file"}


def test_a_folder_that_cannot_be_written_to_is_named(read_only):
    folder, locked = read_only
    with locked(), pytest.raises(DataError, match=r"locked cannot be written to"):
        make_set(folder / "set", 16, FEW, processes=1, progress=False)


def test_a_finished_set_is_found_where_nothing_can_be_written(read_only):
    folder, locked = read_only
    made = make_set(folder / "set", 16, FEW, processes=1, progress=False)
    with locked():
        assert make_set(made, 16, FEW, processes=1, progress=False) == made


def test_an_interruption_leaves_nothing_behind(tmp_path, monkeypatch):
    save = Image.Image.save

    def interrupted(picture, path):
        save(picture, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_set(tmp_path / "set", 16, FEW, processes=1, progress=False)
    assert {path.name for path in tmp_path.iterdir()} <= {".set.lock"}


def wait_for_pictures(run, place):
    """Wait until a process that draws a set has saved a picture, for a minute at most."""
    give_up = time.monotonic() + 60
    while not list(place.glob(".set.*.part/train/*/*.png")):
        assert run.poll() is None, "it has ended without a picture"
        assert time.monotonic() < give_up, "it has saved no picture"
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_leaves_no_set_and_the_next_one_draws_it(tmp_path, processes):
    counts, folder = {"train": 150}, tmp_path / "set"
    command = [sys.executable, "-c", script(folder, counts, processes)]
    run = subprocess.Popen(command, cwd=COURSE_FOLDER)
    wait_for_pictures(run, tmp_path)
    run.kill()
    assert run.wait() == -signal.SIGKILL
    assert not folder.exists()
    assert list(tmp_path.glob(".set.*.part"))
    (tmp_path / ".set.copy.7.part").mkdir()  # of another set, so not to be removed
    make_set(folder, 16, counts, processes=1, progress=False)
    other = make_set(tmp_path / "other", 16, counts, processes=2, progress=False)
    assert tree(folder) == tree(other)
    hidden = {path.name for path in tmp_path.glob(".*")}
    assert hidden == {".set.lock", ".other.lock", ".set.copy.7.part"}


@pytest.mark.slow
def test_two_processes_that_draw_the_same_set_at_once_end_up_with_one(tmp_path):
    counts, folder = {"train": 60}, tmp_path / "set"
    command = [sys.executable, "-c", script(folder, counts)]
    runs = [subprocess.Popen(command, cwd=COURSE_FOLDER) for _ in range(2)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    assert len(read_annotations(folder, "train")[0]) == 120
    assert {path.name for path in tmp_path.iterdir()} == {"set", ".set.lock"}


@pytest.mark.slow
def test_a_plain_script_draws_its_set_and_nobody_complains(tmp_path):
    path = tmp_path / "plain.py"
    path.write_text(
        "from course_utils.drawings import make_set\n"
        f"make_set({str(tmp_path / 'set')!r}, 16, {{'train': 60}}, progress=False)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(COURSE_FOLDER)}
    done = subprocess.run(
        [sys.executable, str(path)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(read_annotations(tmp_path / "set", "train")[0]) == 120


@pytest.mark.full
def test_helpers_of_a_killed_process_end_as_well(tmp_path):
    command = [sys.executable, "-c", script(tmp_path / "set", {"train": 5000}, 2)]
    run = subprocess.Popen(command, cwd=COURSE_FOLDER, stdout=subprocess.PIPE)
    wait_for_pictures(run, tmp_path)
    run.kill()
    # The helpers have inherited the pipe: it ends when the last of them has ended.
    run.communicate(timeout=90)
    assert 0 < len(list(tmp_path.glob(".set.*.part/train/*/*.png"))) < 2 * 5000


@pytest.mark.slow
def test_the_progress_bar_counts_the_pictures_of_all_processes(tmp_path, monkeypatch):
    bars = []

    class Counting(tqdm.auto.tqdm):
        def __init__(self, **options):
            super().__init__(**options | {"disable": False})

        def close(self):
            bars.append((self.n, self.total))
            super().close()

    monkeypatch.setattr(tqdm.auto, "tqdm", Counting)
    make_set(tmp_path / "set", 16, {"train": 30, "test": 1}, processes=2)
    assert set(bars) == {(62, 62)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"processes": 0}, "processes is 0"),
        ({"kinds": "cat"}, "kinds is 'cat'; expected different names"),
        ({"kinds": ()}, "kinds is ()"),
        ({"kinds": ("cat", "cat")}, "expected different names"),
        ({"kinds": ("cat", "lion")}, "no kind 'lion'"),
        ({"counts": {}}, "counts is empty"),
        ({"counts": {"train": -1}}, "counts.'train'. is -1"),
        ({"counts": {"training": 5}}, "no split 'training'"),
        ({"size": 8}, "size is 8"),
    ],
)
def test_wrong_arguments_of_a_set_are_refused_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        make_set(tmp_path / "set", progress=False, **change)
    assert not list(tmp_path.iterdir())


# Broken annotations


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "set"
    return make_set(folder, 16, {"train": 2, "test": 0}, processes=1, progress=False)


def test_a_split_without_pictures_has_empty_arrays(small_set):
    files, *_, boxes, landmarks = read_annotations(small_set, "test")
    assert (files, boxes.shape, landmarks.shape) == ([], (0, 4), (0, 5, 2))


def test_a_split_that_was_not_drawn_is_refused(small_set):
    with pytest.raises(DataError, match="no split 'validation', only train, test"):
        read_annotations(small_set, "validation")


def test_a_folder_without_a_set_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="Draw it with make_set"):
        read_annotations(tmp_path / "nowhere", "train")
    with pytest.raises(DataError, match=r"there is no annotations\.json"):
        read_annotations(tmp_path, "train")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"splits": 3}',
        '{"splits": {"train": 3}}',
        '{"splits": {"train": {"file": "a"}}}',
        '{"splits": {"train": [{"file": "a", "box": [1, 2, 3], "landmarks": []}]}}',
        '{"splits": {"train": [{"file": "a", "box": [1, 2, 3, "x"], "landmarks": []}]}}',
        '{"splits": {"train": [{"file": "a", "box": [1, 2, 3, 4]}]}}',
    ],
)
def test_broken_annotations_are_reported(tmp_path, content):
    (tmp_path / "annotations.json").write_text(content)
    with pytest.raises(DataError, match=r"annotations\.json is broken: .* draw the set again"):
        read_annotations(tmp_path, "train")


def test_bytes_that_are_no_text_and_boxes_of_nothing_are_reported(tmp_path, small_set):
    content = json.loads((small_set / "annotations.json").read_text())
    content["splits"]["train"][1]["box"][2] = None
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="a box of 'train' is not a number"):
        read_annotations(tmp_path, "train")
    (tmp_path / "annotations.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is broken"):
        read_annotations(tmp_path, "train")


# The class lies in shape alone


@pytest.fixture(scope="module")
def many():
    """Pictures, boxes, file sizes and labels of the course's own set."""
    folder = cats_and_dogs.folder(64, "embedded")
    return {split: collected(folder, split) for split in ("train", "test")}


def collected(folder, split):
    files, *_, boxes, _ = read_annotations(folder, split)
    return {
        "pictures": np.array([np.asarray(Image.open(folder / file)) for file in files]),
        "boxes": boxes,
        "bytes": np.array([(folder / file).stat().st_size for file in files]),
        "labels": np.array([CATS_AND_DOGS.index(file.split("/")[1]) for file in files]),
    }


def colour_histograms(part):
    counts = [
        np.histogramdd(picture.reshape(-1, 3), bins=4, range=[(0, 256)] * 3)[0].ravel()
        for picture in part["pictures"]
    ]
    return np.array(counts)


def mean_colours(part):
    pictures = part["pictures"].astype(float)
    return np.concatenate([pictures.mean(axis=(1, 2)), pictures.std(axis=(1, 2))], axis=1)


def border(part):
    ring = np.ones((64, 64), bool)
    ring[4:-4, 4:-4] = False
    return part["pictures"][:, ring].reshape(len(part["pictures"]), -1) / 255


def file_sizes(part):
    return part["bytes"][:, None]


def centres_of_boxes(part):
    return part["boxes"][:, :2] + part["boxes"][:, 2:]


def areas_of_boxes(part):
    return np.prod(part["boxes"][:, 2:] - part["boxes"][:, :2], axis=1)[:, None]


@pytest.mark.slow
@pytest.mark.parametrize(
    "features",
    [colour_histograms, mean_colours, border, file_sizes, centres_of_boxes, areas_of_boxes],
    ids=lambda function: function.__name__,
)
def test_nothing_but_shape_tells_a_cat_from_a_dog(many, features):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    model.fit(features(many["train"]), many["train"]["labels"])
    assert model.score(features(many["test"]), many["test"]["labels"]) < 0.56


@pytest.mark.slow
def test_surroundings_are_drawn_alike_for_both_classes(many):
    from scipy.stats import ks_2samp

    part = many["train"]
    cats = part["labels"] == 0
    sharpness = np.abs(np.diff(part["pictures"].astype(float), axis=2)).mean(axis=(1, 2, 3))
    for values in (part["pictures"].mean(axis=(1, 2, 3)), sharpness, part["boxes"][:, 0]):
        assert ks_2samp(values[cats], values[~cats]).pvalue > 0.001


@pytest.mark.slow
def test_the_centre_of_the_picture_says_little_about_the_head(many):
    boxes = many["train"]["boxes"]
    covers = np.all((boxes[:, :2] < 32) & (boxes[:, 2:] > 32), axis=1)
    assert 0.28 < covers.mean() < 0.38
    assert np.mean((boxes >= 0) & (boxes <= 64)) == 1


def test_the_splits_are_those_of_the_course():
    assert SPLITS == ("train", "validation", "test")


def group(index, split="validation", **options):
    return draw_group(0, split, index, **options)


def test_a_group_is_one_to_three_cats_and_dogs_in_one_picture():
    kinds, counts = set(), set()
    for index in range(60):
        drawings = group(index, size=16)
        assert all(drawing.picture is drawings[0].picture for drawing in drawings)
        kinds |= {drawing.kind for drawing in drawings}
        counts.add(len(drawings))
    assert kinds == set(CATS_AND_DOGS)
    assert counts == {1, 2, 3}


def test_other_things_stand_among_the_groups():
    others = [
        sum(planned.kind in OTHER_KINDS for planned in _plan_group(0, "test", index, GROUPS))
        for index in range(60)
    ]
    assert set(others) == {0, 1, 2}


def test_boxes_and_landmarks_of_groups_are_exact():
    for index in range(20):
        plans = [p for p in _plan_group(0, "validation", index, GROUPS) if p.kind in CATS_AND_DOGS]
        for planned, drawing in zip(plans, group(index), strict=True):
            assert np.abs(tight_box(mask_of(planned, 96)) - drawing.box).max() <= 1.5
            assert (drawing.landmarks >= drawing.box[:2] - 0.5).all()
            assert (drawing.landmarks <= drawing.box[2:] + 0.5).all()


@pytest.mark.slow
def test_some_heads_of_a_group_overlap_and_none_hides_another():
    nearest = []
    for index in range(150):
        boxes = [drawing.box for drawing in group(index, size=16)]
        nearest.append((iou(boxes, boxes) - np.eye(len(boxes))).max())
    assert 0.1 < np.mean(np.array(nearest) > 0.05) < 0.4
    assert max(nearest) < 0.6


def test_the_same_group_is_drawn_at_every_size_and_only_there():
    large, small = group(3, size=128), group(3, size=64)
    assert np.allclose(large[0].box, 2 * small[0].box)
    assert np.array_equal(group(3)[0].picture, group(3)[0].picture)
    assert not np.array_equal(group(3)[0].picture, group(3, "test")[0].picture)
    streams = [_plan_group(0, split, 3, GROUPS)[0].streams["figure"] for split in SPLITS]
    assert len({rng.random() for rng in streams}) == len(SPLITS)


def test_a_set_of_groups_has_an_entry_for_each_cat_and_dog(tmp_path):
    made = make_set(tmp_path / "set", 32, {"test": 6}, [GROUP], scene=GROUPS, progress=False)
    found = read_annotations(made, "test")
    drawn = [draw_group(0, "test", index, 32) for index in range(6)]
    assert found.kinds == [each.kind for drawings in drawn for each in drawings]
    boxes = np.array([each.box for drawings in drawn for each in drawings])
    assert np.abs(found.boxes - boxes).max() <= 0.005
    files = [f"test/group/group.{index}.png" for index, d in enumerate(drawn) for _ in d]
    assert found.files == files
    for index, drawings in enumerate(drawn):
        picture = np.asarray(Image.open(made / f"test/group/group.{index}.png"))
        assert np.array_equal(picture, drawings[0].picture)


def test_a_group_is_no_kind_to_draw_alone():
    with pytest.raises(ValueError, match="no kind 'group'"):
        draw(GROUP, 0, "train", 0)
    with pytest.raises(ValueError, match="size is 4"):
        draw_group(0, "train", 0, 4)
