"""Asking before acting, and sending: what every acting action does around its command."""

import shlex
from collections.abc import Callable, Sequence

from fleet_tui.console.host import Stage
from fleet_tui.console.text.cells import Line
from fleet_tui.console.widgets.dialogs import ConfirmBar, Plan, PlanCard
from fleet_tui.console.widgets.plan_form import Answers, Field, PlanForm
from fleet_tui.core import plans
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line


async def confirmed(screen: Stage, question: str) -> bool:
    """Tier 1: one line, default no."""
    return await screen.console.push_screen_wait(ConfirmBar(question)) is True


async def approved(screen: Stage, plan: Plan) -> bool:
    """Tiers 2 and 3: the plan on a card."""
    return await screen.console.push_screen_wait(PlanCard(plan)) is True


async def asked(
    screen: Stage, plan: Callable[[Answers], Plan], fields: Sequence[Field]
) -> Answers | None:
    """Tiers 2 and 3 where something more must be known: the plan with fields; None for no."""
    answers: Answers | None = await screen.console.push_screen_wait(PlanForm(plan, fields))
    return answers


def plan_of(
    state: FleetState,
    title: str,
    lines: Sequence[Line],
    same_as: str,
    verb: str,
    *,
    typed: bool,
) -> Plan:
    """A plan with the fleet's badge; ``typed`` asks for the fleet's name."""
    fleet = safe_line(state.fleet.name)
    return Plan(
        title=title,
        lines=tuple(lines),
        same_as=same_as,
        verb=verb,
        typed=fleet if typed else None,
        fleet=fleet,
        protected=state.fleet.protected,
    )


def command_line(verb: str, *names: str) -> str:
    """The shell command that does the same, as safe text."""
    return " ".join(("fleet-tui", verb, *(shlex.quote(safe_line(name)) for name in names)))


def planned(screen: Stage, command: Command) -> plans.Plan | None:
    """What the command would do now; None where it would do nothing, and why is told."""
    view = screen.console.view
    match plans.plan(view.state, "", command, view.now_ms):
        case plans.Plan() as found:
            return found
        case Refused(text=text):
            screen.console.tell(safe_line(text))
            return None


def others(found: plans.Plan) -> str:
    """`` 2 others are left out: t-5 is running; only waiting tasks can be held.``; empty when
    nothing is."""
    count = len(found.left_out)
    if not count:
        return ""
    are = "other is" if count == 1 else "others are"
    return f" {words.grouped(count)} {are} left out: {safe_line(found.left_out[0].why.text)}"


async def carry_out(screen: Stage, found: plans.Plan, done: str) -> None:
    """Send a plan that was shown and agreed to; tell what came of it: ``held t-42. Z undoes``.

    The engine may know better than the screen did: a task may have ended meanwhile, and a plan that
    would do more by now is refused.
    """
    console = screen.console
    reply = await console.send(found.command, found.impact)
    if not isinstance(reply, Accepted):
        return
    asked = len(plans.subjects(found.command))
    left = asked - (asked if reply.changed is None else reply.changed)
    but = f"; {words.plural(left, 'task')} had changed and stayed as it was" if left == 1 else ""
    if left > 1:
        but = f"; {words.grouped(left)} tasks had changed and stayed as they were"
    console.undo = found.inverse
    console.tell(f"{done}{but}" + (". Z undoes" if found.inverse else ""))
