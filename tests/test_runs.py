import errno
import json
import os
import platform
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from course_utils import runs
from course_utils.backend import keras
from course_utils.data.settings import COURSE_FOLDER
from course_utils.runs import RunError, load
from tests.examples import IN_CI
from tools.recording import halve_weights, record, recorder

HISTORY = {"loss": [1.5, 0.25], "accuracy": [0.5, 0.75], "seconds": [0.1, 0.2]}
CARD = {"data": "some digits", "epochs": 2, "seconds": 12.3, "test_accuracy": 0.9876}
X = np.random.default_rng(0).normal(size=(20, 4)).astype("f4")
RESTORE = "restore it with `git checkout -- data/runs`, or record .* again with `make record`"


def net(seed=0, inputs=4):
    """A small model with random weights, biases included."""
    model = keras.Sequential(
        [keras.Input((inputs,)), keras.layers.Dense(30), keras.layers.Dense(2)], name="net"
    )
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(size=weight.shape) for weight in model.weights])
    return model


def predictions(model):
    return model(X).numpy()


def weights_of(run):
    """What the run has recorded, read without the course's own reader."""
    with np.load(run.folder / "weights.npz") as archive:
        return [archive[name] for name in archive.files]


def listing(folder):
    """Every file below a folder, but for locks, with what it holds."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


@contextmanager
def file_size_limit(size):
    """Let no file grow beyond that many bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def run(tmp_path):
    return record("first", net(), HISTORY, CARD, tmp_path)


# Keeping and loading


def test_a_restored_model_predicts_what_the_recorded_one_predicts(tmp_path):
    model = net()
    before = predictions(model)
    record("first", model, HISTORY, CARD, tmp_path)
    restored = load("first", tmp_path).restore(net(seed=1))
    np.testing.assert_array_equal(predictions(restored), predictions(model))
    np.testing.assert_allclose(predictions(restored), before, atol=0.05)
    assert not np.allclose(before, predictions(net(seed=1)), atol=0.05)


def test_restore_returns_the_model_that_it_was_given(run):
    model = net(seed=1)
    assert run.restore(model) is model
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}


def test_record_returns_what_load_returns(run, tmp_path):
    assert load("first", tmp_path) == run
    assert run.name == "first"
    assert run.folder == tmp_path / "first"
    assert run.history == HISTORY


def test_the_card_tells_what_was_trained_and_with_what(run):
    assert run.card["name"] == "first"
    assert run.card["model"] == "net"
    assert {name: run.card[name] for name in CARD} == CARD
    assert run.card["versions"] == {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": run.card["versions"]["tensorflow"],
        "numpy": np.__version__,
    }
    assert run.card["cores"] == os.cpu_count()


def test_numbers_of_numpy_stay_the_numbers_that_they_are(tmp_path):
    numbers = {"whole": np.int64(3), "true": np.bool_(True), "half": np.float32(0.5)}
    record("first", net(), {"loss": [np.float32(0.25)]}, CARD | numbers, tmp_path)
    text = (tmp_path / "first" / "card.json").read_text("utf-8")
    for line in ('"whole": 3,', '"true": true,', '"half": 0.5,'):
        assert line in text
    assert load("first", tmp_path).history == {"loss": [0.25]}


def test_a_run_is_three_files_that_any_program_can_read(run):
    assert set(listing(run.folder)) == {"card.json", "history.json", "weights.npz"}
    assert json.loads((run.folder / "card.json").read_text("utf-8")) == run.card
    assert json.loads((run.folder / "history.json").read_text("utf-8")) == HISTORY
    assert {array.dtype for array in weights_of(run)} == {np.dtype(np.float16)}
    assert [array.shape for array in weights_of(run)] == [(4, 30), (30,), (30, 2), (2,)]


def test_a_training_can_be_measured_by_a_function_of_its_own(capsys):
    def train(model):
        model.compile("adam", loss="mse")
        return {"loss": [0.5]}

    found = runs.recall("tiny", net(), train, live=True, test=lambda _: {"mean_iou": 0.75})
    assert found.card["test_mean_iou"] == 0.75
    assert capsys.readouterr().out.endswith("cores, test mean iou 75.00%.\n")


