"""The recorded runs that the course ships: complete, true to their cards, and repeatable."""

import numpy as np
import pytest

from course_utils import bases, recipes, runs
from course_utils.settings import DataError

# The course's own base is made by another command: see test_pretraining.
NAMES = sorted({path.name for path in runs.RUNS_FOLDER.glob("[!.]*")} - {"course_base"})
# Between which test accuracies the notebooks' words are true.
ACCURACY = {
    "mnist_convnet-real": (0.99, 1),
    "mnist_dense-real": (0.975, 1),
    "mnist_convnet-embedded": (0.97, 1),
    **{f"cats_dense-{tier}": (0.48, 0.68) for tier in ("real", "embedded")},
    **{
        f"cats_{name}-{tier}": (0.6, 0.95)
        for name in ("plain", "dropout", "augmented", "both")
        for tier in ("real", "embedded")
    },
    **{f"cats_random_base-{tier}": (0.48, 0.65) for tier in ("real", "embedded")},
    "cats_features-embedded": (0.78, 0.9),
    "cats_end_to_end-embedded": (0.78, 0.9),
}


def split(name):
    """Take the name of a run apart: recipe and tier."""
    recipe, tier = name.split("-")[:2]
    return recipe, tier


def data_for(recipe, tier, monkeypatch):
    """The data that a run was trained on; the test is skipped where something is not on disk."""
    monkeypatch.setenv("COURSE_TIER", tier)
    base = recipes.RECIPES[recipe].base
    if base and not bases.available(base[tier]):
        pytest.skip(f"the weights of {base[tier]} are not on disk")
    try:
        return recipes.load(recipe)
    except DataError:
        pytest.skip("the real data is not on disk")


def test_there_is_a_run_for_every_recipe_tier_and_seed():
    expected = [
        run
        for name in recipes.RECIPES
        for tier in ("real", "embedded")
        for run in recipes.recorded(name, tier)
    ]
    assert sorted(expected) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_card_and_history_tell_the_same_story(name):
    run = runs.load(name)
    recipe_name, tier = split(name)
    recipe = recipes.RECIPES[recipe_name]
    assert run.card["name"] == name
    assert run.card["tier"] == tier
    assert run.card["seed"] in recipe.seeds[tier]
    assert {"optimizer", "learning_rate", "batch_size", "cores", "versions"} <= set(run.card)
    lengths = {len(values) for values in run.history.values()}
    assert lengths == {run.card["epochs"]} == {recipe.epochs[tier]}
    assert run.card["learning_rate"] == recipe.learning_rate[tier]
    assert run.card["batch_size"] == recipe.batch_size
    assert run.card["seconds"] == pytest.approx(sum(run.history["seconds"]), abs=0.1)
    low, high = ACCURACY.get(name.split("-seed")[0], (0.9, 1))
    assert low <= run.card["test_accuracy"] <= high


def with_marks(name):
    """A run on the real data is measured in the full check only."""
    return pytest.param(name, marks=pytest.mark.full if "-real" in name else pytest.mark.slow)


@pytest.mark.parametrize("name", map(with_marks, NAMES))
def test_the_weights_reach_the_accuracy_on_the_card(name, monkeypatch):
    run = runs.load(name)
    if not run.card.get("weights", True):
        pytest.skip("this run is recorded without weights")
    recipe, tier = split(name)
    data = data_for(recipe, tier, monkeypatch)
    model = recipes.restore(recipe, data)
    assert model.count_params() == run.card["parameters"]
    accuracy = recipes.accuracy(recipe, data, model)
    assert accuracy == pytest.approx(run.card["test_accuracy"], abs=0.0005)


def means(recipe, metric=None):
    """The mean over the seeds of the drawings: of the test accuracy, or of a last metric."""
    found = [runs.load(name) for name in recipes.recorded(recipe, "embedded")]
    assert len(found) >= 3
    values = [r.history[metric][-1] if metric else r.card["test_accuracy"] for r in found]
    return np.mean(values)


def test_on_drawings_the_plain_net_overfits_and_augmentation_with_dropout_helps():
    assert 0.65 <= means("cats_plain") <= 0.80
    assert means("cats_plain", "accuracy") >= 0.97
    assert means("cats_both") >= means("cats_plain") + 0.04


