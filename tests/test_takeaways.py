"""What students take along: plain Keras, which works without the course."""

import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from tools.execute import ROOT

NAMES = ["03", "04", "05", "07", "08", "11", "13"]
WITHOUT_THE_COURSE = """
import sys
from pathlib import Path
sys.modules["course_utils"] = None  # so that it cannot be imported
my_pictures, my_net = Path("pictures"), Path("net.keras")
my_picture, my_heatmap = Path("picture.png"), Path("heatmap.png")
my_base = Path("base.keras")
my_boxes = Path("pictures/boxes.csv")
"""
SAVE_A_BASE = """
import keras
pixels = x = keras.Input((96, 96, 3))
for name in ("block10_add", "block11_expand", "top_relu"):
    x = keras.layers.Conv2D(4, 3, strides=4, activation="relu", name=name)(x)
keras.Model(pixels, x).save("base.keras")
"""
SAVE_A_NET = """
import keras
net = keras.Sequential([keras.Input((20, 24, 3)), keras.layers.Conv2D(4, 3, activation="relu")])
net.add(keras.layers.Flatten())
net.add(keras.layers.Dense(3, activation="softmax"))
net.save(my_net)
"""


def takeaways(name):
    """The cells of a notebook that are to be taken along."""
    (path,) = (ROOT / "notebooks").glob(f"{name}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if "takeaway" in cell.metadata.get("tags", [])]


def write_boxes(folder: Path):
    """A table that puts a box into each picture, twice as wide as high."""
    lines = ["file,kind,left,top,right,bottom"]
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        place = 0.05 * (number % 10)
        name = path.relative_to(folder).as_posix()
        lines.append(f"{name},{path.parent.name},{place},{place},{place + 0.4},{place + 0.2}")
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n", "utf-8")


def draw_pictures(folder: Path, count=10):
    """Bright pictures in one folder and dark ones in the other."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("bright", "dark")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 100, (40, 50, 3), np.uint8) + np.uint8(150 - 150 * label)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.mark.parametrize("name", NAMES)
def test_a_takeaway_is_short_and_knows_nothing_of_the_course(name):
    cells = takeaways(name)
    assert cells
    for source in cells:
        assert len(source.splitlines()) <= 30
        assert "course_utils" not in source
        assert source.startswith("import keras") or source != cells[0]


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_a_takeaway_runs_without_the_course_and_makes_what_it_promises(name, tmp_path):
    if name == "04":
        for part in ("train", "validation"):
            draw_pictures(tmp_path / "pictures" / part)
    else:
        draw_pictures(tmp_path / "pictures")
    write_boxes(tmp_path / "pictures")
    Image.fromarray(np.eye(30, dtype=np.uint8) * 255).convert("RGB").save(tmp_path / "picture.png")
    before = {"11": SAVE_A_NET} | dict.fromkeys(("07", "08", "13"), SAVE_A_BASE)
    code = "\n".join([WITHOUT_THE_COURSE, before.get(name, ""), *takeaways(name)])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    if name == "11":
        assert Image.open(tmp_path / "heatmap.png").size == (24, 20)
        return
    import keras

    net = keras.models.load_model(tmp_path / "net.keras")
    x = np.zeros((2, *net.input_shape[1:]), np.float32)
    assert net.predict(x, verbose=0).shape == ((2, 24, 24, 7) if name == "13" else (2, 2))
    if name == "04":
        assert "sure" in done.stdout
