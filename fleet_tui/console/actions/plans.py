"""Confirmation and sending: the common steps of every acting action.

Only here the required confirmation is derived from the plan's tier.
"""

from collections.abc import Callable, Mapping, Sequence

from fleet_tui.console.host import Stage
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.widgets.dialogs import CardPlan as Card
from fleet_tui.console.widgets.dialogs import ConfirmBar, PlanCard
from fleet_tui.console.widgets.plan_form import Answers, Field, PlanForm
from fleet_tui.core.ledger.base import Tier
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decided import LeftOut
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.plans import Plan, plan
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.undoing import unchanged
from fleet_tui.verbs.verb import PlanFact

_ABOUT_CHARS = 9
"""The width of the column with the subjects of facts."""

NOTHING_ASKED: Answers = {}


def planned(screen: Stage, command: Command) -> Plan | None:
    """The plan of a command; None where it would do nothing, after reporting why."""
    view = screen.console.view
    match plan(view.state, "", command, view.now_ms):
        case Plan() as found:
            return found
        case Refused(text=text):
            screen.console.tell(safe_line(text))
            return None


class Proposal:
    """A plan to confirm: its title, its facts, and the confirmation that it needs."""

    def __init__(
        self,
        title: str,
        tier: Tier,
        facts: Callable[[Mapping[str, str]], Sequence[PlanFact]],
        *,
        button: str,
        same_as: Callable[[Mapping[str, str]], str],
        fields: Sequence[Field] = (),
        left_out: Sequence[LeftOut] = (),
    ) -> None:
        """``facts`` and ``same_as`` (the equivalent shell command) depend on the current content of
        the fields. All text is safe."""
        self.title = title
        self.tier = tier
        self.facts = facts
        self.button = button
        self.same_as = same_as
        self.fields = fields
        self.others = others(left_out)

    def question(self) -> str:
        """All of it in one line."""
        told = [f"{self.title[:1].upper()}{self.title[1:]}?"]
        told += [fact.line for fact in self.facts(NOTHING_ASKED)]
        return " ".join([*told, *([self.others] if self.others else [])])

    def card(self, screen: Stage, typed: Mapping[str, str]) -> Card:
        """The plan with the fleet's badge; the highest tier requires the fleet's name."""
        spec = screen.console.view.state.fleet
        lines = [_line(fact) for fact in self.facts(typed)]
        if self.others:
            lines.append((Cell(self.others, Tone.DIM),))
        fleet = safe_line(spec.name)
        return Card(
            title=self.title,
            lines=tuple(lines),
            same_as=self.same_as(typed),
            verb=self.button,
            typed=fleet if self.tier is Tier.NAME else None,
            fleet=fleet,
            protected=spec.protected,
        )


def _line(fact: PlanFact) -> Line:
    about = (Cell(f"{fact.about:<{_ABOUT_CHARS}}", Tone.ACCENT),) if fact.about else ()
    aside = (Cell(f"  {fact.aside}", Tone.DIM),) if fact.aside else ()
    return (*about, Cell(fact.text, Tone.WARN if fact.is_loss else Tone.PLAIN), *aside)


def others(left_out: Sequence[LeftOut]) -> str:
    """``2 others are left out: t-5 is running; only waiting tasks can be held.``; empty when
    nothing is."""
    if not left_out:
        return ""
    are = "other is" if len(left_out) == 1 else "others are"
    return f"{words.grouped(len(left_out))} {are} left out: {safe_line(left_out[0].why.text)}"


async def agreed(screen: Stage, proposal: Proposal) -> Answers | None:
    """The operator's input when confirming; None for no."""
    console = screen.console
    match proposal.tier:
        case Tier.NOTHING:
            return NOTHING_ASKED
        case Tier.LINE:
            yes = await console.push_screen_wait(ConfirmBar(proposal.question())) is True
            return NOTHING_ASKED if yes else None
        case Tier.PLAN | Tier.NAME:
            if proposal.fields:
                form = PlanForm(lambda typed: proposal.card(screen, typed), proposal.fields)
                answers: Answers | None = await console.push_screen_wait(form)
                return answers
            card = PlanCard(proposal.card(screen, NOTHING_ASKED))
            return NOTHING_ASKED if await console.push_screen_wait(card) is True else None


async def carry_out(screen: Stage, found: Plan, done: str) -> None:
    """Send a plan that was shown and confirmed; report the result: ``held: t-42. Z undoes``.

    The engine may have newer data than the screen: a task may have ended meanwhile, and a plan that
    would now do more is refused.
    """
    reply = await screen.console.send(found.command, found.impact)
    if isinstance(reply, Accepted):
        console = screen.console
        undoes = console.keyed(". {undo} undoes") if reply.undo else ""
        console.tell(f"{done}{unchanged(found.command, reply)}{undoes}")