def test_another_measure_of_several_seeds_can_be_asked_for(tmp_path):
    for name, value in (("tiny", 0.5), ("tiny-seed1", 0.25)):
        record(name, net(), HISTORY, CARD | {"test_ap": value}, tmp_path, weights=False)
    assert runs.accuracies("tiny", tmp_path, "test_ap") == [0.5, 0.25]
    assert runs.accuracies("tiny", tmp_path) == [0.9876, 0.9876]


def test_the_sentence_gives_data_effort_and_result(run):
    assert run.sentence() == (
        f"Recorded run first: 2 epochs in 12 s on {os.cpu_count()} cores, test accuracy 98.76%."
    )


def test_recording_again_replaces_the_run(run, tmp_path):
    (run.folder / "left over").write_text("from before")
    old = weights_of(run)
    again = record("first", net(seed=5), {"loss": [3.0]}, CARD | {"epochs": 1}, tmp_path)
    assert again.history == {"loss": [3.0]}
    assert again.card["epochs"] == 1
    assert not np.array_equal(weights_of(again)[0], old[0])
    assert set(listing(tmp_path)) == {
        "first/card.json",
        "first/history.json",
        "first/weights.npz",
    }


@pytest.mark.slow
def test_a_recording_killed_between_the_old_files_and_the_new_ones_loses_nothing(run, tmp_path):
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.test_runs import CARD, HISTORY, net, record\n"
        "def killing(action, arguments):\n"
        "    if action == 'os.rename' and not Path(sys.argv[1], 'first').exists():\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(killing)\n"
        "record('first', net(seed=1), HISTORY, CARD, Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, cwd=COURSE_FOLDER, stderr=subprocess.DEVNULL, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert not run.folder.exists()
    # Whatever is recorded next under this name, even in vain, first brings the old run back.
    with pytest.raises(RunError):
        record("first", net(), HISTORY, CARD | {"array": np.ones(3)}, tmp_path)
    assert load("first", tmp_path) == run
    assert {path.name for path in tmp_path.iterdir()} <= {"first", ".first.lock"}


def test_runs_of_other_names_stay(run, tmp_path):
    before = listing(tmp_path)
    record("second", net(seed=1), HISTORY, CARD, tmp_path)
    assert before.items() <= listing(tmp_path).items()


def test_folders_that_do_not_exist_are_made(tmp_path):
    folder = tmp_path / "data" / "runs"
    assert record("first", net(), HISTORY, CARD, folder).folder.parent == folder


def test_a_missing_run_is_named_with_those_that_there_are(run, tmp_path):
    record("second", net(), HISTORY, CARD, tmp_path)
    (tmp_path / "no run").mkdir()
    (tmp_path / ".third.1.part").mkdir()
    (tmp_path / ".third.1.part" / "card.json").write_text("{}")
    with pytest.raises(RunError, match=r"No run 'third' in .*There are: first, second\.$"):
        load("third", tmp_path)


def test_without_any_run_there_are_none(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RunError, match=r"No run 'first' in .*There are: none\."):
            load("first", folder)


# Half precision


def test_halving_rounds_the_weights_of_the_model_itself():
    model = net()
    before = model.get_weights()
    halve_weights(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old.astype(np.float16).astype(np.float32))
    once = model.get_weights()
    halve_weights(model)
    assert all(np.array_equal(a, b) for a, b in zip(once, model.get_weights(), strict=True))


@pytest.mark.parametrize("largest", [65_504, -65_504, 65_519])
def test_weights_up_to_65504_fit_into_half_precision(largest):
    model = net()
    model.set_weights([np.full(weight.shape, largest) for weight in model.weights])
    halve_weights(model)
    assert abs(model.get_weights()[0]).max() == 65_504


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("weight", [65_520, -1e5, np.inf])
def test_larger_weights_are_refused_and_nothing_changes(run, tmp_path, weight):
    before = listing(tmp_path)
    model = net()
    weights = model.get_weights()
    weights[2][1, 1] = weight
    model.set_weights(weights)
    for call in (
        lambda: halve_weights(model),
        lambda: record("first", model, HISTORY, CARD, tmp_path),
        lambda: record("second", model, HISTORY, CARD, tmp_path),
    ):
        with pytest.raises(RunError, match="'net' holds weights beyond 65,504, too large"):
            call()
    assert listing(tmp_path) == before
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))


def test_weights_that_are_nan_are_said_to_be_nan(tmp_path):
    model = net()
    model.set_weights([np.full(weight.shape, np.nan) for weight in model.weights])
    for call in (
        lambda: halve_weights(model),
        lambda: record("first", model, HISTORY, CARD, tmp_path),
    ):
        with pytest.raises(RunError, match="'net' holds weights that are NaN"):
            call()
    assert list(tmp_path.iterdir()) == []


