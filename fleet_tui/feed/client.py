"""A connection to an engine over its socket."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import assert_never

import msgspec

from fleet_tui import __version__
from fleet_tui.base.doors import check_peer, check_room
from fleet_tui.base.errors import FleetError, Unreachable
from fleet_tui.core.engine.protocol import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    Doorbell,
    Hello,
    Request,
    Response,
    Unwelcome,
    Welcome,
    from_engine,
    read_frame,
)
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused, Reply
from fleet_tui.core.plans import Impact
from fleet_tui.core.text.firewall import safe_line

HELLO_DEADLINE_S = 5.0
KNOCK_AGAIN_S = 0.02
"""Retry interval while the socket's queue of pending connections is full."""
REPLY_DEADLINE_S = 30.0
"""After this long without a reply the outcome of the command is unknown."""

HOW_TO_START = "`fleet-tui open FLEET` starts one with a console, `fleet-tui engine` without."

NO_ENGINE = Refused(
    code=RefusalCode.NO_ENGINE,
    text="No engine answers; nothing was sent.",
    hint=HOW_TO_START,
)
NO_REPLY = Refused(
    code=RefusalCode.NO_REPLY,
    text="The engine broke off before it replied; the command may or may not have been taken.",
    hint="Look at the fleet before you repeat it; a submit with the same key is safe to repeat.",
)
LATE_REPLY = Refused(
    code=NO_REPLY.code,
    text=f"The engine has not replied for {REPLY_DEADLINE_S:.0f} s;"
    " the command may or may not be taken.",
    hint=NO_REPLY.hint,
)
TOO_LARGE = Refused(
    code=RefusalCode.TOO_LARGE,
    text=f"Written out as JSON it is longer than {MAX_FRAME_BYTES:,} bytes; nothing was sent.",
    hint="Line breaks, quotes and control characters take two to six bytes each.",
)
NO_TEXT = Refused(
    code=RefusalCode.NOT_UTF8,
    text="There are bytes in it that are not valid UTF-8; nothing was sent.",
)


async def _knock(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect. Raises OSError, TimeoutError where the socket's queue stays full, and ValueError for
    an invalid path.

    Connecting to a Unix socket whose queue is full fails at once (EAGAIN, see connect(2)) and
    leaves it unconnected. The event loop takes that for a connection in progress.
    """
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.setblocking(False)
    try:
        async with asyncio.timeout(HELLO_DEADLINE_S):
            while True:
                try:
                    door.connect(str(path))
                except BlockingIOError:
                    await asyncio.sleep(KNOCK_AGAIN_S)
                else:
                    return await asyncio.open_unix_connection(sock=door, limit=MAX_FRAME_BYTES)
    except BaseException:  # the socket is closed
        door.close()
        raise


class EngineClient:
    """The console's side of a connection. Created by :meth:`connect`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        welcome: Welcome,
        rung: Callable[[Doorbell], None],
    ) -> None:
        self.welcome = welcome
        self._reader = reader
        self._writer = writer
        self._rung = rung
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._last_id = 0
        self._listener = asyncio.create_task(self._listen(), name="engine client")

    @classmethod
    async def connect(
        cls,
        path: Path,
        by: str,
        *,
        read_only: bool = False,
        rung: Callable[[Doorbell], None] = lambda _: None,
    ) -> "EngineClient":
        """Connect and exchange hellos. Raises Unreachable when no engine listens there and
        FleetError when it uses another protocol or the socket's directory belongs to another
        user."""
        try:
            check_room(path)  # in a shared directory any user could impersonate the engine
            reader, writer = await _knock(path)
        except TimeoutError as error:
            raise Unreachable("the engine refuses the connection", hint=f"at {path}") from error
        except (OSError, ValueError) as error:
            raise Unreachable("no engine runs for this fleet", hint=HOW_TO_START) from error
        try:
            check_peer(writer.get_extra_info("socket"), path)
            hello = Hello(protocol=PROTOCOL, version=__version__, by=by, read_only=read_only)
            writer.write(msgspec.json.encode(hello) + b"\n")
            async with asyncio.timeout(HELLO_DEADLINE_S):
                answer = read_frame(from_engine, await reader.readline())
        except (OSError, TimeoutError, ValueError) as error:  # BadFrame and a long line are ones
            writer.close()
            raise Unreachable("the engine does not answer", hint=f"at {path}") from error
        except BaseException:  # nothing else refers to the connection
            writer.close()
            raise
        match answer:
            case Welcome():
                return cls(reader, writer, answer, rung)
            case Unwelcome(protocol=protocol, reason=reason):
                writer.close()
                hint = "" if protocol == PROTOCOL else "use the same version for both"
                raise FleetError(safe_line(reason), hint=hint)
            case Doorbell() | Response():
                writer.close()
                raise FleetError("the engine did not say welcome")
            case _:
                assert_never(answer)

    @property
    def connected(self) -> bool:
        """Whether the connection to the engine is up, as far as known."""
        return not self._listener.done()

    async def lost(self) -> None:
        """Return when the connection is gone."""
        await asyncio.wait({self._listener})

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        """Send a command and wait for the reply; ``shown`` is the impact that its author was
        shown."""
        if not self.connected:
            return NO_ENGINE
        self._last_id += 1
        request = Request(id=self._last_id, command=command, shown=shown)
        try:
            frame = msgspec.json.encode(request) + b"\n"
        except UnicodeEncodeError:
            return NO_TEXT
        if len(frame) > MAX_FRAME_BYTES:
            return TOO_LARGE
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = reply
        try:
            self._writer.write(frame)
            async with asyncio.timeout(REPLY_DEADLINE_S):
                await self._writer.drain()
                return await reply
        except TimeoutError:
            return LATE_REPLY
        except OSError:
            return NO_REPLY
        finally:
            self._waiting.pop(request.id, None)

    async def close(self) -> None:
        """Disconnect."""
        self._listener.cancel()
        self._writer.close()
        with suppress(asyncio.CancelledError):
            await self._listener
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                frame = read_frame(from_engine, line)
                match frame:
                    case Response(id=number, reply=reply):
                        waiting = self._waiting.pop(number, None)
                        if waiting is not None and not waiting.done():
                            waiting.set_result(reply)
                    case Doorbell():
                        self._rung(frame)
                    case Welcome() | Unwelcome():
                        pass  # a late welcome changes nothing
                    case _:
                        assert_never(frame)
        except (OSError, ValueError):
            pass  # the connection is over either way
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result(NO_REPLY)
