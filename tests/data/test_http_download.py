import errno
import gzip
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from course_utils.data import http_download
from course_utils.data.http_download import disk_error, download_file
from course_utils.data.settings import DataError

CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr(http_download, "TIMEOUT", (2, 0.3))
    monkeypatch.setattr(http_download, "PAUSES", (0.01, 0.02))


def get(url, folder, **how):
    """Download to ``folder/file`` and return the path."""
    how = {"size": len(CONTENT), "progress": False} | how
    download_file(url, folder / "file", **how)
    return folder / "file"


def leave_a_part(server, tmp_path, cut=100_000, **how):
    """Break a download off after ``cut`` bytes; return the page's address."""
    url = server.add("/file", CONTENT, faults=[("cut", cut)], **how)
    with pytest.MonkeyPatch.context() as once:
        once.setattr(http_download, "PAUSES", ())
        with pytest.raises(DataError, match="dropped"):
            get(url, tmp_path)
    return url


def test_a_file_arrives_byte_for_byte_and_leaves_nothing_else(server, tmp_path):
    assert get(server.add("/file", CONTENT), tmp_path).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("how", [{"unsized": True}, {"ranges": False}])
def test_plainer_servers_will_do(server, tmp_path, how):
    assert get(server.add("/file", CONTENT, **how), tmp_path).read_bytes() == CONTENT


def test_a_file_that_the_server_calls_gzip_encoded_arrives_as_it_is(server, tmp_path):
    packed = gzip.compress(CONTENT)
    url = server.add("/file", packed, encoding="gzip")
    assert get(url, tmp_path, size=len(packed)).read_bytes() == packed


def test_an_empty_file_can_be_downloaded(server, tmp_path):
    assert get(server.add("/file", b""), tmp_path, size=0).read_bytes() == b""


