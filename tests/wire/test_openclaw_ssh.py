"""Gateways reached through a real sshd, and every way in which that can fail."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.ids import HostName
from fleet_tui.core.tasks.evidence import Definite, Finished, NotStarted, Usage
from fleet_tui.wire.openclaw.dial import dial_over_ssh
from fleet_tui.wire.openclaw.port import OpenClawPort
from fleet_tui.wire.ssh.pool import SshPool
from tests.support.fake_gateway import ORDER, FakeGateway, Session, port_to, running
from tests.support.sshd import Sshd, free_port, make_sshd

pytestmark = pytest.mark.sshd

HOST = HostName("box")


@asynccontextmanager
async def through(server: Sshd, gateway_port: int) -> AsyncIterator[OpenClawPort]:
    pool = SshPool({HOST: server.spec()}, rng=random.Random(1), clock=time.monotonic)
    try:
        async with port_to(dial_over_ssh(pool, HOST, gateway_port), timeout_ms=10_000) as port:
            yield port
    finally:
        await pool.close()


async def test_probe_and_run_through_one_connection(tmp_path: Path) -> None:
    gateway = FakeGateway()
    Session(gateway)
    gateway.handlers["diagnostics.lanes"] = lambda _: {"lanes": []}
    gateway.handlers["system.info"] = lambda _: {}
    server = make_sshd(tmp_path)
    try:
        async with running(gateway) as dial, through(server, dial.port) as port:
            assert isinstance(await port.probe(), VitalsReading)
            await port.start(ORDER)
            untold = Usage(unusable=True)  # this gateway tells none
            assert await port.follow(ORDER) == Definite(Finished(ok=True, usage=untold))
            assert len(server.sessions()) == 1
            assert len(gateway.asked("connect")) == 1
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("options", "stopped", "kind"),
    [
        ("", False, FailureKind.GATEWAY_DOWN),
        ("AllowTcpForwarding no", False, FailureKind.FORWARD_DENIED),
        ("", True, FailureKind.SSH_UNREACHABLE),
    ],
)
async def test_what_is_wrong_is_told_apart(
    tmp_path: Path, options: str, stopped: bool, kind: FailureKind
) -> None:
    server = make_sshd(tmp_path, options)
    try:
        if stopped:
            server.stop()
        async with through(server, free_port()) as port:
            look = await port.probe()
            assert isinstance(look, ProbeFailure)
            assert look.kind is kind
            started = await port.start(ORDER)
        assert isinstance(started, Definite)
        assert isinstance(started.value, NotStarted)
        assert started.value.reason == kind.value
    finally:
        server.stop()
