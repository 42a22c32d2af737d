"""The engine's door: who is let in, what is answered, and that nobody outside can hold it up."""

import asyncio
import gc
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec
import pytest

from fleet_tui.base.errors import FleetError, Unreachable
from fleet_tui.core.agents.commands import Cordon, ProbeNow, Uncordon
from fleet_tui.core.engine.commands import Freeze, StopEngine
from fleet_tui.core.engine.protocol import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    Doorbell,
    Request,
    Response,
    Unwelcome,
    Welcome,
)
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.plans import Impact
from fleet_tui.core.tasks.commands import Cancel, Submit
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine.server import MAX_CLIENTS, MAX_UNREAD_BYTES
from fleet_tui.feed.client import NO_REPLY, NO_TEXT, EngineClient
from tests.engine.doors import (
    DEADLINE_S,
    Busy,
    RawConsole,
    everything,
    hello,
    house,
    visitor,
)
from tests.support.fleets import work
from tests.support.programs import until


@pytest.fixture
def path(short_dir: Path) -> Path:
    return short_dir / "engine.sock"


def note(text: str = "here") -> AddNote:
    return AddNote(text=Untrusted(text))


def request(command: Command, number: int = 1) -> bytes:
    return msgspec.json.encode(Request(id=number, command=command)) + b"\n"


async def reply_to(console: RawConsole, command: Command) -> Reply:
    await console.say(request(command))
    while (frame := await console.hear()) is not None:
        if isinstance(frame, Response):
            return frame.reply
    raise AssertionError("the engine hung up")


async def test_a_hello_is_welcomed_and_told_where_the_ledger_stands(path: Path) -> None:
    async with house(path) as here, visitor(path) as console:
        await console.say(hello())
        welcome = await console.hear()
        assert isinstance(welcome, Welcome)
        assert (welcome.fleet, welcome.seq) == ("test", here.engine.state.seq)
        assert isinstance(await console.hear(), Doorbell)


async def test_another_protocol_is_turned_away_with_both_versions_named(path: Path) -> None:
    async with house(path), visitor(path) as console:
        await console.say(hello(PROTOCOL + 1))
        answer = await console.hear()
        assert isinstance(answer, Unwelcome)
        assert f"protocol {PROTOCOL}" in answer.reason
        assert f"speaks {PROTOCOL + 1}" in answer.reason
        assert await console.hear() is None


async def test_a_client_tells_that_the_engine_is_of_another_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(path):
        monkeypatch.setattr("fleet_tui.feed.client.PROTOCOL", PROTOCOL + 1)
        with pytest.raises(FleetError, match="speaks protocol"):
            await EngineClient.connect(path, "me")


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"hello\n",
        b'{"type":"hello"}\n',
        b'{"type":"welcome","protocol":2}\n',
        b"\xff\xfe\x00\n",
        b"[" * 100_000 + b"\n",
        b'{"type":"hello","protocol":2,"version":"1","by":5}\n',
        request(note()),
    ],
)
async def test_a_console_that_breaks_the_protocol_is_let_go_and_the_next_one_served(
    path: Path, said: bytes
) -> None:
    async with house(path) as here:
        async with visitor(path) as console:
            await console.say(said)
            await console.hear_end()
        async with visitor(path) as console:
            await console.say(hello())
            await reply_to(console, note())
        assert here.ledger.kinds() == ["NoteAdded"]


async def test_a_broken_frame_after_the_hello_ends_only_that_console(path: Path) -> None:
    async with house(path), visitor(path) as good, visitor(path) as bad:
        await good.say(hello())
        await bad.say(hello())
        await bad.say(b'{"type":"request","id":1,"command":{"do":"fly"}}\n')
        await bad.hear_end()
        assert isinstance(await reply_to(good, note()), Accepted)


async def test_a_frame_that_is_too_long_is_not_read_to_its_end(path: Path) -> None:
    async with house(path), visitor(path) as console:
        await console.say(hello())
        try:
            for _ in range(3):
                await console.say(b"x" * MAX_FRAME_BYTES)
        except ConnectionError:
            return  # it hung up while we were still talking
        await console.hear_end()


