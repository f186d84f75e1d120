"""Notebook 12 on pictures of somebody's own, and the file that it leaves behind."""

import subprocess
import sys

import nbformat
import numpy as np
import pytest
import skimage.data
from nbformat.v4 import new_code_cell
from PIL import Image
from sklearn.datasets import load_sample_image

from tools.execute import ROOT, execute

PHOTOS = {"cat": skimage.data.chelsea(), "coffee": skimage.data.coffee()}
PHOTOS["flower"] = load_sample_image("flower.jpg")
# A picture is dropped on the widget, and the file is kept for another process.
DROP = """
from datetime import datetime
upload.value = ({"name": "new.png", "type": "image/png", "size": 0, "last_modified": datetime.now(),
                 "content": memoryview(open(NEW, "rb").read())},)
answer.__wrapped__({"new": upload.value})  # what the widget shows below itself
shutil.copy(my_net, KEPT)"""
ASK = """
import sys
sys.modules["course_utils"] = None
import keras
net = keras.models.load_model("my_net.keras")
for path in sys.argv[1:]:
    picture = keras.utils.img_to_array(keras.utils.load_img(path))
    print(net.predict(picture[None], verbose=0)["answer"][0].decode())"""


def crop(photo, rng):
    """A part of a photo, turned a little, with another side each time."""
    image = Image.fromarray(photo).rotate(rng.uniform(-20, 20), Image.Resampling.BICUBIC)
    width, height = image.size
    share = rng.uniform(0.5, 0.7)
    left, top = ((0.1 + rng.uniform(0, 0.8 - share)) * side for side in (width, height))
    return image.crop((left, top, left + share * width, top + share * height))


@pytest.mark.full
def test_three_classes_of_twelve_pictures_become_a_file_that_is_right_about_new_ones(
    tmp_path,
):
    rng = np.random.default_rng(0)
    for name, photo in PHOTOS.items():
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(12):
            crop(photo, rng).save(tmp_path / "mine" / name / f"{number}.jpg", quality=85)
    new = {}
    for number in range(12):
        name = list(PHOTOS)[number % 3]
        new[tmp_path / f"new {number}.png"] = name
        crop(PHOTOS[name], rng).save(tmp_path / f"new {number}.png")
    notebook = nbformat.read(ROOT / "notebooks" / "12_own_pictures.ipynb", as_version=4)
    ids = [cell.id for cell in notebook.cells]
    notebook.cells = notebook.cells[: ids.index("exercises")]
    (start,) = (cell for cell in notebook.cells if cell.id == "start")
    mine = f'MY_PICTURES = "{tmp_path / "mine"}"'
    assert 'MY_PICTURES = ""' in start.source
    start.source = start.source.replace('MY_PICTURES = ""', mine)
    paths = f'NEW, KEPT = "{next(iter(new))}", "{tmp_path / "my_net.keras"}"'
    notebook.cells.append(new_code_cell(paths + DROP))
    execute(notebook, tmp_path, "embedded")
    kinds = [output.output_type for output in notebook.cells[-1].outputs]
    assert "display_data" in kinds
    done = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, new)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == list(new.values())
