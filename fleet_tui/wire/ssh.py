"""One shared SSH connection per host, opened when somebody needs it.

Strict host keys, no forwarding of agents or displays, bounded handshakes, jittered reconnects. A
host that does not answer costs the others nothing.
"""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.core.vitals import FailureKind
from fleet_tui.wire.shell import ChannelFailure, Completed, RunResult
from fleet_tui.wire.ssh_connection import FileFailure, SshConnection, TcpChannel

__all__ = [
    "ChannelFailure",
    "Completed",
    "FileFailure",
    "RunResult",
    "SshConnection",
    "SshFailure",
    "SshPool",
    "TcpChannel",
]


class SshFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a host could not be connected to. ``kind.is_permanent``: an operator must act."""

    kind: FailureKind
    detail: Untrusted = NOTHING_SAID


class SshPool:
    """The connections of a fleet, one per host, shared by every agent on it."""

    def __init__(
        self,
        hosts: Mapping[HostName, HostSpec],
        *,
        rng: random.Random,
        clock: Callable[[], float],
        known_hosts: Path | None = None,
        handshakes: int = 8,
        on_lost: Callable[[HostName, Untrusted], None] | None = None,
    ) -> None:
        """``clock`` is monotonic seconds (``time.monotonic``); ``on_lost`` is told of each loss."""

    async def connect(self, host: HostName) -> SshConnection | SshFailure:
        """The host's living connection, made if needed; callers share one handshake.

        Between failed attempts the last failure comes back at once. Cancelling a caller does not
        disturb the others.
        """
        return SshFailure(kind=FailureKind.SSH_UNREACHABLE)

    async def close(self) -> None:
        """Close every connection; connect() afterwards is a SSH_UNREACHABLE failure."""
