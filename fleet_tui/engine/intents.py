"""The effect of each committed event outside the ledger.

An intent is an event that was committed and whose effect now starts. Every kind of event has a row
in :data:`EFFECTS`, including those without an effect; a test finds a kind without a row, and a row
that disagrees with the fold about the open runs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    CanaryEnded,
    CanaryStarted,
    FailoverBraked,
    FailoverResumed,
    HealthChanged,
)
from fleet_tui.core.alerting.events import AlertAcked, AlertRaised, AlertResolved
from fleet_tui.core.engine.events import (
    EngineModeChanged,
    EngineStarted,
    EngineStopped,
    EngineTroubled,
    EngineUnitFailed,
    FleetFileJudged,
    FleetLoaded,
    MachinesFound,
)
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.ledger.events import Recorded, SegmentOpened, UnknownEvent
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.events import (
    AboutTask,
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptEvent,
    AttemptFinished,
    AttemptGivenUp,
    AttemptLate,
    AttemptNotStarted,
    AttemptSeen,
    AttemptStarted,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    AttemptTroubled,
    AttemptUnknown,
    TaskBlamed,
    TaskCancelRequested,
    TaskDropped,
    TaskEdited,
    TaskEnded,
    TaskExpedited,
    TaskHeld,
    TaskNeedsOperator,
    TaskPending,
    TaskPlaced,
    TaskReleased,
    TaskReprioritized,
    TaskResolved,
    TaskRetrying,
    TaskSubmitted,
)


class Conversations(Protocol):
    """The workers that communicate with agents about runs, as far as events affect them."""

    def watch(self, state: FleetState, run: RunId) -> None:
        """Keep asking about a run that was given up."""
        ...

    def ask_again(self, agent: AgentName) -> None:
        """Send pending queries at once instead of at their next turn: the agent may answer now."""
        ...

    def stop_unwanted(self, state: FleetState, task: TaskId) -> None:
        """Stop runs of the task that were given up, may still run, and are in the way."""
        ...


class Due:
    """The effects of a batch of committed events."""

    def __init__(self) -> None:
        self.fleet_file = False
        """The agents, or the paths to them, have changed."""
        self.runs = False
        """Which runs are open, or are to be stopped, has changed."""
        self.placed: set[RunId] = set()
        """Runs to be started by this process; every other one is asked about."""
        self.then: list[Callable[[Conversations, FleetState], None]] = []
        """Calls to make once all workers run, in the order of the events."""


# The effects


def follow_file(due: Due, event: FleetLoaded) -> None:
    """Reach agents as the new file defines."""
    due.fleet_file = True


def start(due: Due, event: TaskPlaced | CanaryStarted) -> None:
    """Start the run and track it."""
    due.runs = True
    due.placed.add(event.run)


def stop(due: Due, event: AttemptCancelling) -> None:
    """Ask the agent to stop the run."""
    due.runs = True


def end(due: Due, event: AttemptEvent | CanaryEnded) -> None:
    """End the worker of the run."""
    due.runs = True


def watch(due: Due, event: AttemptGivenUp) -> None:
    """See :meth:`Conversations.watch`."""
    due.then.append(lambda those, state: those.watch(state, event.run))


def ask_again(due: Due, event: HealthChanged | AgentIdentified) -> None:
    """See :meth:`Conversations.ask_again`. An agent that was lost just now is not asked."""
    if not (isinstance(event, HealthChanged) and event.health.is_lost):
        due.then.append(lambda those, _: those.ask_again(event.agent))


def stop_unwanted(due: Due, event: AboutTask) -> None:
    """See :meth:`Conversations.stop_unwanted`."""
    due.then.append(lambda those, state: those.stop_unwanted(state, event.task))


# The table

E = TypeVar("E")
Effect = Callable[[Due, Any], None]


def on(kind: type[E], *effects: Callable[[Due, E], None]) -> tuple[type[Any], tuple[Effect, ...]]:
    """A row of the table; the type checker compares the effects with the event."""
    return kind, effects


EFFECTS: Mapping[type[Any], tuple[Effect, ...]] = dict(
    (
        on(TaskPlaced, start, stop_unwanted),
        on(AttemptCancelling, stop),
        on(AttemptFinished, end),
        on(AttemptStopped, end),
        on(AttemptDied, end),
        on(AttemptNotStarted, end),
        on(AttemptGivenUp, end, watch),
        on(AttemptStarted),
        on(AttemptSeen),
        on(AttemptUnknown),
        on(AttemptCancelRefused),  # the worker repeats the request
        on(AttemptCheckpointed),
        on(AttemptTroubled),
        on(AttemptSuspended),
        on(AttemptLate),
        on(AttemptTold),
        # An operator has decided about the task, or no verdict is needed.
        on(TaskSubmitted, stop_unwanted),
        on(TaskPending, stop_unwanted),
        on(TaskRetrying, stop_unwanted),
        on(TaskBlamed, stop_unwanted),
        on(TaskNeedsOperator, stop_unwanted),
        on(TaskResolved, stop_unwanted),
        on(TaskCancelRequested, stop_unwanted),
        on(TaskHeld, stop_unwanted),
        on(TaskReleased, stop_unwanted),
        on(TaskExpedited, stop_unwanted),
        on(TaskReprioritized, stop_unwanted),
        on(TaskEdited, stop_unwanted),
        on(TaskDropped, stop_unwanted),
        on(TaskEnded, stop_unwanted),
        on(HealthChanged, ask_again),
        on(AgentIdentified, ask_again),  # a new process may resume what its predecessor ran
        on(AgentCordoned),
        on(AgentUncordoned),
        on(AgentTripped),
        on(AgentTrusted),
        on(CanaryStarted, start),
        on(CanaryEnded, end),
        on(FailoverBraked),
        on(FailoverResumed),
        on(FleetLoaded, follow_file),
        on(FleetFileJudged),
        on(MachinesFound),  # a matter of routing alone: hosts are reached as before
        on(EngineStarted),
        on(EngineStopped),
        on(EngineModeChanged),
        on(EngineUnitFailed),
        on(EngineTroubled),
        on(AlertRaised),
        on(AlertResolved),
        on(AlertAcked),
        on(NoteAdded),
        on(SegmentOpened),
        on(UnknownEvent),
    )
)
"""The effects of every kind of event. Rows without one are facts about what has already happened;
any consequence is an event of its own."""


def due_after(recorded: Sequence[Recorded]) -> Due:
    """The effects of a batch of committed events."""
    due = Due()
    for row in recorded:
        for effect in EFFECTS[type(row.event)]:
            effect(due, row.event)
    return due
