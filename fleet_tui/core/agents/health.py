"""Derives an agent's health from its probes: hysteresis, flap damping, and who is to blame.

One failed probe takes an agent out of routing (suspect); several in a row make it lost; it comes
back after several successful probes. A failure that an operator must fix (keys, tokens) counts at
once: asking again would only lock us out. An agent that flaps is quarantined for longer each time.
"""

from typing import assert_never

import msgspec
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.events import AgentIdentified, HealthChanged
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult, VitalsReading
from fleet_tui.core.backoff import Backoff
from fleet_tui.core.fleet import ProbeSpec
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.text import words
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

FLAP_WINDOW_MS = 600_000
FLAP_LIMIT = 3
"""More falls than this within FLAP_WINDOW_MS are flapping."""

STUMBLE_LIMIT = 1
"""An agent that stumbles (fails a probe, but does not fall) more often than this within
FLAP_WINDOW_MS needs several successful probes to be believed again, like one that fell."""

QUARANTINE = Backoff(base_ms=60_000, cap_ms=1_800_000)

LAG_DEGRADED_MS = 500.0
"""With an event loop this late (p99) an agent answers, but is not healthy."""

DISK_DEGRADED_BYTES = 256 * 1024 * 1024
MEMORY_DEGRADED_PERCENT = 97.0
CLOCK_DEGRADED_MS = 600_000.0
"""A wrong clock harms no run, but misleads anyone who compares times."""
DEGRADED_AFTER = 2
"""Bad readings in a row before up becomes degraded, and good ones before it is up again."""

