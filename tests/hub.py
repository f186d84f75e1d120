"""A class on the hub, by script: students who log in and work at the same time.

    python -m tests.hub 10 02_filter_banks     # as root, after make .venv/ready-hub

What a browser would send goes over the same addresses, HTTP and WebSocket. The users of the system
that are made for this are removed again.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import psutil
import requests
import websocket

from tests import servers

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 300
INSTRUCTOR = "course-test"


@contextmanager
def git_server(folder: Path) -> Iterator[str]:
    """Serve the course as it was last committed; yield its address."""
    port = urlsplit(servers.free_address()).port
    clone = ["git", "clone", "--quiet", "--bare", "--depth", "1", f"file://{ROOT}"]
    subprocess.run([*clone, str(folder / "course")], check=True)
    options = ["--reuseaddr", "--export-all", f"--base-path={folder}", "--listen=127.0.0.1"]
    server = subprocess.Popen(["git", "daemon", *options, f"--port={port}", str(folder)])
    try:
        yield f"git://127.0.0.1:{port}/course"
    finally:
        servers.stop(server)


@contextmanager
def hub(
    folder: Path, names: list[str], config: Path = ROOT / "deploy/jupyterhub_config.py"
) -> Iterator[str]:
    """Start the hub for these students; yield its address. Its users are removed at the end."""
    address = servers.free_address()
    (folder / "names.txt").write_text("\n".join(names), "utf-8")
    settings = {"HUB_STUDENTS": str(folder / "names.txt"), "HUB_INSTRUCTOR": INSTRUCTOR}
    settings |= {"HUB_STATE": str(folder / "state"), "HUB_URL": address}
    command = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
    log = folder / "hub.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | settings)
    try:
        servers.wait_for(server, f"{address}/hub/health", log)
        yield address
    except BaseException:
        print(log.read_text("utf-8")[-5000:])
        raise
    finally:
        servers.stop(server)
        for name in (INSTRUCTOR, *names):
            subprocess.run(["pkill", "-KILL", "-u", name], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(["userdel", "--remove", name], check=False, stderr=subprocess.DEVNULL)


@dataclass
class Student:
    """Somebody at a browser: signs up, logs in, opens notebooks, runs cells, moves sliders."""

    address: str
    name: str
    repository: str
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    session: requests.Session = field(default_factory=requests.Session)
    seconds: dict[str, float] = field(default_factory=dict)
    moved: int = 0

    @property
    def home(self) -> str:
        return f"{self.address}/user/{self.name}"

    def post(self, path: str, **options) -> requests.Response:
        """Send something to the hub, as its pages do."""
        token = self.session.cookies.get("_xsrf", path="/hub/")
        headers = {"X-XSRFToken": token, "Referer": f"{self.address}/hub/home"}
        return checked(
            self.session.post(
                f"{self.address}/hub/{path}", headers=headers, timeout=SECONDS, **options
            )
        )

    def get(self, url: str, **options) -> requests.Response:
        """Ask for something with the student's token."""
        return checked(requests.get(url, headers=self.headers, timeout=SECONDS, **options))

    def sign_up(self) -> None:
        """Choose a password."""
        self.session.get(f"{self.address}/hub/login", timeout=SECONDS)
        fields = ("signup_password", "signup_password_confirmation")
        self.post("signup", data={"username": self.name} | dict.fromkeys(fields, self.password))

    def may_enter(self) -> bool:
        """Try to log in; tell whether the hub lets the student in."""
        self.post("login", data={"username": self.name, "password": self.password})
        home = f"{self.address}/hub/home"
        return self.session.get(home, timeout=SECONDS).url == home

    def log_in(self) -> None:
        """Log in, and wait for the server that this starts."""
        start = time.perf_counter()
        assert self.may_enter(), self.name
        token = self.post(f"api/users/{self.name}/tokens", json={}).json()["token"]
        self.headers = {"Authorization": f"token {token}"}
        while not self.get(f"{self.address}/hub/api/user").json()["server"]:
            assert time.perf_counter() - start < SECONDS, f"no server for {self.name}"
            time.sleep(0.5)
        self.seconds["server"] = time.perf_counter() - start

    def pull(self) -> None:
        """Fetch the course, or what is new in it, as the link of nbgitpuller does."""
        options = {"repo": self.repository, "targetpath": "course", "depth": "1"}
        said = self.get(f"{self.home}/git-pull/api", params=options).text
        assert '"phase": "finished"' in said, said

    def open_kernel(self) -> None:
        """Start a kernel in the folder of the notebooks."""
        asked = {"name": "python3", "path": "course/notebooks"}
        url = f"{self.home}/api/kernels"
        answer = requests.post(url, json=asked, headers=self.headers, timeout=SECONDS)
        url = f"{self.home}/api/kernels/{checked(answer).json()['id']}/channels"
        url = url.replace("http://", "ws://")
        self.kernel = websocket.create_connection(url, timeout=SECONDS, header=self.headers)

    def send(self, kind: str, content: dict) -> list[dict]:
        """Send a message to the kernel; return all that come back until it is idle again."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "version": "5.3"}
        header |= {"username": self.name, "session": self.name}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.kernel.send(json.dumps(message | {"channel": "shell", "buffers": []}))
        answers = []
        while True:
            answer = json.loads(self.kernel.recv())
            if answer["parent_header"].get("msg_id") == header["msg_id"]:
                answers.append(answer)
                if answer["content"].get("execution_state") == "idle":
                    return answers

    def run(self, code: str) -> list[dict]:
        """Run a cell; return the messages of the kernel, none of which may be an error."""
        answers = self.send("execute_request", {"code": code, "silent": False})
        bad = [a["content"] for a in answers if a["msg_type"] == "error" or is_stderr(a)]
        assert bad == [], (self.name, bad)
        return answers

    def work(self, lecture: str) -> None:
        """Run a lecture from top to bottom, and move each slider."""
        start = time.perf_counter()
        for cell in cells(lecture):
            answers = self.run(cell.source)
            if "first figure" not in self.seconds and any(map(shows_picture, answers)):
                self.seconds["first figure"] = time.perf_counter() - start
            for slider in filter(is_slider, answers):
                self.move(slider)
        self.seconds["lecture"] = time.perf_counter() - start

    def move(self, slider: dict) -> None:
        """Move a slider to one of its ends, and see that the picture follows."""
        state = slider["content"]["data"]["state"]
        value = state["min"] if state["value"] == state["max"] else state["max"]
        update = {"method": "update", "state": {"value": value}}
        content = {"comm_id": slider["content"]["comm_id"], "data": update}
        assert any(map(shows_picture, self.send("comm_msg", content))), (self.name, state)
        self.moved += 1

    def open_tensorboard(self) -> str:
        """Start TensorBoard as notebook 6 does; return the page that its frame shows."""
        (cell,) = (c.source for c in cells("06_callbacks") if c.id == "board")
        start = "import tempfile\nfrom IPython.display import IFrame\nlogs = tempfile.mkdtemp()\n"
        answers = self.run(f"{start}{cell}\nprint(address)")
        (said,) = (a["content"]["text"] for a in answers if a["msg_type"] == "stream")
        return self.get(f"{self.address}{said.strip()}").text

    def memory(self) -> float:
        """Return the gigabytes that the student's processes take, shared ones in parts."""
        mine = (p for p in psutil.process_iter(["username"]) if p.info["username"] == self.name)
        return sum(process.memory_full_info().pss for process in mine) / 2**30


