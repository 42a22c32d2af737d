"""What a command for the engine itself means: the events it becomes, or why it is refused."""

from typing import assert_never

from fleet_tui.core.engine.commands import EngineCommand, Freeze, StopEngine, Thaw
from fleet_tui.core.engine.events import EngineModeChanged
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.decided import Decided, Decision, LeftOut, changed_since
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode


def decide_engine(state: FleetState, by: str, command: EngineCommand) -> Decision:
    """The meaning of a command for the engine. StopEngine changes no state: the engine carries it
    out."""
    match command:
        case Freeze(reason=reason):
            return _freeze(state, by, reason)
        case Thaw(frozen=made):
            return _thaw(state, by, made)
        case StopEngine():
            return Decided()
        case _:
            assert_never(command)


def _freeze(state: FleetState, by: str, reason: str) -> Decision:
    was = state.engine.mode.mode
    if was is EngineMode.FROZEN:
        name = state.fleet.name
        already = Refused(code=RefusalCode.ALREADY_FROZEN, text=f"{name} is already frozen.")
        return Decided(left_out=(LeftOut(name, name, already),))
    why = reason or "nothing is to be started"
    change = EngineModeChanged(mode=EngineMode.FROZEN, was=was, reason=why, by=by)
    return Decided(events=(change,))


def _thaw(state: FleetState, by: str, made: Made | None) -> Decision:
    now = state.engine.mode
    was = now.mode
    if was is not EngineMode.FROZEN:
        return Refused(code=RefusalCode.NOT_FROZEN, text="The engine is not frozen.")
    if made is not None:
        changed = changed_since(f"{state.fleet.name} is frozen", made, now.by, now.since_ms)
        if changed is not None:
            return changed
    change = EngineModeChanged(mode=EngineMode.NORMAL, was=was, reason="thawed", by=by)
    return Decided(events=(change,))


def code_of_mode(mode: EngineMode) -> RefusalCode:
    """Why an engine in that mode takes no command. Raises ValueError for a mode that takes them."""
    match mode:
        case EngineMode.READ_ONLY:
            return RefusalCode.READ_ONLY_MODE
        case EngineMode.RECOVERY:
            return RefusalCode.RECOVERY_MODE
        case EngineMode.NORMAL | EngineMode.FROZEN:
            raise ValueError(f"an engine that is {mode.label} takes commands")
        case _:
            assert_never(mode)
