"""The recorded runs that the course ships: complete, true to their cards, and repeatable."""

import pytest

from course_utils import datasets, models, recipes, runs
from course_utils.settings import data_folder

NAMES = sorted(path.name for path in runs.RUNS_FOLDER.glob("[!.]*"))
# What the notebooks say of them.
AT_LEAST = {
    "mnist_convnet-real": 0.99,
    "mnist_dense-real": 0.975,
    "mnist_convnet-embedded": 0.97,
}


def has_mnist():
    return (data_folder() / "mnist.npz").is_file()


def test_there_is_a_run_for_every_recipe_on_both_tiers():
    assert {f"{name}-{tier}" for name in recipes.RECIPES for tier in ("real", "embedded")} == set(
        NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_card_and_history_tell_the_same_story(name):
    run = runs.load(name)
    recipe, tier = name.rsplit("-", 1)
    assert run.card["name"] == name
    assert run.card["tier"] == tier
    assert run.card["model"] == recipe
    assert run.card["parameters"] == recipes.RECIPES[recipe].build().count_params()
    assert {"seed", "optimizer", "learning_rate", "batch_size", "cores", "versions"} <= set(
        run.card
    )
    lengths = {len(values) for values in run.history.values()}
    assert lengths == {run.card["epochs"]} == {recipes.RECIPES[recipe].epochs[tier]}
    assert run.card["seconds"] == pytest.approx(sum(run.history["seconds"]), abs=0.1)
    assert run.card["test_accuracy"] >= AT_LEAST.get(name, 0.9)


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_reach_the_accuracy_on_the_card(name, monkeypatch):
    recipe, tier = name.rsplit("-", 1)
    if tier == "real" and not has_mnist():
        pytest.skip("MNIST is not on disk")
    monkeypatch.setenv("COURSE_TIER", tier)
    data = datasets.load("mnist")
    run = runs.load(name)
    predicted = run.restore(recipes.RECIPES[recipe].build()).predict(
        models.as_input(data.x_test), batch_size=500, verbose=0
    )
    accuracy = (predicted.argmax(axis=1) == data.y_test).mean()
    assert accuracy == pytest.approx(run.card["test_accuracy"], abs=0.0005)


@pytest.mark.slow
def test_a_run_can_be_made_again(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_TIER", "embedded")
    again = recipes.remake("mnist_dense", tmp_path)
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
