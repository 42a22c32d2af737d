"""A console's half of the conversation: what it leaves behind, and what it says of a reply that did
not come."""

import asyncio
from pathlib import Path

import pytest

from fleet_tui.base.errors import FleetError
from fleet_tui.core.engine.protocol import PROTOCOL
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.client import NO_REPLY, EngineClient
from tests.engine.doors import Busy, House, house

DEADLINE_S = 10.0
NOTE = AddNote(text=Untrusted("hello"))


async def test_a_console_that_gives_up_at_the_door_hangs_up(short_dir: Path) -> None:
    path = short_dir / "engine.sock"
    said_hello, hung_up = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        said_hello.set()
        await reader.read()
        hung_up.set()
        writer.close()

    async with asyncio.timeout(DEADLINE_S), await asyncio.start_unix_server(silent, str(path)):
        connecting = asyncio.create_task(EngineClient.connect(path, "me"))
        await said_hello.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await hung_up.wait()


async def test_only_another_protocol_is_answered_by_the_same_version_for_both(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = short_dir / "engine.sock"
    busy = Busy()
    here = House(path, busy)
    here.server._max_clients = 1
    await here.server.listen(path)
    first = await EngineClient.connect(path, "ana")
    asking = asyncio.create_task(first.send(NOTE))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not busy.asked:
                await asyncio.sleep(0)
        with pytest.raises(FleetError, match="consoles wait") as full:
            await EngineClient.connect(path, "bo")
        assert "version" not in full.value.hint
    finally:
        await first.close()
        await asking
        await here.server.close()
    async with house(path):
        monkeypatch.setattr("fleet_tui.feed.client.PROTOCOL", PROTOCOL + 1)
        with pytest.raises(FleetError, match="speaks protocol") as other:
            await EngineClient.connect(path, "me")
        assert other.value.hint == "use the same version for both"


async def test_a_reply_that_takes_too_long_is_not_called_the_end_of_the_engine(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.feed.client.REPLY_DEADLINE_S", 0.01)
    path = short_dir / "engine.sock"
    async with house(path, Busy()):
        client = await EngineClient.connect(path, "me")
        reply = await client.send(NOTE)
        assert client.connected
        await client.close()
    assert isinstance(reply, Refused)
    assert (reply.code, reply.hint) == (NO_REPLY.code, NO_REPLY.hint)
    assert "has not replied" in reply.text


async def test_an_engine_that_does_not_even_read_is_not_waited_for_without_end(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.feed.client.REPLY_DEADLINE_S", 0.01)
    path = short_dir / "engine.sock"
    async with house(path, Busy()):
        client = await EngineClient.connect(path, "me")

        async def full() -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(client._writer, "drain", full)
        async with asyncio.timeout(DEADLINE_S):
            reply = await client.send(NOTE)
        await client.close()
    assert isinstance(reply, Refused)
    assert "has not replied" in reply.text
