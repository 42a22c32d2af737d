"""What remains of a bug: a sentence and a private file, in every kind of process and place."""

import asyncio
import errno
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_tui.base import crash, redact

TOKEN = "canary-" + "7f3a9c" * 3
"""Joined here, so that not even a line of source in a traceback has it."""


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "_kept", [])


def bug(token: str) -> None:
    """A bug with a secret among its local values."""
    copied = token
    raise RuntimeError(f"it broke \x1b[31m after {len(copied)} characters")


def met(token: str = TOKEN) -> RuntimeError:
    try:
        bug(token)
    except RuntimeError as error:
        return error
    raise AssertionError


def test_a_crash_leaves_a_private_file_without_values(tmp_path: Path) -> None:
    text = crash.report(met(), directory=tmp_path)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = file.read_text()
    assert "in bug" in kept
    assert TOKEN not in kept + text
    assert "\x1b" not in kept + text
    assert str(file) in text


def test_what_an_error_says_is_redacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_known", [TOKEN])
    error = RuntimeError(f"no route with {TOKEN} and sk-{'a1' * 12}")
    text = crash.report(error, directory=tmp_path)
    (file,) = tmp_path.iterdir()
    for seen in (text, file.read_text(), crash.in_words(error)):
        assert TOKEN not in seen
        assert "a1a1" not in seen
        assert "[redacted:token]" in seen
        assert "[redacted:api-key]" in seen


def test_there_are_never_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(crash.MAX_PER_PROCESS + 3):
        said = crash.keep(met(), tmp_path)
        assert ("was not kept" in said) == (number >= crash.MAX_PER_PROCESS)
    assert len(list(tmp_path.iterdir())) == crash.MAX_PER_PROCESS
    for day in range(30):
        (tmp_path / f"crash-202001{day:02}-000000-1-0.txt").touch()
    monkeypatch.setattr(crash, "_kept", [])
    monkeypatch.setattr(crash, "stamp", lambda: "later")
    crash.keep(met(), tmp_path)
    left = sorted(tmp_path.iterdir())
    assert len(left) == crash.MAX_FILES
    assert "2020010" not in left[0].name


def test_a_link_in_the_way_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setattr(crash, "stamp", lambda: "now")
    (tmp_path / f"crash-now-{os.getpid()}-0.txt").symlink_to(elsewhere)
    assert "could not be kept: FileExistsError" in crash.keep(met(), tmp_path)
    assert not elsewhere.exists()


def test_a_task_that_nobody_waited_for_is_logged_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(tmp_path))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(crash.unhandled)
        loop.call_soon(bug, TOKEN)
        await asyncio.sleep(0)

    asyncio.run(main())
    (record,) = caplog.records
    assert "RuntimeError: it broke" in record.getMessage()
    assert TOKEN not in record.getMessage()
    (file,) = tmp_path.iterdir()
    assert str(file) in record.getMessage()


def test_a_log_line_is_safe_and_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_known", [TOKEN])
    formatter = crash.PrivateFormatter("%(message)s")
    try:
        bug(TOKEN)
    except RuntimeError:
        record = logging.LogRecord(
            "x", logging.ERROR, "", 0, "%s said \x1b]0;x\x07", (TOKEN,), sys.exc_info()
        )
    text = formatter.format(record)
    assert text.startswith("[redacted:token] said ␛]0;x␇\n")
    assert "in bug" in text
    assert all(line.isprintable() for line in text.split("\n"))
    assert TOKEN not in text


HOOKED = """
import sys, threading
from fleet_tui.base import crash
crash.install()
crash.quiet_stderr()
def fail(token):
    copied = token
    raise RuntimeError(f"it broke after {len(copied)} characters")
class Unlucky:
    def __del__(self):
        fail(sys.argv[2])
match sys.argv[1]:
    case "main":
        fail(sys.argv[2])
    case "thread":
        thread = threading.Thread(target=fail, args=[sys.argv[2]])
        thread.start()
        thread.join()
    case "unraisable":
        Unlucky()
    case "terminal":
        def write():
            raise OSError(5, "Input/output error")
        thread = threading.Thread(target=write, name=crash.TERMINAL_WRITER)
        thread.start()
        thread.join()
"""


def test_a_terminal_that_was_closed_is_no_bug(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOOKED, "terminal"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FLEET_TUI_STATE_DIR": str(tmp_path / "state")},
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert not list(tmp_path.rglob("crash-*"))


@pytest.mark.parametrize("where", ["main", "thread", "unraisable"])
def test_what_nobody_caught_is_told_in_a_line(where: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOOKED, where, TOKEN],
        env=os.environ | {"FLEET_TUI_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    (file,) = (tmp_path / "state").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done.stderr.count("\n") == 1
    assert "it broke after" in done.stderr
    assert str(file) in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "in fail" in file.read_text()
    assert TOKEN not in file.read_text() + done.stdout + done.stderr


@pytest.mark.usefixtures("own_process")
def test_hooks_are_in_place_while_a_command_runs() -> None:
    from fleet_tui.cli.common import run

    async def look() -> object:
        return asyncio.get_running_loop().get_exception_handler()

    assert run(look()) is crash.unhandled
    assert sys.excepthook is not sys.__excepthook__


def test_running_out_of_descriptors_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(tmp_path))

    async def main() -> None:
        error = OSError(errno.EMFILE, "Too many open files")
        crash.unhandled(asyncio.get_running_loop(), {"exception": error})

    asyncio.run(main())
    (record,) = caplog.records
    assert "Too many open files" in record.getMessage()
    assert "bug" not in record.getMessage()
    assert list(tmp_path.iterdir()) == []
