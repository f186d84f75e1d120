from dataclasses import replace

import numpy as np
import pytest

from course_utils import recipes, runs
from course_utils.datasets import Dataset

pytestmark = pytest.mark.full

RANDOM = np.random.default_rng(0)


@pytest.fixture
def data():
    """Twelve noisy pictures, the bright ones of class 1, in the place of cats and dogs."""
    y = np.arange(12) % 2
    x = (RANDOM.random((12, 64, 64, 3)) * 100 + 100 * y[:, None, None, None]).astype(np.uint8)
    return Dataset("few", "Noise", "embedded", x, y, x, y, ("dark", "bright"), x, y)


@pytest.fixture
def short(monkeypatch):
    """Let every recipe take two epochs."""
    for name, recipe in recipes.RECIPES.items():
        two = replace(recipe, epochs={"real": 2, "embedded": 2})
        monkeypatch.setitem(recipes.RECIPES, name, two)


@pytest.mark.parametrize("name", ["cats_dense", "cats_plain", "cats_dropout", "cats_both"])
def test_a_net_for_pictures_is_trained_and_recorded_as_its_recipe_says(name, data, short, tmp_path):
    run = recipes.remake(name, data, seed=1, folder=tmp_path)
    recipe = recipes.RECIPES[name]
    assert run.name == f"{name}-embedded-seed1"
    assert set(run.history) == {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert len(run.history["loss"]) == 2
    assert (run.card["recipe"], run.card["seed"], run.card["data"]) == (name, 1, "Noise")
    assert run.card["batch_size"] == recipe.batch_size
    assert run.card["augment"] == (recipe.augment and recipe.augment["embedded"])
    assert run.card["weights"] is False
    with pytest.raises(runs.RunError, match="without weights"):
        run.restore(recipes.build(name, data))


def test_the_weights_of_the_first_seed_are_recorded_where_a_notebook_needs_them(
    data, short, tmp_path
):
    run = recipes.remake("cats_both", data, folder=tmp_path)
    assert run.name == "cats_both-embedded"
    model = run.restore(recipes.build("cats_both", data))
    assert recipes.accuracy("cats_both", data, model) == run.card["test_accuracy"]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(data, short, tmp_path):
    first, again, other = (
        recipes.remake("cats_both", data, seed, tmp_path).history["loss"] for seed in (0, 0, 2)
    )
    assert first == pytest.approx(again, rel=1e-3)
    assert first != pytest.approx(other, rel=1e-3)


def test_training_in_another_precision_leaves_the_policy_as_it_was(data, short, tmp_path):
    from course_utils.backend import keras

    before = keras.config.dtype_policy().name
    run = recipes.remake("cats_plain", data, folder=tmp_path, precision="mixed_bfloat16")
    assert run.card["precision"] == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == before
    assert {w.dtype for w in recipes.build("cats_plain", data).weights} == {"float32"}


def test_accuracy_counts_the_test_pictures_that_are_right(data):
    class AlwaysDark:
        def predict(self, batches, verbose):
            return np.zeros((12, 1))

    assert recipes.accuracy("cats_plain", data, AlwaysDark()) == 0.5


def test_every_seed_of_a_recipe_has_a_run_of_its_own():
    assert recipes.recorded("cats_plain", "embedded") == [
        "cats_plain-embedded",
        "cats_plain-embedded-seed1",
        "cats_plain-embedded-seed2",
    ]


# Nets on a pretrained base


@pytest.fixture
def kept_here(monkeypatch, tmp_path):
    """Keep features in a folder of this test."""
    monkeypatch.setattr(recipes.features, "made_folder", lambda: tmp_path / "made")


ON_BASE = ["cats_random_base", "cats_features", "cats_end_to_end", "cats_finetuned"]


@pytest.mark.parametrize("name", ON_BASE)
def test_a_net_on_a_base_is_trained_and_recorded(name, data, short, kept_here, tmp_path):
    run = recipes.remake(name, data, folder=tmp_path)
    assert len(run.history["val_accuracy"]) == 2
    assert run.card["base"] == "course"
    assert run.card["parameters"] == recipes.build(name, data).count_params()
    assert run.card["weights"] == (name in ("cats_features", "cats_finetuned"))


@pytest.mark.parametrize("name", ["cats_features", "cats_finetuned"])
def test_the_recorded_part_completes_a_net_on_a_base(name, data, short, kept_here, tmp_path):
    run = recipes.remake(name, data, folder=tmp_path)
    model = recipes.build(name, data)
    run.restore(recipes.trained_part(name, data, model))
    accuracy = recipes.accuracy(name, data, model)
    assert accuracy == pytest.approx(run.card["test_accuracy"], abs=1e-4)


def test_only_head_and_top_of_the_base_are_trained_parts(data):
    frozen, tuned = (recipes.build(name, data) for name in ("cats_features", "cats_finetuned"))
    assert recipes.trained_part("cats_features", data, frozen) is frozen.layers[-1]
    part = recipes.trained_part("cats_finetuned", data, tuned)
    paths = {weight.path.split("/")[-2] for weight in part.weights}
    assert {path for path in paths if "block" in path} == {"block4_conv1", "block4_conv2"}
    plain = recipes.build("cats_plain", data)
    assert recipes.trained_part("cats_plain", data, plain) is plain


def test_without_weights_for_photos_a_net_on_a_base_uses_drawings(monkeypatch, capsys):
    monkeypatch.delenv("COURSE_TIER", raising=False)
    monkeypatch.setattr(recipes.pictures, "tier", lambda: "real")
    monkeypatch.setattr(recipes.bases, "available", lambda name: None)
    assert recipes.tier("cats_features") == "embedded"
    assert "make data SET=mobilenet" in capsys.readouterr().out
    monkeypatch.setattr(recipes.bases, "available", lambda name: "a file")
    assert recipes.tier("cats_features") == "real"
    assert capsys.readouterr().out == ""


def test_who_demands_photos_is_not_given_drawings(monkeypatch):
    monkeypatch.setenv("COURSE_TIER", "real")
    monkeypatch.setattr(recipes.pictures, "tier", lambda: "real")
    monkeypatch.setattr(recipes.bases, "available", lambda name: None)
    assert recipes.tier("cats_features") == "real"
