"""Servers that tests start: JupyterLab, a hub. They listen at this machine only."""

import socket
import subprocess
import time
from pathlib import Path

import psutil
import requests

START_SECONDS = 90


def free_address() -> str:
    """Return an address of this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def wait_for(server: subprocess.Popen, url: str, log: Path) -> None:
    """Wait until a server answers; where it does not, say what it has logged."""
    end = time.monotonic() + START_SECONDS
    with requests.Session() as direct:
        direct.trust_env = False  # no proxy
        while time.monotonic() < end and server.poll() is None:
            try:
                return direct.get(url, timeout=5).raise_for_status()
            except requests.RequestException:
                time.sleep(0.1)
    raise RuntimeError(f"It did not start. Its log says:\n{log.read_text('utf-8')}")


def stop(server: subprocess.Popen) -> None:
    """End a server and all that it has started, politely first."""
    family = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.terminate()
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    for process in psutil.wait_procs(family, timeout=3)[1]:
        process.kill()
