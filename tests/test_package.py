import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_utils.data.settings import COURSE_FOLDER

# Everything that a notebook may import before it needs Keras.
LIGHT = [
    *("cats_and_dogs", "convolution", "datasets", "detection", "drawings", "duplicates"),
    *("filters", "picture_folders"),
    *("plots", "widgets", "data.atomic_folder", "data.catalogue", "data.download"),
    *("data.http_download", "data.kept_arrays", "data.photo_archives", "data.picture_decoding"),
    *("data.prepared_photos", "data.settings", "data.verification"),
]
HEAVY = [
    *("augmentation", "backend", "live_plot", "runs", "explain.class_activation_maps"),
    *("explain.heatmap_overlays", "explain.layer_graph", "explain.layer_outputs"),
    *("explain.learned_filters", "explain.localization_scores", "pretrained.bases"),
    *("pretrained.course_nets", "pretrained.efficientnet_lite", "pretrained.features"),
    "pretrained.torch_tensors",
]


def python(code):
    """Run code in a fresh interpreter, both outputs caught at the level of the file descriptors."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, cwd=COURSE_FOLDER, check=False
    )


# Imports


def test_the_light_modules_do_not_import_keras():
    imports = "\n".join(f"import course_utils.{module}" for module in LIGHT)
    code = f"{imports}\nimport sys\nprint(*{{'keras', 'tensorflow'}} & set(sys.modules))"
    done = python(code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_every_module_is_known_to_be_light_or_heavy():
    package = COURSE_FOLDER / "course_utils"
    paths = (path.relative_to(package).with_suffix("") for path in package.rglob("*.py"))
    modules = {".".join(path.parts) for path in paths}
    modules = {name for name in modules if "__init__" not in name and "drawings" not in name}
    assert modules <= {*HEAVY, *LIGHT}


def test_the_package_is_small_at_the_top():
    """A newcomer sees at most fourteen modules; the plumbing has rooms of its own."""
    assert len(list((COURSE_FOLDER / "course_utils").glob("[!_]*.py"))) <= 14


def trains(node):
    """Whether a node of a syntax tree calls a method `compile` or `fit`, but for re.compile."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    is_re = isinstance(owner, ast.Name) and owner.id == "re"
    return node.func.attr in ("compile", "fit") and not is_re


def test_no_function_of_the_package_compiles_or_trains_a_net():
    for path in (COURSE_FOLDER / "course_utils").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        assert not any(trains(node) for node in ast.walk(tree)), path
    assert any(trains(node) for node in ast.walk(ast.parse("net.compile('adam')")))


def test_the_convolution_module_is_there_at_once():
    code = (
        "import time; start = time.perf_counter(); import course_utils.convolution; "
        "print(time.perf_counter() - start)"
    )
    assert min(float(python(code).stdout) for _ in range(2)) < 1


@pytest.mark.slow
def test_importing_keras_prints_nothing_not_even_from_c_and_leaves_stderr_open():
    code = (
        "import os; from course_utils.backend import keras; keras.ops.zeros(3); "
        "os.write(2, b'still here')"
    )
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "still here")


@pytest.mark.slow
def test_nothing_is_left_in_the_temporary_folder_even_if_the_kernel_is_killed(tmp_path):
    code = f"""
import os, pathlib, tempfile
tempfile.tempdir = {str(tmp_path)!r}
import numpy as np
from course_utils import augmentation, explain, pretrained
from course_utils.backend import keras
x, y = np.zeros((4, 64, 64, 3), np.uint8), np.array([0, 1, 0, 1])
net = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Conv2D(2, 3)])
net.add(keras.layers.GlobalAveragePooling2D())
net.add(keras.layers.Dense(1, activation="sigmoid"))
net.compile("adam", "binary_crossentropy")
net.fit(augmentation.batches(x, y, 2, augmentation.RandomAffine()), shuffle=False, verbose=0)
explain.maximise(net, net.layers[0].name, steps=2)
pretrained.extract(pretrained.build("course", 64), x, folder=pathlib.Path(tempfile.tempdir))
print(*{{name for name in os.listdir(tempfile.tempdir) if "autograph" in name}})
os._exit(0)
"""
    done = python(code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


# Pinned versions


def pins(file):
    """Versions by name, of the lines of a requirements file that apply to this machine."""
    lines = [line.split("#")[0].strip() for line in (COURSE_FOLDER / file).open(encoding="utf-8")]
    found = {}
    for requirement in map(Requirement, filter(None, lines)):
        if requirement.marker is None or requirement.marker.evaluate():
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            found[canonicalize_name(requirement.name)] = specifier.version
    return found


def project():
    return tomllib.loads((COURSE_FOLDER / "pyproject.toml").read_text("utf-8"))["project"]


def names(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def installed(requirements):
    return {name: version(name) for name in requirements}


def environment():
    """The dependencies of environment.yml: those of conda, and those of pip."""
    text = (COURSE_FOLDER / "environment.yml").read_text("utf-8")
    *conda, pip = yaml.safe_load(text)["dependencies"]
    return conda, pip["pip"]


def test_every_dependency_is_pinned_and_installed_as_pinned():
    pinned = pins("requirements.txt")
    assert names(project()["dependencies"]) <= set(pinned)
    assert installed(pinned) == pinned


@pytest.mark.parametrize("extra", ["test", "site"])
def test_what_the_tests_and_the_site_need_is_pinned_too_and_agrees(extra):
    pinned = pins(f"requirements-{extra}.txt")
    assert names(project()["optional-dependencies"][extra]) <= set(pinned)
    assert pins("requirements.txt").items() <= pinned.items()
    tested = pins("requirements-test.txt")
    assert {name: tested.get(name, pin) for name, pin in pinned.items()} == pinned


def test_the_conda_environment_is_that_of_pip():
    conda, pip = environment()
    assert conda == ["python=3.11", "pip"]
    assert {"-c requirements.txt", "-e ."} <= set(pip)
    specs = [line for line in pip if not line.startswith("-")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", spec) for spec in specs)
    listed = {canonicalize_name(name): pin for name, pin in (spec.split("==") for spec in specs)}
    assert len(listed) == len(specs)
    assert set(listed) == names(project()["dependencies"])
    assert listed.items() <= pins("requirements.txt").items()
    assert installed(listed) == listed


def test_the_python_of_the_conda_environment_is_one_that_the_course_takes():
    conda, _ = environment()
    python_version = conda[0].removeprefix("python=")
    assert python_version + ".0" in Requirement(f"python{project()['requires-python']}").specifier


# Files


def tracked_files():
    """Files under version control."""
    command = ["git", "ls-files", "-z"]
    try:
        done = subprocess.run(command, cwd=COURSE_FOLDER, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [COURSE_FOLDER / name for name in done.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_names_the_host_of_a_package_registry():
    hosts = [
        ".".join(parts)
        for parts in [
            ("py" + "pi", "org"),
            ("files", "python" + "hosted"),
            ("registry", "npm" + "js"),
            ("deb", "debian"),
        ]
    ]
    files = tracked_files()
    assert COURSE_FOLDER / "pyproject.toml" in files
    guilty = {
        f"{path.relative_to(COURSE_FOLDER)}: {host}"
        for path in files
        for host in hosts
        if host.encode() in path.read_bytes()
    }
    assert guilty == set()
