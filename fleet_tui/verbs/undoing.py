"""Undo: what it would do now, and the facts to read before."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decided import LeftOut
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Plan, plan_in_turn, title
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
