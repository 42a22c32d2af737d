"""Secrets that a program on a host is given: in its environment, and nowhere else there."""

import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from fleet_tui.core.fleet import CommandAgent
from fleet_tui.core.ids import AgentName, Epoch, HostName
from fleet_tui.core.tasks.evidence import Definite, NotStarted, Started
from fleet_tui.wire.programs import wrapper
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.ssh.pool import SshPool
from tests.support.programs import finished, order, until, wall_ms
from tests.support.sshd import Sshd, make_sshd

BOX = HostName("box")
CANARY = 'C4n4ry it\'s "$(x)" `y` \\ 密 %s'
"""With all that a shell could act on."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd")
    running.stop()
    running.extra = "LogLevel DEBUG3"
    running.start()
    yield running
    running.stop()


@asynccontextmanager
async def worker(server: Sshd, script: str, **env: str) -> AsyncIterator[CommandPort]:
    pool = SshPool({BOX: server.spec()}, rng=random.Random(1), clock=time.monotonic)
    port = CommandPort(
        AgentName("worker"),
        CommandAgent(command=("sh", "-c", script), run_dir=str(server.directory / "runs"), env=env),
        BOX,
        pool,
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=20_000,
        now_ms=wall_ms,
        files=lambda: pool.connect(BOX),
    )
    try:
        yield port
    finally:
        await port.close()
        await pool.close()


def arguments_of_all() -> list[str]:
    """What anybody on the machine can see of its processes."""
    shown = []
    for process in psutil.process_iter():
        try:
            shown.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return shown


def files_with_it(server: Sshd, but: Path) -> set[Path]:
    """Whatever lies on the host."""
    files = [p for p in server.directory.rglob("*") if p.is_file() and p != but]
    return {path for path in files if b"C4n4ry" in path.read_bytes()}


@pytest.mark.sshd
async def test_a_program_on_a_host_gets_its_secret_in_no_argument_file_or_log(
    server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", CANARY)
    monkeypatch.setenv("SHORT", "x")
    got, go = server.directory / "got", server.directory / "go"
    script = (
        f'printf %s "$API_KEY" >{got}.new; mv {got}.new {got}; until [ -f {go} ]; do sleep 0.05; '
        "done; echo $state ${FLEET_TUI_GIVEN-gone} $PLAIN"
    )
    # One of a name that the wrapper uses itself.
    env = {"API_KEY": "secret:env:HERE", "state": "secret:env:SHORT", "PLAIN": "written"}
    async with worker(server, script, **env) as port:
        started = await port.start(order())
        assert isinstance(started, Definite)
        assert isinstance(started.value, Started)
        await until(got.exists)
        assert got.read_text() == CANARY
        assert not [line for line in arguments_of_all() if "C4n4ry" in line]
        assert files_with_it(server, got) == set()
        go.touch()
        assert (await finished(port, order())).answer.text.raw == "x gone written\n"
        assert files_with_it(server, got) == set()


@pytest.mark.sshd
async def test_a_secret_from_the_host_itself(server: Sshd) -> None:
    place = server.home / "key"
    place.write_text("from here\n")
    place.chmod(0o600)
    async with worker(server, 'echo "got $API_KEY"', API_KEY=f"secret:host:{place}") as port:
        await port.start(order())
        assert "secret:host" not in (text := (await finished(port, order())).answer.text.raw)
        assert text == "got [redacted:token]\n"


@pytest.mark.sshd
async def test_without_its_secret_nothing_is_started(
    server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker(server, "true", API_KEY="secret:env:NOBODY_SET_THIS") as port:
        found = await port.start(order())
        assert isinstance(found, Definite)
        assert isinstance(found.value, NotStarted)
        assert found.value.reason == "secret-missing"
        monkeypatch.setenv("NOBODY_SET_THIS", "nobody-set-this-" * 7)
        monkeypatch.setattr(wrapper, "MAX_SECRETS_BYTES", 50)
        found = await port.start(order())
        assert isinstance(found, Definite)
        assert isinstance(found.value, NotStarted)
        assert found.value.reason == "secrets-too-large"
    assert not (server.directory / "runs" / order().run_id).exists()
