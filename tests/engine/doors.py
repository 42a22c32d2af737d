"""An engine in memory behind a real Unix socket, and consoles that speak to it byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from fleet_tui import __version__
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.engine.protocol import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    Doorbell,
    FromEngine,
    Hello,
    Request,
)
from fleet_tui.core.ids import AgentName, Epoch, Seq
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.plans import Impact
from fleet_tui.engine.clock import WallClock
from fleet_tui.engine.engine import Engine
from fleet_tui.engine.server import Behind, Server
from tests.support.fleets import agent, fleet
from tests.support.memory import MemoryLedger

DEADLINE_S = 30.0


class NoEffects:
    """Follows nothing: these tests are about the door."""

    def __init__(self) -> None:
        self.probed: list[AgentName] = []

    def follow(self, state: FleetState, recorded: Sequence[Recorded]) -> None:
        pass

    def probe_now(self, agents: Sequence[AgentName]) -> None:
        self.probed.extend(agents)


class Busy:
    """Answers nobody."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, by: str, command: Command, shown: Impact | None = None) -> Reply:
        """Never returns."""
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


class House:
    """The engine, its ledger and its door."""

    def __init__(self, path: Path, behind: Behind | None = None) -> None:
        self.path = path
        self.ledger = MemoryLedger(start=1)
        self.effects = NoEffects()
        loaded: Event = FleetLoaded(spec=fleet(agent("a1"), agent("a2")), by="me")
        state = fold(EMPTY_STATE, [Recorded(Seq(1), 1, Epoch(1), loaded)])
        self.engine = Engine(self.ledger, state, self.effects, WallClock(), lambda _, __: None)
        self.server = Server(
            behind or self.engine, lambda: self.engine.state.fleet.name, Epoch(1), self.doorbell
        )

    def doorbell(self) -> Doorbell:
        """As the engine would ring now."""
        return Doorbell(seq=self.engine.state.seq, sample=0, line=0, now_ms=0)


@asynccontextmanager
async def house(path: Path, behind: Behind | None = None) -> AsyncIterator[House]:
    """An engine whose door is open; ``behind`` answers in its place. Its end asks nobody: after a
    test that ran out of time all tasks are cancelled, and who should answer may be replaced."""
    here = House(path, behind)
    loop = asyncio.create_task(here.engine.run())
    await here.server.listen(path)
    try:
        yield here
    finally:
        await here.server.close()
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop


class RawConsole:
    """A console that can say anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, frame: Hello | Request | bytes) -> None:
        """Send a frame, or any bytes."""
        data = frame if isinstance(frame, bytes) else msgspec.json.encode(frame) + b"\n"
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> FromEngine | None:
        """The next frame; None when the engine has hung up."""
        async with asyncio.timeout(DEADLINE_S):
            with suppress(ConnectionError):
                line = await self.reader.readline()
                return msgspec.json.decode(line, type=FromEngine) if line else None
        return None

    async def hear_end(self) -> None:
        """Return when the engine hangs up, whatever it says before."""
        while await self.hear() is not None:
            pass


async def everything(console: RawConsole) -> AsyncIterator[FromEngine]:
    """What it hears until the engine hangs up."""
    while (frame := await console.hear()) is not None:
        yield frame


@asynccontextmanager
async def visitor(path: Path) -> AsyncIterator[RawConsole]:
    """Connected, nothing said yet."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_FRAME_BYTES)
    try:
        yield RawConsole(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def hello(protocol: int = PROTOCOL, *, read_only: bool = False) -> Hello:
    """What a console says first."""
    return Hello(protocol=protocol, version=__version__, by="me", read_only=read_only)
