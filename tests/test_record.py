"""Recording runs a notebook; the card's hash is that of the cells that train."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_utils import runs
from tools import record

START = """import keras
import numpy as np
from course_utils import runs
keras.utils.set_random_seed(0)
TRAIN_IN_FULL = False"""
NET = "net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])"
TRAIN = """def train(net):
    net.compile(keras.optimizers.SGD(0.1), loss="mse")
    return net.fit(np.eye(3), np.ones(3), epochs=2, verbose=0).history"""
RECALL = 'run = runs.recall("line-embedded", net, train, TRAIN_IN_FULL)'


def notebook(rate="0.1"):
    cells = [new_code_cell(START)]
    tags = {"tags": ["run-line"]}
    cells += [new_code_cell(source, metadata=tags) for source in (NET, TRAIN.replace("0.1", rate))]
    return new_notebook(cells=[*cells, new_code_cell(RECALL)])


def test_another_learning_rate_changes_the_hash_and_other_cells_do_not():
    before = record.source_hash(notebook(), "line")
    assert record.source_hash(notebook("0.2"), "line") != before
    other = notebook()
    other.cells.append(new_code_cell("print('hello')"))
    assert record.source_hash(other, "line") == before


def test_a_run_without_cells_is_refused():
    with pytest.raises(SystemExit, match="No cell is tagged run-other"):
        record.source_hash(notebook(), "other")


def test_the_switch_is_turned_on_and_the_seed_changed():
    source = record.with_seed(notebook(), 2, fast=False).cells[0].source
    assert "TRAIN_IN_FULL = True" in source
    assert "set_random_seed(2)" in source


@pytest.mark.full
def test_recording_a_notebook_makes_runs_that_fit_it(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RUNS_FOLDER", tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    path = tmp_path / "line.ipynb"
    nbformat.write(notebook(), path)
    monkeypatch.setattr("sys.argv", ["record", str(path), "--seeds", "0", "1"])
    monkeypatch.setenv("PYTHONPATH", "")
    record.main()
    first = json.loads((tmp_path / "runs/line-embedded/card.json").read_text())
    assert first["source"] == record.source_hash(notebook(), "line")
    assert (first["notebook"], first["seed"], first["weights"]) == ("line", 0, True)
    second = runs.load("line-embedded-seed1", tmp_path / "runs")
    assert (second.card["seed"], second.card["weights"]) == (1, False)
    assert not (second.folder / "weights.npz").exists()