# Broken files


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("file", ["card.json", "history.json", "weights.npz"])
def test_a_truncated_file_is_an_error_that_tells_how_to_restore_it(run, tmp_path, file, share):
    path = run.folder / file
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(RunError, match=RESTORE) as caught:
        load("first", tmp_path).restore(net())
    assert str(run.folder) in str(caught.value)


@pytest.mark.parametrize("file", ["card.json", "history.json", "weights.npz"])
def test_a_truncated_file_is_named(run, tmp_path, file):
    (run.folder / file).write_bytes((run.folder / file).read_bytes()[:10])
    with pytest.raises(RunError, match=file):
        load("first", tmp_path).restore(net())


@pytest.mark.parametrize("file", ["history.json", "weights.npz"])
def test_a_missing_file_is_named(run, tmp_path, file):
    (run.folder / file).unlink()
    with pytest.raises(RunError, match=rf"{file}.*{RESTORE}"):
        load("first", tmp_path).restore(net())


@pytest.mark.parametrize("file", ["card.json", "history.json", "weights.npz"])
@pytest.mark.parametrize("content", [b"\xff\xfe\x00garbage", b"not JSON, not zip", b"PK\x03\x04"])
def test_a_file_of_something_else_is_an_error(run, tmp_path, file, content):
    (run.folder / file).write_bytes(content)
    with pytest.raises(RunError, match=RESTORE):
        load("first", tmp_path).restore(net())


@pytest.mark.full
def test_a_flipped_bit_is_found_or_does_no_harm(run):
    path = run.folder / "weights.npz"
    content = path.read_bytes()
    recorded = weights_of(run)
    for place in range(0, len(content), 3 if IN_CI else 29):
        broken = bytearray(content)
        broken[place] ^= 1 << place % 8
        path.write_bytes(broken)
        model = net(seed=1)
        before = model.get_weights()
        try:
            run.restore(model)
        except RunError:
            recorded_or_before = before
        else:
            recorded_or_before = recorded
        weights = model.get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(weights, recorded_or_before, strict=True))


