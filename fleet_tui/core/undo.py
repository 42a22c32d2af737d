"""Undo: the commands that reverse some events, and an operator's last action.

Only actions without other effects can be undone: a hold, a release, a priority, a cordon, a freeze.
A cancel has stopped work, a requeue has started some. And only where they are still in force: the
commands carry who acted and when, and the engine leaves alone anything that someone else has
changed since.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar, assert_never

from fleet_tui.core.agents.commands import Cordon, Uncordon
from fleet_tui.core.agents.events import AgentCordoned, AgentTrusted, AgentUncordoned
from fleet_tui.core.alerting.events import AlertAcked
from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.engine.events import EngineModeChanged, FleetLoaded
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import AgentName, Seq, TaskId
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Event, Recorded, UnknownEvent
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.commands import Hold, Release, SetPriority
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    TaskCancelRequested,
    TaskDropped,
    TaskEdited,
    TaskExpedited,
    TaskHeld,
    TaskReleased,
    TaskReprioritized,
    TaskResolved,
    TaskRetrying,
    TaskSubmitted,
)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Reversible = (
    TaskHeld
    | TaskReleased
    | TaskReprioritized
    | AgentCordoned
    | AgentUncordoned
    | EngineModeChanged
)
"""Events that can be undone. Every other event leaves a trace that nothing removes."""

Authored = (
    TaskSubmitted
    | TaskCancelRequested
    | AttemptCancelling
    | TaskHeld
    | TaskReleased
    | TaskExpedited
    | TaskReprioritized
    | TaskResolved
    | TaskRetrying
    | TaskEdited
    | TaskDropped
    | AgentCordoned
    | AgentUncordoned
    | AgentTrusted
    | AlertAcked
    | EngineModeChanged
    | FleetLoaded
    | NoteAdded
)
"""Events that name their author; a test finds one that does and is not listed."""


def inverse(before: FleetState, events: Sequence[Event], made: Made) -> tuple[Command, ...]:
    """The commands that undo the events, where ``before`` is the state that they changed and
    ``made`` tells who caused them and when they were committed. Empty where any of them cannot be
    undone."""
    held: list[TaskId] = []
    released: list[tuple[str, TaskId]] = []
    moved: list[tuple[tuple[Priority, Priority], TaskId]] = []
    cordoned: list[AgentName] = []
    uncordoned: list[tuple[str, AgentName]] = []
    modes: list[Command] = []
    for event in events:
        if not isinstance(event, Reversible):
            return ()
        match event:
            case TaskHeld(task=task):
                held.append(task)
            case TaskReleased(task=task):
                if (found := before.task(task)) is None or found.hold is None:
                    return ()
                released.append((found.hold.reason, task))
            case TaskReprioritized(task=task, priority=now):
                if (found := before.task(task)) is None:
                    return ()
                moved.append(((found.spec.priority, now), task))
            case AgentCordoned(agent=agent):
                cordoned.append(agent)
            case AgentUncordoned(agent=agent):
                if (known := before.agents.get(agent)) is None or known.cordon is None:
                    return ()
                uncordoned.append((known.cordon.reason, agent))
            case EngineModeChanged(mode=mode, was=was):
                if (back := _mode_back(before, was, mode, made)) is None:
                    return ()
                modes.append(back)
            case _:
                assert_never(event)
    return (
        *([Release(tasks=tuple(held), held=made)] if held else []),
        *(Hold(tasks=tuple(tasks), reason=why) for why, tasks in _grouped(released)),
        *(
            SetPriority(tasks=tuple(tasks), priority=was, was=now)
            for (was, now), tasks in _grouped(moved)
        ),
        *([Uncordon(agents=tuple(cordoned), cordoned=made)] if cordoned else []),
        *(Cordon(agents=tuple(agents), reason=why) for why, agents in _grouped(uncordoned)),
        *modes,
    )


def _mode_back(before: FleetState, was: EngineMode, mode: EngineMode, made: Made) -> Command | None:
    """Only a freeze and a thaw are somebody's choice."""
    if (was, mode) == (EngineMode.NORMAL, EngineMode.FROZEN):
        return Thaw(frozen=made)
    if (was, mode) == (EngineMode.FROZEN, EngineMode.NORMAL):
        return Freeze(reason=before.engine.mode.reason)
    return None


def _grouped(pairs: Iterable[tuple[K, V]]) -> list[tuple[K, list[V]]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return list(groups.items())


class PastAct(NamedTuple):
    """An operator's action at one moment."""

    after: Seq
    """The last event before it."""
    at_ms: int
    events: tuple[Event, ...]


def last_act(rows: Sequence[Recorded], by: str) -> PastAct | None:
    """The newest action of an operator among events in their order; None when there is none. Events
    committed together are one action, and a note is none. An event that only a newer version knows
    may be the action: it cannot be undone."""
    mine: list[Recorded] = []
    for row in reversed(rows):
        is_mine = _is_act_of(row.event, by)
        if mine and not (is_mine and row.at_ms == mine[-1].at_ms):
            break
        if is_mine:
            mine.append(row)
    if not mine:
        return None
    return PastAct(Seq(mine[-1].seq - 1), mine[0].at_ms, tuple(row.event for row in reversed(mine)))


def _is_act_of(event: Event, by: str) -> bool:
    if isinstance(event, NoteAdded):
        return False
    return isinstance(event, UnknownEvent) or author(event) == by


def author(event: Event) -> str:
    """The operator who requested it; empty if the engine decided it."""
    return event.by if isinstance(event, Authored) else ""
