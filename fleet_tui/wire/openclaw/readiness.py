"""Parses the readiness answer of a gateway, ``GET /readyz``.

200 means ready, 503 with ``ready: false`` that it starts, drains or is suspended; anything else on
that port is not a gateway as we know it. Measured on OpenClaw 2026.9.6: 0.9 ms, no authentication.
"""

import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.wire.numbers import finite
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.frames import Lifecycle, Malformed, decode, lifecycle
from fleet_tui.wire.words import excerpt, words_of

PATH = "/readyz"
MAX_BODY_BYTES = 65_536
MAX_EXCERPT_CHARS = 120
"""How much of an unexpected answer is quoted."""


class _CpuBreakdown(msgspec.Struct, frozen=True, rename="camel"):
    host_utilization: float | None = None


class _EventLoop(msgspec.Struct, frozen=True, rename="camel"):
    delay_p99_ms: float | None = msgspec.field(default=None, name="delayP99Ms")
    cpu_breakdown: _CpuBreakdown = _CpuBreakdown()


class _Readyz(msgspec.Struct, frozen=True, rename="camel"):
    ready: bool
    failing: list[str] = []
    uptime_ms: float | None = None
    event_loop: _EventLoop = _EventLoop()


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``/readyz``. ``cpu_percent`` is the whole host's, 0-100."""

    ready: bool
    draining: bool = False
    note: str = ""
    uptime_ms: float | None = None
    """How long its process has been running."""
    cpu_percent: float | None = None
    loop_lag_ms_p99: float | None = None


DRAINING = "gateway-draining"  # the gateway's word
DRAINS = "draining"
"""The note for a gateway that drains, whichever of its answers showed it."""


def parse_readyz(status: int, body: bytes) -> Readiness | GatewayFailure:
    """The readiness in a gateway's answer, or BAD_ANSWER for any other answer."""
    said = decode(body, _Readyz)
    if isinstance(said, Malformed) or status not in {200, 503}:
        said_instead = excerpt(body, MAX_EXCERPT_CHARS)
        return GatewayFailure(
            kind=FailureKind.BAD_ANSWER,
            detail=words_of(f"GET {PATH} answered HTTP {status}: {said_instead}"),
        )
    cpu = finite(said.event_loop.cpu_breakdown.host_utilization)
    return Readiness(
        ready=said.ready and status == 200,
        draining=not said.ready and DRAINING in said.failing,
        note="" if said.ready else _note(said.failing),
        uptime_ms=finite(said.uptime_ms),
        cpu_percent=None if cpu is None else min(100.0, cpu * 100),
        loop_lag_ms_p99=finite(said.event_loop.delay_p99_ms),
    )


def _note(failing: list[str]) -> str:
    """A word for the screen. Only our own words: any other reason of a gateway is 'not ready'."""
    if DRAINING in failing:
        return DRAINS
    starts = any(lifecycle(reason) is Lifecycle.STARTING for reason in failing)
    return "starting" if starts else "not ready"
