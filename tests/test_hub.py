"""A small class on the hub: everybody can work, and nobody can get at what is not theirs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def hub_can_start():
    """Tell whether a hub is set up, by root, and students could use this Python."""
    if not list(Path(sys.prefix).glob("node_modules/.bin/configurable-http-proxy")):
        return False
    student = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
    try:
        done = subprocess.run([sys.executable, "-c", "import course_utils"], **student)
        return done.returncode == 0
    except (PermissionError, ValueError):
        return False


pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not hub_can_start(), reason="no hub here: see make .venv/ready-hub"),
]
NAMES = ["course-test-a", "course-test-b"]

# The accounts of Kubernetes, in a hub that starts no servers.
ACCOUNTS = """
import os
import sys

import yaml

with open(VALUES) as file:
    for name, settings in yaml.safe_load(file)["hub"]["config"].items():
        c[name].update(settings)
state = os.environ["HUB_STATE"]
c.JupyterHub.bind_url = os.environ["HUB_URL"]
c.JupyterHub.db_url = f"sqlite:///{state}.sqlite"
c.JupyterHub.cookie_secret_file = f"{state}.secret"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.redirect_to_server = False
c.ConfigurableHTTPProxy.pid_file = f"{state}.pid"
c.ConfigurableHTTPProxy.command = f"{sys.prefix}/node_modules/.bin/configurable-http-proxy"
"""


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """Two students who have done everything at the same time, and are still there."""
    from tests import hub

    place = tmp_path_factory.mktemp("hub")
    with hub.git_server(place) as repository, hub.hub(place, NAMES) as address:
        yield hub.class_of(address, NAMES, repository, "02_filter_banks")


@pytest.mark.parametrize(
    ("students", "message"),
    [
        (None, "Say who may log in: make hub STUDENTS=names.txt"),
        ("anna\nroot", "'root' is a user that the system needs"),
        ("anna\nB.Müller", "'B.Müller' cannot be a user of the system"),
    ],
)
def test_a_list_that_cannot_work_is_refused(tmp_path, students, message):
    path = tmp_path / "names.txt"
    if students:
        path.write_text(students, "utf-8")
    settings = {"HUB_STUDENTS": str(path), "HUB_INSTRUCTOR": "ada", "HUB_STATE": str(tmp_path)}
    command = [sys.executable, "-m", "jupyterhub", "-f", str(ROOT / "deploy/jupyterhub_config.py")]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    assert done.returncode != 0
    assert message in done.stderr


def test_on_kubernetes_the_instructor_lets_students_in(tmp_path):
    from tests import hub

    config = tmp_path / "config.py"
    config.write_text(f"VALUES = {str(ROOT / 'deploy/values.yaml')!r}\n{ACCOUNTS}", "utf-8")
    with hub.hub(tmp_path, [], config) as address:
        people = [hub.Student(address, name, "") for name in ("instructor", "anna", "stranger")]
        for person in people:
            person.sign_up()
        assert [person.may_enter() for person in people] == [True, False, False]
        people[0].session.get(f"{address}/hub/authorize/anna").raise_for_status()
        assert [person.may_enter() for person in people] == [True, True, False]


def refused(student, code):
    """Run a line that must fail; return what the kernel says."""
    answers = student.send("execute_request", {"code": code, "silent": False})
    return [a["content"]["ename"] for a in answers if a["msg_type"] == "error"]


def test_everybody_has_moved_the_sliders(students):
    assert all(student.moved >= 1 for student in students)


def test_what_a_student_has_written_survives_when_the_link_is_followed_again(students):
    one = students[0]
    one.run("mine = open('00_start_here.ipynb').read() + '\\n'")
    one.run("with open('00_start_here.ipynb', 'w') as file: file.write(mine)")
    one.pull()
    one.run("assert open('00_start_here.ipynb').read() == mine")


def test_nobody_sees_the_files_of_another(students):
    one, other = students
    assert refused(one, f"import os; os.listdir('/home/{other.name}')") == ["PermissionError"]
    for headers in (one.headers, {}):  # with a token, and as the pages do, with cookies
        answer = one.session.get(f"{other.home}/api/contents", headers=headers)
        assert answer.status_code in (403, 404), answer.text


def test_nobody_can_end_what_another_runs(students):
    one, other = students
    (said,) = (a for a in other.run("import os; print(os.getpid())") if a["msg_type"] == "stream")
    number = int(said["content"]["text"])
    assert refused(one, f"os.kill({number}, 9)") == ["PermissionError"]


def test_the_course_and_its_data_can_be_read_and_not_written(students):
    one = students[0]
    one.run("from course_utils.data.settings import data_folder; os.listdir(data_folder())")
    for folder in ("data_folder()", repr(str(ROOT / "course_utils")), repr(sys.prefix)):
        assert refused(one, f"open(os.path.join({folder}, 'new'), 'w')") == ["PermissionError"]


def test_too_much_memory_is_refused_and_the_kernel_lives(students):
    one = students[0]
    assert refused(one, "import numpy as np; np.ones(2**40)")[0].endswith("MemoryError")
    assert refused(one, "np.ones(2**29)")[0].endswith("MemoryError")  # 4 GB
    one.run("1 + 1")


def test_a_student_has_one_core(students):
    students[0].run("assert len(os.sched_getaffinity(0)) == 1")
