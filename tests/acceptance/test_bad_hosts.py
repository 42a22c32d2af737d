"""Good hosts beside every kind of bad one, in one fleet: each says what is wrong with it, and none
of them costs the others anything."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh
import psutil
import pytest

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.logs import MAX_LINE_CHARS, LogQuery
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.journal.telemetry.logs import LogReader
from tests.acceptance.rig import MakeRig, Rig
from tests.support.fake_gateway import FakeGateway, Refuse, TcpDial, raw_server, running
from tests.support.fault_ssh import Fault, fault_server
from tests.support.payloads import ESCAPES, MARKUP
from tests.support.sshd import Sshd, free_port, make_sshd, sshd

__all__ = ["sshd"]

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

DEADLINE_S = 60.0
GOOD = ("good-1", "good-2", "good-3")

WRONG: dict[str, tuple[FailureKind, str]] = {
    "unknown-key": (FailureKind.SSH_HOST_KEY, "is not known; to look at it: fleet-tui trust"),
    "changed-key": (FailureKind.SSH_HOST_KEY, "it changed, or another machine answers"),
    "wrong-key": (FailureKind.SSH_AUTH, "Permission denied"),
    "wrong-user": (FailureKind.SSH_AUTH, "Permission denied"),
    "refused": (FailureKind.SSH_UNREACHABLE, "refused"),
    "black-hole": (FailureKind.SSH_UNREACHABLE, "still connecting"),
    "endless-banner": (FailureKind.SSH_PROTOCOL, "no SSH server answers there"),
    "garbage": (FailureKind.SSH_PROTOCOL, ""),
    "no-gateway": (FailureKind.GATEWAY_DOWN, "nothing answers on port"),
    "html": (FailureKind.BAD_ANSWER, "HTTP 200: <html>"),
    "no-http": (FailureKind.BAD_ANSWER, "does not speak HTTP"),
    "silent-gateway": (FailureKind.GATEWAY_HUNG, "no answer within"),
    "wrong-token": (FailureKind.GATEWAY_AUTH, "AUTH_TOKEN_MISMATCH"),
    "no-token": (FailureKind.SECRET_MISSING, "the variable NOBODY_SET_THIS is not set"),
    "no-program": (FailureKind.COMMAND_MISSING, "no-such-program is not on the host's PATH"),
}
"""What is wrong with each bad agent, and words its message must have."""


async def html(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A web server that has nothing to do with agents."""
    while await reader.readuntil(b"\r\n\r\n"):
        page = b"<html><b>[red]\x1b[31mIt works!</b></html>"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
        writer.write(head.encode() + page)
        await writer.drain()


async def not_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"\x00\xff220 mail.example.net ESMTP\x1b[2J\r\n\r\n")
    await writer.drain()
    await reader.read()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    await reader.read()


def mismatch(_params: dict[str, Any]) -> None:
    raise Refuse("INVALID_REQUEST", details={"code": "AUTH_TOKEN_MISMATCH"})


class Yard:
    """The text of a fleet file, host by host."""

    def __init__(self, server: Sshd, directory: Path) -> None:
        self.directory = directory
        self._server = server
        self._hosts: list[str] = []
        self._agents: list[str] = []

    def host(self, name: str, **changes: object) -> None:
        """A host that is the good server but for what is said."""
        spec = self._server.spec()
        entry = {
            "address": "127.0.0.1",
            "port": spec.port,
            "user": spec.user,
            "identity": spec.identity,
            "known_hosts": spec.known_hosts,
            "ssh_config": "off",
        }
        self._hosts.append(f"  {name}: {json.dumps(entry | changes)}\n")

    def program(self, name: str, host: str, command: str = "cat", **more: object) -> None:
        runs = str(self.directory / f"runs-{name}")
        entry = {"kind": "command", "host": host, "command": [command], "run_dir": runs}
        self._agents.append(f"  {name}: {json.dumps(entry | more)}\n")

    def gateway(self, name: str, port: int, token: str = "secret:env:TOKEN") -> None:
        self._agents.append(f"  {name}: {{host: good, port: {port}, token: '{token}'}}\n")

    def text(self) -> str:
        probe = "{every: 500ms, timeout: 3s, down_after: 2, up_after: 1}"
        return (
            f"defaults: {{probe: {probe}}}\n"
            f"hosts:\n{''.join(self._hosts)}agents:\n{''.join(self._agents)}"
        )


