"""What a verb is: its words, its key, what it is done to and the command that does it.

A verb tells everything that people read or type. What it would do now, to what and at what cost is
a plan's business (:mod:`fleet_tui.core.plans`), how it is taken back that of
:mod:`fleet_tui.core.undo`; a verb adds the facts that
whoever agrees to the plan should have read.
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
    """What a verb is done to."""

    TASK = "task"
    AGENT = "agent"
    ALERT = "alert"
    FLEET = "fleet"


class Option(StrEnum):
    """What can be said with a verb."""

    REASON = "reason"
    """Reason, recorded in the ledger."""
    NEEDED_REASON = "needed-reason"
    """The reason, required."""
    RATE = "rate"
    """How many a minute."""
    PRIORITY = "priority"
    TEXT = "text"
    """Words of the operator's own."""

    @property
    def is_positional(self) -> bool:
        """Whether the shell takes it as an argument, before what the verb is done to."""
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
    """None is all at once."""
    priority: Priority = Priority.P2
    text: str = ""


class Planned(NamedTuple):
    """What the facts of a plan are made of."""

    state: FleetState
    plan: Plan
    said: Said
    now_ms: int


class PlanFact(NamedTuple):
    """One line of what there is to know before it is done. Safe text."""

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
    """For verbs whose title says it all."""
    del planned
    return ()


def never(count: int) -> Sequence[Option]:
    """For verbs that ask only for a yes."""
    del count
    return ()


@dataclass(frozen=True, kw_only=True)
class Words:
    """How something that an operator can do is called, and what is said of it."""

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
    """Whether a group of dead letters can be meant as a whole."""
    has_form: bool = False
    """Whether a screen of the console that is named so asks for what it needs."""


@dataclass(frozen=True, kw_only=True)
class Verb(Words):
    """One thing that an operator can do with one command."""

    done: str
    """``cordoned``: what is said afterwards, and the JSON schema's name."""
    goes_on: str = ""
    """``being cancelled``, where it is only asked for; empty where it is done at once."""
    command: Callable[[Sequence[str], Said], Command]
    """Makes the command of what is named: ids of tasks and alerts, names of agents."""
    options: tuple[Option, ...] = ()
    asks: Callable[[int], Sequence[Option]] = never
    """What the console's card asks for, where it is done to so many."""
    facts: Callable[[Planned], Sequence[PlanFact]] = nothing_more
    asks_when_named: bool = False
    """Whether the shell asks also where each was named."""

    @property
    def afterwards(self) -> str:
        """What is said when it is done, or under way."""
        return self.goes_on or self.done

    @property
    def makes(self) -> type[Command]:
        """What its command is."""
        return type(self.command((), Said()))

    @property
    def is_harmless(self) -> bool:
        """Whether it changes nothing in the fleet, so that nothing is asked before."""
        return self.makes.tier is Tier.NOTHING


@dataclass(frozen=True, kw_only=True)
class TaskVerb(Words):
    """What is done to one task at a time, after looking at it: its command says what was seen."""

    not_for: Callable[[FleetState, Task], Refused | None]
    """Why it cannot be done to a task, whatever is said with it; None when it can."""
    takes_one: bool = False
    """Whether one task is chosen for it; else it is done to each that is chosen, in turn."""
