"""What a command means in a state: the events it becomes, or why it is refused."""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.events import AgentCordoned, AgentUncordoned
from fleet_tui.core.alerting.events import AlertAcked
from fleet_tui.core.engine.events import EngineModeChanged
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger import commands as c
from fleet_tui.core.ledger.decided import Decided, Verdict, unknown_name
from fleet_tui.core.ledger.events import NoteAdded
from fleet_tui.core.ledger.refusals import Nameable, RefusalCode
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.tasks import dead_letters, queueing
from fleet_tui.core.tasks.submission import submit
from fleet_tui.core.tasks.verdicts import resolve
from fleet_tui.core.text.redaction import without_patterns, without_secrets

MAX_NOTE_CHARS = 2_000


def public(command: c.Command) -> c.Command:
    """A command whose words for other people, a reason or a note, have no secret in them. A payload
    has to be kept to be run, and is shown without."""
    if isinstance(command, c.AddNote):
        return replace(command, text=without_secrets(command.text))
    reason = getattr(command, "reason", "")
    clean, count = without_patterns(reason)
    return replace(command, reason=clean) if count else command


def decide(state: FleetState, by: str, command: c.Command, now_ms: int) -> Verdict:
    """The meaning of a command. ProbeNow and StopEngine change no state: they are the engine's."""
    match command:
        case c.Submit():
            return submit(state, by, command)
        case c.Cancel():
            return queueing.cancel(state, by, command)
        case c.Hold():
            return queueing.hold(state, by, command)
        case c.Release():
            return queueing.release(state, by, command)
        case c.Expedite():
            return queueing.expedite(state, by, command)
        case c.SetPriority():
            return queueing.set_priority(state, by, command)
        case c.Cordon(agents=agents, reason=reason):
            problem = _unknown_agents(state, agents)
            if problem is not None:
                return problem
            fresh = [n for n in agents if state.agents[n].cordon is None]
            return Decided(
                events=tuple(AgentCordoned(agent=n, by=by, reason=reason) for n in fresh)
            )
        case c.Uncordon(agents=agents):
            problem = _unknown_agents(state, agents)
            if problem is not None:
                return problem
            held = [n for n in agents if state.agents[n].cordon is not None]
            return Decided(events=tuple(AgentUncordoned(agent=n, by=by) for n in held))
        case c.Resolve():
            return resolve(state, by, command, now_ms)
        case c.Requeue():
            return dead_letters.requeue(state, by, command, now_ms)
        case c.Edit():
            return dead_letters.edit(state, by, command)
        case c.Drop():
            return dead_letters.drop(state, by, command)
        case c.Ack(alert=alert):
            if alert not in state.alerts:
                return c.Refused(
                    code=RefusalCode.UNKNOWN_ALERT, text=f"No open alert is called {alert}."
                )
            return Decided(events=(AlertAcked(alert=alert, by=by),))
        case c.AddNote(text=text):
            if not text.raw.strip():
                return c.Refused(code=RefusalCode.EMPTY, text="A note needs words.")
            if len(text.raw) > MAX_NOTE_CHARS:
                return c.Refused(
                    code=RefusalCode.TOO_LONG,
                    text=f"A note has at most {MAX_NOTE_CHARS} characters.",
                )
            return Decided(events=(NoteAdded(by=by, text=text),))
        case c.ProbeNow(agents=agents):
            return _unknown_agents(state, agents) or Decided()
        case c.Freeze(reason=reason):
            return _freeze(state, by, reason)
        case c.Thaw():
            return _thaw(state, by)
        case c.StopEngine():
            return Decided()
        case _:
            assert_never(command)


def _freeze(state: FleetState, by: str, reason: str) -> Verdict:
    was = state.engine.mode.mode
    if was is EngineMode.HOLD:
        return Decided()
    why = reason or "nothing is to be started"
    change = EngineModeChanged(mode=EngineMode.HOLD, was=was, reason=why, by=by)
    return Decided(events=(change,))


def _thaw(state: FleetState, by: str) -> Verdict:
    was = state.engine.mode.mode
    if was is not EngineMode.HOLD:
        return c.Refused(code=RefusalCode.NOT_FROZEN, text="The engine is not frozen.")
    change = EngineModeChanged(mode=EngineMode.NORMAL, was=was, reason="thawed", by=by)
    return Decided(events=(change,))


def _unknown_agents(state: FleetState, agents: tuple[AgentName, ...]) -> c.Refused | None:
    if not agents:
        return c.Refused(code=RefusalCode.NOTHING_NAMED, text="No agent was named.")
    for name in agents:
        if name not in state.agents:
            return unknown_name(Nameable.AGENT, name, state.agents)
    return None
