"""A class on one server: `make hub` starts JupyterHub with these settings, as root, on Linux.

Every student is a user of the system, made when the hub starts, with a home folder that nobody else
can read. The course itself, its environment and its data are the server's, and read-only for
students. What a student may use is limited, and a server that nobody uses is ended.
"""

import os
import pwd
import re
import sys
from pathlib import Path

from jupyterhub.auth import LocalAuthenticator
from nativeauthenticator import NativeAuthenticator

COURSE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
STATE = Path(os.environ.get("HUB_STATE", "/srv/jupyterhub"))  # accounts and cookies: root's alone
GIGABYTES = float(os.environ.get("HUB_GIGABYTES", 3))  # of memory, for each notebook that runs
CORES = sorted(os.sched_getaffinity(0))

students, instructor = Path(os.environ["HUB_STUDENTS"]), os.environ["HUB_INSTRUCTOR"]
if not students.is_file() or not instructor:
    sys.exit("Say who may log in: make hub STUDENTS=names.txt INSTRUCTOR=name, one name a line.")
names = {instructor, *students.read_text("utf-8").split()}
for name in names:
    if not re.fullmatch("[a-z_][a-z0-9_-]{0,31}", name):
        sys.exit(f"{name!r} cannot be a user of the system: use a to z, digits, - and _.")
    try:
        if pwd.getpwnam(name).pw_uid < 1000:
            sys.exit(f"{name!r} is a user that the system needs: give the student another name.")
    except KeyError:
        pass  # is made when the hub starts


class Accounts(LocalAuthenticator, NativeAuthenticator):
    """Names and passwords of JupyterHub's own; each becomes a user of the system."""


def prepare(spawner):
    """Close the student's home folder to others; limit the memory of each process, and the cores.

    One core each: who trains a net for an hour slows down only those on the same core.
    """
    user = pwd.getpwnam(spawner.user.name)
    os.chmod(user.pw_dir, 0o700)
    core = CORES[user.pw_uid % len(CORES)]
    limits = ["prlimit", f"--data={int(GIGABYTES * 2**30)}", "--nproc=1000"]
    limits += ["taskset", "--cpu-list", str(core)]
    spawner.cmd = [*limits, str(BIN / "jupyterhub-singleuser")]


c = get_config()  # noqa: F821

STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
c.JupyterHub.bind_url = os.environ.get("HUB_URL", "http://:8000")
c.JupyterHub.db_url = f"sqlite:///{STATE}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{STATE}/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = f"{STATE}/proxy.pid"
c.ConfigurableHTTPProxy.command = f"{BIN.parent}/node_modules/.bin/configurable-http-proxy"

# Whoever is on the list signs up with a password of their own, and is let in.
c.JupyterHub.authenticator_class = Accounts
c.Authenticator.allowed_users = names
c.Authenticator.admin_users = {instructor}
c.NativeAuthenticator.open_signup = True
c.NativeAuthenticator.minimum_password_length = 8
c.NativeAuthenticator.allowed_failed_logins = 5
c.NativeAuthenticator.seconds_before_next_try = 60
c.LocalAuthenticator.create_system_users = True
c.LocalAuthenticator.add_user_cmd = ["useradd", "--create-home", "--shell", "/bin/bash"]

c.Spawner.pre_spawn_hook = prepare
c.Spawner.environment = {"COURSE_DATA": os.environ.get("COURSE_DATA", str(COURSE / "data"))}
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = 180  # thirty at once are slow
c.Spawner.http_timeout = 120

# Kernels that nobody has used for half an hour are ended, and servers after an hour.
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=1800",
    "--MappingKernelManager.cull_connected=True",
]
c.JupyterHub.services = [
    {"name": "cull", "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"]}
]
c.JupyterHub.load_roles = [
    {
        "name": "cull",
        "services": ["cull"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
]
