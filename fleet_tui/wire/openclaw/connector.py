"""The one persistent connection to a gateway, opened on demand.

A refusal that only an operator can lift (wrong token, missing scope, other protocol) is remembered
for REFUSED_HOLD_MS and returned without asking again: the gateway throttles repeated attempts. A
new token is tried as soon as the reference resolves to one, and a new process of the gateway may
accept what the previous one refused. Transient failures are not remembered; the callers' own
interval is the backoff.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure
from fleet_tui.core.ids import AgentName
from fleet_tui.core.tasks.evidence import LostReason
from fleet_tui.wire.openclaw.connection import Connection, Lost, connect
from fleet_tui.wire.openclaw.dial import Dial, GatewayFailure
from fleet_tui.wire.openclaw.dialect import Dialect
from fleet_tui.wire.openclaw.frames import GatewayFrame

REFUSED_HOLD_MS = 60_000

TOKEN_EVERY_MS = 5_000
"""How soon a corrected token is noticed while a refusal is remembered."""

_OF_THE_TOKEN = frozenset(
    {  # no other refusal depends on the token
        FailureKind.GATEWAY_AUTH,
        FailureKind.GATEWAY_SCOPE,
        FailureKind.SECRET_MISSING,
    }
)
"""Refusals that another token may lift."""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Connector:
    """Returns the open connection to one gateway; callers share one handshake."""

    def __init__(
        self,
        agent: AgentName,
        *,
        dial: Dial,
        token: Callable[[], Awaitable[str | ProbeFailure]],
        clock: Callable[[], int],
        known: Dialect | None = None,
        on_event: Callable[[GatewayFrame], None] = lambda _frame: None,
    ) -> None:
        """``on_event`` is called with every event that the gateway pushes. ``known`` is the dialect
        of the gateway's release, where it need not be queried."""
        self._agent = agent
        self._dial = dial
        self._token = token
        self._clock = clock
        self._connection: Connection | None = None
        self._made = asyncio.Event()
        """Set when a connection was made whose end has not been reported yet."""
        self._dialect = known
        self._on_event = on_event
        self._connecting = asyncio.Lock()
        self._refusal: GatewayFailure | None = None
        self._refused_at_ms = 0
        self._tried_token = ""
        """Digest of the token that was sent last; empty when there was none."""
        self._token_seen_ms = 0

    @property
    def open_connection(self) -> Connection | None:
        """The connection if one is open now."""
        connection = self._connection
        return connection if connection is not None and connection.lost is None else None

    async def connection(self) -> Connection | GatewayFailure:
        """The open connection, made now if there is none."""
        async with self._connecting:
            if (living := self.open_connection) is not None:
                return living
            if self._refusal is not None:
                is_refused = self._clock() - self._refused_at_ms < REFUSED_HOLD_MS
                if is_refused and not await self._has_another_token(self._refusal):
                    return self._refusal
                self._refusal = None
            made = await self._connect()
            if isinstance(made, Connection):
                made = await self._understood(made)
            if isinstance(made, Connection):
                self._connection, self._dialect = made, made.dialect
                self._made.set()
            elif made.kind.is_permanent:
                self._refusal, self._refused_at_ms = made, self._clock()
                self._token_seen_ms = self._refused_at_ms
            return made

    def forget_refusal(self) -> None:
        """Ask again next time: another process listens there."""
        self._refusal = None

    async def lost(self) -> Lost:
        """Wait until a connection ends that was not closed here; returns the reason."""
        while True:
            await self._made.wait()
            self._made.clear()
            connection = self._connection
            if connection is None:
                continue
            await connection.ended.wait()
            lost = connection.lost
            if lost is not None and lost.reason is not LostReason.CANCELLED:
                return lost

    async def close(self) -> None:
        """Close the connection; the next connection() makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _has_another_token(self, refusal: GatewayFailure) -> bool:
        """Whether the reference resolves to another token than the refused one, so that it was
        corrected. Checked every TOKEN_EVERY_MS at most: it may be on the host."""
        now_ms = self._clock()
        if refusal.kind not in _OF_THE_TOKEN or now_ms - self._token_seen_ms < TOKEN_EVERY_MS:
            return False
        self._token_seen_ms = now_ms
        token = await self._token()
        return isinstance(token, str) and _digest(token) != self._tried_token

    async def _connect(self) -> Connection | GatewayFailure:
        token = await self._token()
        if isinstance(token, ProbeFailure):
            self._tried_token = ""
            return GatewayFailure(kind=token.kind, detail=token.detail)
        self._tried_token = _digest(token)
        return await connect(self._dial, token, on_event=self._on_event)

    async def _understood(self, made: Connection) -> Connection | GatewayFailure:
        """The connection once its dialect is known; closed otherwise."""
        is_understood = False
        try:
            unfit = await made.learn_dialect(self._dialect)
            is_understood = unfit is None
        finally:
            if not is_understood:
                await made.close()
        return unfit or made
