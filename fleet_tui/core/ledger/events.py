"""Everything that can be decided, as the ledger keeps it.

``kind`` strings are stable for ever and bodies only grow (new fields have defaults). A kind this
version does not know is kept and counted (:class:`UnknownEvent`), never dropped.
"""

import msgspec

from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    FailoverFrozen,
    FailoverThawed,
    HealthChanged,
)
from fleet_tui.core.alerting.events import AlertAcked, AlertRaised, AlertResolved
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import Epoch, Seq, TaskId, split_run_id
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode, Trouble
from fleet_tui.core.tasks.events import (
    AboutAttempt,
    AboutTask,
    AttemptEvent,
    TaskEvent,
)
from fleet_tui.core.text.untrusted import Untrusted


class SegmentOpened(EventBase, frozen=True, kw_only=True, tag="segment.opened"):
    """The first event of a journal file: the state that all earlier files add up to."""

    state: FleetState


class EngineStarted(EventBase, frozen=True, kw_only=True, tag="engine.started"):
    """A new engine owns the ledger."""

    epoch: Epoch
    version: str
    pid: int


class EngineStopped(EventBase, frozen=True, kw_only=True, tag="engine.stopped"):
    """The engine let go of the ledger in good order."""

    reason: str


class EngineModeChanged(EventBase, frozen=True, kw_only=True, tag="engine.mode"):
    """The engine can do less than before, or everything again."""

    mode: EngineMode
    was: EngineMode
    reason: str
    by: str = ""
    """Who decided; empty when the engine did."""


class EngineUnitFailed(EventBase, frozen=True, kw_only=True, tag="engine.unit-failed"):
    """A part of the engine met a bug and was started again; what it did last may be missing."""

    unit: str
    error: str
    """The kind of error; its traceback is in the engine's own log."""


class EngineTroubled(EventBase, frozen=True, kw_only=True, tag="engine.troubled"):
    """The engine is short of something and works on, or is not any more."""

    trouble: Trouble
    text: str = ""
    """What is wrong, with the advice; empty when it is over."""


class FleetFileJudged(EventBase, frozen=True, kw_only=True, tag="fleet.file-judged"):
    """A newer fleet file cannot be taken, and the last good one stays in force; or it can again."""

    problem: str = ""
    """The first problem; empty when there is none any more."""


class FleetLoaded(EventBase, frozen=True, kw_only=True, tag="fleet.loaded"):
    """The fleet file in force from now on. Agents that it no longer names are retired."""

    spec: FleetSpec
    by: str = ""


class NoteAdded(EventBase, frozen=True, kw_only=True, tag="note.added"):
    """An operator marked a moment."""

    by: str
    text: Untrusted


class UnknownEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An event of a kind that this version does not know, as its JSON stood in the journal."""

    kind: str
    body: bytes


KnownEvent = (
    SegmentOpened
    | EngineStarted
    | EngineStopped
    | EngineModeChanged
    | EngineUnitFailed
    | EngineTroubled
    | FleetFileJudged
    | FleetLoaded
    | HealthChanged
    | AgentIdentified
    | AgentCordoned
    | AgentUncordoned
    | AgentTripped
    | AgentTrusted
    | FailoverFrozen
    | TaskEvent
    | AttemptEvent
    | FailoverThawed
    | AlertRaised
    | AlertResolved
    | AlertAcked
    | NoteAdded
)
"""What this version writes and understands; decode with ``msgspec.json.Decoder(KnownEvent)``."""

Event = KnownEvent | UnknownEvent


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event at its place in the ledger."""

    seq: Seq
    at_ms: int
    """The engine's wall clock at the commit, UTC."""
    epoch: Epoch
    event: Event


def kind_of(event: Event) -> str:
    """The stable kind string of an event."""
    if isinstance(event, UnknownEvent):
        return event.kind
    kind = type(event).__struct_config__.tag
    assert isinstance(kind, str)
    return kind


def task_of(event: Event) -> TaskId | None:
    """The task an event is about, directly or through a run."""
    if isinstance(event, AboutTask):
        return event.task
    if not isinstance(event, AboutAttempt):
        return None
    try:
        return split_run_id(event.run)[0]
    except ValueError:
        return None
