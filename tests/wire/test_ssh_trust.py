"""Looking at host keys and enrolling them, on a real sshd."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from fleet_tui.base.errors import CommandRefused, Unreachable
from fleet_tui.cli.trust import trust_command
from fleet_tui.core.ids import HostName
from fleet_tui.wire.ssh.pool import SshConnection, SshFailure, SshPool
from fleet_tui.wire.ssh.trust import KeyTrust, OfferedKey, add_key, look_at_key
from tests.support.sshd import Sshd, make_sshd

pytestmark = pytest.mark.sshd
BOX = HostName("box")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd")
    yield running
    running.stop()


async def look(server: Sshd) -> OfferedKey:
    pool = SshPool({BOX: server.spec()}, rng=random.Random(1), clock=time.monotonic)
    found = await look_at_key(pool, BOX)
    await pool.close()
    assert isinstance(found, OfferedKey), found
    return found


async def test_a_new_key_is_added_and_then_known(server: Sshd) -> None:
    server.known_hosts.write_text("# a comment without an end")
    offered = await look(server)
    assert offered.trust is KeyTrust.NEW
    assert offered.fingerprint.startswith("SHA256:")
    assert offered.confirms(offered.fingerprint[-8:])
    assert not offered.confirms(offered.fingerprint[-7:])
    add_key(offered)
    assert server.known_hosts.read_text().startswith("# a comment without an end\n[127.0.0.1]:")
    assert (await look(server)).trust is KeyTrust.KNOWN
    pool = SshPool({BOX: server.spec()}, rng=random.Random(1), clock=time.monotonic)
    assert isinstance(await pool.connect(BOX), SshConnection)
    await pool.close()


async def test_a_changed_key_is_told_and_never_added(server: Sshd) -> None:
    before = server.known_hosts.read_text()
    server.stop()
    server.new_host_key()
    server.start()
    offered = await look(server)
    assert offered.trust is KeyTrust.CHANGED
    assert offered.known_fingerprints
    with pytest.raises(AssertionError):
        add_key(offered)
    assert server.known_hosts.read_text() == before


async def test_a_host_that_does_not_answer(server: Sshd) -> None:
    server.stop()
    pool = SshPool({BOX: server.spec()}, rng=random.Random(1), clock=time.monotonic)
    assert isinstance(await look_at_key(pool, BOX), SshFailure)
    await pool.close()


def fleet_file(server: Sshd, tmp_path: Path) -> str:
    path = tmp_path / "fleet.yaml"
    path.write_text(
        f"""
version: 1
fleet: trusting
pools:
  default: {{}}
hosts:
  box:
    address: 127.0.0.1
    port: {server.port}
    known_hosts: {server.known_hosts}
    identity: {server.user_key}
agents:
  one:
    pool: default
    host: box
    kind: command
    command: [cat]
"""
    )
    return str(path)


@pytest.mark.usefixtures("own_process")
def test_the_command_asks_for_the_end_of_the_fingerprint(server: Sshd, tmp_path: Path) -> None:
    import asyncio

    server.known_hosts.write_text("")
    fingerprint = asyncio.run(look(server)).fingerprint
    arguments = ["box", "-f", fleet_file(server, tmp_path)]
    wrong = CliRunner().invoke(trust_command, arguments, input="abcdefgh\n")
    assert isinstance(wrong.exception, CommandRefused)
    assert server.known_hosts.read_text() == ""
    right = CliRunner().invoke(trust_command, [*arguments, "--yes-fingerprint", fingerprint[-8:]])
    assert right.exception is None, right.output
    assert fingerprint in right.output
    assert server.known_hosts.read_text() != ""
    server.stop()
    gone = CliRunner().invoke(trust_command, arguments)
    assert isinstance(gone.exception, Unreachable)
