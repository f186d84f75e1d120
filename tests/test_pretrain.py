from dataclasses import replace

import numpy as np
import pytest

from course_utils import drawings, picture_folders, runs
from course_utils.backend import keras
from course_utils.pretrained import bases
from tools import pretrain

RANDOM = np.random.default_rng(0)


def with_lived_in_norms(base):
    """Give every batch normalization values as after a training."""
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            maps = layer.gamma.shape[0]
            low_high = (0.5, 1.5), (-0.5, 0.5), (-1, 1), (0.5, 2)
            layer.set_weights([RANDOM.uniform(*ends, maps) for ends in low_high])
    return base


@pytest.mark.slow
def test_folding_leaves_what_the_base_computes_as_it_is():
    trained = with_lived_in_norms(pretrain.with_normalization(64))
    plain = bases.course_base(64)
    pretrain.fold(trained, plain)
    pixels = RANDOM.uniform(-1, 1, (4, 64, 64, 3)).astype("float32")
    expected = trained.predict(pixels, verbose=0)
    assert expected.max() > 0
    folded = plain.predict(pixels, verbose=0)
    assert np.allclose(folded, expected, rtol=0, atol=1e-4 * expected.max())


def test_the_base_has_the_plan_of_vgg16():
    base = bases.course_base(64)
    names = [layer.name for layer in base.layers[1:]]
    assert names == [
        f"block{block}_{part}" for block in range(1, 6) for part in ("conv1", "conv2", "pool")
    ]
    assert base.count_params() == 588_688
    assert bases.course_base(150).output_shape == (None, 4, 4, 128)


def test_the_base_is_pretrained_on_pixels_as_it_gets_them_later():
    pixels = RANDOM.random((2, 32, 32, 3), np.float32)
    net = pretrain.classifier(bases.course_base(32), 20)
    np.testing.assert_array_equal(net.layers[0](pixels), bases.preprocessing("course")(pixels))
    assert net(pixels).shape == (2, 20)


@pytest.mark.slow
def test_no_cat_and_no_dog_is_among_what_the_base_has_seen(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrain, "COUNTS", {"train": 1, "test": 1})
    monkeypatch.setattr(pretrain, "made_folder", lambda: tmp_path)
    train, test = pretrain.source(16)
    for part in (train, test):
        assert len(part.x) == len(part.class_names) == 20
        assert not set(part.class_names) & set(drawings.CATS_AND_DOGS)


@pytest.mark.full
def test_the_base_can_be_made_again(monkeypatch, tmp_path):
    """A very short pretraining, on few pictures: it records a run that can be loaded."""
    x = RANDOM.integers(0, 256, (40, 64, 64, 3), np.uint8)
    few = picture_folders.PictureFolder(
        x, np.arange(40) % 20, drawings.OTHER_KINDS, (), {}, (), np.ones(40)
    )
    monkeypatch.setattr(pretrain, "source", lambda: (few, replace(few, x=x[:20], y=few.y[:20])))
    monkeypatch.setattr(pretrain, "EPOCHS", 1)
    monkeypatch.setattr(pretrain, "made_folder", lambda: tmp_path)
    run = pretrain.remake(folder=tmp_path)
    assert run.card["parameters"] == 588_688
    runs.load("course_base", tmp_path).restore(bases.course_base(64))
    assert run.history.keys() <= runs.load("course_base").history.keys()


@pytest.mark.full
def test_an_interrupted_pretraining_goes_on_where_it_was(monkeypatch, tmp_path):
    """Interrupted after the first of two epochs, only the second is left, at its own rate."""
    keeps = keras.callbacks.BackupAndRestore

    class Interrupted(keeps):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            raise KeyboardInterrupt

    x, y = RANDOM.integers(0, 256, (80, 64, 64, 3), np.uint8), np.arange(80) % 20
    monkeypatch.setattr(pretrain, "EPOCHS", 2)
    monkeypatch.setattr(pretrain, "made_folder", lambda: tmp_path)
    monkeypatch.setattr(keras.callbacks, "BackupAndRestore", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        pretrain.train(pretrain.classifier(pretrain.with_normalization(), 20), x, y, (x, y))
    monkeypatch.setattr(keras.callbacks, "BackupAndRestore", keeps)
    net = pretrain.classifier(pretrain.with_normalization(), 20)
    history = pretrain.train(net, x, y, (x, y))
    assert len(history["loss"]) == 1
    assert int(net.optimizer.iterations) == 4


def test_the_shipped_base_knows_its_kinds():
    card = runs.load("course_base").card
    assert card["test_accuracy"] > 0.95
    assert card["training_images"] == 160_000  # as notebook 7 says
