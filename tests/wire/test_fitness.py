"""What a host cannot do for runs is found out by its first look, in words, and no start is lost."""

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.fleet import CommandAgent
from fleet_tui.core.ids import AgentName, Epoch, HostName, RunId
from fleet_tui.core.tasks.evidence import Definite, NotStarted, Stopped
from fleet_tui.wire.programs import fitness, local
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.local import LocalPort
from fleet_tui.wire.programs.wrapper import COMMAND, SCRIPT, RunDirectory
from fleet_tui.wire.ssh.pool import SshPool
from tests.support.needs import missing, not_allowed
from tests.support.programs import finished, order, wall_ms
from tests.support.sshd import make_sshd
from tests.support.wrapped import SHELLS, MakePort, make_port, sh

__all__ = ["make_port", "sh"]

WRAPPER = files("fleet_tui.wire.programs").joinpath("wrapper.sh").read_text(encoding="utf-8")


def needed() -> list[str]:
    """The tools that the wrapper says it needs, and one to hash with."""
    found = re.search(r'^TOOLS="([a-z ]+)"$', WRAPPER, re.MULTILINE)
    assert found is not None
    return [*found[1].split(), "sha256sum", "setsid"]


@pytest.fixture
def tools(tmp_path: Path, sh: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with what the wrapper says it needs, setsid, and nothing else."""
    place = tmp_path / "tools"
    place.mkdir()
    for name in needed():
        found = shutil.which(name if name != "sh" else sh)
        assert found is not None, name
        (place / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(place))
    return place


def fake(tools: Path, name: str, script: str) -> None:
    """Put a script in a tool's place."""
    real = (tools / name).resolve()
    (tools / name).unlink(missing_ok=True)
    (tools / name).write_text(f"#!/bin/sh\nreal={real}\n{script}\n")
    (tools / name).chmod(0o755)


def asked(tmp_path: Path, verb: str, *lines: str, shell: tuple[str, ...] = ("sh", "-c")) -> bytes:
    """A question without an engine, through whatever program stands between."""
    facts = (verb, f"{tmp_path}/runs", "-", "1", "fenced", "262144 0 1 1", *lines)
    question = SCRIPT + "".join(f"{line}\n" for line in facts).encode()
    command = [COMMAND] if shell[-1] == "-c" else []
    return subprocess.run(
        [*shell, *command], input=question, capture_output=True, cwd=tmp_path, check=False
    ).stdout


async def unfit(port: LocalPort | CommandPort) -> ProbeFailure:
    found = await port.probe()
    assert isinstance(found, ProbeFailure), found
    assert found.kind is FailureKind.CANNOT_WORK, found
    return found


async def test_the_list_of_tools_is_whole(make_port: MakePort, tools: Path) -> None:
    """With nothing but these, a run starts, is seen, stopped, told and collected."""
    port = make_port("cat")
    assert isinstance(await port.probe(), VitalsReading)
    await port.start(order("hello"))
    found = await finished(port, order("hello"))
    assert (found.ok, found.answer.text.raw) == (True, "hello")
    waits, second = make_port("sleep", "300"), order(attempt=2)
    await waits.start(second)
    assert await waits.cancel(second) == Definite(Stopped())
    runs = [RunId(order().run_id), RunId(second.run_id)]
    assert await port.collect(runs) == (order().run_id, second.run_id)
    assert tools.exists()


@pytest.mark.parametrize("name", [name for name in needed() if name not in ("sh", "setsid")])
async def test_a_tool_that_is_missing_is_named(make_port: MakePort, tools: Path, name: str) -> None:
    (tools / name).unlink()
    assert (await unfit(make_port("cat"))).cause == f"its host has no {name}"


FAULTS = {
    "no hard links": (
        "ln", 'echo "ln: failed to create hard link: Operation not permitted" >&2; exit 1',
        "its run_dir has no hard links", "Operation not permitted",
    ),
    "links that replace": (
        "ln", 'exec "$real" -f "$@"', "a hard link in its run_dir replaces what is there", "",
    ),
    "no renaming": (
        "mv", 'case $2 in */.try.*/c) echo "mv: no" >&2; exit 1 ;; esac; exec "$real" "$@"',
        "nothing can be renamed in its run_dir", "mv: no",
    ),
    "no directories": (
        "mkdir", 'case $1 in */.try.*) echo "Disk quota exceeded" >&2; exit 1 ;; esac; '
        'exec "$real" "$@"',
        "no directory can be made in its run_dir", "Disk quota exceeded",
    ),
    "other bytes come back": (
        "cat", "echo other", "nothing can be written to its run_dir", "other",
    ),
    "a hash tool that does not know what is asked": (
        "sha256sum", "cat > /dev/null; echo usage",
        "its host's tool for SHA-256 gives wrong sums", "usage",
    ),
    "a hash tool that cannot be loaded": (
        "sha256sum", "exit 127", "its host's tool for SHA-256 gives wrong sums", "",
    ),
    "a disk of unknown room": (
        "df", 'case $1 in -Pk) echo "df: no mount table" >&2; exit 1 ;; esac; exec "$real" "$@"',
        "how much room its run_dir has is not told by its host", "df: no mount table",
    ),
    "no inodes": (
        "df", 'case $1 in -Pi) echo H; echo "d 5000 4990 10 99% /" ;; *) exec "$real" "$@" ;; esac',
        "the disk of its run_dir has no room for more files (inodes)", "10 left",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
async def test_what_its_disk_cannot_do_is_said(
    make_port: MakePort, tools: Path, name: str, tmp_path: Path
) -> None:
    tool, script, cause, said = FAULTS[name]
    fake(tools, tool, script)
    found = await unfit(make_port("cat"))
    assert found.cause == cause
    assert said in found.detail.raw
    assert list((tmp_path / "runs").glob(".try*")) == []


def test_a_disk_whose_name_has_spaces_is_measured(tools: Path, tmp_path: Path) -> None:
    line = "/dev/a disk of 7 words 100000   50   99999    1% /a mount"
    fake(tools, "df", f'case $1 in -Pk) echo H; echo "{line}" ;; *) exec "$real" "$@" ;; esac')
    assert b"\ndisk 99999\n" in asked(tmp_path, "look", "cat", "rehearse")


async def test_a_clock_that_cannot_be_read_is_no_wrong_clock(
    make_port: MakePort, tools: Path, tmp_path: Path
) -> None:
    fake(tools, "date", "exit 1")
    assert b"\ntime -\n" in asked(tmp_path, "look", "cat", "rehearse")
    port = make_port("cat")
    await port.probe()
    await port.start(order("hello"))
    found = await finished(port, order("hello"))
    assert (found.answer.text.raw, found.duration_ms is None) == ("hello", False)


@pytest.mark.parametrize("program", ["cd", "while", "/", "/etc/passwd", "./no", "~/no", "no"])
def test_what_is_no_program_is_found_out_beforehand(
    tools: Path, tmp_path: Path, program: str
) -> None:
    assert tools.exists()
    assert b"\nstate missing\n" in asked(tmp_path, "look", program, "quick")


@pytest.mark.parametrize(
    "options", ["errexit", "nounset", "noclobber", "xtrace", "verbose", "errexit:nounset:noclobber"]
)
async def test_options_of_the_environment_change_nothing(
    make_port: MakePort, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: str
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        missing("no bash here")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to(bash)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(local, "SH", str(tmp_path / "bin" / "sh"))
    monkeypatch.setenv("SHELLOPTS", options)
    port = make_port("cat")
    assert isinstance(await port.probe(), VitalsReading)
    await port.start(order("hello"))
    assert (await finished(port, order("hello"))).answer.text.raw == "hello"


@pytest.mark.parametrize("what", ["pipe", "device", "directory", "loop"])
def test_a_log_that_is_no_file_is_passed_over(tmp_path: Path, what: str) -> None:
    """A pipe would make its reader wait for ever, and a device would be read for ever."""
    log = tmp_path / "log"
    match what:
        case "pipe":
            os.mkfifo(log)
        case "device":
            log.symlink_to("/dev/zero")
        case "directory":
            log.mkdir()
        case _:
            log.symlink_to(log)
    said = asked(tmp_path, "tail", str(log), "new", "0", "1").decode()
    assert said.splitlines()[2:4] == ["state tailing", "missing"]
    assert said.endswith("end\n")


@pytest.mark.parametrize("shell", [name for name in SHELLS if name != "busybox"])
def test_a_shell_that_takes_the_script_for_its_input_changes_nothing(
    tmp_path: Path, shell: str
) -> None:
    """Such as a ForceCommand: it would take each line for the one before."""
    for verb in ("look", "start", "cancel"):
        said = asked(tmp_path, verb, "touch ran", "echo ran", shell=(shell,))
        assert said == b""
        assert list(tmp_path.iterdir()) == []


def test_a_beginning_in_a_directory_that_is_gone_hinders_nothing(tmp_path: Path) -> None:
    gone = ("sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec sh -c "$1"', "sh", COMMAND)
    said = asked(tmp_path, "look", "cat", "rehearse", shell=gone)
    assert b"\nstate ok\n" in said
    assert b"cannot" not in said


async def test_a_start_without_hard_links_ran_nothing_and_says_so(
    make_port: MakePort, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = tmp_path / "book"
    port = make_port("sh", "-c", f"echo ran >> {book}")
    await port.probe()
    real = (tools / "ln").resolve()
    fake(tools, "ln", "exit 1")
    assert await port.start(order()) == Definite(NotStarted(reason="no-hard-links"))
    # Found out the hard way, so the next look tries again, and so on until it is mended.
    assert (await unfit(port)).cause == "its run_dir has no hard links"
    (tools / "ln").unlink()
    (tools / "ln").symlink_to(real)
    await unfit(port)
    monkeypatch.setattr(fitness, "REHEARSE_AGAIN_S", 0.0)
    port = make_port("sh", "-c", f"echo ran >> {book}")
    assert isinstance(await port.probe(), VitalsReading)
    found = await port.start(order())
    assert isinstance(found, Definite)
    assert isinstance(found.value, NotStarted)
    assert not book.exists()


async def test_a_host_that_is_mended_is_well_again(
    make_port: MakePort, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitness, "REHEARSE_AGAIN_S", 0.0)
    real = (tools / "ln").resolve()
    fake(tools, "ln", "exit 1")
    port = make_port("cat")
    await unfit(port)
    await unfit(port)
    (tools / "ln").unlink()
    (tools / "ln").symlink_to(real)
    assert isinstance(await port.probe(), VitalsReading)


async def test_a_host_where_no_process_stays_is_believed_the_second_time(
    make_port: MakePort, tools: Path
) -> None:
    fake(tools, "setsid", "exit 1")
    port = make_port("cat")
    assert isinstance(await port.probe(), VitalsReading)
    assert (await unfit(port)).cause == "no process can be left running there"


async def test_a_host_where_a_run_could_not_be_stopped_takes_none(
    make_port: MakePort, tools: Path, sh: str, tmp_path: Path
) -> None:
    """A process that leads no group cannot be ended with all it starts. bash makes one itself."""
    (tools / "setsid").unlink()
    port, book = make_port("sh", "-c", f"echo ran >> {tmp_path}/book"), tmp_path / "book"
    if sh == "bash":
        assert isinstance(await port.probe(), VitalsReading)
        return
    assert "neither setsid nor perl" in (await unfit(port)).cause
    started = await port.start(order())
    assert isinstance(started, Definite)
    assert isinstance(started.value, NotStarted)
    assert not book.exists()


@pytest.mark.parametrize("where", ["runs", "runs/deeper"])
async def test_a_run_dir_with_a_file_in_its_way(
    make_port: MakePort, tmp_path: Path, where: str
) -> None:
    (tmp_path / "runs").write_text("a file is in the way")
    port = make_port("cat", run_dir=str(tmp_path / where))
    found = await unfit(port)
    assert found.cause == "its run_dir cannot be made, or nothing may be written to it"
    assert "exists" in found.detail.raw or "directory" in found.detail.raw


@pytest.fixture
def mounted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The run directory on a file system of its own, mounted with the options of the test."""
    if os.getuid() != 0:
        not_allowed("only root may mount")
    disk = tmp_path / "runs"
    disk.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", str(request.param), "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        not_allowed("no file systems may be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize(
    ("mounted", "cause"),
    [
        ("ro,size=100m", "its run_dir cannot be made, or nothing may be written to it"),
        ("size=100m,nr_inodes=50", "the disk of its run_dir has no room for more files (inodes)"),
        ("size=100m,noexec,nosuid,nodev", ""),
    ],
    indirect=["mounted"],
)
@pytest.mark.usefixtures("mounted")
async def test_file_systems_that_can_hold_runs_and_those_that_cannot(
    make_port: MakePort, cause: str
) -> None:
    port = make_port("cat")
    if cause:
        assert (await unfit(port)).cause == cause
        return
    assert isinstance(await port.probe(), VitalsReading)
    await port.start(order("hello"))
    assert (await finished(port, order("hello"))).answer.text.raw == "hello"


@pytest.mark.parametrize("mounted", ["size=400k"], indirect=True)
async def test_a_program_that_fills_the_disk_leaves_its_exit_status(
    make_port: MakePort, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.wire.programs.wrapper.LEAST_FREE_KB", 0)
    port = make_port("sh", "-c", "echo begun; cat /dev/zero > filler; sync; exit 7")
    await port.start(order())
    found = await finished(port, order())
    assert (found.failure, found.answer.text.raw) == ("exit-7", "begun\n")
    assert os.statvfs(mounted).f_bavail == 0


@pytest.mark.sshd
async def test_the_same_is_found_out_over_ssh(tmp_path: Path) -> None:
    tools = tmp_path / "faked"
    tools.mkdir()
    (tools / "ln").write_text("#!/bin/sh\necho 'ln: not here' >&2; exit 1\n")
    (tools / "ln").chmod(0o755)
    server = make_sshd(tmp_path / "sshd", env=f"PATH={tools}:{os.environ['PATH']}")
    box = HostName("box")
    pool = SshPool({box: server.spec()}, rng=random.Random(1), clock=time.monotonic)
    port = CommandPort(
        AgentName("worker"),
        CommandAgent(command=("cat",), run_dir=str(tmp_path / "runs")),
        box,
        pool,
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=20_000,
        now_ms=wall_ms,
    )
    try:
        for _ in range(2):
            found = await unfit(port)
            assert found.cause == "its run_dir has no hard links"
            assert found.detail.raw == f"{tmp_path}/runs: ln: not here"
        started = await port.start(order())
        assert started == Definite(NotStarted(reason="no-hard-links"))
        (tools / "ln").unlink()
        server.kill_sessions()  # a new connection is a reason to try again

        async def well() -> bool:
            return isinstance(await port.probe(), VitalsReading)

        while not await well():
            pass
    finally:
        await pool.close()
        server.stop()


def tailed(tmp_path: Path, log: Path, offset: int) -> bytes:
    inode = str(log.stat().st_ino)
    return asked(tmp_path, "tail", str(log), inode, str(offset), "1")


BEGUN = 3_000_000_000


@pytest.mark.parametrize("with_dd", [True, False], ids=["dd", "no-dd"])
def test_a_log_of_gigabytes_is_read_where_it_grows(
    tools: Path, sh: str, tmp_path: Path, with_dd: bool
) -> None:
    """BusyBox's tail reads all that stands before, and fails after two gigabytes."""
    if sh == "busybox":
        for name in ("cat", "head", "ls", "tail"):
            (tools / name).unlink()
            (tools / name).symlink_to((tools / "sh").resolve())
    if with_dd:
        dd = shutil.which("dd", path=os.defpath)
        (tools / "dd").symlink_to((tools / "sh").resolve() if sh == "busybox" else str(dd))
    log = tmp_path / "log"
    begun = BEGUN if with_dd else 3_000
    with log.open("wb") as file:
        file.truncate(begun)
        file.seek(begun)
        file.write(b"grown\n")
    assert b"\nblob log 6\ngrown\n\n" in tailed(tmp_path, log, begun)


def test_a_piece_of_a_log_is_as_long_as_it_was_said_to_be(tools: Path, tmp_path: Path) -> None:
    """Else what follows it would be taken for the log."""
    fake(tools, "tail", "exit 1")
    log = tmp_path / "log"
    log.write_bytes(b"old\nnew\n")
    assert b"\nblob log 4\n\0\0\0\0\nend\n" in tailed(tmp_path, log, 4)
