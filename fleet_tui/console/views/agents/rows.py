"""The rows of the health table: from a view to rows of safe text with tones.

Unknown is ``?`` or ``-``, never zero; outdated values are dim.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

import msgspec

from fleet_tui.console.text.cells import MAX_NAME_CHARS, Cell, Tone
from fleet_tui.console.text.glyphs import Glyphs
from fleet_tui.console.text.looks import agent_cell
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.vitals import ProbeResult, VitalsReading
from fleet_tui.core.agents.words import AgentWord, word_of, worst_first
from fleet_tui.core.fleet import AgentSpec
from fleet_tui.core.ids import AgentName
from fleet_tui.core.status import RATE_WINDOW_MS, percentile
from fleet_tui.core.tasks.model import AttemptPhase, Task
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import View

MIN_STALE_MS = 15_000
STALE_INTERVALS = 3
"""A probe result is stale after this many intervals of its agent, and never before MIN_STALE_MS."""

SEEN_STEP_MS = 5_000
"""Ages are counted in these steps: a column that ticks every second is no more informative."""

ERROR_WARN_PERCENT = 5.0
"""From this share of failed runs on the number is highlighted."""


class RunNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of an agent's runs in the last RATE_WINDOW_MS."""

    ended: int = 0
    failed: int = 0
    run_ms_p95: int | None = None
    cost_microusd: int = 0
    has_unknown_cost: bool = False
    """Whether one of them reported an unusable cost."""

    @property
    def error_percent(self) -> float | None:
        """Failed share of the ended runs in hundredths; None when none ended."""
        return 100 * self.failed / self.ended if self.ended else None


NO_RUNS = RunNumbers()


def run_numbers(tasks: Iterable[Task], now_ms: int) -> dict[AgentName, RunNumbers]:
    """The numbers of every agent that ended a run in the window before ``now_ms``."""
    since_ms = now_ms - RATE_WINDOW_MS
    spans: dict[AgentName, list[int]] = {}
    counts: dict[AgentName, list[int]] = {}
    unknown: set[AgentName] = set()
    for task in tasks:
        for attempt in task.attempts:
            if attempt.ended_at_ms is None or attempt.ended_at_ms < since_ms:
                continue
            count = counts.setdefault(attempt.agent, [0, 0, 0])
            count[0] += 1
            count[2] += attempt.cost_microusd
            if attempt.usage.unusable:
                unknown.add(attempt.agent)
            count[1] += _ended_badly(attempt.phase)
            if attempt.phase is AttemptPhase.SUCCEEDED and attempt.started_at_ms is not None:
                took_ms = words.elapsed_ms(attempt.started_at_ms, attempt.ended_at_ms)
                spans.setdefault(attempt.agent, []).append(took_ms)
    return {
        agent: RunNumbers(
            ended=ended,
            failed=failed,
            run_ms_p95=percentile(spans.get(agent, ()), 0.95),
            cost_microusd=cost,
            has_unknown_cost=agent in unknown,
        )
        for agent, (ended, failed, cost) in counts.items()
    }


class AgentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One agent of the health table, as values to sort and filter by."""

    name: AgentName
    state: AgentWord
    since_ms: int
    pool: str
    region: str
    host: str
    clients: tuple[str, ...]
    capabilities: frozenset[str]
    labels: Mapping[str, str]
    slots_used: int
    slots: int
    queued: int | None
    run_ms_p95: int | None
    error_percent: float | None
    cpu_percent: float | None
    memory_percent: float | None
    latency_ms: float | None
    seen_ms: int | None
    """How long ago it last answered, in steps of SEEN_STEP_MS; None if it never did."""
    is_stale: bool
    version: str
    cost_microusd_per_hour: int
    has_unknown_cost: bool
    note: str
    """Why it is not simply up, in our own words; safe text."""

    @property
    def is_problem(self) -> bool:
        """Whether it needs an operator's attention."""
        return self.state.is_problem or self.is_stale


