"""Servers that say what they should not: what does not matter is passed over, what breaks the
protocol is told as that."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import msgspec
import pytest
from asyncssh.packet import Boolean, String, UInt32

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure
from fleet_tui.core.fleet import CommandAgent, HostSpec
from fleet_tui.core.ids import AgentName, Epoch, HostName
from fleet_tui.core.tasks.evidence import Definite
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.ssh import trust
from fleet_tui.wire.ssh.failures import connect_failure
from fleet_tui.wire.ssh.pool import (
    ChannelFailure,
    Completed,
    SshConnection,
    SshFailure,
    SshPool,
)
from fleet_tui.wire.ssh.trust import look_at_key
from tests.support.programs import wall_ms
from tests.support.rude_ssh import (
    LATIN_1,
    MSG_CHANNEL_REQUEST,
    MSG_DEBUG,
    Serve,
    banner,
    connection_of,
    debug,
    disconnect,
    request,
    rude_server,
    that_says,
)
from tests.support.sshd import make_sshd

BOX = HostName("box")


def spec(tmp_path: Path, port: int) -> HostSpec:
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
    )


@asynccontextmanager
async def pool_for(host: HostSpec) -> AsyncIterator[SshPool]:
    pool = SshPool({BOX: host}, rng=random.Random(1), clock=time.monotonic)
    try:
        yield pool
    finally:
        await pool.close()


# --- bytes that are no UTF-8, where words stand ----------------------------------------------


@pytest.mark.sshd
async def test_a_banner_in_latin_1_keeps_nobody_out(tmp_path: Path) -> None:
    words = tmp_path / "banner"
    words.write_bytes(LATIN_1 + b"\n")
    server = make_sshd(tmp_path / "sshd", f"Banner {words}")
    try:
        async with pool_for(server.spec()) as pool:
            found = await pool.connect(BOX)
            assert isinstance(found, SshConnection), found
        server.authorized_keys.write_text("")
        async with pool_for(server.spec()) as pool:
            refused = await pool.connect(BOX)
            assert isinstance(refused, SshFailure)
            assert refused.kind is FailureKind.SSH_AUTH
            assert "it says: F�r M�ller & S�hne" in refused.detail.raw
    finally:
        server.stop()


@pytest.mark.parametrize("packet", [banner(), debug()])
async def test_words_in_latin_1_at_login_keep_nobody_out(
    tmp_path: Path, packet: tuple[int, bytes]
) -> None:
    async with (
        rude_server(tmp_path / "known_hosts", packet) as port,
        pool_for(spec(tmp_path, port)) as pool,
    ):
        found = await pool.connect(BOX)
        assert isinstance(found, SshConnection), found
        ran = await found.run("anything", timeout_ms=20_000)
        assert ran == Definite(Completed(exit_status=0, stdout=b"well\n"))


async def test_a_goodbye_in_latin_1_is_told_as_what_it_says(tmp_path: Path) -> None:
    async with (
        rude_server(tmp_path / "known_hosts", disconnect(), lets_in=False) as port,
        pool_for(spec(tmp_path, port)) as pool,
    ):
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert "F�r M�ller & S�hne" in found.detail.raw


# --- before keys are exchanged ---------------------------------------------------------------


def kexinit(*names: bytes, more: bytes = b"") -> bytes:
    """A SSH_MSG_KEXINIT (RFC 4253, 7.1) with these name lists, and what follows it."""
    lists = (*names, *GOOD[len(names) :])
    return b"\x14" + b"c" * 16 + b"".join(map(String, lists)) + b"\0" * 5 + more


def framed(payload: bytes, *, padding: int | None = None) -> bytes:
    """A packet in the clear (RFC 4253, 6), and the version before it."""
    filler = -(5 + len(payload)) % 8 + 8
    body = bytes([filler if padding is None else padding]) + payload + b"\0" * filler
    return b"SSH-2.0-x\r\n" + len(body).to_bytes(4, "big") + body


GOOD = (b"curve25519-sha256", b"ssh-ed25519", b"aes128-ctr", b"aes128-ctr", b"hmac-sha2-256",
        b"hmac-sha2-256", b"none", b"none", b"", b"")  # fmt: skip
NO_SSH = "what its server sends is no proper SSH: "
BROKEN = {
    "a KEXINIT that is cut off": (framed(kexinit()[:40]), "a packet ends too early"),
    "more after a KEXINIT": (framed(kexinit(more=b"zz")), "a packet is longer than what it says"),
    "names that are not ASCII": (
        framed(kexinit(*(b"\xff\xfe",) * 6)),
        "no key exchange in common, it offers ��",
    ),
    "a list that is not ASCII": (
        framed(kexinit(*GOOD[:6], b"\xff\xfe")),
        "no compression in common, it offers ��",
    ),
    "only compression that was not asked for": (
        framed(kexinit(*GOOD[:6], b"zlib", b"zlib")),
        "no compression in common, it offers zlib",
    ),
    "a KEXINIT cut off after a message to be ignored": (
        framed(b"\x02" + String(b"hi")) + framed(kexinit()[:40]).removeprefix(b"SSH-2.0-x\r\n"),
        "a packet ends too early",
    ),
    "lists of nothing": (
        framed(kexinit(*(b",,,",) * 6)),
        "no key exchange in common, it offers none",
    ),
    "an empty packet": (framed(b""), "a packet ends too early"),
    "zeros": (b"SSH-2.0-x\r\n" + b"\0" * 64, "a packet ends too early"),
    "padding longer than the packet": (framed(kexinit(), padding=255), "a packet ends too early"),
    "a packet without end": (
        b"SSH-2.0-x\r\n" + b"\xff" * 4_096,
        "a packet is longer than SSH allows",
    ),
    "a version that is not ASCII": (b"SSH-2.0-\xff\xfe\r\n", "text is not ASCII that has to be"),
    "keys out of turn": (framed(b"\x15"), "New keys not negotiated"),
    "login before keys": (framed(b"\x33"), "Invalid request before key exchange was complete"),
}


@pytest.mark.parametrize("hangs_up", [False, True])
@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_proper_ssh_is_told_as_that(
    tmp_path: Path, name: str, hangs_up: bool
) -> None:
    said, words = BROKEN[name]
    async with that_says(said, hangs_up=hangs_up) as port, pool_for(spec(tmp_path, port)) as pool:
        for found in (await pool.connect(BOX), await look_at_key(pool, BOX)):
            assert isinstance(found, SshFailure)
            assert found.kind is FailureKind.SSH_PROTOCOL
            assert found.detail.raw.removeprefix(NO_SSH) == words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"SSH-2.0-x\0y\r\n", f"{NO_SSH}its version line is SSH-2.0-x\0y"),
        (b"220 mail\r\n", "no SSH server answers there, but something that says: 220 mail"),
        (
            framed(kexinit(GOOD[0], b"ssh-dss")),
            "no host key algorithm in common, it offers ssh-dss",
        ),
    ],
)
async def test_who_says_enough_and_then_waits_is_told_by_what_it_said(
    tmp_path: Path, said: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "LOOK_TIMEOUT_MS", 1_000)
    async with that_says(said, hangs_up=False) as port:
        host = msgspec.structs.replace(spec(tmp_path, port), connect_timeout_ms=1_000)
        async with pool_for(host) as pool:
            found = await asyncio.gather(pool.connect(BOX), look_at_key(pool, BOX))
    for each in found:
        assert isinstance(each, SshFailure)
        assert (each.kind, each.detail.raw) == (FailureKind.SSH_PROTOCOL, words)


@pytest.mark.parametrize(
    ("look_ms", "connect_ms", "words"),
    [(15_000, 300, "no answer within 0.3 s"), (200, 60_000, "no answer within 0.2 s")],
)
async def test_who_looks_at_a_key_is_told_how_long_was_waited(
    tmp_path: Path, look_ms: int, connect_ms: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "LOOK_TIMEOUT_MS", look_ms)
    async with that_says(b"", hangs_up=False) as port:
        host = msgspec.structs.replace(spec(tmp_path, port), connect_timeout_ms=connect_ms)
        async with pool_for(host) as pool:
            found = await look_at_key(pool, BOX)
    assert isinstance(found, SshFailure)
    assert found.detail.raw == words


def goodbye(code: int, words: bytes) -> bytes:
    """A SSH_MSG_DISCONNECT (RFC 4253, 11.1) in the clear, and the version before it."""
    return framed(b"\x01" + UInt32(code) + String(words) + String(b""))


@pytest.mark.parametrize("hangs_up", [False, True])
@pytest.mark.parametrize(
    ("before", "code", "kind"),
    [
        (b"", 2, FailureKind.SSH_PROTOCOL),
        (framed(kexinit()), 2, FailureKind.SSH_PROTOCOL),
        (b"", 12, FailureKind.SSH_UNREACHABLE),
        (framed(kexinit()), 12, FailureKind.SSH_UNREACHABLE),
    ],
)
async def test_a_goodbye_before_keys_is_told_whoever_reads_it_first(
    tmp_path: Path, before: bytes, code: int, kind: FailureKind, hangs_up: bool
) -> None:
    bye = goodbye(code, b"Too many of you")
    said = before + bye.removeprefix(b"SSH-2.0-x\r\n") if before else bye
    async with that_says(said, hangs_up=hangs_up) as port, pool_for(spec(tmp_path, port)) as pool:
        for found in (await pool.connect(BOX), await look_at_key(pool, BOX)):
            assert isinstance(found, SshFailure)
            assert (found.kind, found.detail.raw) == (kind, "it said goodbye: Too many of you")


# --- after login -----------------------------------------------------------------------------


def two_ends(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """An exit status, and another."""
    for _ in range(2):
        request(process, b"exit-status", UInt32(0))


def odd_signal(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """A signal whose name is not ASCII."""
    request(process, b"exit-signal", String(b"\xff") + Boolean(False) + String(b"") + String(b""))


def half_a_packet(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """A signal without its message."""
    request(process, b"exit-signal", String(b"TERM"))


def nothing(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """A debug message that says nothing at all, not even that it is empty."""
    connection_of(process).send_packet(MSG_DEBUG, b"")


def unknown_channel(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """Something about a channel that there is not."""
    connection_of(process).send_packet(MSG_CHANNEL_REQUEST, UInt32(4_711))


AFTER: dict[Serve, str] = {
    two_ends: "Multiple exit results not allowed",
    odd_signal: "Invalid exit signal request",
    half_a_packet: "a packet ends too early",
    nothing: "a packet ends too early",
    unknown_channel: "Invalid channel number 4711 received",
}


@pytest.mark.parametrize("serve", AFTER)
async def test_a_broken_protocol_after_login_is_no_silence(tmp_path: Path, serve: Serve) -> None:
    lost: list[SshFailure] = []
    now_s = 0.0
    async with rude_server(tmp_path / "known_hosts", serve=serve) as port:
        pool = SshPool(
            {BOX: spec(tmp_path, port)},
            rng=random.Random(1),
            clock=lambda: now_s,
            on_lost=lambda host, failure: lost.append(failure),
        )
        connection = await pool.connect(BOX)
        assert isinstance(connection, SshConnection), connection
        now_s = 3_600.0  # also where it has held for long
        ran = await connection.run("anything", timeout_ms=20_000)
        await connection.lost.wait()
        failure = pool.why_not(BOX)
        assert failure is not None
        assert failure.kind is FailureKind.SSH_PROTOCOL
        assert failure.detail.raw == NO_SSH + AFTER[serve]
        assert lost == [failure]
        assert not isinstance(ran, ChannelFailure)  # it was sent, and may have been done
        await pool.close()


@pytest.mark.parametrize("serve", AFTER)
async def test_a_look_over_a_broken_protocol_says_so(tmp_path: Path, serve: Serve) -> None:
    async with (
        rude_server(tmp_path / "known_hosts", serve=serve) as port,
        pool_for(spec(tmp_path, port)) as pool,
    ):
        command = CommandPort(
            AgentName("worker"),
            CommandAgent(command=("cat",), run_dir=str(tmp_path / "runs")),
            BOX,
            pool,
            directory=RunDirectory(Epoch(1)),
            probe_timeout_ms=20_000,
            now_ms=wall_ms,
        )
        found = await command.probe()
        assert isinstance(found, ProbeFailure)
        assert found.kind is FailureKind.SSH_PROTOCOL
        assert found.detail.raw == NO_SSH + AFTER[serve]
        await command.close()


async def test_a_goodbye_after_login_is_no_broken_protocol(tmp_path: Path) -> None:
    """sshd gives the code of a broken protocol to whatever it says when it leaves."""

    def leave(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        connection_of(process).send_packet(*disconnect(b"going down"))

    async with (
        rude_server(tmp_path / "known_hosts", serve=leave) as port,
        pool_for(spec(tmp_path, port)) as pool,
    ):
        connection = await pool.connect(BOX)
        assert isinstance(connection, SshConnection), connection
        await connection.lost.wait()
        failure = pool.why_not(BOX)
        assert failure is not None
        assert failure.kind is FailureKind.SSH_UNREACHABLE
        assert failure.detail.raw == "going down"


def test_a_mistake_of_ours_stays_one() -> None:
    for error in (TypeError("x"), ValueError("y"), UnicodeDecodeError("ascii", b"\xff", 0, 1, "z")):
        try:
            raise error
        except Exception as caught:
            found = connect_failure(caught, timeout_ms=1)
        assert found.kind is FailureKind.INTERNAL
