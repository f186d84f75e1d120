"""A small web server on this machine whose pages misbehave on demand."""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 14


@dataclass
class Page:
    """What the server says about one path; ``faults`` are used up, one for each request.

    A fault is a status to answer with, ``("cut", n)`` or ``("stall", n)`` to close or fall
    silent after n bytes, ``("redirect", path)``, ``("range", text)`` to answer 206 with
    this Content-Range, or None for no fault.
    """

    content: bytes
    ranges: bool = True
    unsized: bool = False
    encoding: str | None = None
    pause: float = 0.0
    faults: list = field(default_factory=list)


@dataclass
class Request:
    """One line of the server's log."""

    path: str
    asked: str | None
    status: int = 0
    sent: int = 0


class FileServer:
    """Serves ``pages`` from 127.0.0.1 and keeps a ``log`` of the requests."""

    def __init__(self):
        self.pages: dict[str, Page] = {}
        self.log: list[Request] = []
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def add(self, path: str, content: bytes, **how) -> str:
        self.pages[path] = Page(content, **how)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    @property
    def sent(self) -> int:
        return sum(request.sent for request in self.log)

    def close(self):
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: FileServer

    def log_message(self, *_):
        pass

    def do_GET(self):
        entry = Request(self.path, self.headers.get("Range"))
        self.owner.log.append(entry)
        page = self.owner.pages.get(self.path)
        fault = page.faults.pop(0) if page and page.faults else None
        if page is None or isinstance(fault, int):
            entry.status = 404 if page is None else fault
            self.send_error(entry.status)
            return
        kind, value = fault if fault else ("", 0)
        if kind == "redirect":
            entry.status = 302
            self.send_response(302)
            self.send_header("Location", value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        try:
            self._send(page, entry, kind, value)
        except ConnectionError:
            self.close_connection = True

    def _send(self, page, entry, kind, value):
        start = self._start(page)
        if start >= len(page.content) > 0 and start:
            entry.status = 416
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(page.content)}")
            self.end_headers()
            return
        body, total = page.content[start:], len(page.content)
        partial = start or kind == "range"
        entry.status = 206 if partial else 200
        self.send_response(entry.status)
        if partial:
            span = value if kind == "range" else f"bytes {start}-{total - 1}/{total}"
            self.send_header("Content-Range", span)
        if not page.unsized:
            self.send_header("Content-Length", str(len(body)))
        if page.encoding:
            self.send_header("Content-Encoding", page.encoding)
        self.end_headers()
        self._body(page, entry, body, kind, value)

    def _body(self, page, entry, body, kind, value):
        end = value if kind in ("cut", "stall") else len(body)
        for at in range(0, end, PIECE):
            piece = body[at : min(at + PIECE, end)]
            entry.sent += len(piece)  # counted first: the client may be done before this thread
            self.wfile.write(piece)
            time.sleep(page.pause)
        if kind == "stall":
            self.owner.closing.wait(10)
        self.close_connection = True

    def _start(self, page) -> int:
        asked = self.headers.get("Range")
        return int(asked.removeprefix("bytes=").rstrip("-")) if asked and page.ranges else 0
