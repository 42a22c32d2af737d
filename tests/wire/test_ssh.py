"""The SSH layer against a real OpenSSH server."""

import asyncio
import hashlib
import random
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.tasks.evidence import Definite, LostReason, Unknown
from fleet_tui.wire.ssh.pool import (
    ChannelFailure,
    Completed,
    FileFailure,
    SshConnection,
    SshFailure,
    SshPool,
    TcpChannel,
)
from tests.support.sshd import Sshd, free_port, make_sshd

pytestmark = pytest.mark.sshd
BOX = HostName("box")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd")
    yield running
    running.stop()


@asynccontextmanager
async def pooled(hosts: Mapping[HostName, HostSpec], **options: object) -> AsyncIterator[SshPool]:
    pool = SshPool(hosts, rng=random.Random(1), clock=time.monotonic, **options)  # type: ignore[arg-type]  # options of one test
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def connected(server: Sshd) -> AsyncIterator[SshConnection]:
    async with pooled({BOX: server.spec()}) as pool:
        found = await pool.connect(BOX)
        assert isinstance(found, SshConnection), found
        yield found


async def until_connected(pool: SshPool, host: HostName = BOX) -> SshConnection:
    while not isinstance(found := await pool.connect(host), SshConnection):
        await asyncio.sleep(0.05)
    return found


async def test_bytes_go_in_and_come_out_as_they_are(server: Sshd) -> None:
    payload = bytes(range(256)) * 4_096
    async with connected(server) as connection:
        found = await connection.run("sha256sum; echo oops >&2; exit 7", payload, timeout_ms=20_000)
        assert isinstance(found, Definite)
        assert found.value.stdout.split()[0].decode() == hashlib.sha256(payload).hexdigest()
        assert found.value.stderr == b"oops\n"
        assert found.value.exit_status == 7


async def test_invalid_utf8_ends_nothing(server: Sshd) -> None:
    async with connected(server) as connection:
        found = await connection.run(r"printf '\377\376\000x'", timeout_ms=20_000)
        assert found == Definite(Completed(exit_status=0, stdout=b"\xff\xfe\x00x"))
        assert not connection.lost.is_set()


async def test_a_command_that_does_not_want_its_input_still_ends(server: Sshd) -> None:
    async with connected(server) as connection:
        found = await connection.run("exit 3", b"x" * 4_000_000, timeout_ms=20_000)
        assert isinstance(found, Definite)
        assert found.value.exit_status == 3


async def test_callers_share_one_connection(server: Sshd) -> None:
    async with pooled({BOX: server.spec()}) as pool:
        first, *others = await asyncio.gather(*(pool.connect(BOX) for _ in range(20)))
        assert all(other is first for other in others)
        assert len(server.sessions()) == 1


async def test_a_connection_killed_while_a_command_runs_is_unknown(
    server: Sshd, tmp_path: Path
) -> None:
    losses: list[HostName] = []

    def lost(host: HostName, failure: SshFailure) -> None:
        losses.append(host)

    async with pooled({BOX: server.spec()}, on_lost=lost) as pool:
        connection = await until_connected(pool)
        started = tmp_path / "started"
        command = f"echo begun; touch {started}; sleep 30"
        running = asyncio.create_task(connection.run(command, timeout_ms=60_000))
        while not started.exists():
            await asyncio.sleep(0.02)
        server.kill_sessions()
        found = await running
        assert isinstance(found, Unknown)
        assert found.reason is LostReason.CONNECTION_LOST
        await connection.lost.wait()
        assert losses == [BOX]
        assert await until_connected(pool) is not connection


async def test_a_timeout_is_unknown_and_the_connection_lives(server: Sshd) -> None:
    async with connected(server) as connection:
        found = await connection.run("sleep 30", timeout_ms=300)
        assert isinstance(found, Unknown)
        assert found.reason is LostReason.TIMEOUT
        assert isinstance(await connection.run("true", timeout_ms=20_000), Definite)


@pytest.mark.parametrize("sessions", [1, 2])
async def test_more_commands_than_sshd_allows_sessions(tmp_path: Path, sessions: int) -> None:
    server = make_sshd(tmp_path / "sshd", f"MaxSessions {sessions}")
    try:
        async with connected(server) as connection:
            found = await asyncio.gather(
                *(connection.run(f"echo {number}", timeout_ms=60_000) for number in range(60))
            )
        for number, one in enumerate(found):
            assert one == Definite(Completed(exit_status=0, stdout=f"{number}\n".encode()))
    finally:
        server.stop()


