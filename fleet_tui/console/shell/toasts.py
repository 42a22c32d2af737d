"""Toasts: few, short, folded, on screen for a few seconds. ``@`` lists every one.

Critical alerts that come close together are one sentence, which also reports what happened to the
work while it is on screen.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple, assert_never

from textual.app import App

from fleet_tui.console.actions.selection import listed
from fleet_tui.console.shell.messages import Loudness
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.alerting.rules import AlertRule, rule_of
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.redaction import without_patterns

MAX_TOASTS = 3
"""On screen at a time; newer ones replace older ones."""

MAX_TOAST_CHARS = 96
"""Two lines of a toast."""

TOAST_S = 5
LOUD_TOAST_S = 8
FOLD_MS = 8_000
"""Alerts within this time of the first of their rule are shown together."""

FATE_BEFORE_MS = 30_000
"""A run may be found dead this long before its agent is."""

NEXT_KEY = "{alerts}: alerts"


class Toast(NamedTuple):
    """One of the sentences on screen."""

    key: str
    """A newer toast with the same key replaces it."""
    text: str
    """Safe text."""
    loudness: Loudness
    until_s: float
    """By a clock that never jumps."""


class Toasts:
    """The newest MAX_TOASTS, the oldest first."""

    def __init__(self) -> None:
        self._toasts: list[Toast] = []

    def add(self, toast: Toast) -> bool:
        """Show a toast, replacing the one with its key; returns whether anything changed."""
        at = next((i for i, old in enumerate(self._toasts) if old.key == toast.key), None)
        if at is None:
            self._toasts = [*self._toasts, toast][-MAX_TOASTS:]
        elif self._toasts[at].text == toast.text:
            return False
        else:
            # It is the same message: a longer text does not make it stay longer.
            self._toasts[at] = toast._replace(until_s=self._toasts[at].until_s)
        return True

    def showing(self, now_s: float) -> Sequence[Toast]:
        """Those whose time is not over."""
        self._toasts = [toast for toast in self._toasts if toast.until_s > now_s]
        return tuple(self._toasts)


class Toaster:
    """Puts toasts on the screen of an application."""

    def __init__(self, app: App[int]) -> None:
        self._app = app
        self._toasts = Toasts()
        self._is_waiting = False

    def show(self, key: str, text: str, loudness: Loudness) -> None:
        """Show a sentence, in the place of the one with the same key."""
        lasts_s = TOAST_S if loudness is Loudness.INFORMATION else LOUD_TOAST_S
        toast = Toast(key, safe_line(text), loudness, time.monotonic() + lasts_s)
        if self._toasts.add(toast) and not self._is_waiting:
            self._is_waiting = True
            # Notifications are messages themselves: queued after the previous ones.
            self._app.call_later(self._paint)

    def _paint(self) -> None:
        self._is_waiting = False
        self._app.clear_notifications()
        now_s = time.monotonic()
        for toast in self._toasts.showing(now_s):
            self._app.notify(
                toast.text,
                severity=toast.loudness.value,
                timeout=toast.until_s - now_s,
                markup=False,
            )


class Storm:
    """The critical alerts of the last FOLD_MS by rule, as sentences."""

    def __init__(self) -> None:
        self._since_ms: dict[AlertRule | None, int] = {}
        self._folded: dict[AlertRule | None, list[Alert]] = {}

    def add(self, fresh: Sequence[Alert], now_ms: int) -> None:
        """Add new alerts; only critical ones are toasts."""
        for rule, since_ms in list(self._since_ms.items()):
            if not 0 <= now_ms - since_ms < FOLD_MS:
                del self._since_ms[rule], self._folded[rule]
        for alert in fresh:
            if alert.severity is Severity.CRIT:
                rule = rule_of(alert.id)
                self._since_ms.setdefault(rule, now_ms)
                self._folded.setdefault(rule, []).append(alert)

    def sentences(self, state: FleetState, next_key: str) -> Sequence[tuple[str, str]]:
        """(key, safe text) of every rule, in the order they began; ``next_key`` ends each."""
        end = f" - {next_key}"
        room = MAX_TOAST_CHARS - len(end)
        return [
            (f"{rule}@{self._since_ms[rule]}", _told(rule, alerts, state, room) + end)
            for rule, alerts in self._folded.items()
        ]


def summary(alerts: Sequence[Alert], state: FleetState) -> str:
    """Alerts in one safe sentence, folded as toasts are."""
    rules: dict[AlertRule | None, list[Alert]] = {}
    for alert in alerts:
        rules.setdefault(rule_of(alert.id), []).append(alert)
    return "; ".join(
        _told(rule, members, state, MAX_TOAST_CHARS) for rule, members in rules.items()
    )


def _told(rule: AlertRule | None, alerts: Sequence[Alert], state: FleetState, room: int) -> str:
    if rule is not None and rule.of_agent is not None:
        return _agents_told(rule.of_agent, alerts, state)
    if len(alerts) == 1:
        # An operator's reason may be in it; a secret that is cut cannot be recognised.
        text = safe_line(without_patterns(alerts[0].text)[0])
        subject = safe_line(alerts[0].subject)
        if rule is AlertRule.FAILOVER_BRAKED:
            # The alert has the reason; a toast only states the fact.
            return f"failover stopped in {subject}"
        return safe_line(f"{subject}: {text}", room)
    subjects = safe_line(listed(alert.subject for alert in alerts))
    match rule:
        case AlertRule.FAILOVER_BRAKED:
            return f"failover stopped in {len(alerts)} pools: {subjects}"
        case AlertRule.POOL_EMPTY:
            return f"{len(alerts)} pools have no agent in service: {subjects}"
        case (
            None
            | AlertRule.AGENT_UNREACHABLE
            | AlertRule.AGENT_DOWN
            | AlertRule.AGENT_QUARANTINED
            | AlertRule.AGENT_DEGRADED
            | AlertRule.AGENT_STARTING
            | AlertRule.AGENT_FAILING
            | AlertRule.ENGINE_HOLD
            | AlertRule.ENGINE_TROUBLE
            | AlertRule.FLEET_FILE
            | AlertRule.DEAD_LETTERS
            | AlertRule.MODEL_OUTAGE
            | AlertRule.NEEDS_OPERATOR
            | AlertRule.UNKNOWN_RUNS
            | AlertRule.HELD
            | AlertRule.RETRY_BUDGET
            | AlertRule.LONG_WAIT
        ):
            return f"{len(alerts)} critical alerts: {subjects}"
        case _:
            assert_never(rule)


def _agents_told(word: str, alerts: Sequence[Alert], state: FleetState) -> str:
    """``agent-14 down, 3 tasks moved``; ``13 agents unreachable: region eu-w1``."""
    names = [AgentName(alert.subject) for alert in alerts]
    fate = _fate(names, state)
    if len(names) == 1:
        who = safe_line(names[0])
    else:
        who = words.plural(len(names), "agent")
        word += _common(names, state.fleet)
    return f"{who} {safe_line(word)}" + (f" - {fate}" if fate else "")


def _common(names: Sequence[AgentName], fleet: FleetSpec) -> str:
    """What lost agents have in common, the most informative first; empty if nothing."""
    specs = [fleet.agents[name] for name in names if name in fleet.agents]
    for label, values in (
        ("host", {spec.host for spec in specs}),
        ("region", {spec.region for spec in specs}),
        ("pool", {spec.pool for spec in specs}),
    ):
        only = values.pop() if len(values) == 1 else None
        if only is not None:
            return f": {label} {safe_line(only)}"
    return f": {safe_line(listed(names, 3))}"


def _fate(names: Sequence[AgentName], state: FleetState) -> str:
    """What happened to the work of lost agents, as far as known now."""
    moved = waiting = unknown = verdicts = 0
    for task in state.tasks():
        there = next((a for a in reversed(task.attempts) if a.agent in names), None)
        if there is None:
            continue
        lost_ms = state.agents[there.agent].since_ms if there.agent in state.agents else 0
        match there.phase:
            case AttemptPhase.UNKNOWN:
                unknown += 1
            case AttemptPhase.DIED | AttemptPhase.GIVEN_UP | AttemptPhase.NOT_STARTED:
                if (there.ended_at_ms or 0) < lost_ms - FATE_BEFORE_MS:
                    continue
                if there is not task.attempts[-1]:
                    moved += 1
                elif not task.phase.is_closed:
                    needs = task.phase is TaskPhase.NEEDS_OPERATOR
                    verdicts, waiting = verdicts + needs, waiting + (not needs)
            case (
                AttemptPhase.PLANNED
                | AttemptPhase.RUNNING
                | AttemptPhase.CANCELLING
                | AttemptPhase.FENCED
                | AttemptPhase.SUCCEEDED
                | AttemptPhase.FAILED
                | AttemptPhase.CANCELLED
                | AttemptPhase.TIMED_OUT
            ):
                pass
            case _:
                assert_never(there.phase)
    counts = (
        (moved, "moved"),
        (waiting, "to be retried"),
        (unknown, "outcome unknown"),
        (verdicts, "need you"),
    )
    told = [f"{number} {what}" for number, what in counts if number]
    if told:
        first = next(number for number, _ in counts if number)
        told[0] = told[0].replace(str(first), words.plural(first, "task"), 1)
    return ", ".join(told)
