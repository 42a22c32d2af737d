"""A TCP line to a server that can be cut, held and garbled at any byte.

It stands in for the network where the real one cannot be treated badly: it needs no rights, and a
test says exactly which byte is the last one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fleet_tui.core.fleet import HostSpec
from tests.support.sshd import Sshd


class Call:
    """One connection through the line."""

    def __init__(self, line: "Line", near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._line = line
        self.near = near
        self.far = far
        self.held = bytearray()
        """What was sent and has not been passed on."""
        self.ended = asyncio.Event()
        """The server has hung up."""

    def cut(self) -> None:
        """End it on both sides without a goodbye."""
        for side in (self.near, self.far):
            side.transport.abort()

    def hang_up_near(self) -> None:
        """The caller loses the connection; the server does not know yet."""
        self.near.transport.abort()

    async def deliver(self) -> None:
        """Pass on what was held, then the news that the caller is gone; wait for the server."""
        self.far.write(bytes(self.held))
        self.held.clear()
        self.far.write_eof()
        await self.ended.wait()

    async def send(self, reader: asyncio.StreamReader) -> None:
        """From the caller to the server."""
        while data := await reader.read(65_536):
            left = self._line.bytes_left
            passing = data if left is None else data[:left]
            if left is not None:
                self._line.bytes_left = left - len(passing)
            self.far.write(passing)
            await self.far.drain()
            if self._line.holding:
                self.held += data[len(passing) :]
                self._line.news.set()
            elif self._line.bytes_left == 0:
                self.cut()
        if not self._line.holding:
            self.far.write_eof()

    async def receive(self, reader: asyncio.StreamReader) -> None:
        """From the server to the caller."""
        try:
            while data := await reader.read(65_536):
                if self._line.garbling:
                    data = bytes([data[0] ^ 0xFF]) + data[1:]
                self.near.write(data)
                await self.near.drain()
        finally:
            self.ended.set()
            self.near.close()


class Line:
    """The way to one port; what it does to the calls on it is set while they last."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[Call] = []
        self.bytes_left: int | None = None
        """So many bytes still get to the server before the connection is cut; None for all."""
        self.holding = False
        """What comes after ``bytes_left`` waits here; the connection is not cut."""
        self.garbling = False
        """One byte of each piece that the server sends arrives as another."""
        self.news = asyncio.Event()
        """Something is held."""

    def spec(self, server: Sshd, name: str = "box") -> HostSpec:
        """How to reach a server by this line."""
        key = server.known_hosts.read_text().split(" ", 1)[1].strip()
        known = server.directory / f"known-by-line-{self.port}"
        known.write_text(f"[127.0.0.1]:{self.port} {key}\n")
        return server.spec(name, port=self.port, known_hosts=str(known))

    def cut(self) -> None:
        """End every call without a goodbye."""
        for call in self.calls:
            call.cut()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    """A line to a loopback port, for as long as the block lasts."""
    line = Line()
    tasks: set[asyncio.Task[None]] = set()

    async def carry(near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        far_in, far = await asyncio.open_connection("127.0.0.1", port)
        call = Call(line, near, far)
        line.calls.append(call)
        ways = (call.send(near_in), call.receive(far_in))
        for ended in await asyncio.gather(*ways, return_exceptions=True):
            if isinstance(ended, Exception) and not isinstance(ended, OSError):
                raise ended

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(carry(reader, writer))
        tasks.add(task)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    line.port = listener.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        listener.close()
        line.cut()
        for task in tuple(tasks):
            if not task.done():
                task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task