async def test_files_and_commands_take_turns_for_few_sessions(tmp_path: Path) -> None:
    server = make_sshd(tmp_path / "sshd", "MaxSessions 1")
    token = tmp_path / "token"
    token.write_bytes(b"a token")
    try:
        async with connected(server) as connection:
            commands = [connection.run(f"echo {n}", timeout_ms=60_000) for n in range(20)]
            files = [connection.read_file(str(token), 100) for _ in range(10)]
            said, read = await asyncio.gather(asyncio.gather(*commands), asyncio.gather(*files))
        assert read == [b"a token"] * 10
        assert all(isinstance(one, Definite) for one in said)
    finally:
        server.stop()


async def test_a_channel_carries_bytes_both_ways(server: Sshd) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    listener = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    payload = bytes(range(256)) * 8_192
    async with listener, connected(server) as connection:
        channel = await connection.open_tcp(port)
        assert isinstance(channel, TcpChannel)

        async def send() -> None:
            for at in range(0, len(payload), 100_000):
                await channel.write(payload[at : at + 100_000])
            channel.write_eof()

        sending = asyncio.create_task(send())
        received = bytearray()
        while data := await channel.read():
            received += data
        await sending
        assert bytes(received) == payload
        channel.close()
        with pytest.raises(ConnectionResetError):
            await channel.write(b"more")


async def test_nothing_listens_is_not_an_unreachable_host(server: Sshd) -> None:
    async with connected(server) as connection:
        found = await connection.open_tcp(free_port())
        assert isinstance(found, ChannelFailure)
        assert found.kind is FailureKind.GATEWAY_DOWN


async def test_a_lost_connection_ends_its_channels_with_an_error(server: Sshd) -> None:
    async with connected(server) as connection:
        channel = await connection.open_tcp(server.port)
        assert isinstance(channel, TcpChannel)
        assert (await channel.read()).startswith(b"SSH-")
        reading = asyncio.create_task(channel.read())
        connection.raw.abort()
        with pytest.raises(ConnectionResetError):
            await reading
        after = await connection.open_tcp(server.port)
        assert isinstance(after, ChannelFailure)
        assert after.kind is FailureKind.SSH_UNREACHABLE


async def test_a_restricted_key_can_still_reach_its_one_port(server: Sshd) -> None:
    allowed = server.port
    server.allow(f'restrict,port-forwarding,permitopen="127.0.0.1:{allowed}",command="/bin/false"')
    async with connected(server) as connection:
        channel = await connection.open_tcp(allowed)
        assert isinstance(channel, TcpChannel)
        channel.close()
        denied = await connection.open_tcp(free_port())
        assert isinstance(denied, ChannelFailure)
        assert denied.kind is FailureKind.FORWARD_DENIED
        assert isinstance(await connection.read_file("/etc/hostname", 100), FileFailure)


