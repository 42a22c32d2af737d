"""Asking before acting, and sending: what every acting action does around its command.

How much is asked follows from the plan's tier, here and nowhere else.
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
"""The column of what facts are about."""

NOTHING_ASKED: Answers = {}


def planned(screen: Stage, command: Command) -> Plan | None:
    """What the command would do now; None where it would do nothing, and why is told."""
    view = screen.console.view
    match plan(view.state, "", command, view.now_ms):
        case Plan() as found:
            return found
        case Refused(text=text):
            screen.console.tell(safe_line(text))
            return None


class Proposal:
    """What is asked about: a title, what there is to know, how much is asked."""

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
        """``facts`` and ``same_as`` (the shell command that does the same) follow what was typed
        into the fields so far. All text is safe."""
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
        """The plan with the fleet's badge; the highest tier asks for the fleet's name."""
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
    """What the operator typed when agreeing to it; None for no."""
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
    """Send a plan that was shown and agreed to; tell what came of it: ``held: t-42. Z undoes``.

    The engine may know better than the screen did: a task may have ended meanwhile, and a plan that
    would do more by now is refused.
    """
    reply = await screen.console.send(found.command, found.impact)
    if isinstance(reply, Accepted):
        console = screen.console
        undoes = console.keyed(". {undo} undoes") if reply.undo else ""
        console.tell(f"{done}{unchanged(found.command, reply)}{undoes}")
