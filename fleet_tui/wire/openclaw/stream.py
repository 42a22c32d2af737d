"""WebSocket messages over a byte channel, with the sans-IO part of ``websockets``.

Text messages only, in one piece, at most MAX_FRAME_BYTES long; pings are answered here.
"""

import asyncio
from collections import deque

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from fleet_tui.wire.openclaw.dial import ByteChannel
from fleet_tui.wire.openclaw.frames import MAX_FRAME_BYTES
from fleet_tui.wire.words import excerpt

READ_BYTES = 65_536


MAX_EXCERPT_CHARS = 120
"""How much of a refusal is quoted."""


class NotWebSocket(Exception):
    """The other end does not speak WebSocket, or not now; the message quotes what came instead.

    ``status`` and ``said`` are those of an HTTP answer, 0 and empty when none came; untrusted.
    """

    def __init__(self, message: str, *, status: int = 0, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class MessageStream:
    """One WebSocket connection. Reading is for one task; sending is for any number."""

    def __init__(self, channel: ByteChannel) -> None:
        self._channel = channel
        self._protocol = ClientProtocol(
            parse_uri("ws://127.0.0.1/"), extensions=None, max_size=MAX_FRAME_BYTES
        )
        self._ready: deque[bytes] = deque()
        self._parts = bytearray()
        self._sending = asyncio.Lock()

    @property
    def close_code(self) -> int | None:
        """Code of the close frame, once there was one."""
        told = self._protocol.close_rcvd  # its close_code waits for the end of the channel
        return None if told is None else int(told.code)

    @property
    def close_reason(self) -> str:
        """The reason given while closing; untrusted."""
        told = self._protocol.close_rcvd
        return "" if told is None else told.reason

    async def open(self) -> None:
        """Upgrade the channel. Raises NotWebSocket, or OSError when the channel is lost."""
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        while self._protocol.state is State.CONNECTING:
            await self._fill()
            problem = self._protocol.handshake_exc
            if isinstance(problem, InvalidStatus):
                raise _refused(problem.response)
            if isinstance(problem, InvalidHandshake):
                raise NotWebSocket(str(problem))
            if problem is not None:
                raise ConnectionResetError(str(problem))

    async def receive(self) -> bytes | None:
        """The next message, None at the end. Raises OSError when the channel is lost."""
        while not self._ready:
            # Not OPEN covers a message that was too long or invalid: nothing after it counts.
            if self._protocol.state is not State.OPEN or not await self._fill():
                return None
        return self._ready.popleft()

    async def send(self, message: bytes) -> None:
        """Send one message. Raises OSError when the channel is lost or closing."""
        if self._protocol.state is not State.OPEN:
            raise ConnectionResetError("the WebSocket is closed")
        self._protocol.send_text(message)
        await self._flush()

    def close(self) -> None:
        """Close at once, without a close frame: the gateway accepts that."""
        self._channel.close()

    async def _fill(self) -> bool:
        """Read what the channel has; False at its end."""
        data = await self._channel.read(READ_BYTES)
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, WireFrame):
                self._take(event)
        await self._flush()
        return bool(data)

    def _take(self, frame: WireFrame) -> None:
        if frame.opcode not in {Opcode.TEXT, Opcode.CONT, Opcode.BINARY}:
            return
        self._parts += frame.data
        if frame.fin:
            self._ready.append(bytes(self._parts))
            self._parts.clear()

    async def _flush(self) -> None:
        """Send the pending data in one write: a cancelled sender leaves no partial frame."""
        async with self._sending:
            data = b"".join(self._protocol.data_to_send())
            if data:
                await self._channel.write(data)


def _refused(response: Response) -> NotWebSocket:
    """An upgrade that was answered with an HTTP status instead."""
    said = excerpt(response.body, MAX_EXCERPT_CHARS)
    status = response.status_code
    message = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    return NotWebSocket(message, status=status, said=said)