def mean_accuracy(recipe, tier):
    """The mean of the test accuracy over the seeds that are recorded."""
    found = [runs.load(name) for name in recipes.recorded(recipe, tier)]
    return np.mean([run.card["test_accuracy"] for run in found])


@pytest.mark.parametrize(("tier", "low", "high"), [("real", 0.9, 1), ("embedded", 0.25, 0.45)])
def test_features_are_nearly_all_of_the_gain_on_photos_and_a_third_on_drawings(tier, low, high):
    kinds = ("cats_plain", "cats_features", "cats_finetuned", "cats_both")
    plain, features, tuned, both = (mean_accuracy(kind, tier) for kind in kinds)
    assert low < (features - plain) / (tuned - plain) < high
    assert tuned > both
    assert (both > features) == (tier == "embedded")


@pytest.mark.parametrize("tier", ["real", "embedded"])
def test_dropout_helps_the_plain_net_and_hardly_the_augmented_one(tier):
    kinds = ("cats_plain", "cats_dropout", "cats_augmented", "cats_both")
    plain, dropout, augmented, both = (mean_accuracy(kind, tier) for kind in kinds)
    assert dropout > plain + 0.03
    assert abs(both - augmented) < 0.01


@pytest.mark.parametrize("tier", ["real", "embedded"])
def test_augmentation_does_not_pay_on_a_frozen_base(tier):
    kinds = ("cats_end_to_end", "cats_features")
    end_to_end, features = (mean_accuracy(kind, tier) for kind in kinds)
    assert end_to_end < features + 0.005


def test_on_drawings_the_plain_net_needs_some_epochs_to_get_going():
    for name in recipes.recorded("cats_plain", "embedded"):
        assert max(runs.load(name).history["val_accuracy"][:5]) < 0.56, name


def test_on_photos_the_plain_net_overfits_and_augmentation_with_dropout_helps():
    plain, both = (runs.load(f"cats_{name}-real") for name in ("plain", "both"))
    assert 0.70 <= plain.card["test_accuracy"] <= 0.78
    assert plain.history["accuracy"][-1] >= 0.96
    assert both.card["test_accuracy"] >= 0.82


def test_on_drawings_features_beat_scratch_and_fine_tuning_is_best():
    everything = {name: means(name) for name in recipes.RECIPES if "cats" in name and drawn(name)}
    assert everything["cats_features"] >= everything["cats_plain"] + 0.04
    assert max(everything, key=everything.get) == "cats_finetuned"


def drawn(name):
    """Whether three seeds of a recipe were recorded on drawings."""
    return len(recipes.recorded(name, "embedded")) >= 3


def test_on_photos_features_are_good_and_fine_tuning_is_better():
    features, tuned, random = (
        np.mean([runs.load(run).card["test_accuracy"] for run in recipes.recorded(name, "real")])
        for name in ("cats_features", "cats_finetuned", "cats_random_base")
    )
    assert features >= 0.93
    assert tuned > features
    assert random < features - 0.2


def test_only_what_was_trained_is_recorded_of_a_net_on_a_base():
    for tier in ("real", "embedded"):
        for name in ("cats_features", "cats_finetuned"):
            run = runs.load(recipes.run_name(name, tier))
            with np.load(run.folder / "weights.npz") as arrays:
                count = sum(array.size for array in arrays.values())
            assert 0 < count < run.card["parameters"]
            assert run.card["base"] == recipes.RECIPES[name].base[tier]


@pytest.mark.full
def test_a_run_can_be_made_again(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_TIER", "embedded")
    again = recipes.remake("mnist_dense", recipes.load("mnist_dense"), folder=tmp_path)
    shipped = runs.load("mnist_dense-embedded")
    assert again.card["test_accuracy"] == pytest.approx(shipped.card["test_accuracy"], abs=0.02)
    assert again.history.keys() == shipped.history.keys()


def test_the_command_names_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit):
        recipes.main(["mnist_transformer"])
    assert "mnist_transformer; there are: mnist_dense" in capsys.readouterr().err


def test_the_command_says_when_the_real_data_is_missing(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("COURSE_TIER", "real")
    assert recipes.main(["mnist_dense"]) == 1
    assert "make data SET=mnist" in capsys.readouterr().err
