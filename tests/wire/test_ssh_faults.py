"""Servers that misbehave: a value each time, never an exception, never a stuck caller."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.tasks.evidence import Definite, LostReason, Unknown
from fleet_tui.wire.ssh.failures import describe
from fleet_tui.wire.ssh.pool import (
    STILL_CONNECTING,
    ChannelFailure,
    Completed,
    SshConnection,
    SshFailure,
    SshPool,
)
from tests.support.fault_ssh import HOSTILE, Fault, fault_server
from tests.support.sshd import free_port

BOX = HostName("box")


def spec(tmp_path: Path, port: int, *, timeout_ms: int = 10_000) -> HostSpec:
    key = tmp_path / "key"
    if not key.exists():
        key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        key.chmod(0o600)
    return HostSpec(
        name=BOX,
        address="127.0.0.1",
        port=port,
        user="somebody",
        identity=str(key),
        known_hosts=str(tmp_path / "known_hosts"),
        use_ssh_config=False,
        connect_timeout_ms=timeout_ms,
    )


@asynccontextmanager
async def pool_for(
    tmp_path: Path, fault: Fault, *, timeout_ms: int = 10_000
) -> AsyncIterator[SshPool]:
    async with fault_server(fault, tmp_path / "known_hosts") as port:
        hosts = {BOX: spec(tmp_path, port, timeout_ms=timeout_ms)}
        pool = SshPool(hosts, rng=random.Random(1), clock=time.monotonic)
        try:
            yield pool
        finally:
            await pool.close()


async def connected(pool: SshPool) -> SshConnection:
    found = await pool.connect(BOX)
    assert isinstance(found, SshConnection), found
    return found


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.REFUSE_AUTH, FailureKind.SSH_AUTH),
        (Fault.SILENT, FailureKind.SSH_UNREACHABLE),
        (Fault.ENDLESS_BANNER, FailureKind.SSH_PROTOCOL),
        (Fault.GARBAGE, FailureKind.SSH_PROTOCOL),
        (Fault.CLOSE_AT_ONCE, FailureKind.SSH_UNREACHABLE),
        (Fault.CLOSE_AFTER_BANNER, FailureKind.SSH_UNREACHABLE),
    ],
)
async def test_a_bad_beginning_is_a_failure_of_its_kind(
    tmp_path: Path, fault: Fault, kind: FailureKind
) -> None:
    async with pool_for(tmp_path, fault, timeout_ms=1_500) as pool:
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert found.kind is kind


async def test_nobody_listens(tmp_path: Path) -> None:
    pool = SshPool({BOX: spec(tmp_path, free_port())}, rng=random.Random(1), clock=time.monotonic)
    found = await pool.connect(BOX)
    assert isinstance(found, SshFailure)
    assert found.kind is FailureKind.SSH_UNREACHABLE
    await pool.close()


async def test_another_host_key_is_refused_and_not_asked_again_soon(tmp_path: Path) -> None:
    async with fault_server(Fault.NONE, tmp_path / "known_hosts") as port:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{port} {other}")
        now_s = 1_000.0
        pool = SshPool({BOX: spec(tmp_path, port)}, rng=random.Random(1), clock=lambda: now_s)
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert found.kind is FailureKind.SSH_HOST_KEY
        assert "changed" in found.detail.raw
        now_s += 59
        assert await pool.connect(BOX) is found
        now_s += 2
        assert await pool.connect(BOX) is not found
        await pool.close()


async def test_an_unknown_host_key_names_the_command_that_shows_it(tmp_path: Path) -> None:
    async with fault_server(Fault.NONE, tmp_path / "known_hosts") as port:
        (tmp_path / "known_hosts").write_text("")
        pool = SshPool({BOX: spec(tmp_path, port)}, rng=random.Random(1), clock=time.monotonic)
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert found.kind is FailureKind.SSH_HOST_KEY
        assert "fleet-tui trust box" in found.detail.raw
        await pool.close()


async def test_between_attempts_the_last_failure_comes_back_at_once(tmp_path: Path) -> None:
    now_s = 0.0
    pool = SshPool({BOX: spec(tmp_path, free_port())}, rng=random.Random(1), clock=lambda: now_s)
    first = await pool.connect(BOX)
    assert await pool.connect(BOX) is first
    now_s = 60.0
    second = await pool.connect(BOX)
    assert isinstance(second, SshFailure)
    assert second is not first
    await pool.close()


async def test_what_is_wrong_with_a_host_is_not_forgotten_while_it_is_asked_again(
    tmp_path: Path,
) -> None:
    now_s = 0.0
    async with fault_server(Fault.SILENT, tmp_path / "known_hosts") as port:
        hosts = {BOX: spec(tmp_path, port, timeout_ms=100)}
        pool = SshPool(hosts, rng=random.Random(1), clock=lambda: now_s)
        first = asyncio.create_task(pool.connect(BOX))
        await asyncio.sleep(0)
        assert pool.why_not(BOX) is STILL_CONNECTING
        wrong = await first
        assert isinstance(wrong, SshFailure)
        now_s = 60.0
        again = asyncio.create_task(pool.connect(BOX))
        await asyncio.sleep(0)
        assert pool.why_not(BOX) is wrong
        await again
        await pool.close()
    async with pool_for(tmp_path, Fault.NONE) as pool:
        await connected(pool)
        assert pool.why_not(BOX) is None


async def test_hosts_that_never_answer_delay_nobody(tmp_path: Path) -> None:
    silent = [HostName(f"silent-{number}") for number in range(12)]
    async with (
        fault_server(Fault.SILENT, tmp_path / "nothing") as hole,
        fault_server(Fault.NONE, tmp_path / "known_hosts") as good,
    ):
        hosts = {name: spec(tmp_path, hole, timeout_ms=60_000) for name in silent}
        hosts[BOX] = spec(tmp_path, good)
        pool = SshPool(hosts, rng=random.Random(1), clock=time.monotonic, handshakes=2)
        waiting = [asyncio.create_task(pool.connect(name)) for name in silent]
        await asyncio.sleep(0)  # every one of them is under way before the good one
        await connected(pool)
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await pool.close()


async def test_no_session_means_that_nothing_was_run(tmp_path: Path) -> None:
    async with pool_for(tmp_path, Fault.NO_SESSIONS) as pool:
        connection = await connected(pool)
        found = await connection.run("anything", timeout_ms=5_000)
        assert isinstance(found, ChannelFailure)
        assert found.kind is FailureKind.SESSION_DENIED


@pytest.mark.parametrize(
    ("greeting", "shown"),
    [
        (b"220 mail.example.net ESMTP\r\n", "220 mail.example.net ESMTP"),
        (b"\xff\xfd\x18login: ", "login: "),
        (b"3fa8\r\n77\r\n", "3fa8"),
    ],
)
async def test_who_waits_for_us_after_a_greeting_of_another_kind_is_no_ssh_server(
    tmp_path: Path, greeting: bytes, shown: str
) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        while await reader.read(1):
            pass
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = SshPool(
        {BOX: spec(tmp_path, port, timeout_ms=1_000)}, rng=random.Random(1), clock=time.monotonic
    )
    found = await pool.connect(BOX)
    assert isinstance(found, SshFailure)
    assert found.kind is FailureKind.SSH_PROTOCOL
    assert "no SSH server answers there" in found.detail.raw
    assert shown in found.detail.raw
    await pool.close()
    server.close()


def test_an_error_of_the_system_is_told_in_its_words() -> None:
    assert describe(ConnectionResetError(104, "Connection reset by peer")).raw == os.strerror(104)
    assert describe(FileNotFoundError(2, "No such file", "/a")).raw == (
        "[Errno 2] No such file: '/a'"
    )


async def test_denied_forwarding_is_not_a_dead_gateway(tmp_path: Path) -> None:
    async with pool_for(tmp_path, Fault.NO_FORWARDING) as pool:
        connection = await connected(pool)
        found = await connection.open_tcp(80)
        assert isinstance(found, ChannelFailure)
        assert found.kind is FailureKind.FORWARD_DENIED


async def test_without_an_exit_status_nothing_is_known(tmp_path: Path) -> None:
    async with pool_for(tmp_path, Fault.NO_EXIT_STATUS) as pool:
        connection = await connected(pool)
        found = await connection.run("anything", timeout_ms=5_000)
        assert isinstance(found, Unknown)
        assert found.reason is LostReason.CONNECTION_LOST


async def test_hostile_bytes_arrive_as_they_are_and_end_nothing(tmp_path: Path) -> None:
    async with pool_for(tmp_path, Fault.HOSTILE_TEXT) as pool:
        connection = await connected(pool)
        for _ in range(2):
            found = await connection.run("anything", timeout_ms=5_000)
            expected = Completed(exit_status=0, stdout=HOSTILE, stderr=HOSTILE)
            assert found == Definite(expected)
        assert not connection.lost.is_set()


async def test_endless_output_is_cut_off_and_the_connection_lives(tmp_path: Path) -> None:
    async with pool_for(tmp_path, Fault.FLOOD) as pool:
        connection = await connected(pool)
        found = await connection.run("anything", timeout_ms=20_000, max_output_bytes=100_000)
        assert isinstance(found, Unknown)
        assert found.reason is LostReason.BAD_ANSWER
        assert not connection.lost.is_set()


async def test_a_cancelled_caller_does_not_disturb_the_others(tmp_path: Path) -> None:
    async with pool_for(tmp_path, Fault.NONE) as pool:
        hasty = asyncio.create_task(pool.connect(BOX))
        patient = asyncio.create_task(pool.connect(BOX))
        await asyncio.sleep(0)  # both wait for the same handshake now
        hasty.cancel()
        found = await patient
        assert isinstance(found, SshConnection)
        assert await pool.connect(BOX) is found
        with pytest.raises(asyncio.CancelledError):
            await hasty


async def test_after_close_there_are_no_connections(tmp_path: Path) -> None:
    async with pool_for(tmp_path, Fault.NONE) as pool:
        connection = await connected(pool)
        await pool.close()
        assert connection.lost.is_set()
        assert isinstance(await pool.connect(BOX), SshFailure)


async def test_a_host_the_fleet_does_not_have(tmp_path: Path) -> None:
    pool = SshPool({}, rng=random.Random(1), clock=time.monotonic)
    assert isinstance(await pool.connect(BOX), SshFailure)


@pytest.mark.parametrize("path", ["/nowhere/key", "known_hosts"])
async def test_a_bad_identity_is_told_in_words(tmp_path: Path, path: str) -> None:
    (tmp_path / "known_hosts").write_text("this is no key\n")
    base = spec(tmp_path, 1)
    bad = HostSpec(
        name=BOX, address="127.0.0.1", identity=str(tmp_path / path), use_ssh_config=False
    )
    pool = SshPool({BOX: bad}, rng=random.Random(1), clock=time.monotonic)
    found = await pool.connect(BOX)
    assert isinstance(found, SshFailure)
    assert found.kind is FailureKind.SSH_AUTH
    assert path in found.detail.raw
    assert base.identity is not None