async def test_half_a_frame_is_no_command(path: Path) -> None:
    async with house(path) as here:
        async with visitor(path) as console:
            await console.say(hello())
            await console.say(request(note())[:-10])
        async with visitor(path) as console:
            await console.say(hello())
            await console.say(request(note("second"))[:20])
            await console.say(request(note("second"))[20:])
            await console.hear()
            while not isinstance(await console.hear(), Response):
                pass
        assert [type(row.event).__name__ for row in here.ledger.rows] == ["NoteAdded"]


async def test_a_console_that_never_reads_is_not_rung_for_ever_and_delays_nobody(
    path: Path,
) -> None:
    async with house(path) as here, visitor(path) as deaf, visitor(path) as good:
        await deaf.say(hello())
        await good.say(hello())
        assert isinstance(await reply_to(good, note()), Accepted)
        for _ in range(20_000):
            here.server.ring()
        assert isinstance(await reply_to(good, note()), Accepted)
        frame_bytes = len(msgspec.json.encode(here.doorbell())) + 1
        heard = 0
        deaf.writer.write_eof()
        while data := await deaf.reader.read(65_536):
            heard += len(data)
        assert heard < 20_000 * frame_bytes


async def test_a_console_that_leaves_its_replies_unread_is_let_go(path: Path) -> None:
    """A reply to an unknown agent repeats its name, so large names make large replies."""
    long = AgentName("x" * 1_000_000)
    async with house(path) as here:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=2**16)
        console = RawConsole(reader, writer)
        try:
            await console.say(hello())
            too_much = request(Cordon(agents=(long,))) * (20 * MAX_UNREAD_BYTES // 1_000_000)
            with pytest.raises(ConnectionError):
                await console.say(too_much)
        finally:
            writer.close()
        async with visitor(path) as good:
            await good.say(hello())
            assert isinstance(await reply_to(good, note()), Accepted)
        assert here.ledger.kinds() == ["NoteAdded"]


async def test_a_frozen_console_does_not_hold_up_the_engines_end(path: Path) -> None:
    long = AgentName("x" * 1_000_000)
    async with house(path) as here:
        before = asyncio.all_tasks()
        reader, writer = await asyncio.open_unix_connection(str(path), limit=2**16)
        console = RawConsole(reader, writer)
        try:
            await console.say(hello())
            await console.say(request(Cordon(agents=(long,))))
            async with visitor(path) as good:
                await good.say(hello())
                assert isinstance(await reply_to(good, note()), Accepted)
            async with asyncio.timeout(DEADLINE_S):
                await here.server.close()
                await asyncio.gather(*(asyncio.all_tasks() - before))
        finally:
            writer.close()


CROWD = 500
"""Connections of the same user that ask nothing."""


async def says_nothing(console: RawConsole) -> None:
    """Connected, and that is all."""


async def says_hello(console: RawConsole) -> None:
    """A console that looks on, or one that was forgotten."""
    await console.say(hello())


async def says_half_a_hello(console: RawConsole) -> None:
    await console.say(msgspec.json.encode(hello())[:20])


async def says_half_a_frame(console: RawConsole) -> None:
    await console.say(hello())
    await console.say(b'{"type":"request","id":1,')


async def reads_nothing(console: RawConsole) -> None:
    """What it asks for is answered, and fills what lies between."""
    console.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport
    await console.say(hello())
    await console.say(request(note("x" * 5_000)))


HABITS = (says_nothing, says_hello, says_half_a_hello, says_half_a_frame, reads_nothing)


@pytest.mark.parametrize("habit", HABITS)
async def test_who_has_something_to_say_is_heard_however_many_are_idle(
    path: Path, habit: Callable[[RawConsole], Awaitable[None]]
) -> None:
    async with house(path) as here, AsyncExitStack() as crowd:
        for _ in range(CROWD):
            console = await crowd.enter_async_context(visitor(path))
            with suppress(ConnectionError):  # it had to make room meanwhile
                await habit(console)
        client = await EngineClient.connect(path, "me")
        try:
            for n in range(3):
                assert isinstance(await client.send(note(f"still heard {n}")), Accepted)
        finally:
            await client.close()
        assert here.engine.stop_reason is None


async def test_who_made_room_is_told_why_and_who_waits_for_an_answer_stays(path: Path) -> None:
    async with house(path), AsyncExitStack() as crowd:
        first = await crowd.enter_async_context(visitor(path))
        await first.say(hello())
        assert isinstance(await first.hear(), Welcome)
        keen = await EngineClient.connect(path, "keen")
        for _ in range(MAX_CLIENTS):
            assert isinstance(await keen.send(note()), Accepted)
            newer = await crowd.enter_async_context(visitor(path))
            await newer.say(hello())
            assert isinstance(await newer.hear(), Welcome)
        heard = [frame async for frame in everything(first)]
        assert isinstance(heard[-1], Unwelcome)
        assert "said nothing for longest" in heard[-1].reason
        assert isinstance(await keen.send(note("still")), Accepted)
        await keen.close()


async def test_where_everybody_waits_for_an_answer_who_comes_is_told_so(path: Path) -> None:
    busy = Busy()
    async with house(path, busy), AsyncExitStack() as crowd:
        for _ in range(MAX_CLIENTS):
            console = await crowd.enter_async_context(visitor(path))
            await console.say(hello())
            assert isinstance(await console.hear(), Welcome)
            await console.say(request(note()))
        await until(lambda: busy.asked == MAX_CLIENTS)
        with pytest.raises(FleetError, match=f"{MAX_CLIENTS} consoles wait for an answer"):
            await EngineClient.connect(path, "one too many")


async def test_a_full_queue_at_the_door_is_waited_for(path: Path) -> None:
    async with house(path), AsyncExitStack() as crowd:
        for _ in range(CROWD):  # in one breath, so that the engine lets nobody in meanwhile
            knock = crowd.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            knock.setblocking(False)
            try:
                knock.connect(str(path))
            except BlockingIOError:
                break
        else:
            pytest.fail("the queue has no end")
        client = await EngineClient.connect(path, "me")
        assert isinstance(await client.send(note("heard")), Accepted)
        await client.close()


@pytest.mark.parametrize(
    "command",
    [
        Submit(task=TaskId("TASK0000000000000000000001"), key="k", spec=work()),
        Cancel(tasks=(TaskId("TASK0000000000000000000001"),)),
        Cordon(agents=(AgentName("a1"),)),
        Uncordon(agents=(AgentName("a1"),)),
        StopEngine(),
    ],
)
async def test_a_read_only_console_may_not_act(path: Path, command: Command) -> None:
    async with house(path) as here, visitor(path) as console:
        await console.say(hello(read_only=True))
        reply = await reply_to(console, command)
        assert isinstance(reply, Refused)
        assert reply.code == "read-only"
        assert here.ledger.kinds() == []


async def test_a_read_only_console_may_ask_for_a_look(path: Path) -> None:
    async with house(path) as here, visitor(path) as console:
        await console.say(hello(read_only=True))
        reply = await reply_to(console, ProbeNow(agents=(AgentName("a1"),)))
        assert isinstance(reply, Accepted)
        assert here.effects.probed == ["a1"]


async def test_the_door_is_its_owners_alone_and_gone_afterwards(path: Path) -> None:
    async with house(path):
        mode = path.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not path.exists()


async def test_a_door_left_behind_by_a_dead_engine_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with pytest.raises(Unreachable):
        await EngineClient.connect(path, "me")
    async with house(path):
        client = await EngineClient.connect(path, "me")
        await client.close()


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "a file": lambda path: path.write_text("x"),
    "an empty directory": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to nowhere": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link to a directory": lambda path: path.symlink_to("/"),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
async def test_what_is_put_in_the_place_of_the_door_is_taken_away_as_often_as_it_is(
    what: str, path: Path
) -> None:
    async with house(path) as here:
        for _ in range(2):
            path.unlink()
            IN_THE_WAY[what](path)
            assert await here.server.stay()
            client = await EngineClient.connect(path, "me")
            await client.close()
        assert not await here.server.stay()


async def test_what_is_no_text_is_not_sent_and_the_next_command_is(path: Path) -> None:
    async with house(path):
        client = await EngineClient.connect(path, "me")
        assert await client.send(Freeze(reason="caf\udce9")) == NO_TEXT
        assert isinstance(await client.send(Freeze(reason="café")), Accepted)
        await client.close()


async def test_many_consoles_ask_at_once_and_each_hears_its_own_answer(path: Path) -> None:
    async with house(path) as here:
        clients = [await EngineClient.connect(path, f"c{n}") for n in range(8)]

        async def ask(client: EngineClient, number: int) -> Reply:
            task = TaskId(f"TASK{number:022d}")
            return await client.send(Submit(task=task, key=task, spec=work(f"task {number}")))

        asked = {TaskId(f"TASK{n:022d}"): clients[n % 8] for n in range(200)}
        replies = await asyncio.gather(*(ask(client, n) for n, client in enumerate(asked.values())))
        for task, reply in zip(asked, replies, strict=True):
            assert isinstance(reply, Accepted)
            assert reply.task == task
        assert sorted(r.number for r in replies if isinstance(r, Accepted) and r.number) == list(
            range(1, 201)
        )
        by = {t.id: t.by for t in here.engine.state.open_tasks.values()}
        assert all(by[TaskId(f"TASK{n:022d}")] == f"c{n % 8}" for n in range(200))
        for client in clients:
            await client.close()


async def test_the_same_key_from_two_consoles_is_one_task(path: Path) -> None:
    async with house(path) as here:
        one = await EngineClient.connect(path, "one")
        two = await EngineClient.connect(path, "two")
        replies = await asyncio.gather(
            *(
                client.send(Submit(task=TaskId(f"TASK{n:022d}"), key="same", spec=work()))
                for n, client in enumerate((one, two))
            )
        )
        assert [isinstance(r, Accepted) and r.duplicate for r in replies].count(True) == 1
        assert len(here.engine.state.open_tasks) == 1
        await one.close()
        await two.close()


async def test_who_waits_for_a_reply_hears_when_the_engine_goes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(path) as here:
        client = await EngineClient.connect(path, "me")
        blocked = asyncio.Event()

        async def never(by: str, command: Command, shown: Impact | None) -> Reply:
            blocked.set()
            await asyncio.Event().wait()
            raise AssertionError(by, command, shown)

        monkeypatch.setattr(here.engine, "ask", never)
        sending = asyncio.create_task(client.send(note()))
        await blocked.wait()
        await here.server.close()
        async with asyncio.timeout(DEADLINE_S):
            assert await sending == NO_REPLY
            await client.lost()
        assert not client.connected
        await client.close()


async def test_closing_the_door_ends_consoles_that_never_said_hello(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.engine.server.HELLO_DEADLINE_S", 10_000)
    async with house(path) as here, visitor(path) as silent, visitor(path) as later:
        await silent.say(b"{")
        await later.say(hello())
        assert isinstance(await later.hear(), Welcome)  # so both have been let in
        await here.server.close()
        await silent.hear_end()


@pytest.mark.parametrize("rounds", range(8))
@pytest.mark.parametrize("opened_anew", [False, True])
async def test_a_closed_door_leaves_nobody_connected_however_lately_they_came(
    path: Path, rounds: int, opened_anew: bool
) -> None:
    """So many rounds of the loop after somebody knocked, of which it takes a few to let them in."""
    async with house(path) as here:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            knock.connect(str(path))
            for _ in range(rounds):
                await asyncio.sleep(0)
            if opened_anew:
                path.unlink()
                assert await here.server.stay()
            await here.server.close()
            knock.setblocking(False)
            with suppress(ConnectionResetError):
                assert knock.recv(1) == b"", "the connection is over"
            gc.collect()  # what is left open says so