DOORS = ("unknown-key", "changed-key", "wrong-key")
"""Hosts that are the good server behind a port of their own."""


def doors(directory: Path) -> tuple[Sshd, dict[str, int]]:
    """A server with more ports than one, so that one machine can be several hosts."""
    ports = {name: free_port() for name in DOORS}
    extra = "\n".join(f"ListenAddress 127.0.0.1:{port}" for port in ports.values())
    return make_sshd(directory, extra), ports


def bad_ssh(yard: Yard, server: Sshd, ports: dict[str, int], directory: Path) -> None:
    """Hosts that turn us away, one for each reason."""
    other = asyncssh.generate_private_key("ssh-ed25519")
    theirs = other.export_public_key().decode().strip()
    ours = server.known_hosts.read_text().split(" ", 1)[1].strip()
    known = directory / "known"
    known.write_text(
        f"[127.0.0.1]:{ports['changed-key']} {theirs}\n[127.0.0.1]:{ports['wrong-key']} {ours}\n"
    )
    stranger = directory / "stranger"
    stranger.write_bytes(other.export_private_key())
    stranger.chmod(0o600)
    for name, port in ports.items():
        key = stranger if name == "wrong-key" else server.user_key
        yard.host(name, port=port, known_hosts=str(known), identity=str(key))
    yard.host("wrong-user", user="no-such-user")
    yard.host("refused", port=free_port())


@asynccontextmanager
async def bad_neighbours(yard: Yard, directory: Path) -> AsyncIterator[None]:
    """Servers that misbehave, for as long as the block lasts."""
    refusing = FakeGateway()
    refusing.handlers["connect"] = mismatch
    async with AsyncExitStack() as stack:
        hole = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yard.host("black-hole", port=hole.getsockname()[1], connect_timeout="5m")
        for fault in (Fault.ENDLESS_BANNER, Fault.GARBAGE):
            known = directory / f"known-{fault}"
            port = await stack.enter_async_context(fault_server(fault, known))
            yard.host(fault.value, port=port, known_hosts=str(known))
        gateways: dict[str, TcpDial] = {}
        for name, talk in (("html", html), ("no-http", not_http), ("silent-gateway", silent)):
            gateways[name] = await stack.enter_async_context(raw_server(talk))
        gateways["wrong-token"] = await stack.enter_async_context(running(refusing))
        for name, dial in gateways.items():
            yard.gateway(name, dial.port)
        well = await stack.enter_async_context(running(FakeGateway()))
        yard.gateway("no-token", well.port, "secret:env:NOBODY_SET_THIS")
        yard.gateway("no-gateway", free_port())
        yield


def order_of(rig: Rig, name: str, *healths: Health) -> int:
    """Where in the ledger an agent first became one of these."""
    return next(
        r.seq
        for r in rig.events()
        if isinstance(r.event, HealthChanged)
        and r.event.agent == name
        and (not healths or r.event.health in healths)
    )


@pytest.fixture
def many_doors(tmp_path: Path) -> Iterator[tuple[Sshd, dict[str, int]]]:
    server, ports = doors(tmp_path / "doors")
    yield server, ports
    server.stop()