RETELL_AFTER_MS = 600_000
"""The reason given for a lost agent, or one that is not ready, is corrected no more often than
this, except for the first correction after its health changed."""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge remembers of one agent between probes. Lost with the engine on purpose: a new
    engine probes for itself."""

    misses: int = 0
    goods: int = 0
    strained: int = 0
    """Answers in a row under strain."""
    well: int = 0
    """Answers in a row without strain."""
    kind: FailureKind | None = None
    kind_misses: int = 0
    """Failed probes of that kind in a row."""
    detail: Untrusted = NOTHING_SAID
    detail_misses: int = 0
    """Failed probes in a row with that detail."""
    note: str = ""
    """Why it was not ready in its last answer."""
    note_probes: int = 0
    """Answers in a row with that note."""
    retold_ms: int | None = None
    """When the reason given for a lost agent, or one that is not ready, was last corrected since
    its health changed."""
    falls_ms: tuple[int, ...] = ()
    """When it fell, within FLAP_WINDOW_MS."""
    stumbles_ms: tuple[int, ...] = ()
    """When it stumbled, within FLAP_WINDOW_MS."""
    quarantines: int = 0


FRESH = Watch()


def judge(
    watch: Watch, agent: AgentState, result: ProbeResult, probe: ProbeSpec, now_ms: int
) -> tuple[Watch, list[Event]]:
    """The judge's new memory and what changed, at most one health change.

    ``now_ms`` is when the result is judged; a result is never judged twice.
    """
    match result:
        case VitalsReading():
            watch, events = _judge_reading(watch, agent, result, probe, now_ms)
        case ProbeFailure():
            watch, events = _judge_failure(watch, agent, result, probe, now_ms)
        case _:
            assert_never(result)
    if any(isinstance(e, HealthChanged) and e.health is not agent.health for e in events):
        watch = replace(watch, retold_ms=None)
    return watch, events


def _judge_reading(
    watch: Watch, agent: AgentState, reading: VitalsReading, probe: ProbeSpec, now_ms: int
) -> tuple[Watch, list[Event]]:
    events: list[Event] = []
    version, boot_id = reading.version or agent.version, reading.boot_id or agent.boot_id
    limits = agent.limits if reading.limits is None else reading.limits
    if (version, boot_id, limits) != (agent.version, agent.boot_id, agent.limits):
        known = AgentIdentified(agent=agent.name, version=version, boot_id=boot_id, limits=limits)
        events.append(known)
    watch = replace(watch, misses=0, kind_misses=0, detail_misses=0)
    if not reading.ready:
        watch, change = _judge_not_ready(watch, agent, reading, probe, now_ms)
        return watch, [*events, *change]
    strain = _strain(reading)
    watch = replace(
        watch,
        goods=watch.goods + 1,
        strained=watch.strained + 1 if strain else 0,
        well=0 if strain else watch.well + 1,
    )
    health = _after_good(watch, agent, probe, strain, now_ms)
    if agent.breaker is not None and (health or agent.health).takes_work:
        # It answers, but its work fails: only a trial or an operator brings it back.
        if agent.health is not Health.SUSPECT or agent.failure is not None:
            events.append(_tripped(agent, agent.breaker))
    elif health is not None:
        reason = strain if health is Health.DEGRADED else _why_back(agent, watch)
        events.append(_change(agent, health, reason))
    return watch, events


def _judge_not_ready(
    watch: Watch, agent: AgentState, reading: VitalsReading, probe: ProbeSpec, now_ms: int
) -> tuple[Watch, list[Event]]:
    probes = watch.note_probes + 1 if watch.note == reading.note else 1
    watch = replace(watch, goods=0, strained=0, well=0, note=reading.note, note_probes=probes)
    resting = Health.DRAINING if reading.draining else Health.STARTING
    change = replace(_change(agent, resting, reading.note or resting.value), detail=reading.said)
    if agent.health.rests:
        return watch, []
    if agent.health is not resting or agent.failure is not None:
        # It answers: if it counted as failing its probes, its runs would count as silent.
        return watch, [change]
    # Show why it is not ready now, not why it was not at first.
    is_news = agent.reason != change.reason and probes >= probe.down_after
    if not is_news or not _may_retell(watch, now_ms):
        return watch, []
    return replace(watch, retold_ms=now_ms), [change]


def _after_good(
    watch: Watch, agent: AgentState, probe: ProbeSpec, strain: str, now_ms: int
) -> Health | None:
    """The state after an answered probe, None for no change."""
    match agent.health:
        case Health.JOINING | Health.STARTING | Health.DRAINING:
            return Health.UP
        case Health.SUSPECT:
            steady = len(watch.stumbles_ms) <= STUMBLE_LIMIT
            return Health.UP if steady or watch.goods >= probe.up_after else None
        case Health.UNREACHABLE | Health.DOWN:
            # A fault that only an operator can fix does not come and go: an answer means that it is
            # fixed.
            mended = agent.failure is not None and agent.failure.is_permanent
            return Health.UP if mended or watch.goods >= probe.up_after else None
        case Health.QUARANTINED:
            over = now_ms >= (agent.quarantine_until_ms or 0)
            return Health.UP if over and watch.goods >= probe.up_after else None
        case Health.UP:
            return Health.DEGRADED if strain and watch.strained >= DEGRADED_AFTER else None
        case Health.DEGRADED:
            return Health.UP if watch.well >= DEGRADED_AFTER else None
        case Health.RETIRED:
            return None
        case _:
            assert_never(agent.health)


def _judge_failure(
    watch: Watch, agent: AgentState, failure: ProbeFailure, probe: ProbeSpec, now_ms: int
) -> tuple[Watch, list[Event]]:
    if failure.kind is FailureKind.NO_DESCRIPTORS:
        # It was not probed, so nothing counts against it; it gets no tasks until it can be.
        if agent.health.takes_work:
            why = "not probed: the engine has no file descriptors left"
            return watch, [_change(agent, Health.SUSPECT, why, failure)]
        return watch, []
    watch = replace(
        watch,
        misses=watch.misses + 1,
        goods=0,
        strained=0,
        well=0,
        kind=failure.kind,
        kind_misses=watch.kind_misses + 1 if watch.kind is failure.kind else 1,
        detail=failure.detail,
        detail_misses=watch.detail_misses + 1 if watch.detail == failure.detail else 1,
    )
    found = _health_of(failure.kind)
    if not found.is_lost:
        watch = replace(watch, misses=0)
        if agent.health is found or agent.health.rests:
            return watch, []
        return watch, [_change(agent, found, failure.kind.text, failure)]
    if agent.health.rests:
        return watch, []
    if _is_told_once(failure.kind) or watch.misses >= probe.down_after:
        if not agent.health.is_lost:
            return _fall(watch, agent, found, failure, now_ms)
        # An agent whose kind of failure alternates must not fill the ledger.
        sure = _is_told_once(failure.kind) or watch.kind_misses >= probe.down_after
        if agent.failure is failure.kind:
            if not _is_to_be_retold(watch, agent, probe, now_ms):
                return watch, []
            watch = replace(watch, retold_ms=now_ms)
        elif not sure:
            return watch, []
        return watch, [_change(agent, found, _why_lost(failure, watch), failure)]
    return _stumble(watch, agent, failure, now_ms)


def _stumble(
    watch: Watch, agent: AgentState, failure: ProbeFailure, now_ms: int
) -> tuple[Watch, list[Event]]:
    """The consequence of a failure that proves nothing yet."""
    match agent.health:
        case Health.UP | Health.DEGRADED | Health.STARTING | Health.DRAINING:
            recent = (t for t in watch.stumbles_ms if now_ms - t <= FLAP_WINDOW_MS)
            watch = replace(watch, stumbles_ms=(*recent, now_ms))
            why = f"probe failed: {failure.kind.text}"
            return watch, [_change(agent, Health.SUSPECT, why, failure)]
        case Health.JOINING if agent.failure is not failure.kind:
            # Show why it is not up yet.
            return watch, [_change(agent, Health.JOINING, _why_lost(failure, watch), failure)]
        case (
            Health.JOINING
            | Health.SUSPECT
            | Health.UNREACHABLE
            | Health.DOWN
            | Health.QUARANTINED
            | Health.RETIRED
        ):
            return watch, []
        case _:
            assert_never(agent.health)


def _is_to_be_retold(watch: Watch, agent: AgentState, probe: ProbeSpec, now_ms: int) -> bool:
    """Whether a lost agent's kind of failure is unchanged but its detail differs: ``still
    connecting`` became ``connection refused``. The detail is remote text, so it is updated only now
    and then."""
    if watch.detail == agent.detail or watch.detail_misses < probe.down_after:
        return False
    return _may_retell(watch, now_ms)


def _may_retell(watch: Watch, now_ms: int) -> bool:
    return watch.retold_ms is None or now_ms - watch.retold_ms >= RETELL_AFTER_MS


def _fall(
    watch: Watch, agent: AgentState, lost: Health, failure: ProbeFailure, now_ms: int
) -> tuple[Watch, list[Event]]:
    falls = tuple(t for t in watch.falls_ms if now_ms - t <= FLAP_WINDOW_MS)
    if agent.health is not Health.JOINING:
        falls = (*falls, now_ms)
    watch = replace(watch, falls_ms=falls)
    if len(falls) <= FLAP_LIMIT:
        return watch, [_change(agent, lost, _why_lost(failure, watch), failure)]
    watch = replace(watch, falls_ms=(), quarantines=watch.quarantines + 1)
    for_ms = QUARANTINE.ceiling_ms(watch.quarantines)
    reason = f"flapping: went out of service {len(falls)} times in 10 minutes"
    change = _change(agent, Health.QUARANTINED, reason, failure)
    return watch, [replace(change, quarantine_until_ms=now_ms + for_ms)]


def _health_of(kind: FailureKind) -> Health:
    """What the failure means once it is believed: that the agent is down, that it is only
    unreachable from here, or what it reports of itself."""
    match kind:
        case FailureKind.GATEWAY_STARTING:
            return Health.STARTING
        case FailureKind.GATEWAY_DRAINING:
            return Health.DRAINING
        case (
            FailureKind.GATEWAY_DOWN
            | FailureKind.GATEWAY_HUNG
            | FailureKind.GATEWAY_AUTH
            | FailureKind.GATEWAY_SCOPE
            | FailureKind.PROTOCOL_MISMATCH
            | FailureKind.RELEASE_UNSUPPORTED
            | FailureKind.AGENT_MISSING
            | FailureKind.BAD_ANSWER
            | FailureKind.COMMAND_MISSING
            | FailureKind.DISK_FULL
            | FailureKind.CANNOT_WORK
        ):
            return Health.DOWN
        case (
            FailureKind.SSH_UNREACHABLE
            | FailureKind.SSH_AUTH
            | FailureKind.SSH_HOST_KEY
            | FailureKind.SSH_PROTOCOL
            | FailureKind.FORWARD_DENIED
            | FailureKind.SESSION_DENIED
            | FailureKind.SECRET_MISSING
            | FailureKind.TIMEOUT
            | FailureKind.INTERNAL
            | FailureKind.NO_DESCRIPTORS
        ):
            return Health.UNREACHABLE
        case _:
            assert_never(kind)


def _strain(reading: VitalsReading) -> str:
    """Why an answering agent is not healthy; empty when it is."""
    if reading.loop_lag_ms_p99 is not None and reading.loop_lag_ms_p99 >= LAG_DEGRADED_MS:
        return f"event loop {reading.loop_lag_ms_p99:.0f} ms late (p99)"
    if reading.disk_free_bytes is not None and reading.disk_free_bytes < DISK_DEGRADED_BYTES:
        return f"disk almost full: {reading.disk_free_bytes // 2**20} MiB free"
    skew_ms = reading.clock_skew_ms
    if skew_ms is not None and abs(skew_ms) >= CLOCK_DEGRADED_MS:
        where = "ahead" if skew_ms > 0 else "behind"
        return f"its host's clock is {words.duration(int(abs(skew_ms)))} {where}"
    if reading.memory_percent is not None and reading.memory_percent >= MEMORY_DEGRADED_PERCENT:
        return f"memory {reading.memory_percent:.0f} % used"
    return ""


def _tripped(agent: AgentState, breaker: Breaker) -> HealthChanged:
    return HealthChanged(
        agent=agent.name,
        health=Health.SUSPECT,
        was=agent.health,
        reason=breaker.reason,
        detail=breaker.detail,
    )


def _why_back(agent: AgentState, watch: Watch) -> str:
    match agent.health:
        case Health.JOINING:
            return "first probe answered"
        case Health.DEGRADED:
            return "healthy again"
        case Health.UNREACHABLE | Health.DOWN | Health.QUARANTINED:
            if watch.goods == 1:
                return "1 successful probe"
            return f"{watch.goods} successful probes in a row"
        case Health.UP | Health.SUSPECT | Health.STARTING | Health.DRAINING | Health.RETIRED:
            return "answers again"
        case _:
            assert_never(agent.health)


def _is_told_once(kind: FailureKind) -> bool:
    """Whether one probe is enough: its result is certain, or only an operator can fix it."""
    return kind.is_permanent or kind.is_of_host


def _why_lost(failure: ProbeFailure, watch: Watch) -> str:
    if failure.kind.is_of_host:
        return f"cannot take work, because {failure.cause or failure.kind.text}"
    if failure.kind.is_permanent:
        return f"{failure.kind.text}, needs an operator"
    misses = "1 failed probe" if watch.misses == 1 else f"{watch.misses} failed probes in a row"
    last = "" if watch.kind_misses == watch.misses else f", {_last(watch.kind_misses)}"
    return f"{misses}{last}: {failure.kind.text}"


def _last(count: int) -> str:
    """Of several that failed in different ways, the one that the text is about."""
    return "the last" if count == 1 else f"the last {count}"


def _change(
    agent: AgentState, health: Health, reason: str, failure: ProbeFailure | None = None
) -> HealthChanged:
    detail: Untrusted = failure.detail if failure is not None else NOTHING_SAID
    return HealthChanged(
        agent=agent.name,
        health=health,
        was=agent.health,
        reason=reason,
        failure=failure.kind if failure is not None else None,
        detail=detail,
    )
