"""Many hosts at once, servers that want few, keys that are not accepted any more."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncssh
import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.tasks.evidence import Definite
from fleet_tui.wire.ssh.pool import SshConnection, SshFailure, SshPool
from tests.support.line import line_to
from tests.support.ssh_home import SshHome, ssh_agent
from tests.support.sshd import Sshd, make_sshd

BOX = HostName("box")
MOST_HANDSHAKES = 8
SERVERS, NAMES = 5, 10


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd")
    yield running
    running.stop()


class Crowd:
    """How many callers were between their first byte and being let in."""

    def __init__(self) -> None:
        self.now = self.most = self.all = 0

    def enter(self) -> None:
        self.now += 1
        self.all += 1
        self.most = max(self.most, self.now)

    def leave(self) -> None:
        self.now -= 1


class Counting(asyncssh.SSHServer):
    """Lets everybody in and counts who waits."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        crowd.enter()

    def begin_auth(self, username: str) -> bool:
        self._crowd.leave()
        return False


async def test_a_fleet_that_comes_back_at_once_shakes_few_hands_at_a_time(tmp_path: Path) -> None:
    crowd = Crowd()
    key = asyncssh.generate_private_key("ssh-ed25519")
    user = tmp_path / "key"
    user.write_bytes(key.export_private_key())
    user.chmod(0o600)
    hosts: dict[HostName, HostSpec] = {}
    known = []
    async with AsyncExitStack() as stack:
        for at in range(SERVERS):
            listening = await asyncssh.create_server(
                lambda: Counting(crowd), "127.0.0.1", 0, server_host_keys=[key]
            )
            stack.push_async_callback(listening.wait_closed)
            stack.callback(listening.close)
            port = listening.get_port()
            known.append(f"[127.0.0.1]:{port} {key.export_public_key().decode().strip()}\n")
            for n in range(NAMES):
                name = HostName(f"host-{at}-{n}")
                hosts[name] = HostSpec(
                    name=name,
                    address="127.0.0.1",
                    port=port,
                    user="somebody",
                    identity=str(user),
                    known_hosts=str(tmp_path / "known_hosts"),
                    use_ssh_config=False,
                )
        (tmp_path / "known_hosts").write_text("".join(known))
        pool = SshPool(hosts, rng=random.Random(1), clock=time.monotonic)
        found = await asyncio.gather(*map(pool.connect, hosts))
        await pool.close()
    assert all(isinstance(one, SshConnection) for one in found)
    assert crowd.all == len(hosts)
    assert 1 < crowd.most <= MOST_HANDSHAKES


@pytest.mark.sshd
async def test_a_server_that_lets_two_begin_and_gives_one_session_each_serves_everybody(
    tmp_path: Path,
) -> None:
    server = make_sshd(tmp_path / "sshd", "MaxStartups 2:100:2\nMaxSessions 1")
    names = [HostName(f"host-{n}") for n in range(10)]
    pool = SshPool(
        {name: server.spec(name) for name in names}, rng=random.Random(1), clock=time.monotonic
    )

    async def ask(name: HostName) -> int:
        """Connect and run a command; how often the host had to be asked."""
        for tries in range(1, 100):
            found = await pool.connect(name)
            if isinstance(found, SshConnection):
                done = await found.run("echo hello", timeout_ms=20_000)
                assert isinstance(done, Definite)
                assert done.value.stdout == b"hello\n"
                return tries
            assert found.kind is FailureKind.SSH_UNREACHABLE, found
        raise AssertionError("never let in")

    try:
        tries = await asyncio.gather(*map(ask, names))
    finally:
        await pool.close()
        server.stop()
    assert tries == [1] * len(names), "no handshake failed because of us"


@pytest.mark.sshd
async def test_a_key_that_is_not_accepted_any_more_is_offered_once_a_minute_at_the_most(
    server: Sshd, tmp_path: Path
) -> None:
    now_s = 0.0
    async with line_to(server.port) as line:
        hosts = {BOX: line.spec(server)}
        pool = SshPool(hosts, rng=random.Random(1), clock=lambda: now_s)
        connection = await pool.connect(BOX)
        assert isinstance(connection, SshConnection)
        server.authorized_keys.write_text("")
        line.cut()
        await connection.lost.wait()
        now_s = 100.0
        before = len(line.calls)
        minutes = 5
        for _ in range(minutes * 60):
            now_s += 1
            found = await pool.connect(BOX)
            assert isinstance(found, SshFailure)
            assert found.kind is FailureKind.SSH_AUTH
        assert 1 <= len(line.calls) - before <= minutes
        server.allow()
        now_s += 61
        assert isinstance(await pool.connect(BOX), SshConnection)
        await pool.close()


@pytest.mark.sshd
async def test_without_its_agent_what_is_connected_goes_on_and_nothing_new_begins(
    server: Sshd, short_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SshHome(tmp_path / "home", monkeypatch)
    assert home.ssh.is_dir()
    spec = server.spec("box", identity=None, use_ssh_config=True)
    pool = SshPool({BOX: spec}, rng=random.Random(1), clock=time.monotonic)
    with ssh_agent(short_dir / "agent", server.user_key) as agent:
        server.user_key.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        connection = await pool.connect(BOX)
        assert isinstance(connection, SshConnection), connection
    done = await connection.run("echo still here", timeout_ms=20_000)
    assert isinstance(done, Definite)
    assert done.value.stdout == b"still here\n"
    assert await pool.connect(BOX) is connection
    other = SshPool({BOX: spec}, rng=random.Random(1), clock=time.monotonic)
    found = await other.connect(BOX)
    assert isinstance(found, SshFailure)
    assert found.kind is FailureKind.SSH_AUTH
    assert f"no ssh-agent answers at {agent}" in found.detail.raw
    assert await other.connect(BOX) is found, "and it is not asked again at once"
    await pool.close()
    await other.close()