async def test_each_bad_host_says_what_is_wrong_and_delays_nobody(
    make_rig: MakeRig, many_doors: tuple[Sshd, dict[str, int]], short_dir: Path
) -> None:
    server, ports = many_doors
    yard = Yard(server, short_dir)
    yard.host("good")
    for name in GOOD:
        yard.program(name, "good")
    yard.program("no-program", "good", command="no-such-program")
    bad_ssh(yard, server, ports, short_dir)
    async with bad_neighbours(yard, short_dir):
        for name in WRONG:
            if name in {"black-hole", "endless-banner", "garbage"} or name in _SSH:
                yard.program(name, name)
        rig = make_rig(yard.text(), TOKEN="not-the-right-one")
        await asyncio.to_thread(rig.start)
        await rig.until(
            lambda: all(rig.agent(name).health is Health.UP for name in GOOD), DEADLINE_S, "good up"
        )
        # Work is taken and done while others hang.
        await asyncio.to_thread(rig.submit, "while others hang")
        await rig.until(
            lambda: bool(rig.tasks()) and rig.tasks()[0].phase is TaskPhase.SUCCEEDED,
            DEADLINE_S,
            "the task is done",
        )
        await rig.until(
            # A machine that is busy says of some, for a while, that they are still connecting.
            lambda: all(
                (agent := rig.agent(name)).health.is_lost
                and agent.failure is kind
                and words in agent.detail.raw
                for name, (kind, words) in WRONG.items()
            ),
            DEADLINE_S,
            "every bad one is found out",
        )
        told = json.loads((await asyncio.to_thread(rig.cli, "agents", "--json")).stdout)
        printed = (await asyncio.to_thread(rig.cli, "agents", "-f", str(rig.file))).stdout
        # The engine leaves first: servers that talk without end cannot hang up on who listens.
        rig.kill()
    assert told["schema"] == "fleet-tui/agents/1"
    for name, (kind, words) in WRONG.items():
        agent = rig.agent(name)
        assert agent.health.is_lost, rig.summary()
        assert agent.failure is kind
        assert words in agent.detail.raw, (name, agent.detail.raw)
        assert kind.text in agent.reason
    assert all(part.isprintable() for part in printed.decode().splitlines())
    assert "Traceback" not in rig.said()
    for name in GOOD:
        assert order_of(rig, name, Health.UP) < order_of(rig, "black-hole")
        assert order_of(rig, name, Health.UP) < order_of(rig, "silent-gateway")
        assert all(
            r.event.health is Health.UP
            for r in rig.events()
            if isinstance(r.event, HealthChanged) and r.event.agent == name
        )


_SSH = {*DOORS, "wrong-user", "refused"}


