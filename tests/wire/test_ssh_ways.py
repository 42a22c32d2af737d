"""Ways to a host that is not reached directly: jump hosts and proxy programs, over real sshds."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.tasks.evidence import Definite
from fleet_tui.wire.ssh.pool import SshConnection, SshFailure, SshPool
from fleet_tui.wire.ssh.trust import KeyTrust, OfferedKey, look_at_key
from tests.support.ssh_home import SshHome
from tests.support.sshd import Sshd, make_sshd

pytestmark = pytest.mark.sshd
BOX = HostName("box")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Sshd]]:
    """Three servers that let the same key in."""
    running: list[Sshd] = []
    try:
        for name in ("first", "second", "third"):
            running.append(make_sshd(tmp_path / name))
            running[-1].authorized_keys.write_text(running[0].authorized_keys.read_text())
        yield running
    finally:
        for server in running:
            server.stop()


Programs = Callable[[], list[psutil.Process]]


@pytest.fixture
def proxies(servers: list[Sshd]) -> Programs:
    """Programs that were started since the servers were, and still run, with their own children:
    what one session starts for all its tests is not ours to count."""
    before = set(psutil.Process().children())

    def running() -> list[psutil.Process]:
        found = []
        for child in psutil.Process().children():
            if child not in before:
                with suppress(psutil.NoSuchProcess):  # it ended while we looked
                    found.extend([child, *child.children(recursive=True)])
        return found

    return running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshHome:
    return SshHome(tmp_path / "home", monkeypatch)


def aliases(home: SshHome, servers: list[Sshd], **more: str) -> None:
    """``first``, ``second`` and ``third`` in ssh_config, each with what is said for it."""
    places = "".join(
        f"Host {server.directory.name}\n  HostName 127.0.0.1\n  Port {server.port}\n"
        + f"  {more.get(server.directory.name, '')}\n"
        for server in servers
    )
    user = servers[0].spec().user
    home.config(f"{places}Host *\n  IdentityFile {servers[0].user_key}\n  User {user}\n")
    home.known(*(server.known_hosts.read_text() for server in servers))


def named(address: str) -> dict[HostName, HostSpec]:
    """A fleet of one host, all of it in ssh_config."""
    return {BOX: HostSpec(name=BOX, address=address)}


@asynccontextmanager
async def pooled(hosts: Mapping[HostName, HostSpec]) -> AsyncIterator[SshPool]:
    pool = SshPool(hosts, rng=random.Random(1), clock=time.monotonic)
    try:
        yield pool
    finally:
        await pool.close()


async def answers(pool: SshPool) -> SshConnection:
    found = await pool.connect(BOX)
    assert isinstance(found, SshConnection), found
    assert isinstance(await found.run("true", timeout_ms=20_000), Definite)
    return found


async def failure(pool: SshPool) -> SshFailure:
    found = await pool.connect(BOX)
    assert isinstance(found, SshFailure), "it was reached"
    return found


async def looked_at(pool: SshPool) -> OfferedKey:
    found = await look_at_key(pool, BOX)
    assert isinstance(found, OfferedKey), found
    return found


# --- jump hosts ----------------------------------------------------------------------------


async def test_two_jump_hosts_of_the_fleet_file(servers: list[Sshd]) -> None:
    first, second, third = servers
    key = str(first.user_key)
    hosts = {
        HostName("first"): first.spec("first"),
        HostName("second"): second.spec("second", identity=key, jump=HostName("first")),
        BOX: third.spec("box", identity=key, jump=HostName("second")),
    }
    async with pooled(hosts) as pool:
        await answers(pool)
        assert [len(server.sessions()) for server in servers] == [1, 1, 1]
        assert (await looked_at(pool)).trust is KeyTrust.KNOWN


@pytest.mark.parametrize(
    "more",
    [
        {"third": "ProxyJump first,second"},
        {"third": "ProxyJump second", "second": "ProxyJump first"},
        {"third": "ProxyJump ssh://first,ssh://second"},
    ],
)
async def test_two_jump_hosts_of_ssh_config(
    servers: list[Sshd], home: SshHome, more: dict[str, str]
) -> None:
    aliases(home, servers, **more)
    async with pooled(named("third")) as pool:
        await answers(pool)
        assert [len(server.sessions()) for server in servers] == [1, 1, 1]


async def test_a_jump_host_by_address_user_and_port(servers: list[Sshd], home: SshHome) -> None:
    first = servers[0]
    aliases(home, servers, third=f"ProxyJump %r@127.0.0.1:{first.port}")
    async with pooled(named("third")) as pool:
        await answers(pool)
        assert len(first.sessions()) == 1


async def test_proxy_jump_none_means_directly(servers: list[Sshd], home: SshHome) -> None:
    aliases(home, servers, third="ProxyJump none")
    async with pooled(named("third")) as pool:
        await answers(pool)


async def test_the_fleet_files_jump_goes_before_ssh_configs(
    servers: list[Sshd], home: SshHome
) -> None:
    first, second, _ = servers
    aliases(home, servers, third="ProxyJump first")
    hosts = {
        HostName("second"): HostSpec(name=HostName("second"), address="second"),
        BOX: HostSpec(name=BOX, address="third", jump=HostName("second")),
    }
    async with pooled(hosts) as pool:
        await answers(pool)
        assert (len(first.sessions()), len(second.sessions())) == (0, 1)


@pytest.mark.parametrize("way", ["ProxyJump first", "ProxyCommand ssh -W %h:%p first"])
async def test_no_jump_of_the_fleet_file_goes_before_ssh_configs(
    servers: list[Sshd], home: SshHome, way: str
) -> None:
    aliases(home, servers, third=way)
    spec = HostSpec(name=BOX, address="third", direct=True)
    async with pooled({BOX: spec}) as pool:
        await answers(pool)
        assert [len(server.sessions()) for server in servers] == [0, 0, 1]


async def test_an_unknown_jump_host_is_named(servers: list[Sshd], home: SshHome) -> None:
    aliases(home, servers, third="ProxyJump first")
    home.known(servers[2].known_hosts.read_text())
    async with pooled(named("third")) as pool:
        said = (await failure(pool)).detail.raw
        assert "jump host first" in said
        assert "is not known" in said
        assert "ssh first" in said
        looked = await look_at_key(pool, BOX)
        assert isinstance(looked, SshFailure)
        assert "jump host first" in looked.detail.raw
    hosts = {
        HostName("door"): servers[0].spec("door", known_hosts=str(home.ssh / "nobody")),
        BOX: servers[2].spec("box", jump=HostName("door")),
    }
    async with pooled(hosts) as pool:
        said = (await failure(pool)).detail.raw
        assert "jump host door" in said
        assert "fleet-tui trust door" in said


async def test_jump_hosts_that_never_end(home: SshHome) -> None:
    home.config("Host *.example\n  ProxyJump gw.%h\n")
    spec = HostSpec(name=HostName("h"), address="web.example")
    pool = SshPool({spec.name: spec}, rng=random.Random(1), clock=time.monotonic)
    found = await pool.connect(spec.name)
    await pool.close()
    assert isinstance(found, SshFailure)
    assert found.detail.raw.endswith("its jump hosts are reached through more than 8 others")


async def test_a_host_the_jump_host_cannot_reach(servers: list[Sshd], home: SshHome) -> None:
    aliases(home, servers, third="ProxyJump first")
    servers[2].stop()
    async with pooled(named("third")) as pool:
        found = await failure(pool)
        assert found.kind is FailureKind.SSH_UNREACHABLE
        assert "the jump host cannot reach it" in found.detail.raw


# --- proxy programs ------------------------------------------------------------------------


async def test_a_proxy_program_that_talks(
    servers: list[Sshd], home: SshHome, proxies: Programs
) -> None:
    aliases(home, servers, third=home.relay())
    async with pooled(named("third")) as pool:
        connection = await answers(pool)
        found = await connection.run("head -c 1000000 /dev/zero", timeout_ms=20_000)
        assert isinstance(found, Definite)
        assert len(found.value.stdout) == 1_000_000
        assert len(proxies()) == 1
        assert (await looked_at(pool)).trust is KeyTrust.KNOWN
    assert not proxies()


async def test_openssh_itself_as_the_proxy(
    servers: list[Sshd], home: SshHome, proxies: Programs
) -> None:
    ours = f"-F {home.ssh}/config -o UserKnownHostsFile={home.ssh}/known_hosts"
    aliases(home, servers, third=f"ProxyCommand ssh {ours} -v -W %h:%p first 2>>{home.ssh}/log")
    async with pooled(named("third")) as pool:
        await answers(pool)
        assert len(servers[0].sessions()) == 1
    assert not proxies()
    assert "debug1" in (home.ssh / "log").read_text()  # a shell understood the redirection


async def test_proxy_command_none_means_directly(
    servers: list[Sshd], home: SshHome, proxies: Programs
) -> None:
    aliases(home, servers, third="ProxyCommand none")
    async with pooled(named("third")) as pool:
        await answers(pool)
        assert not proxies()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sh -c 'echo no way through >&2; exit 7'", "exit status 7: no way through"),
        ("/no/such/program %h", "exit status 127"),
        ("true", "exit status 0, without a message"),
        ("sh -c 'echo SSH-2.0-half; exit 3'", "exit status 3"),
    ],
)
async def test_a_proxy_program_that_ends_at_once(
    servers: list[Sshd], home: SshHome, proxies: Programs, command: str, words: str
) -> None:
    aliases(home, servers, third=f"ProxyCommand {command}")
    async with pooled(named("third")) as pool:
        found = await failure(pool)
        assert found.kind is FailureKind.SSH_UNREACHABLE
        assert "the ProxyCommand of ssh_config ended" in found.detail.raw
        assert words in found.detail.raw
        looked = await look_at_key(pool, BOX)
        assert isinstance(looked, SshFailure)
        assert words in looked.detail.raw
        assert not proxies()


async def test_a_proxy_program_that_leads_nowhere_is_ended_with_all_it_started(
    servers: list[Sshd], home: SshHome, proxies: Programs
) -> None:
    aliases(home, servers, third="ProxyCommand sh -c 'sleep 600 & sleep 600'")
    hosts = {BOX: HostSpec(name=BOX, address="third", connect_timeout_ms=2_000)}
    async with pooled(hosts) as pool:
        asking = asyncio.create_task(failure(pool))
        started = await two_started(proxies)
        found = await asking
        assert found.kind is FailureKind.SSH_UNREACHABLE
        assert "no answer within 2 s" in found.detail.raw
        while alive(started):  # a killed program takes a moment to be gone
            await asyncio.sleep(0.01)
    async with pooled(named("third")) as pool:
        closing = asyncio.create_task(pool.connect(BOX))
        started = await two_started(proxies)
        await pool.close()
        await asyncio.gather(closing, return_exceptions=True)
        while alive(started):  # a killed program takes a moment to be gone
            await asyncio.sleep(0.01)


async def two_started(proxies: Programs) -> list[psutil.Process]:
    """A proxy program that has a child, and the child."""
    while len(found := proxies()) < 2:
        await asyncio.sleep(0.01)
    return found


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended (nobody may have looked at their end yet)."""
    return [
        each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE
    ]


async def test_a_proxy_program_that_is_killed_loses_the_connection(
    servers: list[Sshd], home: SshHome, proxies: Programs
) -> None:
    aliases(home, servers, third=home.relay())
    async with pooled(named("third")) as pool:
        connection = await answers(pool)
        [running] = proxies()
        running.kill()
        await connection.lost.wait()
        while not isinstance(again := await pool.connect(BOX), SshConnection):
            await asyncio.sleep(0.05)
        assert again is not connection
    assert not proxies()


async def test_an_unknown_key_behind_a_proxy_program(
    servers: list[Sshd], home: SshHome, proxies: Programs
) -> None:
    aliases(home, servers, third=home.relay())
    home.known()
    async with pooled(named("third")) as pool:
        found = await failure(pool)
        assert found.kind is FailureKind.SSH_HOST_KEY
        assert "fleet-tui trust box" in found.detail.raw
        assert (await looked_at(pool)).trust is KeyTrust.NEW
        assert not proxies()
