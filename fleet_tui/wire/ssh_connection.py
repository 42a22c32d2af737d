"""One multiplexed SSH connection: byte channels, commands, files.

Nothing here raises for what networks do; :class:`TcpChannel` is the exception, because it stands in
for a socket and speaks the socket's own errors.
"""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from fleet_tui.core.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.shell import DEFAULT_MAX_OUTPUT_BYTES, ChannelFailure, RunResult

if TYPE_CHECKING:
    import asyncssh


class FileFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A remote file that could not be read.

    ``reason``: missing, denied, too-large, not-a-file, no-sftp, lost.
    """

    reason: str
    detail: Untrusted = NOTHING_SAID


class TcpChannel:
    """A byte stream to a port on the far side (SSH direct-tcpip). Close it when done.

    read and write raise ConnectionResetError when the channel or its connection is lost.
    """

    async def read(self, max_bytes: int = 65_536) -> bytes:
        """The next bytes as soon as there are some; b"" at the end of the stream."""
        raise ConnectionResetError

    async def write(self, data: bytes) -> None:
        """Send all of ``data``; waits while the other end reads too slowly."""
        raise ConnectionResetError

    def write_eof(self) -> None:
        """Say that nothing more will be sent."""

    def close(self) -> None:
        """Close at once, without waiting. Calling it again does nothing."""


class SshConnection:
    """A living connection to one host, shared by everything that needs that host."""

    lost: asyncio.Event
    """Set once the connection is gone, for whatever reason; never cleared."""

    def __init__(self, connection: "asyncssh.SSHClientConnection") -> None:
        self.lost = asyncio.Event()

    async def open_tcp(self, port: int, host: str = "127.0.0.1") -> TcpChannel | ChannelFailure:
        """Open a byte stream to ``host:port`` as seen from the far side.

        Failures: GATEWAY_DOWN (nothing listens there), FORWARD_DENIED (sshd does not allow it),
        SSH_UNREACHABLE (the connection itself is lost), TIMEOUT.
        """
        return ChannelFailure(kind=_LOST_KIND)

    async def run(
        self,
        command: str,
        stdin: bytes = b"",
        *,
        timeout_ms: int,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
    ) -> RunResult:
        """Run a constant command with ``stdin`` as its input; everything is bytes, no pty.

        A lost connection, a timeout, too much output or a missing exit status is Unknown. A
        session that sshd would not open is a ChannelFailure: the command was never sent.
        """
        return ChannelFailure(kind=_LOST_KIND)

    async def read_file(self, path: str, max_bytes: int) -> bytes | FileFailure:
        """The whole of a regular file over SFTP; ``~/`` is the far side's home."""
        return FileFailure(reason="lost")


from fleet_tui.core.vitals import FailureKind  # noqa: E402 - replaced in the next commit

_LOST_KIND = FailureKind.SSH_UNREACHABLE
