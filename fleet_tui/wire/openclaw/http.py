"""``GET`` over one persistent channel to a gateway.

A new channel costs about 44 ms where sshd still batches small writes, a persistent one under a
millisecond, so the channel stays open between probes. The gateway closes it after some seconds of
silence; a request that coincides with that is repeated once on a new channel.
"""

import asyncio

import h11
import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.openclaw.dial import ByteChannel, Dial, GatewayFailure
from fleet_tui.wire.openclaw.readiness import MAX_BODY_BYTES
from fleet_tui.wire.words import words_of

READ_BYTES = 65_536


class HttpAnswer(msgspec.Struct, frozen=True):
    """Status and body of an answer, the body at most MAX_BODY_BYTES long."""

    status: int
    body: bytes


class KeptHttp:
    """One HTTP client for one gateway; requests take turns."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._channel: ByteChannel | None = None
        self._http = h11.Connection(h11.CLIENT)
        self._asking = asyncio.Lock()
        self.reached = False
        """Whether the last request reached the gateway's port."""

    async def get(self, path: str) -> HttpAnswer | GatewayFailure:
        """The answer to ``GET path``; the caller sets the deadline by cancelling."""
        async with self._asking:
            return await self._get(path)

    def close(self) -> None:
        """Close the channel; the next get() opens another."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def _get(self, path: str) -> HttpAnswer | GatewayFailure:
        self.reached = self._channel is not None
        if self._channel is not None:
            answer = await self._ask(self._channel, path)
            if answer is not None:
                return answer
            self.reached = False
        channel = await self._dial()
        if isinstance(channel, GatewayFailure):
            return channel
        self.reached = True
        self._channel, self._http = channel, h11.Connection(h11.CLIENT)
        answer = await self._ask(channel, path)
        if answer is not None:
            return answer
        return GatewayFailure(
            kind=FailureKind.GATEWAY_DOWN,
            detail=Untrusted("the gateway closed the connection without an answer"),
        )

    async def _ask(self, channel: ByteChannel, path: str) -> HttpAnswer | GatewayFailure | None:
        """One request on this channel; None when it was closed before any answer."""
        kept = False
        request = h11.Request(
            method="GET", target=path, headers=[("Host", "127.0.0.1"), ("Accept", "*/*")]
        )
        try:
            data = self._http.send(request)
            rest = self._http.send(h11.EndOfMessage())
            await channel.write((data or b"") + (rest or b""))
            answer = await self._answer(channel)
            if isinstance(answer, HttpAnswer) and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
                kept = True
            return answer
        except OSError:
            return None
        except h11.RemoteProtocolError:  # its messages are for programmers
            detail = Untrusted("what answers at its port does not speak HTTP")
            return GatewayFailure(kind=FailureKind.BAD_ANSWER, detail=detail)
        finally:
            # Also when cancelled: a channel with half an answer in it must not be reused.
            if not kept:
                self.close()

    async def _answer(self, channel: ByteChannel) -> HttpAnswer | GatewayFailure | None:
        status, heard = 0, False
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                data = await channel.read(READ_BYTES)
                if not data and not heard:
                    return None
                heard = True
                self._http.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY_BYTES:
                    return GatewayFailure(
                        kind=FailureKind.BAD_ANSWER,
                        detail=words_of(f"an answer longer than {MAX_BODY_BYTES} bytes"),
                    )
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return HttpAnswer(status, bytes(body))
