"""The engine's door: a Unix socket for consoles of the same user.

Frames are JSON lines (``core.engine.protocol``). A console that stops reading gets no more
doorbells until it reads again and, past a bound, is disconnected; nothing here ever waits for a
console. New connections are always accepted: where all places are taken, the one that has been
silent for longest is disconnected.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from fleet_tui import __version__
from fleet_tui.base.doors import is_ours, make_room
from fleet_tui.core.agents.commands import ProbeNow
from fleet_tui.core.engine.protocol import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    BadFrame,
    Doorbell,
    FromEngine,
    Hello,
    Request,
    Response,
    Unwelcome,
    Welcome,
    from_client,
    read_frame,
)
from fleet_tui.core.ids import Epoch
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused, Reply
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.plans import Impact

MAX_CLIENTS = 64
"""Simultaneous consoles. One that is disconnected to free a place reconnects by itself."""
HELLO_DEADLINE_S = 5.0
GOODBYE_S = 1.0
"""How long a console may take to read the last frames; one that hangs must not delay our exit."""
MAX_UNREAD_BYTES = 4 * 1024 * 1024
"""Replies that a console may leave unread before it is disconnected."""
MAX_ASKED_AT_ONCE = 256
"""Commands of one console in progress; it waits beyond that."""

_encoder = msgspec.json.Encoder()


class Behind(Protocol):
    """The receiver of commands: an engine, or the stand-in for one that cannot work."""

    async def ask(self, by: str, command: Command, shown: Impact | None = None) -> Reply:
        """An operator's command; returns when it is committed or refused."""
        ...


