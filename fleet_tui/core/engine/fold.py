"""Folding events of the engine and of the fleet file that it follows."""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.fold import follow_fleet
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
from fleet_tui.core.ledger.draft import Draft
from fleet_tui.core.modes import NORMAL, EngineMode, EngineState, ModeNow


def fold_engine(draft: Draft, event: EngineEvent) -> None:
    """The engine after a fact about it, and the agents after another fleet file."""
    match event:
        case FleetLoaded(spec=spec):
            before, draft.fleet = draft.fleet, spec
            draft.engine = replace(draft.engine, file_problem="")
            follow_fleet(draft, before)
        case EngineStarted(epoch=epoch, version=version, pid=pid):
            held = draft.engine.mode if draft.engine.mode.mode is EngineMode.FROZEN else NORMAL
            draft.engine = EngineState(
                epoch=epoch, version=version, pid=pid, started_at_ms=draft.at_ms, mode=held
            )
        case EngineModeChanged(mode=mode, reason=reason, by=by):
            now = ModeNow(mode=mode, reason=reason, since_ms=draft.at_ms, by=by)
            draft.engine = replace(draft.engine, mode=now)
        case EngineUnitFailed():
            pass  # a line of the log; what follows from it is an event of its own
        case EngineTroubled(trouble=trouble, text=text):
            troubles = {t: said for t, said in draft.engine.troubles.items() if t != trouble}
            if text:
                troubles[trouble] = text
            draft.engine = replace(draft.engine, troubles=troubles)
        case FleetFileJudged(problem=problem):
            draft.engine = replace(draft.engine, file_problem=problem)
        case MachinesFound(same=same):
            draft.fleet = replace(draft.fleet, same=same)
        case EngineStopped():
            draft.engine = replace(draft.engine, stopped_at_ms=draft.at_ms)
        case _:
            assert_never(event)
