"""The subjects of an action, and the place where it was invoked."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, assert_never

import msgspec

from fleet_tui.console.shell.places import Place
from fleet_tui.core.ids import AgentName, AlertId, TaskId
from fleet_tui.feed.feed import View
from fleet_tui.verbs.verb import Noun


class Scope(StrEnum):
    """A capability of the pane in focus. An action is offered where one of its scopes is
    present."""

    ANYWHERE = "anywhere"
    ROWS = "rows"
    """A table: cursor, marks, sorting."""
    FILTER = "filter"
    """A pane that can be filtered."""
    PROBLEMS = "problems"
    """Rows or lines that may have problems."""
    LINES = "lines"
    """Log lines that can be followed."""
    CHART = "chart"
    """A chart over a time window."""
    TASKS = "tasks"
    AGENTS = "agents"
    ALERTS = "alerts"
    DEAD = "dead"
    """Whole groups of dead letters."""
    REVIEW = "review"
    """A recording, in which the time can be changed."""

    @property
    def text(self) -> str:
        """What has to be in focus."""
        return _SCOPES[self].text

    @property
    def takes_keys(self) -> str:
        """Why the keys of other actions mean something else there; empty where they do not."""
        return _SCOPES[self].takes_keys


class _Scope(NamedTuple):
    text: str
    takes_keys: str = ""


_SCOPES: Final = {
    Scope.ANYWHERE: _Scope("nothing"),
    Scope.ROWS: _Scope("a table"),
    Scope.FILTER: _Scope("a list"),
    Scope.PROBLEMS: _Scope("a list that shows problems"),
    Scope.LINES: _Scope("log lines", "here its key counts log lines"),
    Scope.CHART: _Scope("a chart"),
    Scope.AGENTS: _Scope("an agent"),
    Scope.TASKS: _Scope("a task"),
    Scope.ALERTS: _Scope("an alert"),
    Scope.DEAD: _Scope("dead letters"),
    Scope.REVIEW: _Scope("a recording", "in a recording this key moves time"),
}

SCOPE_OF: Final = {
    Noun.TASK: Scope.TASKS,
    Noun.AGENT: Scope.AGENTS,
    Noun.ALERT: Scope.ALERTS,
    Noun.FLEET: Scope.ANYWHERE,
}
"""Where something can be done to it."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The subjects of the marked rows, or of the one under the cursor.

    A row may have several subjects: a routing line has its task and the chosen agent.
    """

    agents: tuple[AgentName, ...] = ()
    tasks: tuple[TaskId, ...] = ()
    alerts: tuple[AlertId, ...] = ()
    decision: str = ""
    """One routing decision, as :func:`decision_subject` names it; empty for the newest."""
    text: str = ""
    """The row as safe text, for the clipboard."""

    def names(self, noun: Noun) -> Sequence[str]:
        """The selected subjects of one kind; empty for the fleet, which is always a single
        whole."""
        match noun:
            case Noun.TASK:
                return self.tasks
            case Noun.AGENT:
                return self.agents
            case Noun.ALERT:
                return self.alerts
            case Noun.FLEET:
                return ()
            case _:
                assert_never(noun)


NOTHING = Selection()


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides whether an action is available now."""

    view: View
    can_act: bool
    scopes: frozenset[Scope] = frozenset({Scope.ANYWHERE})
    selection: Selection = NOTHING
    place: Place | None = None
    """The screen on which it was invoked."""
    can_undo: bool = False
    """Whether this console has an action that can be undone."""


def decision_subject(task: TaskId, seq: int) -> str:
    """The subject of the place ``why`` for the decision at a position of the ledger."""
    return f"{task}@{seq}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """``agent-06, agent-07 and 3 more``: names for a question or a message."""
    all_names = list(names)
    if len(all_names) <= most:
        return ", ".join(all_names)
    return f"{', '.join(all_names[: most - 1])} and {len(all_names) - most + 1} more"
