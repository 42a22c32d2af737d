"""Asking before acting, and sending: what every acting action does around its command."""

import shlex
from collections.abc import Callable, Sequence

from fleet_tui.console.host import Stage
from fleet_tui.console.text.cells import Line
from fleet_tui.console.widgets.dialogs import ConfirmBar, Plan, PlanCard
from fleet_tui.console.widgets.plan_form import Answers, Field, PlanForm
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Accepted
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


async def send_all(screen: Stage, commands: Sequence[Command], done: str) -> None:
    """Send one after the other; a refusal is told by the console and ends it."""
    for command in commands:
        reply = await screen.console.send(command)
        if not isinstance(reply, Accepted):
            return
    screen.console.tell(done)


async def send_many(
    screen: Stage, command: Command, asked_for: int, done: str, *, after: str = ""
) -> None:
    """Send a command that names many tasks; tell for how many it did something: ``held t-42``.

    The engine may know better than the screen did: a task may have ended meanwhile.
    """
    reply = await screen.console.send(command)
    if not isinstance(reply, Accepted):
        return
    changed = asked_for if reply.changed is None else reply.changed
    left = asked_for - changed
    but = f"; {words.plural(left, 'task')} had changed and stayed as it was" if left == 1 else ""
    if left > 1:
        but = f"; {words.grouped(left)} tasks had changed and stayed as they were"
    screen.console.tell(f"{done}{but}{after}")