def checked(answer: requests.Response) -> requests.Response:
    """Return an answer of the server that is none of trouble."""
    assert answer.ok, (answer.url, answer.status_code, answer.text[:500])
    return answer


def cells(name: str) -> list[nbformat.NotebookNode]:
    """Return the code cells of a notebook."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_stderr(answer: dict) -> bool:
    return answer["msg_type"] == "stream" and answer["content"]["name"] == "stderr"


def is_slider(answer: dict) -> bool:
    state = answer["content"].get("data", {}).get("state", {})
    return answer["msg_type"] == "comm_open" and state["_model_name"].endswith("SliderModel")


def shows_picture(answer: dict) -> bool:
    data = answer["content"].get("data", {})
    return any(kind in data for kind in ("image/png", "image/jpeg"))


def class_of(address: str, names: list[str], repository: str, lecture: str) -> list[Student]:
    """Let students do all of it at the same time; return them, at work."""

    def attend(student: Student) -> Student:
        student.sign_up()
        student.log_in()
        student.pull()
        student.open_kernel()
        student.work(lecture)
        assert "TensorBoard" in student.open_tensorboard()
        return student

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(attend, [Student(address, name, repository) for name in names]))


def main() -> None:
    """Print what a class of some students takes."""
    names = [f"course-test-{number}" for number in range(1, int(sys.argv[1]) + 1)]
    with tempfile.TemporaryDirectory() as place, git_server(Path(place)) as repository:
        with hub(Path(place), names) as address:
            students = class_of(address, names, repository, sys.argv[2])
            gigabytes = [student.memory() for student in students]
    for what in students[0].seconds:
        seconds = sorted(student.seconds[what] for student in students)
        print(f"{what}: {seconds[0]:.0f} to {seconds[-1]:.0f} s")
    print(f"sliders moved: {sum(student.moved for student in students)}")
    print(f"memory of a student: {min(gigabytes):.2f} to {max(gigabytes):.2f} GB")


if __name__ == "__main__":
    main()
