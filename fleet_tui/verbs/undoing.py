"""Undo: what it would do now, and the facts to read before."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decided import LeftOut
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Plan, plan_in_turn, subjects, title
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.table import VERB_OF
from fleet_tui.verbs.verb import PlanFact, Planned, Said


class Undoing(NamedTuple):
    """What can still be undone, and what no longer can."""

    plans: Sequence[Plan]
    titles: Sequence[str]
    """The effect of each. Safe text."""
    facts: Sequence[PlanFact]
    left_out: Sequence[LeftOut]
    """Subjects that plans leave out, and commands that would do nothing, without a label."""


def undoing(state: FleetState, by: str, commands: Iterable[Command], now_ms: int) -> Undoing:
    """The effects of the commands of :mod:`fleet_tui.core.undo`, one after the other."""
    outcomes = plan_in_turn(state, by, commands, now_ms)
    plans = [each for each in outcomes if isinstance(each, Plan)]
    facts: list[PlanFact] = []
    for each in plans:
        facts += VERB_OF[type(each.command)].facts(Planned(state, each, Said(), now_ms))
    return Undoing(
        plans,
        [safe_line(title(state, each.command)) for each in plans],
        facts,
        [
            *(out for each in plans for out in each.left_out),
            *(LeftOut("", "", each) for each in outcomes if isinstance(each, Refused)),
        ],
    )


class Undone(NamedTuple):
    """What came of it."""

    done: Sequence[str]
    """Titles of what was taken back, if only in part."""
    told: Sequence[str]
    """The same, each with how much of it stayed as it was."""
    stayed: Sequence[str]
    """Titles of what had changed since, so that nothing of it was taken back."""
    refused: Sequence[Refused]
    redo: Sequence[Command]
    """Does again what was taken back."""
    left: Sequence[Command]
    """What was refused."""

    @property
    def is_whole(self) -> bool:
        """Whether all that was planned was taken back."""
        return not self.stayed and not self.refused and self.told == self.done


NOTHING_SENT = Undone((), (), (), (), (), ())


def undone(found: Undoing, replies: Sequence[Reply]) -> Undone:
    """What the engine's replies to the plans, in their order, come to."""
    done: list[str] = []
    told: list[str] = []
    stayed: list[str] = []
    refused: list[Refused] = []
    redo: list[Command] = []
    left: list[Command] = []
    for each, what, reply in zip(found.plans, found.titles, replies, strict=True):
        if isinstance(reply, Refused):
            refused.append(reply)
            left.append(each.command)
        elif reply.changed == 0:
            stayed.append(what)
        else:
            done.append(what)
            told.append(f"{what}{unchanged(each.command, reply)}")
            redo += reply.undo
    return Undone(done, told, stayed, refused, redo, left)


def unchanged(command: Command, reply: Reply) -> str:
    """``; 2 agents had changed and stayed as they were``; empty where all was done."""
    asked = len(subjects(command))
    if not isinstance(reply, Accepted) or reply.changed is None or reply.changed >= asked:
        return ""
    left = words.plural(asked - reply.changed, VERB_OF[type(command)].noun)
    stayed = "stayed as it was" if asked - reply.changed == 1 else "stayed as they were"
    return f"; {left} had changed and {stayed}"
