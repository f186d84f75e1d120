"""The recorded runs that the course ships: complete, and as true as the notebooks say."""

import nbformat
import numpy as np
import pytest

from course_utils import augmentation, cats_and_dogs, datasets, pretrained, runs
from course_utils.data.settings import DataError
from tests.small_nets import digit_convnet, digit_dense
from tools.execute import ROOT
from tools.record import source_hash

# The course's own base is made by another command: see test_pretrain.
NAMES = sorted({path.name for path in runs.RUNS_FOLDER.glob("[!.]*")} - {"course_base"})
CATS = ("plain", "plain_long", "dropout", "augmented", "both")
# Between which test accuracies the notebooks' words are true.
ACCURACY = {
    "mnist_convnet-real": (0.99, 1),
    "mnist_dense-real": (0.975, 1),
    "mnist_convnet-embedded": (0.97, 1),
    **{f"cats_dense-{tier}": (0.48, 0.68) for tier in ("real", "embedded")},
    **{f"cats_{name}-{tier}": (0.6, 0.95) for name in CATS for tier in ("real", "embedded")},
    **{f"cats_random_base-{tier}": (0.48, 0.65) for tier in ("real", "embedded")},
    "cats_features-embedded": (0.78, 0.9),
    "cats_end_to_end-embedded": (0.78, 0.9),
}


def split(name):
    """Take the name of a run apart: kind of training and tier."""
    kind, tier = name.split("-")[:2]
    return kind, tier


@pytest.mark.parametrize("name", NAMES)
def test_card_and_history_tell_the_same_story(name):
    run = runs.load(name)
    assert run.card["name"] == name
    assert f"-seed{run.card['seed']}" in name or run.card["seed"] == 0
    assert {"optimizer", "cores", "versions", "parameters", "seconds"} <= set(run.card)
    assert {len(values) for values in run.history.values()} == {run.card["epochs"]}
    assert run.card["weights"] == (run.folder / "weights.npz").exists()
    low, high = ACCURACY.get(name.split("-seed")[0], (0.9, 1))
    if run.card["notebook"] != "13_detection":  # which has measures of its own, see below
        assert low <= run.card["test_accuracy"] <= high


@pytest.mark.parametrize("name", NAMES)
def test_the_cells_that_trained_a_run_are_those_of_the_notebook_as_it_is(name):
    """If this fails, record the run again: make record NOTEBOOKS=notebooks/..."""
    card = runs.load(name).card
    notebook = nbformat.read(ROOT / "notebooks" / f"{card['notebook']}.ipynb", as_version=4)
    assert card["source"] == source_hash(notebook, split(name)[0])


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_every_training_that_a_notebook_recalls_is_recorded(path):
    cells = nbformat.read(path, as_version=4).cells
    tags = {tag for cell in cells for tag in cell.metadata.get("tags", [])}
    for kind in (tag.removeprefix("run-") for tag in tags if tag.startswith("run-")):
        assert f"{kind}-embedded" in NAMES
        # Notebook 13 is about drawings, whose boxes are known, also where photos are on disk.
        assert f"{kind}-real" in NAMES or path.stem == "13_detection"


# Measured again


def measured(kind, tier):
    """Build the net of a run, restore its weights, and measure it on the test part."""
    name = f"{kind}-{tier}"
    if kind in ("mnist_dense", "mnist_convnet"):
        data = datasets.load("mnist")
        net = digit_dense() if kind == "mnist_dense" else digit_convnet()
        x = data.x_test[..., np.newaxis] / np.float32(255)
        p = runs.load(name).restore(net).predict(x, batch_size=500, verbose=0)
        return np.mean(p.argmax(axis=1) == data.y_test)
    sizes = {"cats_both": 150}
    data = cats_and_dogs.load(sizes.get(kind, 224), 64)
    if kind == "cats_both":
        net = pretrained.trained_convnet(tier)
    elif kind == "cats_finetuned":
        net = pretrained.fine_tuned(tier)
    else:
        base = pretrained.base_of(tier)
        base.trainable = False
        net = runs.load(name).restore(pretrained.on_base(base, tier))
    p = net.predict(augmentation.batches(data.x_test, data.y_test, 20, shuffle=False), verbose=0)
    return np.mean((p[:, 0] > 0.5) == data.y_test)


def with_marks(name):
    """A run on the real data is measured in the full check only."""
    return pytest.param(name, marks=pytest.mark.full if "-real" in name else pytest.mark.slow)


KINDS = ("mnist_dense", "mnist_convnet", "cats_both", "cats_features", "cats_finetuned")


@pytest.mark.parametrize(
    "name", [with_marks(f"{k}-{t}") for k in KINDS for t in ("real", "embedded")]
)
def test_the_weights_reach_the_accuracy_on_the_card(name, monkeypatch):
    kind, tier = split(name)
    monkeypatch.setenv("COURSE_TIER", tier)
    try:
        accuracy = measured(kind, tier)
    except DataError:
        pytest.skip("the real data is not on disk")
    assert accuracy == pytest.approx(runs.load(name).card["test_accuracy"], abs=0.0015)