async def test_a_host_that_freezes_is_told_and_comes_back(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    freezer = make_sshd(short_dir / "freezer")
    try:
        yard = Yard(sshd, short_dir)
        yard.host("good")
        yard.host("ice", port=freezer.port, known_hosts=str(freezer.known_hosts))
        freezer.authorized_keys.write_text(sshd.authorized_keys.read_text())
        yard.program("good-1", "good")
        yard.program("ice-1", "ice")
        rig = make_rig(yard.text())
        await asyncio.to_thread(rig.start)
        await rig.until(
            lambda: {rig.agent(name).health for name in ("good-1", "ice-1")} == {Health.UP},
            DEADLINE_S,
            "both are up",
        )
        frozen = freezer.descendants()
        for process in frozen:
            with suppress(psutil.NoSuchProcess):  # a question that was just answered
                process.send_signal(signal.SIGSTOP)
        await rig.until(lambda: rig.agent("ice-1").health is Health.UNREACHABLE, DEADLINE_S, "lost")
        assert rig.agent("ice-1").failure in {FailureKind.TIMEOUT, FailureKind.SSH_UNREACHABLE}
        assert rig.agent("good-1").health is Health.UP
        await asyncio.to_thread(rig.submit, "beside the ice")
        await rig.until(
            lambda: bool(rig.tasks()) and rig.tasks()[0].phase is TaskPhase.SUCCEEDED,
            DEADLINE_S,
            "the good one works",
        )
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
        await rig.until(lambda: rig.agent("ice-1").health is Health.UP, DEADLINE_S, "back")
        assert "Traceback" not in rig.said()
    finally:
        freezer.stop()


async def test_a_jump_host_that_is_gone_freezes_failover_and_moves_nothing(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    jump = make_sshd(short_dir / "jump")
    jump.authorized_keys.write_text(sshd.authorized_keys.read_text())
    behind = [f"behind-{n}" for n in range(4)]
    gate, book = short_dir / "gate", short_dir / "book"
    script = short_dir / "wait"
    script.write_text(f"#!/bin/sh\ncat >> {book}\nwhile [ ! -e {gate} ]; do sleep 0.1; done\n")
    script.chmod(0o755)
    try:
        yard = Yard(sshd, short_dir)
        yard.host("jump", port=jump.port, known_hosts=str(jump.known_hosts))
        yard.host("inner", jump="jump")
        for name in behind:
            yard.program(name, "inner", str(script))
        rig = make_rig(yard.text())
        await asyncio.to_thread(rig.start)
        await rig.until(
            lambda: all(rig.agent(name).health is Health.UP for name in behind), DEADLINE_S, "up"
        )
        await asyncio.to_thread(rig.submit, "run me\n", "--class", "idempotent")
        await rig.until(lambda: book.exists() and bool(book.read_text()), DEADLINE_S, "it runs")
        jump.stop()
        await rig.until(
            lambda: all(rig.agent(name).health.is_lost for name in behind), DEADLINE_S, "all lost"
        )
        await rig.until(lambda: bool(rig.state().braked_pools), DEADLINE_S, "failover is stopped")
        # That the connection was lost is told at once, and why there is none once it is known.
        await rig.until(
            lambda: "jump host jump" in rig.agent("behind-0").detail.raw, DEADLINE_S, "named"
        )

        def alerts() -> list[str]:
            return [a for a in rig.state().alerts if not a.startswith("unknown-runs")]

        # Those of the agents that were lost before it was the whole pool are taken back.
        await rig.until(
            lambda: [a.partition(":")[0] for a in alerts()] == ["failover-frozen"],
            DEADLINE_S,
            "one alert",
        )
        jump.start()
        gate.touch()
        await rig.until(
            lambda: rig.tasks()[0].phase is TaskPhase.SUCCEEDED, DEADLINE_S, "the run is found"
        )
        assert len(rig.tasks()[0].attempts) == 1
        assert book.read_text() == "run me\n"
    finally:
        jump.stop()


SECRET = "sk-abcdefghijklmnopqrstuvwx"


async def test_hostile_log_lines_are_framed_cut_redacted_and_shown_as_text(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    log = short_dir / "agent.log"
    log.touch()
    yard = Yard(sshd, short_dir)
    yard.host("good")
    yard.program("good-1", "good", log_file=str(log))
    rig = make_rig(yard.text())
    await asyncio.to_thread(rig.start)
    reader: LogReader | None = None

    def lines() -> list[str]:
        nonlocal reader
        reader = reader or LogReader(rig.directory)
        wanted = LogQuery(source=rig.agent("good-1").name, limit=5_000)
        return [line.text.raw for line in reader.query(wanted)]

    def say(data: bytes) -> None:
        with log.open("ab") as file:
            file.write(data)

    def heard_something() -> bool:
        say(b"is anybody there\n")
        return bool(lines())

    await rig.until(heard_something, DEADLINE_S, "the log is read")
    hostile = [text.replace("\n", " ") for text in (*ESCAPES, *MARKUP)]
    for text in hostile:
        say(text.encode("utf-8", "surrogatepass") + b"\n")
    say(b"not utf-8: \xff\xfe\x80 end\n")
    say(f"the key is {SECRET} indeed\n".encode())
    say(b"A" * 10_000_000 + b"\n")
    say(b"the last line\n")
    await rig.until(lambda: "the last line" in lines(), DEADLINE_S, "all of it is stored")

    stored = lines()
    assert max(map(len, stored)) <= MAX_LINE_CHARS
    assert any(line.startswith("AAAA") and "…(+" in line for line in stored)
    assert r"not utf-8: \xff\xfe\x80 end" in stored
    assert not any(SECRET in line for line in stored)
    assert any("[redacted:api-key]" in line for line in stored)
    for form in ((), ("--json",)):
        done = await asyncio.to_thread(rig.cli, "logs", "-f", str(rig.file), "-n", "5000", *form)
        assert done.returncode == 0, done.stderr.decode()
        printed = done.stdout.decode()
        assert "the last line" in printed
        assert SECRET not in printed
        bad = {c for c in printed.replace("\n", "") if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0}
        assert not bad, bad
        if not form:
            assert all(line.isprintable() for line in printed.splitlines())
            assert "[bold]shout" in printed
    if reader is not None:
        reader.close()
    assert os.path.getsize(log) > 10_000_000
    assert "Traceback" not in rig.said()
