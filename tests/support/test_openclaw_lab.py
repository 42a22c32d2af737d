"""A gateway that fails as it starts gets one more chance, and what it said is told; a release that
is not in the table is noticed."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.support import install_openclaw, openclaw_lab
from tests.support.openclaw_lab import RELEASE, Gateway, NotReady, newest_version
from tests.support.release_rows import difference, newest_first, recorded
from tests.support.sshd import free_port

PROGRAM = """
import http.server, pathlib, sys
fails, port = int(sys.argv[1]), int(sys.argv[2])
print("said before it ended", flush=True)
with open("starts", "a") as starts:
    starts.write("x")
if len(pathlib.Path("starts").read_text()) <= fails:
    sys.exit(3)
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""


def gateway(directory: Path, fails: int) -> Gateway:
    """One whose first starts fail."""
    program, port = directory / "program.py", free_port()
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(fails), str(port)]
    return Gateway("claw", directory, port, "token", command)


@pytest.mark.parametrize("fails", [0, 1])
def test_a_gateway_that_fails_once_is_started_once_more(tmp_path: Path, fails: int) -> None:
    claw = gateway(tmp_path, fails)
    claw.start()
    try:
        claw.wait_booted()
        assert (tmp_path / "starts").read_text() == "x" * (fails + 1)
    finally:
        claw.stop()
    assert claw.process is None


def test_a_gateway_that_fails_again_is_told_and_can_be_stopped(tmp_path: Path) -> None:
    claw = gateway(tmp_path, 2)
    claw.start()
    try:
        with pytest.raises(NotReady, match=r"claw ended with 3 as it started: said before") as told:
            claw.wait_booted()
    finally:
        claw.stop()
    assert isinstance(told.value.__cause__, NotReady)
    assert (tmp_path / "starts").read_text() == "xx"


def test_a_mended_release_has_its_place_in_the_table_above_the_one_it_mends() -> None:
    releases = ["2026.9.6", "2026.7.35", "2026.7.1-2", "2026.7.1-1", "2026.7.1", "2026.6.11"]
    assert sorted(set(releases), key=newest_first) == releases
    assert all(re.fullmatch(RELEASE, release) for release in releases)
    assert not re.fullmatch(RELEASE, "2026.9.7-beta.1")


@pytest.mark.parametrize(
    ("answer", "newest"),
    [
        ("echo 2026.9.7", "2026.9.7"),
        ("echo 2026.9.7-1", "2026.9.7-1"),
        ("echo; exit 1", None),
        ("echo 2026.9.7-beta.1", None),
        ("echo 2026.9.7; exit 1", None),
    ],
)
def test_the_newest_release_is_what_npm_says_or_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, newest: str | None
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{answer}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert newest_version() == newest


def test_without_npm_the_newest_release_is_not_known_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install_openclaw, "install", lambda version: [version])
    assert newest_version() is None
    assert install_openclaw.main() == 0
    assert openclaw_lab.NOT_ASKED in capsys.readouterr().out


def test_a_release_that_the_table_lacks_or_tells_otherwise_is_told_how_to_be_recorded() -> None:
    row = next(iter(recorded().values()))
    assert difference(row) == ""
    unknown = row | {"release": "2026.9.999"}
    assert "no row for 2026.9.999" in difference(unknown)
    assert "python -m tests.acceptance.releases 2026.9.999" in difference(unknown)
    otherwise = difference(row | {"cancel": "no"})
    assert "'cancel': 'no'" in otherwise
    assert "'cancel': 'yes'" in otherwise
