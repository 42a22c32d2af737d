"""Runs whose agent keeps retrying a failing model: they count as running but make no progress."""

from fleet_tui.core.agents.vitals import ModelTrouble, ProbeResult, VitalsReading
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.attempts import find_attempt
from fleet_tui.core.tasks.events import AttemptTroubled
from fleet_tui.core.tasks.model import Attempt
from fleet_tui.core.text.firewall import safe_line

MAX_REASON_CHARS = 50


def troubles_in(state: FleetState, result: ProbeResult) -> list[Event]:
    """What a probe reports about the models of an agent's runs that is new to the ledger."""
    agent = state.agents.get(result.agent)
    if agent is None or not isinstance(result, VitalsReading) or result.model_troubles is None:
        return []
    events: list[Event] = []
    for run in sorted(agent.runs):
        found = find_attempt(state, run)
        if found is None or not found[1].phase.is_at_work:
            continue
        attempt = found[1]
        now = result.model_troubles.get(run)
        if now != attempt.model_trouble:
            events.append(AttemptTroubled(run=run, trouble=now))
    return events


def trouble_of(attempt: Attempt | None) -> ModelTrouble | None:
    """What is wrong with the model of an open run, as its agent last reported."""
    if attempt is None or not attempt.phase.is_at_work:
        return None
    return attempt.model_trouble


def reason_of(trouble: ModelTrouble) -> str:
    """Why it fails, safe to show: a foreign recording can hold anything."""
    return safe_line(trouble.reason, MAX_REASON_CHARS)


def in_words(trouble: ModelTrouble) -> str:
    """``model: rate limit, try 4 of 10``."""
    of = f" of {trouble.of}" if trouble.of is not None else ""
    return f"model: {reason_of(trouble)}, try {trouble.attempt}{of}"
