"""Sentences for the events of the engine and its fleet file."""

from typing import assert_never

from fleet_tui.core.engine.events import (
    EngineEvent,
    EngineModeChanged,
    EngineStarted,
    EngineStopped,
    EngineTroubled,
    EngineUnitFailed,
    FleetFileJudged,
    FleetLoaded,
    MachinesFound,
)
from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.logs import Level
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.text.untrusted import Untrusted

MAX_SHOWN_MACHINES = 5
"""Hosts named in one line; a fleet may have a thousand."""


def engine_sentence(event: EngineEvent) -> Sentence:
    """The sentence for an event of the engine."""
    match event:
        case EngineStarted(version=version, epoch=epoch):
            return Sentence(level=Level.INFO, text=f"engine {version} started, epoch {epoch}")
        case EngineStopped(reason=reason):
            return Sentence(level=Level.INFO, text=f"engine stopped: {reason}")
        case EngineModeChanged(mode=mode, reason=reason, by=by):
            level = Level.INFO if mode is EngineMode.NORMAL else Level.ERROR
            who = f" by {by}" if by else ""
            return Sentence(
                level=level, text=f"engine mode {mode.label}{who}", detail=Untrusted(reason)
            )
        case EngineUnitFailed(unit=unit, error=error):
            return Sentence(
                level=Level.ERROR, text=f"{unit} failed ({error}) and was started again"
            )
        case EngineTroubled(trouble=trouble, text=text):
            if not text:
                return Sentence(level=Level.INFO, text=f"engine trouble over: {trouble}")
            return Sentence(
                level=Level.WARN, text=f"engine trouble: {trouble}", detail=Untrusted(text)
            )
        case FleetFileJudged(problem=problem):
            if not problem:
                return Sentence(level=Level.INFO, text="the fleet file is valid again")
            return Sentence(
                level=Level.ERROR, text="the fleet file was rejected", detail=Untrusted(problem)
            )
        case FleetLoaded(spec=spec):
            return Sentence(
                level=Level.INFO, text=f"fleet {spec.name} loaded: {len(spec.agents)} agents"
            )
        case MachinesFound(same=same):
            if not same:
                text = "ssh_config no longer resolves two hosts to one machine"
                return Sentence(level=Level.INFO, text=text)
            said = [f"{host} is {first}" for host, first in same.items()]
            if len(said) > MAX_SHOWN_MACHINES:
                said[MAX_SHOWN_MACHINES:] = [f"and {len(said) - MAX_SHOWN_MACHINES} more"]
            return Sentence(
                level=Level.INFO,
                text=(
                    "ssh_config resolves several hosts to one machine, whose gateways share a lane"
                ),
                detail=Untrusted("; ".join(said)),
            )
        case _:
            assert_never(event)
