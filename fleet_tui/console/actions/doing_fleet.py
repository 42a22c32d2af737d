"""What acting actions do: make the command, show its plan, send it, tell what came of it.

How much is asked depends on what can be lost: one line where it can be undone, the plan where work
is stopped, a name to type where the fleet is protected or much of a pool is concerned.
"""

from collections.abc import Awaitable, Callable, Mapping

from msgspec.structs import replace

from fleet_tui.console.actions import doing_tasks as acting_tasks
from fleet_tui.console.actions.plans import (
    approved,
    asked,
    carry_out,
    command_line,
    confirmed,
    others,
    plan_of,
    planned,
)
from fleet_tui.console.actions.selection import Selection, listed
from fleet_tui.console.host import Stage
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.widgets.dialogs import Plan as Card
from fleet_tui.console.widgets.plan_form import Field
from fleet_tui.core.agents.commands import Cordon, ProbeNow, Uncordon
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.ids import AgentName, AlertId
from fleet_tui.core.ledger.commands import AddNote, Command
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.plans import Tier, impact_words, subjects, title
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.untrusted import Untrusted

# --- agents ---


async def cordon(screen: Stage, chosen: Selection) -> None:
    """Keep agents out of routing."""
    found = planned(screen, Cordon(agents=chosen.agents))
    if found is None:
        return
    state = screen.console.view.state
    names = [AgentName(each) for each in subjects(found.command)]
    label = safe_line(listed(names))
    running = sum(len(state.agents[name].runs) for name in names)
    goes_on = f" {words.plural(running, 'task')} running there goes on." if running == 1 else ""
    if running > 1:
        goes_on = f" {running} tasks running there go on."
    if found.tier is Tier.NAME:
        much = [(Cell(safe_line(said), Tone.WARN),) for said in impact_words(found.impact)]
        lines: list[Line] = [(Cell(f"{label}: no new work.{goes_on}{others(found)}"),), *much]
        what = f"cordon {words.plural(len(names), 'agent')}"
        same_as = command_line("cordon", *names)
        go = await approved(screen, plan_of(state, what, lines, same_as, "Cordon", typed=True))
    else:
        question = f"Cordon {label}? No new work for it.{goes_on}{others(found)}"
        go = await confirmed(screen, question)
    if go:
        await carry_out(screen, found, f"cordoned {label}")


async def uncordon(screen: Stage, chosen: Selection) -> None:
    """Let agents take work again."""
    found = planned(screen, Uncordon(agents=chosen.agents))
    if found is None:
        return
    label = safe_line(listed(subjects(found.command)))
    if await confirmed(screen, f"Uncordon {label}? It takes work again.{others(found)}"):
        await carry_out(screen, found, f"uncordoned {label}")


async def probe(screen: Stage, chosen: Selection) -> None:
    """Look at agents at once."""
    label = safe_line(listed(chosen.agents))
    if isinstance(await screen.console.send(ProbeNow(agents=chosen.agents)), Accepted):
        screen.console.tell(f"looking at {label} now")


# --- the whole fleet ---


async def freeze(screen: Stage, chosen: Selection) -> None:
    """Start nothing until a thaw."""
    del chosen
    view, status = screen.console.view, screen.console.status
    found = planned(screen, Freeze())
    if found is None:
        return

    def plan(typed: Mapping[str, str]) -> Card:
        del typed
        runs = words.plural(status.running + status.unknown, "task")
        waits = words.plural(status.waiting, "task")
        return plan_of(
            view.state,
            "freeze the fleet",
            [
                (Cell("Nothing is started until a thaw, also after a restart of the engine."),),
                (Cell(f"{runs} on agents go on and are followed; {waits} wait."),),
                (Cell("What is submitted is taken and waits."),),
            ],
            "fleet-tui freeze",
            "Freeze",
            typed=found.tier is Tier.NAME,
        )

    why = Field("reason", "reason", hint="why, for the record")
    said = await asked(screen, plan, [why])
    if said is not None:
        frozen = replace(found, command=Freeze(reason=said["reason"]))
        await carry_out(screen, frozen, "the fleet is frozen")


async def thaw(screen: Stage, chosen: Selection) -> None:
    """Start work again."""
    del chosen
    found = planned(screen, Thaw())
    if found is None:
        return
    waits = words.plural(screen.console.status.waiting, "task")
    question = f"Thaw the fleet? Work is started again; {waits} wait."
    if await confirmed(screen, question):
        await carry_out(screen, found, "the fleet starts work again")


# --- alerts and notes ---


async def ack(screen: Stage, chosen: Selection) -> None:
    """Say that alerts are in hand."""
    alerts = screen.console.view.state.alerts
    named = tuple(each for each in chosen.alerts if each in alerts)  # others ended meanwhile
    found = planned(screen, Ack(alerts=named)) if named else None
    if found is None:
        return
    meant = [alerts[AlertId(each)] for each in subjects(found.command)]
    label = safe_line(listed(f"{alert.subject} {alert.text}" for alert in meant))
    if await confirmed(screen, f"Acknowledge {label}?"):
        await carry_out(screen, found, f"acknowledged {label}")


async def note(screen: Stage, chosen: Selection) -> None:
    """Note this moment, with the words that were given or asking for them."""
    del chosen
    text, screen.console.note_text = screen.console.note_text, ""
    if text:
        if isinstance(await screen.console.send(AddNote(text=Untrusted(text))), Accepted):
            screen.console.tell("noted")
    else:
        screen.open_command_line("note ")


# --- taking back ---


async def undo(screen: Stage, chosen: Selection) -> None:
    """Take back what was done last in this console."""
    del chosen
    console = screen.console
    found = [each for command in console.undo if (each := planned(screen, command)) is not None]
    if not found:
        console.undo = ()
        return
    state = console.view.state
    titles = safe_line(", ".join(title(state, each.command) for each in found))
    if await confirmed(screen, f"Undo: {titles}?{''.join(map(others, found))}"):
        redo: list[Command] = []
        for each in found:
            if not isinstance(await console.send(each.command, each.impact), Accepted):
                return
            redo += each.inverse
        console.undo = tuple(redo)
        console.tell(f"undone: {titles}. Z does it again")


ACTS: dict[str, Callable[[Stage, Selection], Awaitable[None]]] = {
    "cordon": cordon,
    "uncordon": uncordon,
    "probe": probe,
    "ack": ack,
    "note": note,
    "freeze": freeze,
    "thaw": thaw,
    "undo": undo,
    **acting_tasks.ACTS,
}
"""By the name of the action."""