def stale_after_ms(spec: AgentSpec | None) -> int:
    """How old a probe result may be before its numbers count as stale."""
    every_ms = spec.probe.every_ms if spec is not None else 0
    return max(STALE_INTERVALS * every_ms, MIN_STALE_MS)


def _stepped(age_ms: int) -> int:
    """The age rounded up to a whole step, so that a fresh result looks the same until the next."""
    return -(-max(age_ms, 1) // SEEN_STEP_MS) * SEEN_STEP_MS


def _age_ms(agent: AgentState, probe: ProbeResult | None, now_ms: int) -> int | None:
    """How long ago the agent last answered: at least since it was lost, when it does not."""
    if probe is None:
        return None
    if isinstance(probe, VitalsReading):
        return words.elapsed_ms(probe.observed_at_ms, now_ms)
    return words.elapsed_ms(agent.since_ms, now_ms)


def agent_row(
    agent: AgentState,
    spec: AgentSpec | None,
    probe: ProbeResult | None,
    numbers: RunNumbers,
    now_ms: int,
) -> AgentRow:
    """The row of one agent at an instant."""
    reading = probe if isinstance(probe, VitalsReading) else None
    age_ms = _age_ms(agent, probe, now_ms)
    word = word_of(agent)
    hourly = spec.prices.per_hour_microusd if spec is not None else 0
    note = agent.cordon.reason if agent.cordon is not None else agent.reason
    canaries = [*agent.canaries_since(now_ms - RATE_WINDOW_MS)]
    cost = numbers.cost_microusd + sum(canary.cost_microusd for canary in canaries)
    is_unknown = numbers.has_unknown_cost or any(c.has_unknown_cost for c in canaries)
    return AgentRow(
        name=agent.name,
        state=word,
        since_ms=agent.since_ms,
        pool=spec.pool if spec is not None else "-",
        region=spec.region or "-" if spec is not None else "-",
        host=spec.host or "local" if spec is not None else "-",
        clients=spec.clients if spec is not None else (),
        capabilities=frozenset(spec.capabilities) if spec is not None else frozenset(),
        labels=spec.labels if spec is not None else {},
        slots_used=len(agent.runs),
        slots=spec.slots if spec is not None else 0,
        queued=reading.queued if reading is not None else None,
        run_ms_p95=numbers.run_ms_p95,
        error_percent=numbers.error_percent,
        cpu_percent=reading.cpu_percent if reading is not None else None,
        memory_percent=reading.memory_percent if reading is not None else None,
        latency_ms=reading.latency_ms if reading is not None else None,
        seen_ms=None if age_ms is None else _stepped(age_ms),
        is_stale=age_ms is None or age_ms > stale_after_ms(spec),
        version=safe_line(agent.version or "-", MAX_NAME_CHARS),
        cost_microusd_per_hour=hourly + cost * 3_600_000 // RATE_WINDOW_MS,
        has_unknown_cost=is_unknown,
        note=safe_line(note),
    )


def agent_rows(view: View, numbers: Mapping[AgentName, RunNumbers]) -> list[AgentRow]:
    """Every agent of the view, worst first; equals by how new their state is, the healthy by
    name."""
    state, spec = view.state, view.state.fleet
    found = [
        agent_row(
            agent,
            spec.agents.get(name),
            view.probes.get(name),
            numbers.get(name, NO_RUNS),
            view.now_ms,
        )
        for name, agent in state.agents.items()
    ]
    return sorted(found, key=row_order)


def row_order(row: AgentRow) -> tuple[int, int, str]:
    """The order of the health table."""
    return worst_first(row.state, row.since_ms, row.name)


AGENT_FILTER_KEYS = frozenset(
    {"agent", "pool", "region", "state", "cap", "client", "host", "p95", "err", "cost", "version"}
    | {"label.*"}
)


def agent_value(row: AgentRow, key: str) -> str | float | tuple[str, ...] | frozenset[str] | None:
    """An agent's value for a filter key; None for unknown keys."""
    match key:
        case "agent":
            return row.name
        case "pool":
            return row.pool
        case "region":
            return row.region
        case "state":
            return row.state
        case "cap":
            return row.capabilities
        case "client":
            return row.clients
        case "host":
            return row.host
        case "p95":
            return None if row.run_ms_p95 is None else float(row.run_ms_p95)
        case "err":
            return row.error_percent
        case "cost":
            return None if row.has_unknown_cost else float(row.cost_microusd_per_hour)
        case "version":
            return row.version
        case _:  # a label: the grammar lets no other key through
            return row.labels.get(key.removeprefix("label."))


def agent_text(row: AgentRow) -> str:
    """The text in which the words of a filter are searched."""
    return " ".join((row.state, row.name, row.pool, row.region, row.host, row.version, row.note))


def _percent_tone(value: float | None, warn: float) -> Tone:
    return Tone.WARN if value is not None and value >= warn else Tone.PLAIN


def agent_cells(row: AgentRow, glyphs: Glyphs) -> dict[str, Cell]:
    """Every column of the health table by its key. Stale numbers are dim, the state never is."""
    quiet = Tone.DIM if row.is_stale else Tone.PLAIN
    seen = "?" if row.seen_ms is None else words.duration(row.seen_ms)

    def number(text: str, tone: Tone = Tone.PLAIN) -> Cell:
        return Cell(text, Tone.DIM if row.is_stale else tone)

    return {
        "state": agent_cell(glyphs, row.state),
        "agent": Cell(safe_line(row.name, MAX_NAME_CHARS), Tone.TITLE if row.is_problem else quiet),
        "pool": Cell(safe_line(row.pool, MAX_NAME_CHARS), quiet),
        "region": Cell(safe_line(row.region, MAX_NAME_CHARS), quiet),
        "host": Cell(safe_line(row.host, MAX_NAME_CHARS), quiet),
        "slots": number(glyphs.slots(row.slots_used, row.slots)),
        "queue": number(words.count(row.queued)),
        "p95": number(words.seconds(row.run_ms_p95)),
        "err": number(
            words.percent(row.error_percent), _percent_tone(row.error_percent, ERROR_WARN_PERCENT)
        ),
        "cpu": number(words.percent(row.cpu_percent, 0), _percent_tone(row.cpu_percent, 90.0)),
        "mem": number(
            words.percent(row.memory_percent, 0), _percent_tone(row.memory_percent, 90.0)
        ),
        "probe": number(words.latency(row.latency_ms)),
        "seen": Cell(seen, Tone.WARN if row.is_stale else Tone.DIM),
        "config": number(row.version),
        "cost": number(
            words.cost_rate(row.cost_microusd_per_hour, is_unknown=row.has_unknown_cost)
        ),
        "note": Cell(row.note, Tone.DIM),
    }


def _ended_badly(phase: AttemptPhase) -> bool:
    match phase:
        case (
            AttemptPhase.NOT_STARTED
            | AttemptPhase.FENCED
            | AttemptPhase.DIED
            | AttemptPhase.GIVEN_UP
            | AttemptPhase.FAILED
            | AttemptPhase.TIMED_OUT
        ):
            return True
        case (
            AttemptPhase.PLANNED
            | AttemptPhase.RUNNING
            | AttemptPhase.UNKNOWN
            | AttemptPhase.CANCELLING
            | AttemptPhase.SUCCEEDED
            | AttemptPhase.CANCELLED
        ):
            return False
        case _:
            assert_never(phase)


def tail_text(hidden: Sequence[AgentRow]) -> str:
    """``13 more - all up``: the rows that a shortened table does not show."""
    counts: dict[AgentWord, int] = {}
    for row in hidden:
        counts[row.state] = counts.get(row.state, 0) + 1
    if set(counts) == {AgentWord.UP}:
        return f"{len(hidden)} more - all up"
    return f"{len(hidden)} more - " + ", ".join(f"{n} {word}" for word, n in counts.items())
