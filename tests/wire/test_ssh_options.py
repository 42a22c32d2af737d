"""Keys and known hosts are read again when their files change, and their old contents forgotten."""

import asyncio
import gc
import random
import weakref
from pathlib import Path

import asyncssh
import pytest

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import Reader, Resolved
from fleet_tui.wire.ssh.options import Route, SshFiles
from fleet_tui.wire.ssh.pool import SshFailure, SshPool

BOX = HostName("box")
HOST = Resolved(original="box", hostname="box", port=22, user="u", reader=Reader.NOBODY)


class Files:
    """A key and a known_hosts, and who reads them."""

    def __init__(self, place: Path) -> None:
        self.identity = place / "id"
        self.known_hosts = place / "known_hosts"
        self.new_key()
        self.add_host()
        self.spec = HostSpec(
            name=BOX,
            address="box",
            identity=str(self.identity),
            known_hosts=str(self.known_hosts),
            use_ssh_config=False,
        )

    def new_key(self) -> None:
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(self.identity)

    def add_host(self) -> None:
        public = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        with self.known_hosts.open("a") as file:
            file.write(f"box {public}")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_old_contents_are_forgotten(files: Files) -> None:
    reader = SshFiles()
    route = reader.route(files.spec, HOST)
    hosts = weakref.ref(route.options.known_hosts)
    pair = weakref.ref(route.identities.keys[0])
    route = reader.route(files.spec, HOST)
    assert route.options.known_hosts is hosts(), "not parsed again"
    assert route.identities.keys[0] is pair()
    files.add_host()
    files.new_key()
    route = reader.route(files.spec, HOST)
    gc.collect()
    assert hosts() is None
    assert pair() is None


async def route_of(pool: SshPool) -> Route:
    way = await pool.way_to(BOX)
    assert not isinstance(way, SshFailure), way
    return way[0]


async def test_files_are_looked_at_before_every_attempt(files: Files) -> None:
    pool = SshPool({BOX: files.spec}, rng=random.Random(1), clock=lambda: 0.0)
    first = await route_of(pool)
    assert await route_of(pool) is first
    files.add_host()
    second = await route_of(pool)
    assert len(second.known.keys) == 2
    files.new_key()
    third = await route_of(pool)
    assert third.identities.keys[0].public_data != second.identities.keys[0].public_data
    files.identity.unlink()
    failed = await pool.way_to(BOX)
    assert isinstance(failed, SshFailure)
    assert "No such file" in failed.detail.raw
    files.new_key()
    await route_of(pool)
    await asyncio.gather(route_of(pool), route_of(pool))
    await pool.close()
