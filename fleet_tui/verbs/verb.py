"""Verbs: their words, keys, subjects, and the commands that carry them out.

A verb holds everything that people read or type. What it would do now, to which subjects and at
what cost is worked out by a plan (:mod:`fleet_tui.core.plans`), its inverse by
:mod:`fleet_tui.core.undo`; a verb adds the facts to read before confirming the plan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, assert_never

from fleet_tui.core.fleet import Priority
from fleet_tui.core.ledger.base import Tier
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Plan
from fleet_tui.core.tasks.model import Task
from fleet_tui.verbs.chapters import Chapter


class Noun(StrEnum):
    """The subject of a verb."""

    TASK = "task"
    AGENT = "agent"
    ALERT = "alert"
    FLEET = "fleet"


class Option(StrEnum):
    """An option of a verb."""

    REASON = "reason"
    """Reason, recorded in the ledger."""
    NEEDED_REASON = "needed-reason"
    """The reason, required."""
    RATE = "rate"
    """A rate per minute."""
    PRIORITY = "priority"
    TEXT = "text"
    """Free text of the operator."""

    @property
    def is_positional(self) -> bool:
        """Whether the shell takes it as an argument, before the subjects."""
        match self:
            case Option.PRIORITY | Option.TEXT:
                return True
            case Option.REASON | Option.NEEDED_REASON | Option.RATE:
                return False
            case _:
                assert_never(self)


class Said(NamedTuple):
    """The options' values."""

    reason: str = ""
    per_minute: int | None = None
    """None means all at once."""
    priority: Priority = Priority.P2
    text: str = ""


class Planned(NamedTuple):
    """The input for the facts of a plan."""

    state: FleetState
    plan: Plan
    said: Said
    now_ms: int


class PlanFact(NamedTuple):
    """One fact to read before confirming. Safe text."""

    text: str
    about: str = ""
    """The subject, shown before the text."""
    aside: str = ""
    """Secondary text, shown after it."""
    is_loss: bool = False
    """Whether something is lost."""

    @property
    def line(self) -> str:
        """As one line of plain text."""
        return "  ".join(filter(None, (self.about.strip(), self.text.strip(), self.aside.strip())))


def nothing_more(planned: Planned) -> Sequence[PlanFact]:
    """For verbs whose title is sufficient."""
    del planned
    return ()


def never(count: int) -> Sequence[Option]:
    """For verbs that need only a confirmation."""
    del count
    return ()


@dataclass(frozen=True, kw_only=True)
class Words:
    """The names and texts of something that an operator can do."""

    name: str
    """``cordon``: the command of the shell and of the console's ``:`` line, and the action."""
    key: str
    """As Textual names it."""
    noun: Noun
    chapter: Chapter
    """Where the shell's help lists it."""
    title: str
    """A short imperative title for the palette and the menu."""
    summary: str
    """One imperative sentence for the list of commands."""
    help: str
    """Details beyond the summary: effects, limits and exit codes."""
    label: str = ""
    """One word for the footer; empty for a verb that the footer does not show."""
    footer: int = 0
    """Priority in the footer."""
    of_dead_letters: bool = False
    """Whether it can apply to a whole group of dead letters."""
    has_form: bool = False
    """Whether a screen of the console that is named so asks for what it needs."""


@dataclass(frozen=True, kw_only=True)
class Verb(Words):
    """One action that an operator can take with one command."""

    done: str
    """``cordoned``: the report afterwards, and the JSON schema's name."""
    goes_on: str = ""
    """``being cancelled``, where it is only requested; empty where it is done at once."""
    command: Callable[[Sequence[str], Said], Command]
    """Makes the command from its subjects: ids of tasks and alerts, names of agents."""
    options: tuple[Option, ...] = ()
    asks: Callable[[int], Sequence[Option]] = never
    """The options that the console's card asks for, given the number of subjects."""
    facts: Callable[[Planned], Sequence[PlanFact]] = nothing_more
    asks_when_named: bool = False
    """Whether the shell asks for confirmation even where each subject was named."""

    @property
    def afterwards(self) -> str:
        """The report when it is done, or in progress."""
        return self.goes_on or self.done

    @property
    def makes(self) -> type[Command]:
        """What its command is."""
        return type(self.command((), Said()))

    @property
    def is_harmless(self) -> bool:
        """Whether it changes nothing in the fleet, so that no confirmation is needed."""
        return self.makes.tier is Tier.NOTHING


@dataclass(frozen=True, kw_only=True)
class TaskVerb(Words):
    """What is done to one task at a time, after looking at it: its command says what was seen."""

    not_for: Callable[[FleetState, Task], Refused | None]
    """Why it cannot be done to a task, whatever is said with it; None when it can."""
    takes_one: bool = False
    """Whether one task is chosen for it; else it is done to each that is chosen, in turn."""
