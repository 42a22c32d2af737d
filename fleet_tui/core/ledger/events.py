"""All events, as the ledger keeps them.

``kind`` strings never change and bodies only grow (new fields have defaults). A kind this version
does not know is kept and counted (:class:`UnknownEvent`), never dropped.
"""

import msgspec

from fleet_tui.core.agents.events import AgentEvent, PoolEvent
from fleet_tui.core.alerting.events import AlertEvent
from fleet_tui.core.engine.events import EngineEvent
from fleet_tui.core.ids import Epoch, Seq, TaskId, split_run_id
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.events import AboutAttempt, AboutTask, AttemptEvent, TaskEvent


class SegmentOpened(EventBase, frozen=True, kw_only=True, tag="segment.opened"):
    """The first event of a journal file: the state after all earlier files."""

    state: FleetState


class UnknownEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An event of a kind that this version does not know, as its JSON stood in the journal."""

    kind: str
    body: bytes


KnownEvent = (
    SegmentOpened
    | NoteAdded
    | EngineEvent
    | AgentEvent
    | PoolEvent
    | TaskEvent
    | AttemptEvent
    | AlertEvent
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