# What the notebooks say


def mean(kind, tier):
    """The mean of the test accuracy over the seeds that are recorded."""
    return np.mean(runs.accuracies(f"cats_{kind}-{tier}"))


def test_on_drawings_the_plain_net_overfits_and_augmentation_helps():
    assert len(runs.accuracies("cats_plain-embedded")) >= 3
    assert 0.65 <= mean("plain", "embedded") <= 0.80
    ends = [runs.load(name).history["accuracy"][-1] for name in NAMES if "plain-emb" in name]
    assert np.mean(ends) >= 0.97
    assert mean("both", "embedded") >= mean("plain", "embedded") + 0.04


@pytest.mark.parametrize(("tier", "low", "high"), [("real", 0.95, 1.02), ("embedded", 0.5, 0.9)])
def test_features_are_all_of_the_gain_on_photos_and_more_than_half_on_drawings(tier, low, high):
    kinds = ("plain", "features", "finetuned", "both")
    plain, features, tuned, both = (mean(kind, tier) for kind in kinds)
    assert low < (features - plain) / (tuned - plain) < high
    assert tuned > both
    assert features > both - 0.01


@pytest.mark.parametrize("tier", ["real", "embedded"])
def test_dropout_helps_the_plain_net_and_hardly_the_augmented_one(tier):
    names = ("plain", "dropout", "augmented", "both")
    plain, dropout, augmented, both = (mean(kind, tier) for kind in names)
    assert dropout > plain + 0.03
    assert abs(both - augmented) < 0.01


@pytest.mark.parametrize(("tier", "most", "least"), [("embedded", 0.02, 0.1), ("real", 0.05, 0.08)])
def test_it_is_augmentation_that_helps_and_not_the_longer_training(tier, most, least):
    plain, long, augmented = (mean(k, tier) for k in ("plain", "plain_long", "augmented"))
    assert long < plain + most
    assert augmented > long + least


@pytest.mark.parametrize("tier", ["real", "embedded"])
def test_augmentation_does_not_pay_on_a_frozen_base(tier):
    assert mean("end_to_end", tier) < mean("features", tier) + 0.01


def test_on_drawings_the_plain_net_needs_some_epochs_to_get_going():
    for name in NAMES:
        if name.startswith("cats_plain-embedded"):
            assert max(runs.load(name).history["val_accuracy"][:5]) < 0.56, name


def test_on_photos_the_plain_net_overfits_and_augmentation_with_dropout_helps():
    plain, both = (runs.load(f"cats_{name}-real") for name in ("plain", "both"))
    assert 0.70 <= plain.card["test_accuracy"] <= 0.78
    assert plain.history["accuracy"][-1] >= 0.96
    assert both.card["test_accuracy"] >= 0.82


def test_on_drawings_features_beat_scratch_and_fine_tuning_is_best():
    kinds = {name.split("-")[0].removeprefix("cats_") for name in NAMES if name.startswith("cats")}
    everything = {kind: mean(kind, "embedded") for kind in kinds}
    assert everything["features"] >= max(0.86, everything["both"] - 0.005)
    assert max(everything, key=everything.get) == "finetuned"


def test_on_photos_features_leave_nothing_to_fine_tuning():
    features, tuned, random = (
        mean(kind, "real") for kind in ("features", "finetuned", "random_base")
    )
    assert features >= 0.985
    assert abs(tuned - features) < 0.005
    assert random < features - 0.2


def test_maps_find_boxes_and_landmarks_and_numbers_find_landmarks_rarely():
    numbers, maps = (runs.load(f"heads_{way}-embedded").card for way in ("numbers", "maps"))
    assert maps["test_mean_iou"] >= 0.72
    assert maps["test_boxes_above_half"] >= 0.93
    assert maps["test_landmarks_near"] >= max(0.6, 3 * numbers["test_landmarks_near"])
    assert numbers["test_mean_iou"] < maps["test_mean_iou"]


def precisions(name):
    """The average precisions of all seeds of a detector."""
    return runs.accuracies(f"scenes_{name}-embedded", measure="test_ap")


def test_looking_once_finds_nine_of_ten_with_every_seed_and_more_than_windows_do():
    once = precisions("grid")
    assert len(once) >= 3
    assert np.mean(once) >= 0.9
    assert min(once) > precisions("windows")[0]


def test_on_a_coarse_grid_four_anchors_are_worse_than_one_and_a_fine_grid_is_best():
    one, several = precisions("coarse"), precisions("anchors")
    assert min(len(one), len(several)) >= 3
    assert max(several) < min(one)
    assert min(precisions("grid")) > max(one)


def test_only_what_was_trained_is_recorded_of_a_net_on_a_base():
    for tier in ("real", "embedded"):
        for kind in ("features", "finetuned"):
            run = runs.load(f"cats_{kind}-{tier}")
            with np.load(run.folder / "weights.npz") as arrays:
                count = sum(array.size for array in arrays.values())
            assert 0 < count <= run.card["parameters"]
