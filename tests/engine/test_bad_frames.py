"""What is no frame: told why and let go, whoever sent it; nothing of it is a bug of ours."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.base.errors import Unreachable
from fleet_tui.core.engine.protocol import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    BadFrame,
    Request,
    Unwelcome,
    Welcome,
    from_client,
    from_engine,
    read_frame,
)
from fleet_tui.core.ids import Epoch, Seq
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.client import NO_REPLY, EngineClient
from fleet_tui.feed.greeting import greet
from tests.engine.doors import everything, hello, house, visitor

HELLO = f'{{"type":"hello","protocol":{PROTOCOL},"version":"x","by":"me"}}'.encode()

BAD = {
    "a deep list": b"[" * 200_000,
    "a deep object": b'{"a":' * 100_000,
    "a deep field that no frame has": HELLO[:-1] + b',"more":' + b"[" * 100_000,
    "a deep field of a command": b'{"type":"request","id":1,"command":' + b"[" * 100_000,
    "no JSON": b"GET / HTTP/1.1",
    "nothing": b"",
    "NUL": b"\x00" * 64,
    "a NUL within": HELLO.replace(b"me", b"m\x00e"),
    "no UTF-8": HELLO.replace(b"me", b"\xff\xfe"),
    "a lone surrogate": HELLO.replace(b"me", b"\\ud800"),
    "another shape": b"{}",
    "a list": b"[]",
    "a number of a kind that nothing has": HELLO.replace(str(PROTOCOL).encode(), b"1e999"),
    "a huge number": HELLO.replace(str(PROTOCOL).encode(), b"9" * 4_000),
    "a negative number": HELLO.replace(str(PROTOCOL).encode(), b"-1"),
    "an endless name": HELLO.replace(b"me", b"m" * 10_000),
    "two frames in one": HELLO + HELLO,
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_what_is_no_frame_has_one_name(bad: bytes) -> None:
    with pytest.raises(BadFrame, match="frame"):
        read_frame(from_client, bad + b"\n")
    with pytest.raises(BadFrame, match="frame"):
        read_frame(from_engine, bad + b"\n")


@given(st.binary(max_size=200))
def test_no_bytes_are_anything_but_a_frame_or_a_bad_one(line: bytes) -> None:
    with suppress(BadFrame):
        read_frame(from_client, line)
    with suppress(BadFrame):
        read_frame(from_engine, line)


@pytest.mark.parametrize("greeted", [False, True], ids=["instead of a hello", "after the hello"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_the_engine_says_why_and_lives(
    short_dir: Path, bad: bytes, greeted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = short_dir / "engine.sock"
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    async with house(path) as here, visitor(path) as console:
        if greeted:
            await console.say(hello())
            assert isinstance(await console.hear(), Welcome)
        await console.say(bad + b"\n")
        heard = [frame async for frame in everything(console)]
        assert isinstance(heard[-1], Unwelcome)
        assert heard[-1].reason.startswith("The engine was sent a frame ")
        async with visitor(path) as other:
            await other.say(hello())
            assert isinstance(await other.hear(), Welcome)
        assert here.engine.stop_reason is None
    assert faults == []
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_a_frame_that_is_too_long_is_told_its_bound(short_dir: Path) -> None:
    path = short_dir / "engine.sock"
    async with house(path), visitor(path) as console:
        await console.say(b"x" * MAX_FRAME_BYTES)
        asyncio.get_running_loop().create_task(console.say(b"x" * MAX_FRAME_BYTES))
        heard = [frame async for frame in everything(console)]
        for said in heard[-1:]:  # where the end came faster than its reason, there is none
            assert isinstance(said, Unwelcome)
            assert f"{MAX_FRAME_BYTES:,} bytes" in said.reason


async def test_a_number_that_no_reply_could_carry_is_refused(short_dir: Path) -> None:
    """JSON has numbers that can be read and not written again."""
    path = short_dir / "engine.sock"
    note = msgspec.json.encode(Request(id=1, command=AddNote(text=Untrusted("x"))))
    async with house(path), visitor(path) as console:
        await console.say(hello())
        await console.say(note.replace(b'"id":1', b'"id":' + b"9" * 30) + b"\n")
        heard = [frame async for frame in everything(console)]
        assert isinstance(heard[-1], Unwelcome)


@asynccontextmanager
async def impostor(path: Path, says: list[bytes]) -> AsyncIterator[None]:
    """Something that listens where an engine should, and says that to each line."""
    answers = list(says)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers and await reader.readline():
            writer.write(answers.pop(0) + b"\n")
        writer.close()

    server = await asyncio.start_unix_server(serve, str(path))
    try:
        yield
    finally:
        server.close()


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_console_that_hears_no_frame_says_that_no_engine_answers(
    short_dir: Path, bad: bytes
) -> None:
    path = short_dir / "engine.sock"
    async with impostor(path, [bad]):
        with pytest.raises(Unreachable, match="does not answer"):
            await EngineClient.connect(path, "me")
    path.unlink()
    async with impostor(path, [bad]):
        assert await asyncio.to_thread(greet, path, "me") is None


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_console_hangs_up_on_an_engine_that_talks_nonsense(
    short_dir: Path, bad: bytes
) -> None:
    path = short_dir / "engine.sock"
    welcome = Welcome(
        protocol=PROTOCOL, version="x", fleet="x", pid=1, epoch=Epoch(1), seq=Seq(1), now_ms=1
    )
    async with impostor(path, [msgspec.json.encode(welcome), bad]):
        client = await EngineClient.connect(path, "me")
        assert await client.send(AddNote(text=Untrusted("x"))) == NO_REPLY
        await client.lost()
        await client.close()