async def test_files_are_read_whole_or_not_at_all(server: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xfftoken\n")
    async with connected(server) as connection:
        assert await connection.read_file(str(file), 100) == b"\xfftoken\n"
        for path, limit, reason in (
            (str(file), 3, "too-large"),
            (str(tmp_path / "absent"), 100, "missing"),
            (str(tmp_path), 100, "not-a-file"),
        ):
            found = await connection.read_file(path, limit)
            assert isinstance(found, FileFailure)
            assert found.reason == reason


async def test_the_wrong_user_key_is_an_authentication_failure(server: Sshd) -> None:
    server.authorized_keys.write_text("")
    async with pooled({BOX: server.spec()}) as pool:
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert found.kind is FailureKind.SSH_AUTH


async def test_a_changed_host_key_is_refused_until_it_is_trusted(server: Sshd) -> None:
    server.stop()
    new_key = server.new_host_key()
    server.start()
    now_s = 0.0
    pool = SshPool({BOX: server.spec()}, rng=random.Random(1), clock=lambda: now_s)
    try:
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert found.kind is FailureKind.SSH_HOST_KEY
        server.trust(new_key)
        now_s = 61.0
        assert isinstance(await pool.connect(BOX), SshConnection)
    finally:
        await pool.close()


async def test_a_revoked_host_key_is_refused(server: Sshd) -> None:
    known = server.known_hosts.read_text()
    server.known_hosts.write_text(f"@revoked {known}{known}")
    async with pooled({BOX: server.spec()}) as pool:
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert found.kind is FailureKind.SSH_HOST_KEY
        assert "revoked" in found.detail.raw


async def test_a_restarted_server_is_found_again(server: Sshd) -> None:
    async with pooled({BOX: server.spec()}) as pool:
        first = await until_connected(pool)
        server.stop()
        await first.lost.wait()
        server.start()
        assert await until_connected(pool) is not first


async def test_a_jump_host_of_the_fleet_is_shared(tmp_path: Path) -> None:
    bastion = make_sshd(tmp_path / "bastion")
    inner = make_sshd(tmp_path / "inner")
    names = [HostName(f"inner-{number}") for number in range(3)]
    hosts = {name: inner.spec(name, jump=HostName("bastion")) for name in names}
    hosts[HostName("bastion")] = bastion.spec("bastion")
    try:
        async with pooled(hosts) as pool:
            found = await asyncio.gather(*(pool.connect(name) for name in names))
            assert all(isinstance(one, SshConnection) for one in found)
            assert len(bastion.sessions()) == 1
            assert len(inner.sessions()) == 3
            bastion.stop()
            for one in found:
                assert isinstance(one, SshConnection)
                await one.lost.wait()
            gone = await pool.connect(names[0])
            assert isinstance(gone, SshFailure)
            assert gone.kind is FailureKind.SSH_UNREACHABLE
    finally:
        bastion.stop()
        inner.stop()


async def test_jump_hosts_in_a_circle_are_told(server: Sshd) -> None:
    hosts = {
        HostName("a"): server.spec("a", jump=HostName("b")),
        HostName("b"): server.spec("b", jump=HostName("a")),
    }
    async with pooled(hosts) as pool:
        found = await pool.connect(HostName("a"))
        assert isinstance(found, SshFailure)
        assert "back to themselves" in found.detail.raw


async def test_ssh_config_names_users_keys_and_jumps(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = make_sshd(tmp_path / "inner")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    public = server.known_hosts.read_text() + inner.known_hosts.read_text()
    inner.authorized_keys.write_text(server.authorized_keys.read_text())
    (home / ".ssh" / "known").write_text(public)
    (home / ".ssh" / "config").write_text(
        f"""
Host *
  IdentityFile {server.user_key}
  IdentitiesOnly yes
  UserKnownHostsFile {home}/.ssh/known
  User {server.spec().user}
Host front
  HostName 127.0.0.1
  Port {server.port}
Host behind
  HostName 127.0.0.1
  Port {inner.port}
  ProxyJump front
"""
    )
    monkeypatch.setenv("HOME", str(home))
    hosts = {BOX: HostSpec(name=BOX, address="behind")}
    try:
        async with pooled(hosts) as pool:
            connection = await pool.connect(BOX)
            assert isinstance(connection, SshConnection), connection
            assert len(server.sessions()) == 1
            assert isinstance(await connection.run("true", timeout_ms=20_000), Definite)
    finally:
        inner.stop()


async def test_known_hosts_none_in_ssh_config_does_not_switch_checking_off(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(
        "Host *\n  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n  ForwardAgent yes\n"
    )
    monkeypatch.setenv("HOME", str(home))
    spec = HostSpec(name=BOX, address="127.0.0.1", port=server.port, identity=str(server.user_key))
    async with pooled({BOX: spec}) as pool:
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert found.kind is FailureKind.SSH_HOST_KEY


async def test_an_encrypted_key_without_an_agent_is_told(server: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-N", "passphrase", "-f", locked], check=True)
    locked.with_suffix(".pub").unlink()
    async with pooled({BOX: server.spec(identity=str(locked))}) as pool:
        found = await pool.connect(BOX)
        assert isinstance(found, SshFailure)
        assert found.kind is FailureKind.SSH_AUTH
        assert "ssh-agent" in found.detail.raw


async def test_many_hosts_at_once_and_no_handshake_fails(server: Sshd) -> None:
    names = [HostName(f"host-{number}") for number in range(24)]
    async with pooled({name: server.spec(name) for name in names}) as pool:
        found = await asyncio.gather(*(pool.connect(name) for name in names))
        assert all(isinstance(one, SshConnection) for one in found)
