"""Servers that say what they should not: what does not matter is passed over, what breaks the
protocol is told as that."""

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
from fleet_tui.core.tasks.evidence import Definite
from fleet_tui.wire.ssh.pool import Completed, SshConnection, SshFailure, SshPool
from tests.support.rude_ssh import LATIN_1, banner, debug, disconnect, rude_server
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
