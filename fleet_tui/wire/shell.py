"""Running one constant command somewhere, and its possible results.

:class:`Completed` exists only when the far side reported an exit status. A lost connection, a
timeout or an endless output is Unknown; a session that was never opened is a ChannelFailure, which
proves that nothing was run.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.evidence import Definite, Unknown
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

DEFAULT_MAX_OUTPUT_BYTES = 1_048_576


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """A command that ended by itself. ``exit_status`` is negative when a signal ended it."""

    exit_status: int
    stdout: bytes = b""
    stderr: bytes = b""


class ChannelFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that was never opened on a living connection: nothing reached the other end."""

    kind: FailureKind
    detail: Untrusted = NOTHING_SAID


RunResult = Definite[Completed] | Unknown | ChannelFailure
"""Definite: it ran and ended. Unknown: it may have run. ChannelFailure: it definitely did not."""


class ByteSource(Protocol):
    """Bytes as they arrive; b"" at the end, ConnectionResetError when the connection is lost."""

    async def read(self, max_bytes: int = 65_536, /) -> bytes:
        """The next bytes, at most ``max_bytes``."""
        ...


class Shell(Protocol):
    """A place where a constant command can be run with bytes on its standard input."""

    long_polls: asyncio.Semaphore
    """Permits for commands that wait for an event; a host has few sessions."""
    log_streams: asyncio.Semaphore
    """Permits for commands that stream a log."""

    async def run(
        self,
        command: str,
        stdin: bytes = b"",
        *,
        timeout_ms: int,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
    ) -> RunResult:
        """Run ``command`` through ``sh`` there; see :data:`RunResult` for the result."""
        ...

    def stream(
        self, command: str, stdin: bytes
    ) -> AbstractAsyncContextManager[ByteSource | ChannelFailure]:
        """Run ``command`` and read its output as it arrives, for as long as the block lasts.

        Entering raises OSError where the connection is lost.
        """
        ...
