"""Files that are none: pipes, devices, what nobody may read, and standard input that is closed."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode, InvalidConfig
from fleet_tui.cli.main import run
from fleet_tui.config.importers import ansible_run
from fleet_tui.config.importers.ansible_run import list_inventory

NEVER = "/nowhere/that/is/a/program"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


def _link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _pipe_among_its_files(path: Path) -> None:
    path.mkdir()
    (path / "hosts").write_text("a\n")
    os.mkfifo(path / "more")


def _pipe_among_its_variables(path: Path) -> None:
    path.write_text("a\n")
    (path.parent / "group_vars").mkdir()
    os.mkfifo(path.parent / "group_vars" / "all.yml")


def _endless(path: Path) -> None:
    path.write_text("a\n")
    os.truncate(path, 8 * ansible_run.MAX_INVENTORY_BYTES)


ODD: list[tuple[Callable[[Path], None], str]] = [
    (os.mkfifo, "odd: no regular file and no directory"),
    (_socket, "odd: no regular file and no directory"),
    (_link_to_a_device, "odd: no regular file and no directory"),
    (_pipe_among_its_files, "odd/more: no regular file and no directory"),
    (_pipe_among_its_variables, "group_vars/all.yml: no regular file and no directory"),
    (_endless, "more than 268,435,456 bytes of inventory"),
    (lambda _: None, "odd: No such file or directory"),
]


@pytest.mark.parametrize(("make", "says"), ODD, ids=[says for _, says in ODD])
def test_ansible_is_not_asked_about_what_it_would_never_end_to_read(
    here: Path, make: Callable[[Path], None], says: str
) -> None:
    make(here / "odd")
    with pytest.raises(InvalidConfig, match=says):
        list_inventory(NEVER, Path("odd"), os.environ)


def test_more_files_than_an_inventory_has_are_not_all_looked_at(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ansible_run, "MAX_FILES", 2)
    (here / "inventory").mkdir()
    for number in range(3):
        (here / "inventory" / f"{number}.ini").write_text("a\n")
    with pytest.raises(InvalidConfig, match="more than 2 files"):
        list_inventory(NEVER, Path("inventory"), os.environ)


def test_a_link_to_nothing_among_the_files_is_left_to_ansible(here: Path) -> None:
    (here / "inventory").mkdir()
    (here / "inventory" / "gone").symlink_to("nowhere")
    ansible_run._check_readable(Path("inventory"))


CLOSED = [
    ("submit", "--file", "-"),
    ("submit", "--lines", "--file", "-"),
    ("submit",),
    ("edit", "t-1", "--file", "-"),
    ("import", "hosts", "-"),
]


@pytest.mark.parametrize("words", CLOSED, ids=[" ".join(words) for words in CLOSED])
def test_standard_input_that_is_closed_is_told(here: Path, words: tuple[str, ...]) -> None:
    (here / "fleet.yaml").write_text("version: 1\nfleet: f\nagents: {}\n")
    program = "import sys; from fleet_tui.cli.main import run; sys.exit(run(sys.argv[1:]))"
    line = " ".join(['exec "$@"', "<&-"])
    done = subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (ExitCode.USAGE, ExitCode.INVALID_CONFIG), done.stderr
    assert "standard input" in done.stderr
    assert "a bug" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("words", [["keys"], ["keys", "--json"], ["schema"], ["--version"]])
def test_a_full_disk_behind_standard_output_is_told_as_such(words: list[str]) -> None:
    program = "import sys; from fleet_tui.cli.main import run; sys.exit(run(sys.argv[1:]))"
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == ExitCode.FAILED
    assert done.stderr == "fleet-tui: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("/dev/zero", "/dev/zero is a device"),
        ("/dev/full", "/dev/full is a device"),
        ("nowhere", "nowhere: No such file or directory"),
        (".", ".: Is a directory"),
        ("x/y\n", "x/y␊: No such file or directory"),
    ],
)
def test_a_text_without_an_end_is_not_read(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, says: str
) -> None:
    (here / "fleet.yaml").write_text("version: 1\nfleet: f\nagents: {}\n")
    assert run(["submit", "--lines", "--file", name]) == ExitCode.USAGE
    assert says in capsys.readouterr().err


def _is_a_directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_is_a_directory, "odd: not a regular file"),
        (os.mkfifo, "odd: not a regular file"),
        (_link_to_a_device, "odd: not a regular file"),
        (lambda _: None, "odd: No such file or directory"),
    ],
)
def test_an_ssh_config_that_is_no_file_is_told_as_such(
    here: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], None], says: str
) -> None:
    make(here / "odd")
    assert run(["import", "ssh-config", "--config", "odd"]) == ExitCode.INVALID_CONFIG
    err = capsys.readouterr().err
    assert says in err
    assert "no hosts were found" not in err
