"""The engine's socket on a machine with other users."""

import asyncio
import os
import socket
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from fleet_tui.base import doors
from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import private_dir, socket_path
from fleet_tui.feed.client import EngineClient
from fleet_tui.feed.greeting import greet
from tests.engine.doors import house
from tests.support import stranger

MAKE_DIRECTORY = "os.mkdir(path, 0o777)"


@pytest.fixture
def shared(short_dir: Path) -> Path:
    """A directory like /tmp: everybody's, and nobody can remove what another one made."""
    short_dir.chmod(0o755)
    place = short_dir / "t"
    place.mkdir()
    place.chmod(0o1777)
    return place


@pytest.fixture
def deep(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory whose socket has to stand in the shared directory."""
    temporary = SimpleNamespace(gettempdir=lambda: str(shared))
    monkeypatch.setattr("fleet_tui.base.paths.tempfile", temporary)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    return shared / ("d" * 120)


async def refused(path: Path, why: str) -> None:
    """The engine makes no socket there, and no console asks one."""
    with pytest.raises(FleetError, match=why):
        doors.make_room(path)
    with pytest.raises(FleetError, match=why):
        await EngineClient.connect(path, "me")
    assert await asyncio.to_thread(greet, path, "me") is None


async def test_a_directory_of_ones_own_is_made_for_the_socket(deep: Path) -> None:
    path = socket_path(deep)
    doors.make_room(path)
    doors.make_room(path)
    assert path.parent.stat().st_mode & 0o077 == 0
    async with house(path):
        assert await asyncio.to_thread(greet, path, "me") is not None


@pytest.mark.root
async def test_a_directory_that_another_user_made_first_is_refused(deep: Path) -> None:
    path = socket_path(deep)
    stranger.does(MAKE_DIRECTORY, path.parent)
    await refused(path, f"belongs to user {stranger.UID}, not to user 0")


@pytest.mark.root
@pytest.mark.parametrize("target", ["/root", "/nowhere", "."])
async def test_a_link_of_another_user_is_refused_wherever_it_leads(deep: Path, target: str) -> None:
    path = socket_path(deep)
    stranger.does(f"os.symlink({target!r}, path)", path.parent)
    await refused(path, f"is a link that user {stranger.UID} made")


async def test_a_link_of_ones_own_is_refused_too(deep: Path, tmp_path: Path) -> None:
    path = socket_path(deep)
    path.parent.symlink_to(tmp_path)
    await refused(path, "is a link")


async def test_a_file_and_a_directory_that_others_can_write_to_are_refused(deep: Path) -> None:
    path = socket_path(deep)
    path.parent.write_bytes(b"")
    with pytest.raises(FleetError, match="is not a directory"):
        doors.check_room(path)
    path.parent.unlink()
    path.parent.mkdir()
    path.parent.chmod(0o777)
    await refused(path, "has mode 0777, so others can write to it")


@pytest.mark.root
def test_the_runtime_directory_of_another_user_is_not_used(
    deep: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root has it in its surroundings after ``su``."""
    stranger.does(MAKE_DIRECTORY, shared / "run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared / "run"))
    assert socket_path(deep).parent == shared / f"fleet-tui-{os.geteuid()}"
    (shared / "mine").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared / "mine"))
    assert socket_path(deep).parent == shared / "mine" / "fleet-tui"


@pytest.mark.root
def test_a_private_directory_is_not_reached_through_somebody_elses_link(
    shared: Path, tmp_path: Path
) -> None:
    place = shared / "sessions"
    stranger.does(f"os.symlink({str(tmp_path)!r}, path)", place)
    with pytest.raises(FleetError, match=f"belongs to user {stranger.UID}"):
        private_dir(place)
    mine = shared / "mine"
    mine.symlink_to(tmp_path)
    assert private_dir(mine) == mine


@pytest.mark.root
async def test_a_console_says_nothing_to_another_users_process(short_dir: Path) -> None:
    """Not even who it is: the other side learns that somebody came and went."""
    path = short_dir / "engine.sock"
    with stranger.listening(path) as process:
        with pytest.raises(FleetError, match=f"user {stranger.UID} listens at .*nothing was sent"):
            await EngineClient.connect(path, "me")
        assert await asyncio.to_thread(stranger.heard, process) == "heard b''\n"
    path.unlink()
    with stranger.listening(path) as process:
        assert await asyncio.to_thread(greet, path, "me") is None
        assert await asyncio.to_thread(stranger.heard, process) == "heard b''\n"


@pytest.mark.root
async def test_an_engine_answers_no_process_of_another_user(short_dir: Path) -> None:
    """Also where the mode of the socket would let it in."""
    path = short_dir / "engine.sock"
    ask = """
door = socket.socket(socket.AF_UNIX)
door.connect(path)
try:
    door.sendall(b'{"type":"hello","protocol":2,"version":"x","by":"me"}\\n')
    print(door.recv(100))
except OSError:
    print(b"")
"""
    async with house(path) as here:
        short_dir.chmod(0o755)
        path.chmod(0o666)
        assert await asyncio.to_thread(stranger.does, ask, path) == "b''\n"
        assert here.engine.stop_reason is None
        short_dir.chmod(0o700)
        assert await asyncio.to_thread(greet, path, "me") is not None


def test_who_is_at_the_other_side_is_asked_of_the_system() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert doors.peer_uid(one) == os.geteuid()
        assert doors.is_ours(one)


@pytest.mark.parametrize(
    ("raw", "uid"),
    [
        (struct.pack("=IIh2xI", 0, 501, 1, 20), 501),
        (struct.pack("=II", 0, 0), 0),
        (struct.pack("=II", 1, 501), None),
        (b"", None),
    ],
)
def test_an_xucred_of_a_version_we_know_is_read(raw: bytes, uid: int | None) -> None:
    assert doors.xucred_uid(raw) == uid
