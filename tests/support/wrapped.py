"""Programs run by the wrapper on this machine, through every shell that is installed here."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from fleet_tui.core.fleet import LocalAgent
from fleet_tui.core.ids import AgentName, Epoch
from fleet_tui.core.tasks.evidence import Definite
from fleet_tui.wire.programs import local, wrapper
from fleet_tui.wire.programs.local import LocalPort, LocalShell
from fleet_tui.wire.shell import RunResult
from tests.support.programs import order, wall_ms

SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]

MakePort = Callable[..., LocalPort]

FENCED = Definite(wrapper.FENCED)


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make ``sh`` mean one particular shell."""
    name = str(request.param)
    found = shutil.which(name)
    assert found is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to(found)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(local, "SH", str(tmp_path / "bin" / "sh"))
    return name


@pytest.fixture
def make_port(tmp_path: Path) -> MakePort:
    """Makes agents that share one run directory."""

    directories: dict[int, wrapper.RunDirectory] = {}

    def make(
        *command: str,
        epoch: int = 1,
        env: dict[str, str] | None = None,
        shell: LocalShell | None = None,
        run_dir: str = str(tmp_path / "runs"),
    ) -> LocalPort:
        spec = LocalAgent(command=command, run_dir=run_dir, env=env or {})
        return LocalPort(
            AgentName("worker"),
            spec,
            directory=directories.setdefault(epoch, wrapper.RunDirectory(Epoch(epoch))),
            probe_timeout_ms=20_000,
            now_ms=wall_ms,
            shell=shell,
        )

    return make


def run_directory(tmp_path: Path, attempt: int = 1) -> Path:
    """Where the wrapper keeps an attempt of the one task."""
    return tmp_path / "runs" / order(attempt=attempt).run_id


def working_directory(tmp_path: Path, attempt: int = 1) -> Path:
    """Where an attempt's program works."""
    return run_directory(tmp_path, attempt) / "work" / "run"


AWKWARD = 'it\'s "quoted" $(touch /tmp/no) `id` \\ %s !! \n\n\ttab ~ é 🦞 #end\n* ? [x]\r\n'


def owner_of(tmp_path: Path, attempt: int = 1) -> list[str]:
    """The words of the file that says who runs an attempt: run, pid, begin, boot id, ms."""
    return (run_directory(tmp_path, attempt) / "owner").read_text().split()


def kill_all_of(leader: int) -> None:
    """End a run the way the kernel does when memory is short: all of its session, and first of all
    who would write down how the program ended."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    while left := _members(leader):  # one that was just being started is in no list yet
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _members(leader: int) -> list[psutil.Process]:
    """Who lives in its session."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


class Meddler(LocalShell):
    """A way to the host on which the end of the question changes."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._change = change

    async def run(
        self, command: str, stdin: bytes = b"", *, timeout_ms: int, max_output_bytes: int = 10**6
    ) -> RunResult:
        return await super().run(
            command,
            self._change(stdin),
            timeout_ms=timeout_ms,
            max_output_bytes=max_output_bytes,
        )