def test_a_target_that_is_there_is_replaced(server, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    assert get(server.add("/file", CONTENT), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [("cut", 100_000), ("stall", 100_000)])
def test_a_broken_transfer_goes_on_in_the_same_call(server, tmp_path, fault):
    url = server.add("/file", CONTENT, faults=[fault])
    assert get(url, tmp_path).read_bytes() == CONTENT
    assert [request.status for request in server.log] == [200, 206]
    assert server.sent < 1.5 * len(CONTENT)


def test_the_next_call_goes_on_where_the_last_one_gave_up(server, tmp_path):
    url = leave_a_part(server, tmp_path)
    kept = (tmp_path / "file.part").stat().st_size
    assert 0 < kept <= 100_000
    assert not (tmp_path / "file").exists()
    assert get(url, tmp_path).read_bytes() == CONTENT
    assert server.log[-1].asked == f"bytes={kept}-"
    assert server.log[-1].sent == len(CONTENT) - kept
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_server_that_ignores_ranges_sends_all_again(server, tmp_path):
    url = leave_a_part(server, tmp_path, ranges=False)
    assert get(url, tmp_path).read_bytes() == CONTENT
    assert server.log[-1].status == 200


@pytest.mark.parametrize(
    "span", ["bytes 0-299999/300000", "bytes 100001-299999/300000", "", "items 1-2/3"]
)
def test_a_piece_that_was_not_asked_for_is_refused(server, tmp_path, span):
    url = leave_a_part(server, tmp_path)
    server.pages["/file"].faults = [("range", span)]
    assert get(url, tmp_path).read_bytes() == CONTENT
    assert [request.status for request in server.log] == [200, 206, 200]


def test_a_whole_part_needs_no_server(tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert get("http://127.0.0.1:1/file", tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_too_long_starts_anew(server, tmp_path):
    url = leave_a_part(server, tmp_path)
    with open(tmp_path / "file.part", "ab") as file:
        file.write(b"x" * len(CONTENT))
    assert get(url, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_passing_fault_of_the_server_is_tried_again(server, tmp_path, status):
    url = server.add("/file", CONTENT, faults=[status])
    assert get(url, tmp_path).read_bytes() == CONTENT


def test_a_lasting_fault_of_the_server_is_given_up_after_the_retries(server, tmp_path):
    url = server.add("/file", CONTENT, faults=[500] * 9)
    with pytest.raises(DataError, match=r"/file could not be downloaded: .*500.*again"):
        get(url, tmp_path)
    assert len(server.log) == 1 + len(http_download.PAUSES)


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_missing_file_is_not_asked_for_again(server, tmp_path, status):
    url = server.add("/file", CONTENT, faults=[status])
    with pytest.raises(DataError, match=rf"/file .*{status}.*--from"):
        get(url, tmp_path)
    assert len(server.log) == 1


def test_a_lasting_stall_ends_and_says_what_is_kept(server, tmp_path):
    url = server.add("/file", CONTENT, faults=[("stall", 100_000), ("stall", 0), ("stall", 0)])
    start = time.monotonic()
    with pytest.raises(DataError, match=r"silent for 0\.3 seconds.* bytes .*file\.part.*again"):
        get(url, tmp_path)
    assert time.monotonic() - start < 5
    assert (tmp_path / "file.part").stat().st_size > 0


def test_redirects_are_followed_and_a_circle_of_them_is_left(server, tmp_path):
    server.add("/file", CONTENT)
    url = server.add("/old", b"", faults=[("redirect", "/file")])
    assert get(url, tmp_path).read_bytes() == CONTENT
    circle = server.add("/circle", b"", faults=[("redirect", "/circle")] * 40)
    with pytest.raises(DataError, match=r"/circle could not be downloaded.*redirects"):
        get(circle, tmp_path)


def test_a_redirected_download_goes_on_too(server, tmp_path):
    leave_a_part(server, tmp_path)
    old = server.add("/old", b"", faults=[("redirect", "/file")])
    assert get(old, tmp_path).read_bytes() == CONTENT
    assert server.log[-1].status == 206


@pytest.mark.parametrize("size", [10, 299_999, 300_001])
@pytest.mark.parametrize("unsized", [True, False])
def test_a_file_of_another_size_is_refused(server, tmp_path, size, unsized):
    url = server.add("/file", CONTENT, unsized=unsized)
    with pytest.raises(DataError, match="/file"):
        get(url, tmp_path, size=size)
    assert not (tmp_path / "file").exists()


def test_no_server_at_all_is_said_plainly(tmp_path):
    with pytest.raises(DataError, match=r"no connection to the server\. Check the network"):
        get("http://127.0.0.1:1/file", tmp_path)


@pytest.mark.parametrize("url", ["nonsense", "gopher://127.0.0.1/file", "http:///file"])
def test_an_address_that_is_none_is_said_plainly(tmp_path, url):
    with pytest.raises(DataError, match="could not be downloaded"):
        get(url, tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_plainly(server, tmp_path):
    url = server.add("/file", CONTENT)
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"disk that holds .* is full\. Free some space"):
        get(url, tmp_path)
    assert len(server.log) == 1


def test_a_read_only_folder_is_said_plainly(server, read_only):
    folder, locked = read_only
    url = server.add("/file", CONTENT)
    with locked(), pytest.raises(DataError, match=r"cannot be written to.*COURSE_DATA"):
        get(url, folder)


def test_a_missing_folder_is_said_plainly(server, tmp_path):
    with pytest.raises(DataError, match="nowhere cannot be used"):
        get(server.add("/file", CONTENT), tmp_path / "nowhere")


def test_a_file_that_does_not_end_is_left(server, tmp_path):
    url = server.add("/file", bytes(40_000_000), unsized=True)
    with pytest.raises(DataError, match="more than 1,000 bytes instead of 1,000"):
        get(url, tmp_path, size=1000)
    assert server.sent < 40_000_000
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_mounted_read_only_is_said_plainly():
    error = OSError(errno.EROFS, "Read-only file system")
    assert "data cannot be written to (Read-only file system)" in str(
        disk_error(error, Path("data"))
    )


def test_an_unforeseen_disk_error_names_the_folder():
    assert "data cannot be used" in str(disk_error(OSError(5, "Input/output error"), Path("data")))


def test_the_progress_bar_counts_to_the_end(server, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    get(server.add("/file", CONTENT), tmp_path, progress=True)
    captured = capfd.readouterr()
    assert "100%" in captured.err
    assert "file" in captured.err
    assert captured.out == ""


def wait_for(path, size):
    deadline = time.monotonic() + 20
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < deadline, f"{path} did not reach {size} bytes"
        time.sleep(0.01)


def test_a_killed_download_goes_on_in_the_next_process(server, tmp_path):
    url = server.add("/file", CONTENT, pause=0.1)
    code = (
        "import sys; from course_utils.data.http_download import download_file;"
        f"download_file(sys.argv[1], sys.argv[2], size={len(CONTENT)})"
    )
    command = [sys.executable, "-c", code, url, str(tmp_path / "file")]
    with subprocess.Popen(command) as process:
        wait_for(tmp_path / "file.part", 60_000)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "file").exists()
    kept = (tmp_path / "file.part").stat().st_size
    assert 60_000 <= kept < len(CONTENT)
    server.pages["/file"].pause = 0
    subprocess.run(command, check=True, timeout=30)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.log[-1].sent == len(CONTENT) - kept
