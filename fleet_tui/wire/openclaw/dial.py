"""Connects to a gateway's loopback port: a byte channel, or why there is none."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import HostName
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.ssh.pool import ChannelFailure, SshFailure, SshPool


class GatewayFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request to a gateway failed. Nothing that changes anything had been sent."""

    kind: FailureKind
    detail: Untrusted = NOTHING_SAID


class ByteChannel(Protocol):
    """A byte stream to the gateway. Lost streams raise ConnectionError (a kind of OSError)."""

    async def read(self, max_bytes: int = 65_536) -> bytes:
        """The next bytes, at once when there are some; ``b""`` at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all of it, waiting while the other end is slow."""
        ...

    def close(self) -> None:
        """Close at once; again is harmless."""
        ...


Dial = Callable[[], Awaitable[ByteChannel | GatewayFailure]]


def dial_over_ssh(pool: SshPool, host: HostName, port: int) -> Dial:
    """A Dial that opens direct-tcpip channels to ``127.0.0.1:port`` as seen from ``host``.

    The gateway takes such a client for local, so its shared token alone keeps the requested scopes.
    """

    async def dial() -> ByteChannel | GatewayFailure:
        connection = await pool.connect(host)
        if isinstance(connection, SshFailure):
            return GatewayFailure(kind=connection.kind, detail=connection.detail)
        channel = await connection.open_tcp(port)
        if isinstance(channel, ChannelFailure):
            return GatewayFailure(kind=channel.kind, detail=channel.detail)
        return channel

    return dial