def test_weights_of_another_shape_are_refused_and_the_model_is_unchanged(run):
    model = net(seed=1, inputs=5)
    before = model.get_weights()
    with pytest.raises(RunError, match=r"run 'first' do not fit 'net'.*\(4, 30\).*\(5, 30\)"):
        run.restore(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("change", [lambda arrays: arrays[:-1], lambda arrays: [*arrays, X]])
def test_too_few_or_too_many_weights_are_refused(run, change):
    np.savez_compressed(run.folder / "weights.npz", *change(weights_of(run)))
    model = net(seed=1)
    before = predictions(model)
    with pytest.raises(RunError, match="do not fit"):
        run.restore(model)
    np.testing.assert_array_equal(predictions(model), before)


def test_weights_under_other_names_are_refused(run):
    np.savez_compressed(run.folder / "weights.npz", a=np.ones(3), b=np.ones(3))
    with pytest.raises(RunError, match=rf"weights\.npz.*arr_0.*{RESTORE}"):
        run.restore(net())


class MakesAFolder:
    """Unpickling it makes a folder, as a malicious file might do worse."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_pickles_are_refused_and_never_executed(run, tmp_path):
    trap = np.array([MakesAFolder(tmp_path / "trap")], dtype=object)
    np.savez_compressed(run.folder / "weights.npz", trap)
    with pytest.raises(RunError, match=rf"weights\.npz.*allow_pickle=False.*{RESTORE}"):
        run.restore(net())
    trap.dump(run.folder / "weights.npz")
    with pytest.raises(RunError, match=rf"weights\.npz.*pickle.*{RESTORE}"):
        run.restore(net())
    assert not (tmp_path / "trap").exists()


# Recording that fails


@pytest.mark.parametrize("size", [0, 100, 700])
def test_a_full_disk_leaves_the_old_run_as_it_was(run, tmp_path, size):
    before = listing(tmp_path)
    with file_size_limit(size), pytest.raises(RunError, match="'first' could not be written to"):
        record("first", net(seed=1), HISTORY, CARD, tmp_path)
    assert listing(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"first", ".first.lock"}
    assert load("first", tmp_path) == run


def test_a_folder_that_cannot_be_renamed_leaves_the_old_run_as_it_was(run, tmp_path, monkeypatch):
    before = listing(tmp_path)
    rename = os.rename

    def stubborn(source, target):
        if Path(source).suffix == ".part":
            raise OSError(errno.EACCES, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(os, "rename", stubborn)
    with pytest.raises(RunError, match="could not be written to .*Permission denied"):
        record("first", net(seed=1), HISTORY, CARD, tmp_path)
    assert listing(tmp_path) == before
    assert load("first", tmp_path) == run


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    folder = tmp_path / "runs"
    folder.write_text("a file")
    with pytest.raises(RunError, match=r"'first' could not be written to .*runs: "):
        record("first", net(), HISTORY, CARD, folder)
    assert folder.read_text() == "a file"


def test_a_card_that_is_no_json_leaves_the_old_run_as_it_was(run, tmp_path):
    before = listing(tmp_path)
    with pytest.raises(RunError, match="could not be written to .*array"):
        record("first", net(seed=1), HISTORY, CARD | {"array": np.ones(3)}, tmp_path)
    assert listing(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"first", ".first.lock"}


def test_what_has_the_name_and_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "link").symlink_to("nowhere")
    before = listing(tmp_path)
    for name in ("thesis", "file", "link"):
        with pytest.raises(RunError, match=rf"{name} is no recorded run: .*Move it away, or"):
            record(name, net(), HISTORY, CARD, tmp_path)
    assert listing(tmp_path) == before
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["..", "", "a/b", ".hidden"])
def test_a_name_that_is_a_path_is_refused(tmp_path, name):
    with pytest.raises(RunError, match="no name for a run"):
        record(name, net(), {"loss": [1.0]}, {}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_refused(run, tmp_path):
    model = net()
    np.savez(run.folder / "weights.npz", *[w * np.nan for w in model.get_weights()])
    with pytest.raises(RunError, match="not finite"):
        load("first", tmp_path).restore(model)


# Recalling


def small():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])


EYE, LABELS = np.eye(3, dtype="float32"), np.array([0, 1, 0])


def train(net):
    net.compile("sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net.fit(EYE, LABELS, epochs=2, verbose=0).history


def refuse(net):
    raise AssertionError("it should not be trained")


def test_a_recorded_training_is_brought_back_with_its_weights(monkeypatch, tmp_path, capsys):
    first = small()
    recall = recorder(tmp_path, ["tiny"])
    recorded = recall("tiny-embedded", first, train, test=(EYE, LABELS))
    assert recorded.card["parameters"] == 8
    assert 0 <= recorded.card["test_accuracy"] <= 1
    assert recorded.card["optimizer"] == {"name": "SGD", "learning_rate": pytest.approx(0.01)}
    monkeypatch.setattr(runs, "load", lambda name: load(name, tmp_path))
    second = small()
    run = runs.recall("tiny-embedded", second, refuse)
    assert run.history == recorded.history
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    assert capsys.readouterr().out.count("Recorded run tiny-embedded: 2 epochs") == 2


def test_on_demand_it_is_trained_here_and_nothing_is_kept(capsys):
    run = runs.recall("tiny-embedded", small(), train, live=True, test=(EYE, LABELS))
    assert len(run.history["loss"]) == run.card["epochs"] == 2
    assert run.folder is None
    assert capsys.readouterr().out.startswith("Trained here: tiny-embedded: 2 epochs")


def test_while_one_run_is_recorded_others_are_only_recalled(tmp_path):
    with pytest.raises(RunError, match="No run 'tiny-embedded'"):
        recorder(tmp_path, ["other"])("tiny-embedded", small(), refuse, live=True)


def test_without_names_what_the_switch_trains_is_recorded(tmp_path):
    recall = recorder(tmp_path, [])
    with pytest.raises(RunError, match="No run 'tiny-embedded'"):
        recall("tiny-embedded", small(), refuse)
    recall("tiny-embedded", small(), train, live=True)
    assert load("tiny-embedded", tmp_path).card["epochs"] == 2


def test_of_a_net_on_a_frozen_base_only_what_is_trained_is_kept():
    base = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    net = keras.Sequential([base, keras.layers.Dense(2)])
    base.trainable = False
    assert [tuple(w.shape) for w in runs.trained_weights(net)] == [(4, 2), (2,)]
    base.trainable = True
    assert len(runs.trained_weights(net)) == 4