class Server:
    """Accepts consoles, passes on their commands, rings when there is more to read."""

    def __init__(
        self,
        engine: Behind,
        fleet: Callable[[], str],
        epoch: Epoch,
        doorbell: Callable[[], Doorbell],
        max_clients: int = MAX_CLIENTS,
    ) -> None:
        """``fleet`` returns its current name."""
        self._max_clients = max_clients
        self._engine = engine
        self._fleet = fleet
        self._epoch = epoch
        self._doorbell = doorbell
        self._clients: set[_Client] = set()
        """Clients with a place."""
        self._present: set[_Client] = set()
        """All connected clients: those, and clients that are connecting or disconnecting."""
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._door: tuple[int, int] | None = None
        """The socket that we created: a later engine puts its own at the same path."""

    async def listen(self, path: Path) -> None:
        """Open the door at a path; a socket left behind by a dead engine is replaced. The caller
        holds the ledger's lock, so no running engine listens there."""
        _remove(path)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._let_in,
                path=str(path),
                limit=MAX_FRAME_BYTES,
                backlog=self._max_clients,  # this many connect before any is disconnected
            )
        finally:
            os.umask(before)
        self._path, self._door = path, _identity(path)

    async def stay(self) -> bool:
        """Recreate the socket when it is not the one that we created: consoles could not connect.
        Returns whether that was so. Connected consoles stay. The caller still holds the ledger's
        lock. Raises OSError, FleetError when it cannot be opened."""
        if self._path is None or self._server is None or _identity(self._path) == self._door:
            return False
        before = self._server
        make_room(self._path)
        await self.listen(self._path)
        await _shut(before)
        return True

    def ring(self) -> None:
        """Tell every console that there is more to read. Never waits."""
        frame = _line(self._doorbell())
        for client in self._clients:
            if client.greeted:
                client.ring(frame)

    async def close(self) -> None:
        """Close the door and disconnect everybody."""
        if self._server is None:
            return
        await _shut(self._server)
        await asyncio.gather(*(client.end() for client in self._present))
        if self._path is not None and _identity(self._path) == self._door:
            _remove(self._path)

    def _let_in(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Coroutine[None, None, None]:
        """Register a new connection at once, not when its task begins, so that closing the door
        meanwhile disconnects it, too."""
        client = _Client(reader, writer)
        self._present.add(client)
        return self._receive(client)

    async def _receive(self, client: "_Client") -> None:
        try:
            if client.may_come_in():
                await self._talk(client)
        finally:
            await client.end()
            self._present.discard(client)

    async def _talk(self, client: "_Client") -> None:
        if not self._makes_room():
            client.turn_away(f"{self._max_clients} consoles wait for an answer of this engine.")
            return
        self._clients.add(client)
        try:
            hello = await self._greet(client)
            if hello is not None:
                client.greeted = True
                client.ring(_line(self._doorbell()))
                await self._serve(client, hello)
        except* BadFrame as bad:  # sent the reason, then disconnected
            client.refuse(str(bad.exceptions[0]))
        except* (OSError, TimeoutError):
            pass  # it disconnected, or never sent a hello
        finally:
            self._clients.discard(client)

    def _makes_room(self) -> bool:
        """Disconnect a client where all places are taken: first one that has not sent a hello, then
        the one that has been silent for longest. False where all wait for a reply."""
        if len(self._clients) < self._max_clients:
            return True
        idle = [client for client in self._clients if not client.asks]
        if not idle:
            return False
        silent = min(idle, key=lambda client: (client.greeted, client.heard_s))
        silent.turn_away("Others need its place; this console said nothing for longest.")
        self._clients.discard(silent)
        silent.close()
        return True

    async def _greet(self, client: "_Client") -> Hello | None:
        async with asyncio.timeout(HELLO_DEADLINE_S):
            hello = await client.read()
        if not isinstance(hello, Hello):
            return None
        if hello.protocol != PROTOCOL:
            reason = (
                f"This engine (version {__version__}) speaks protocol {PROTOCOL}; "
                f"the console (version {hello.version}) speaks {hello.protocol}."
            )
            client.send(Unwelcome(protocol=PROTOCOL, version=__version__, reason=reason))
            return None
        now = self._doorbell()
        client.send(
            Welcome(
                protocol=PROTOCOL,
                version=__version__,
                fleet=self._fleet(),
                pid=os.getpid(),
                epoch=self._epoch,
                seq=now.seq,
                now_ms=now.now_ms,
                mode=now.mode,
            )
        )
        return hello

    async def _serve(self, client: "_Client", hello: Hello) -> None:
        places = asyncio.Semaphore(MAX_ASKED_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while (frame := await client.read()) is not None:
                if not isinstance(frame, Request):
                    break
                await places.acquire()
                client.asks += 1
                asked = group.create_task(self._answer(client, hello, frame))
                asked.add_done_callback(lambda _: places.release())

    async def _answer(self, client: "_Client", hello: Hello, request: Request) -> None:
        try:
            reply = await self._ask(hello, request)
        finally:
            client.asks -= 1
        client.send(Response(id=request.id, reply=reply))

    async def _ask(self, hello: Hello, request: Request) -> Reply:
        if hello.read_only and not isinstance(request.command, ProbeNow | AddNote):
            return Refused(code=RefusalCode.READ_ONLY, text="This console is read-only.")
        return await self._engine.ask(hello.by, request.command, request.shown)


class _Client:
    """One console's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.greeted = False
        """Whether it has sent a hello that was understood."""
        self.asks = 0
        """Its commands in progress."""
        self.heard_s = asyncio.get_running_loop().time()
        """When it connected or sent its last complete frame, by the loop's clock."""
        self._reader = reader
        self._writer = writer

    def may_come_in(self) -> bool:
        """Whether the peer runs as our user; False for one that is gone already."""
        peer: socket.socket = self._writer.get_extra_info("socket")
        try:
            return is_ours(peer)
        except OSError:
            return False

    async def read(self) -> Hello | Request | None:
        """The next frame, None at the end. Raises BadFrame for an invalid one."""
        try:
            line = await self._reader.readline()
        except ValueError:
            raise BadFrame(f"a frame of more than {MAX_FRAME_BYTES:,} bytes") from None
        if not line:
            return None
        frame = read_frame(from_client, line)
        self.heard_s = asyncio.get_running_loop().time()
        return frame

    def send(self, message: FromEngine) -> None:
        """Queue a frame; a console with too much unread is disconnected."""
        self._write(_line(message))

    def refuse(self, what: str) -> None:
        """Report that it is not understood."""
        self.turn_away(f"The engine was sent {what}; it hangs up.")

    def turn_away(self, reason: str) -> None:
        """Report why it is disconnected."""
        self.send(Unwelcome(protocol=PROTOCOL, version=__version__, reason=reason))

    def ring(self, frame: bytes) -> None:
        """Queue a doorbell unless an earlier one is still unread."""
        if self._writer.transport.get_write_buffer_size() == 0:
            self._write(frame)

    def close(self) -> None:
        """Disconnect, within GOODBYE_S whatever the console does."""
        self._writer.close()
        asyncio.get_running_loop().call_later(GOODBYE_S, self._writer.transport.abort)

    async def end(self) -> None:
        """Disconnect and wait until it is done."""
        self.close()
        with suppress(OSError):  # it was gone already
            await self._writer.wait_closed()

    def _write(self, frame: bytes) -> None:
        if self._writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self._writer.transport.abort()
        elif not self._writer.is_closing():
            self._writer.write(frame)


async def _shut(door: asyncio.Server) -> None:
    """Stop accepting, once the connections already accepted have been registered.

    asyncio needs two rounds of its loop between the two, and fails with the connection left open
    where its server is closed meanwhile.
    """
    for listening in door.sockets:
        asyncio.get_running_loop().remove_reader(listening)
    try:
        for _ in range(2):
            await asyncio.sleep(0)
    finally:
        door.close()


def _remove(path: Path) -> None:
    """Remove whatever is at the socket's path, except a directory that is not empty. Raises
    OSError."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """The identity of the file at a path; None where there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _line(message: FromEngine) -> bytes:
    return _encoder.encode(message) + b"\n"
